//! The two programs that are chat rooms, and what they say differently.

use crate::example::{End, Example};
use crate::netcat::Netcat;
use rustix::process::Signal;

pub(crate) const MAX_LINE: usize = 4096;
pub(crate) const HINT: &str = "An empty line, Ctrl-C or Ctrl-D leaves the room.";

pub(crate) const FUTURES: Chat =
    Chat { program: "chat", hosts: true, explains: true, resets: false, signals: &[Signal::INT, Signal::TERM] };
pub(crate) const CALLBACKS: Chat =
    Chat { program: "chat_protocol", hosts: false, explains: false, resets: true, signals: &[Signal::INT] };

#[derive(Clone, Copy)]
pub(crate) struct Chat {
    pub(crate) program: &'static str,
    /// A user may be the one with whom the room begins and ends.
    hosts: bool,
    /// A refusal says what it was that is refused, and what became of it.
    pub(crate) explains: bool,
    /// Who is cut off loses what was on its way, too.
    pub(crate) resets: bool,
    /// Those that it ends well after.
    pub(crate) signals: &'static [Signal],
}

impl Chat {
    pub(crate) fn start<const N: usize>(self, arguments: [&str; N]) -> Example {
        Example::start(self.program, arguments)
    }

    /// A room with nobody in it.
    pub(crate) fn serve(self) -> (Example, String) {
        let mut server = self.start(["serve", "127.0.0.1:0"]);
        let address = address(&mut server);
        (server, address)
    }

    pub(crate) fn join(self, name: &str, address: &str) -> Example {
        let mut client = self.start(["join", name, address]);
        assert_eq!(client.line(), format!("You are {name}. {HINT}"));
        if !self.hosts {
            // The answer to this tells that the room has read the name.
            client.write("\x07\n");
            assert_eq!(client.line(), self.no_control_characters("\\u{7}"));
        }
        client
    }

    /// A room with `name` in it.
    pub(crate) fn room(self, name: &str) -> Room {
        if !self.hosts {
            let (server, address) = self.serve();
            return Room { first: self.join(name, &address), server: Some(server), address };
        }
        let mut first = self.start(["host", name, "127.0.0.1:0"]);
        let address = address(&mut first);
        assert_eq!(first.line(), format!("You are {name}. {HINT}"));
        Room { first, server: None, address }
    }

    pub(crate) fn no_control_characters(self, this: &str) -> String {
        self.refused("a line is text without control characters", &format!("with '{this}'"))
    }

    pub(crate) fn no_utf8(self, byte: usize) -> String {
        self.refused("a line is text in UTF-8", &format!("which is not (byte {byte})"))
    }

    pub(crate) fn too_long(self) -> String {
        self.refused("a line may have 4096 bytes", "which has more")
    }

    fn refused(self, rule: &str, but: &str) -> String {
        if self.explains {
            format!("(Refused: {rule}, and this one, {but}, is lost)")
        } else {
            format!("(Refused: {rule})")
        }
    }
}

/// A room that somebody is in.
pub(crate) struct Room {
    pub(crate) first: Example,
    /// Who hosts it, if that is not the first user.
    pub(crate) server: Option<Example>,
    pub(crate) address: String,
}

impl Room {
    /// A user comes, and the first one sees it.
    pub(crate) fn enter(&mut self, name: &str) -> Netcat {
        let mut user = Netcat::connect(&self.address);
        user.send(format!("{name}\n"));
        assert_eq!(self.first.line(), format!("(User {name} connected)"));
        user
    }
}

pub(crate) fn ended_well<const N: usize>(stdout: [&str; N]) -> End {
    End { code: Some(0), stdout: stdout.map(str::to_owned).into(), stderr: Vec::new() }
}

fn address(server: &mut Example) -> String {
    let line = server.line();
    line.strip_prefix("Listening on ").unwrap_or_else(|| panic!("an address was expected: {line}")).to_owned()
}
