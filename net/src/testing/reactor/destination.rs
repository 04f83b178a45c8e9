//! What is connected to.

use crate::protocol::Address;
use crate::target::Target;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
#[cfg(unix)]
use std::path::PathBuf;

/// What is connected to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Destination {
    Tcp(String, u16),
    #[cfg(unix)]
    Unix(PathBuf),
    Malformed(String),
}

impl Destination {
    /// Whether it is what listens at `address`.
    pub(super) fn is_at(&self, address: &Address) -> bool {
        match (self, address) {
            (Destination::Tcp(_, port), Address::Ip(address)) => address.port() == *port,
            #[cfg(unix)]
            (Destination::Unix(path), Address::Unix(Some(listening))) => path == listening,
            _ => false,
        }
    }

    /// What the connection's end says that it is; every name is this host.
    pub(super) fn address(&self) -> Address {
        match self {
            Destination::Tcp(host, port) => {
                let ip = host.parse().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
                SocketAddr::new(ip, *port).into()
            }
            #[cfg(unix)]
            Destination::Unix(path) => Address::Unix(Some(path.clone())),
            Destination::Malformed(_) => Address::Memory,
        }
    }
}

impl From<Target> for Destination {
    fn from(target: Target) -> Destination {
        match target {
            Target::Known(addresses) => match addresses.first() {
                Some(address) => Destination::Tcp(address.ip().to_string(), address.port()),
                None => Destination::Malformed("no address is given".to_owned()),
            },
            Target::Name(host, port) => Destination::Tcp(host, port),
            Target::Malformed(what) => Destination::Malformed(what),
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Destination::Tcp(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Destination::Tcp(host, port) => write!(f, "{host}:{port}"),
            #[cfg(unix)]
            Destination::Unix(path) => write!(f, "unix:{}", path.display()),
            Destination::Malformed(_) => f.write_str("(no address)"),
        }
    }
}
