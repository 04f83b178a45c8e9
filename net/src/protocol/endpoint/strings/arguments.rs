//! The arguments of one kind of endpoint, by name.

use super::error::EndpointStringError;
use super::tokens::{Parts, Piece};
use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

/// What one kind of endpoint takes.
pub(super) struct Signature {
    /// What may stand without a name, in this order.
    pub(super) positional: &'static [&'static str],
    /// What needs its name.
    pub(super) named: &'static [&'static str],
}

/// The arguments that were given. Each is taken once.
pub(super) struct Arguments<'a> {
    description: &'a str,
    kind: String,
    given: Vec<(&'static str, Piece)>,
}

impl<'a> Arguments<'a> {
    /// Finds out which is which: what has no name is the first that is not given by name.
    pub(super) fn of(description: &'a str, parts: Parts, signature: &Signature) -> Result<Self, EndpointStringError> {
        let wrong = |piece: &Piece, reason| Err(EndpointStringError::new(description, piece.place.clone(), reason));
        let kind = parts.kind.text.to_ascii_lowercase();
        let takes = || match signature.positional.iter().chain(signature.named).copied().collect::<Vec<_>>()[..] {
            [] => format!("{kind} takes no arguments"),
            ref names => format!("{kind} takes {}", names.join(", ")),
        };
        let mut given: Vec<(&'static str, Piece)> = Vec::new();
        let mut nameless = Vec::new();
        for argument in parts.arguments {
            let Some(name) = argument.name else {
                nameless.push(argument.value);
                continue;
            };
            let mut names = signature.positional.iter().chain(signature.named);
            match names.find(|known| **known == name.text) {
                None => return wrong(&name, format!("there is no argument {:?}; {}", name.text, takes())),
                Some(known) if given.iter().any(|(other, _)| other == known) => {
                    return wrong(&name, format!("{known} is given twice"));
                }
                Some(known) => given.push((known, argument.value)),
            }
        }
        for value in nameless {
            match signature.positional.iter().find(|name| given.iter().all(|(other, _)| other != *name)) {
                Some(name) => given.push((name, value)),
                // `stdio:` is how Twisted's documentation has it.
                None if value.text.is_empty() && signature.positional.is_empty() => {}
                None => return wrong(&value, format!("{:?} is one value too many; {}", value.text, takes())),
            }
        }
        Ok(Self { description, kind, given })
    }

    /// The value of this name, if it is given.
    pub(super) fn take(&mut self, name: &str) -> Option<Piece> {
        let at = self.given.iter().position(|(given, _)| *given == name)?;
        Some(self.given.swap_remove(at).1)
    }

    /// The value of this name, which has to be there.
    pub(super) fn require(&mut self, name: &str) -> Result<Piece, EndpointStringError> {
        self.take(name).ok_or_else(|| self.incomplete(format!("{} needs {name}", self.kind)))
    }

    /// The text of this name, which has to be there and may not be empty.
    pub(super) fn require_text(&mut self, name: &str) -> Result<String, EndpointStringError> {
        let piece = self.require(name)?;
        match piece.text.is_empty() {
            true => Err(self.wrong(&piece, format!("{name} is empty"))),
            false => Ok(piece.text),
        }
    }

    pub(super) fn port(&mut self) -> Result<u16, EndpointStringError> {
        let piece = self.require("port")?;
        self.number("port", &piece)
    }

    pub(super) fn number_or(&mut self, name: &str, default: u32) -> Result<u32, EndpointStringError> {
        self.take(name).map_or(Ok(default), |piece| self.number(name, &piece))
    }

    /// `0` or `1`.
    pub(super) fn flag(&mut self, name: &str) -> Result<Option<bool>, EndpointStringError> {
        let Some(piece) = self.take(name) else { return Ok(None) };
        match &piece.text[..] {
            "0" => Ok(Some(false)),
            "1" => Ok(Some(true)),
            _ => Err(self.not_allowed(name, &piece, "0 and 1")),
        }
    }

    /// Seconds, perhaps with a fraction.
    pub(super) fn seconds(&mut self, name: &str) -> Result<Option<Duration>, EndpointStringError> {
        let Some(piece) = self.take(name) else { return Ok(None) };
        let seconds = piece.text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        seconds.map(Some).ok_or_else(|| self.not_allowed(name, &piece, "a number of seconds from 0 on"))
    }

    /// An IP address. An empty value counts as none.
    pub(super) fn ip(&mut self, name: &str) -> Result<Option<IpAddr>, EndpointStringError> {
        let Some(piece) = self.take(name).filter(|piece| !piece.text.is_empty()) else { return Ok(None) };
        let ip = piece.text.parse();
        let allowed = "an IP address, its colons with a backslash before each";
        ip.map(Some).map_err(|_| self.not_allowed(name, &piece, allowed))
    }

    /// A local address for connections: an IP address, and any port.
    pub(super) fn bind_address(&mut self) -> Result<Option<SocketAddr>, EndpointStringError> {
        Ok(self.ip("bindAddress")?.map(|ip| (ip, 0).into()))
    }

    /// What is wrong with a value.
    pub(super) fn wrong(&self, piece: &Piece, reason: impl Into<String>) -> EndpointStringError {
        EndpointStringError::new(self.description, piece.place.clone(), reason)
    }

    pub(super) fn not_allowed(&self, name: &str, piece: &Piece, allowed: &str) -> EndpointStringError {
        self.wrong(piece, format!("{name} is {:?}; allowed is {allowed}", piece.text))
    }

    /// What stands for a value that is not given.
    #[cfg(feature = "tls")]
    pub(super) fn at_end(&self, default: &str) -> Piece {
        let end = self.description.len();
        Piece { text: default.to_owned(), place: end..end }
    }

    /// Something is missing, which would stand at the end.
    pub(super) fn incomplete(&self, reason: impl Into<String>) -> EndpointStringError {
        let end = self.description.len();
        EndpointStringError::new(self.description, end..end, reason)
    }

    pub(super) fn number<N: FromStr + Bounds + Display>(
        &self,
        name: &str,
        piece: &Piece,
    ) -> Result<N, EndpointStringError> {
        // `FromStr` takes a plus sign as well.
        let number = piece.text.parse().ok().filter(|_| piece.text.bytes().all(|byte| byte.is_ascii_digit()));
        number.ok_or_else(|| self.not_allowed(name, piece, &format!("a number from 0 to {}", N::MOST)))
    }
}

pub(super) trait Bounds {
    const MOST: Self;
}

impl Bounds for u16 {
    const MOST: u16 = u16::MAX;
}

impl Bounds for u32 {
    const MOST: u32 = u32::MAX;
}
