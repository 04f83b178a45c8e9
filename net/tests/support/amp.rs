//! Two sides of an AMP connection in memory, and commands for them.

// Each test file uses a part of it.
#![allow(dead_code)]

use std::fmt;

use rt::protocol::Protocol;
use rt::protocol::amp::{Amp, AmpBox, Arguments, Command, CommandError, Remote};
use rt::testing::StringTransportWithDisconnection;

#[derive(Command, Debug, PartialEq)]
#[amp(response = Total)]
pub(crate) struct Sum {
    pub(crate) a: i64,
    pub(crate) b: i64,
}

#[derive(Arguments, Debug, PartialEq)]
pub(crate) struct Total {
    pub(crate) total: i64,
}

#[derive(Command)]
#[amp(name = "divide", response = Quotient, errors(ZeroDivision = "ZERO_DIVISION"), fatal_errors(TooHard = "TOO_HARD"))]
pub(crate) struct Divide {
    pub(crate) numerator: i64,
    pub(crate) denominator: i64,
}

#[derive(Arguments, Debug, PartialEq)]
pub(crate) struct Quotient {
    pub(crate) result: f64,
}

#[derive(Debug)]
pub(crate) struct ZeroDivision;

impl fmt::Display for ZeroDivision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("division by zero")
    }
}

impl std::error::Error for ZeroDivision {}

impl CommandError for ZeroDivision {
    fn from_description(_: String) -> Self {
        ZeroDivision
    }
}

#[derive(Debug)]
pub(crate) struct TooHard(pub(crate) String);

impl fmt::Display for TooHard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TooHard {}

impl CommandError for TooHard {
    fn from_description(description: String) -> Self {
        TooHard(description)
    }
}

/// Two protocols, each with a transport that keeps what it is given; nothing moves by itself.
pub(crate) struct Link<A: Protocol, B: Protocol> {
    pub(crate) client: StringTransportWithDisconnection<A>,
    pub(crate) server: StringTransportWithDisconnection<B>,
}

impl Link<Amp, Amp> {
    pub(crate) fn new(client: Amp, server: Amp) -> Self {
        let client = StringTransportWithDisconnection::new(client);
        Self { client, server: StringTransportWithDisconnection::new(server) }
    }

    pub(crate) fn remote(&self) -> Remote {
        remote(&self.client)
    }
}

impl<A: Protocol, B: Protocol> Link<A, B> {
    /// Carries bytes to and fro until both are silent.
    pub(crate) fn pump(&self) {
        loop {
            let (to_server, to_client) = (written(&self.client), written(&self.server));
            if to_server.is_empty() && to_client.is_empty() {
                return;
            }
            if !to_server.is_empty() {
                self.server.data_received(&to_server);
            }
            if !to_client.is_empty() {
                self.client.data_received(&to_client);
            }
        }
    }
}

/// What was written since the last call.
pub(crate) fn written<P: Protocol>(side: &StringTransportWithDisconnection<P>) -> Vec<u8> {
    let written = side.string_transport().value();
    side.string_transport().clear();
    written
}

pub(crate) fn remote(side: &StringTransportWithDisconnection<Amp>) -> Remote {
    side.handle().with(|amp, _| amp.remote()).expect("a connection, and none of its events")
}

pub(crate) fn boxed<const N: usize>(pairs: [(&str, &str); N]) -> AmpBox {
    let mut fields = AmpBox::new();
    for (key, value) in pairs {
        fields.insert(key, value).expect("short ones");
    }
    fields
}
