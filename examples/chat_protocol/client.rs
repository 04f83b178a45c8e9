//! The terminal's side: two protocols, each of which writes to the other's transport.

use crate::room::check_name;
use rt::Failure;
use rt::protocol::{
    ConnectionLost, LineHandler, LineReceiver, Lines, Protocol, ProtocolHandle, StandardIo, TcpClientEndpoint,
    Transport, connect_protocol,
};
use rt::time::{Duration, timeout};
use std::io;

/// Time for the server's last words after we have left.
const GOODBYE: Duration = Duration::from_secs(1);

/// Joins the room at `address` until the person has enough, or the server has.
pub(crate) async fn join(name: &str, address: &str) -> Result<(), Failure> {
    check_name(name)?;
    let explain = |failure: Failure| {
        let kind = failure.kind().unwrap_or(io::ErrorKind::Other);
        Failure::new(io::Error::new(kind, format!("cannot join {address}: {failure}")))
    };
    let interrupted = rt::signal::ctrl_c();
    let incoming = Incoming { name: name.to_owned(), terminal: None };
    let connection = connect_protocol(&TcpClientEndpoint::new(address), incoming).await.map_err(explain)?;
    let transport = connection.transport();
    let Ok(Some(terminal)) = connection.with(|incoming, _| incoming.terminal.clone()) else { return Ok(()) };
    rt::select! {
        _ = transport.closed() => {}
        result = interrupted => {
            result?;
            // An error says that the terminal is gone, and the connection with it.
            let _ = terminal.with(|typed, screen| typed.with(screen, Typed::leave));
            if timeout(GOODBYE, transport.closed()).await.is_err() {
                transport.abort_connection();
            }
        }
    }
    // What came last is printed.
    terminal.transport().closed().await?;
    match transport.closed().await? {
        ConnectionLost::Lost(failure) => Err(failure),
        _ => Ok(()),
    }
}

/// What comes from the room goes to the terminal.
struct Incoming {
    name: String,
    terminal: Option<ProtocolHandle<LineReceiver<Typed>>>,
}

impl Protocol for Incoming {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write(format!("{}\n", self.name).as_bytes());
        let typed = LineReceiver::new(Typed { connection: transport.clone(), has_left: false }).delimiter(b"\n");
        let terminal = StandardIo::new(typed);
        let screen = terminal.transport();
        screen.write(format!("You are {}. An empty line, Ctrl-C or Ctrl-D leaves the room.\n", self.name).as_bytes());
        // Each side is read at the pace of the other: neither piles up here.
        screen.register_producer(transport.clone(), true).expect("it is the first");
        transport.register_producer(screen, true).expect("it is the first");
        self.terminal = Some(terminal);
    }

    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        if let Some(terminal) = &self.terminal {
            terminal.transport().write(data);
        }
    }

    fn connection_lost(&mut self, _: &Transport, _: &ConnectionLost) {
        let Some(terminal) = &self.terminal else { return };
        let has_left = terminal.with(|typed, _| typed.handler().has_left).unwrap_or(true);
        if !has_left {
            eprintln!("The server has closed the connection.");
        }
        terminal.transport().unregister_producer();
        terminal.transport().lose_connection();
    }
}

/// What is typed goes to the room.
struct Typed {
    connection: Transport,
    has_left: bool,
}

impl LineHandler for Typed {
    fn line_received(&mut self, lines: &mut Lines<'_>, line: &[u8]) {
        match line {
            b"" | b"\r" => self.leave(lines),
            _ => self.connection.write_sequence([line, b"\n"]),
        }
    }

    fn read_connection_lost(&mut self, lines: &mut Lines<'_>) {
        // Half a line, and Ctrl-D.
        let rest = lines.clear_line_buffer();
        if !rest.is_empty() {
            self.connection.write_sequence([&rest[..], b"\n"]);
        }
        self.leave(lines);
    }
}

impl Typed {
    /// The server answers the end of what we send with the end of what it sends.
    fn leave(&mut self, lines: &mut Lines<'_>) {
        self.has_left = true;
        lines.pause_producing();
        self.connection.unregister_producer();
        self.connection.lose_write_connection();
    }
}
