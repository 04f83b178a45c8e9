//! Where an end of a connection is.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Where an end of a connection is.
///
/// Counterpart: `twisted.internet.address`: `IPv4Address`, `IPv6Address`, `UNIXAddress`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Address {
    /// An IP address with a port.
    Ip(SocketAddr),
    /// A Unix socket, with its path unless it has none.
    Unix(Option<PathBuf>),
    /// A child process, by number.
    Process(u32),
    /// Standard input and output of this process.
    StandardIo,
    /// An end within this process, such as of a test's connection.
    #[default]
    Memory,
}

impl Address {
    /// The IP address with its port, if this is one.
    pub fn ip(&self) -> Option<SocketAddr> {
        match self {
            Address::Ip(address) => Some(*address),
            _ => None,
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Address {
        Address::Ip(address)
    }
}

#[cfg(unix)]
impl From<std::os::unix::net::SocketAddr> for Address {
    fn from(address: std::os::unix::net::SocketAddr) -> Address {
        Address::Unix(address.as_pathname().map(PathBuf::from))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Ip(address) => address.fmt(f),
            Address::Unix(Some(path)) => write!(f, "unix:{}", path.display()),
            Address::Unix(None) => f.write_str("unix:(no path)"),
            Address::Process(number) => write!(f, "process:{number}"),
            Address::StandardIo => f.write_str("stdio"),
            Address::Memory => f.write_str("memory"),
        }
    }
}
