//! The room's side of a connection.

use crate::room::{Room, departure};
use rt::protocol::{Address, ConnectionLost, LineHandler, LineReceiver, Lines, Port, listen_tcp};
use rt::time::{DelayedCall, Duration, call_later};
use std::io;
use std::rc::Rc;

/// Most bytes in a line, its ending not counted.
const MAX_LINE: usize = 4096;

/// Time to say one's name.
const INTRODUCTION: Duration = Duration::from_secs(60);

/// Opens a room.
pub(crate) fn open(address: &str) -> io::Result<(Port, Rc<Room>)> {
    let explain = |error: io::Error| io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"));
    let room = Rc::new(Room::default());
    let shared = Rc::clone(&room);
    let port = listen_tcp(address, move |_: &Address| {
        let guest = Guest { room: Rc::clone(&shared), number: 0, introduction: None };
        LineReceiver::new(guest).delimiter(b"\n").max_length(MAX_LINE + b"\r".len())
    });
    Ok((port.map_err(explain)?, room))
}

/// One who is connected.
struct Guest {
    room: Rc<Room>,
    number: u64,
    /// Ends the connection of who says no name. `None` in the room.
    introduction: Option<DelayedCall>,
}

impl LineHandler for Guest {
    fn connection_made(&mut self, lines: &mut Lines<'_>) {
        self.number = self.room.connect(lines.transport());
        let transport = lines.transport().clone();
        self.introduction = Some(call_later(INTRODUCTION, move || transport.abort_with(ConnectionLost::TimedOut)));
    }

    fn line_received(&mut self, lines: &mut Lines<'_>, line: &[u8]) {
        let text = text(line.strip_suffix(b"\r").unwrap_or(line));
        let Some(introduction) = self.introduction.take() else { return self.say(lines, text) };
        // It can not be over: then the connection is gone.
        let _ = introduction.cancel();
        if let Err(refusal) = text.and_then(|name| self.room.introduce(self.number, name.trim())) {
            refuse(lines, &refusal);
            lines.lose_connection();
        }
    }

    fn line_length_exceeded(&mut self, lines: &mut Lines<'_>, _: &[u8]) {
        refuse(lines, &format!("a line may have {MAX_LINE} bytes"));
        lines.lose_connection();
    }

    fn connection_lost(&mut self, _: &mut Lines<'_>, reason: &ConnectionLost) {
        if let Some(introduction) = self.introduction.take() {
            let _ = introduction.cancel();
        }
        if let Some(departure) = departure(reason) {
            eprintln!("guest {}: {departure}", self.number);
        }
        self.room.disconnect(self.number);
    }
}

impl Guest {
    fn say(&self, lines: &Lines<'_>, text: Result<&str, String>) {
        match text {
            Ok("") => {}
            Ok(text) => self.room.say(self.number, text),
            Err(refusal) => refuse(lines, &refusal),
        }
    }
}

fn refuse(lines: &Lines<'_>, refusal: &str) {
    lines.send_line(format!("(Refused: {refusal})").as_bytes());
}

/// Control characters could play tricks on the terminals of the others.
fn text(line: &[u8]) -> Result<&str, String> {
    let text = std::str::from_utf8(line).map_err(|_| "a line is text in UTF-8".to_owned())?;
    match text.chars().any(|c| c.is_control() && c != '\t') {
        true => Err("a line is text without control characters".to_owned()),
        false => Ok(text),
    }
}
