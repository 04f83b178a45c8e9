//! A client that knows nothing but lines.

// Each test file uses a part of it.
#![allow(dead_code)]

use crate::example::PATIENCE;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};

/// A plain client.
pub(crate) struct Netcat {
    input: BufReader<TcpStream>,
    output: TcpStream,
}

impl Netcat {
    pub(crate) fn connect(address: &str) -> Self {
        let output = TcpStream::connect(address).expect("somebody listens");
        output.set_read_timeout(Some(PATIENCE)).expect("a time that makes sense");
        output.set_write_timeout(Some(PATIENCE)).expect("a time that makes sense");
        let input = BufReader::new(output.try_clone().expect("a free descriptor"));
        Self { input, output }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.output.write_all(bytes.as_ref()).expect("the server reads");
    }

    /// Ends its output, and listens on.
    pub(crate) fn disconnect(&mut self) {
        self.output.shutdown(Shutdown::Write).expect("the connection is open");
    }

    pub(crate) fn line(&mut self) -> String {
        self.read_line().expect("another line before the end")
    }

    /// `None` at the end, also if the last line is cut off there.
    pub(crate) fn read_line(&mut self) -> Option<String> {
        let mut line = String::new();
        self.input.read_line(&mut line).expect("a line or the end");
        line.strip_suffix('\n').map(str::to_owned)
    }

    pub(crate) fn at_end(&mut self) {
        let mut rest = String::new();
        self.input.read_to_string(&mut rest).expect("the end");
        assert_eq!(rest, "");
    }

    /// Waits until the server has read everything, by asking for a refusal.
    pub(crate) fn settle(&mut self) {
        self.send("\x07\n");
        assert!(self.line().starts_with("(Refused: "));
    }
}
