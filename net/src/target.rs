//! What is listened on or connected to, kept for later.

use crate::ToSocketAddrs;
use crate::addr::{Addresses, Named, addresses_of};
use std::fmt;
use std::io;
use std::net::SocketAddr;

/// What a [`ToSocketAddrs`] stands for, in a form that can be kept.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    Known(Vec<SocketAddr>),
    Name(String, u16),
    /// Why it is neither.
    Malformed(String),
}

impl Target {
    pub(crate) fn of(address: &impl ToSocketAddrs) -> Target {
        match address.to_addresses() {
            Named::Known(addresses) => Target::Known(addresses.collect()),
            Named::Name(host, port) => Target::Name(host, port),
            Named::Malformed(what) => Target::Malformed(what),
        }
    }

    /// The name or the IP address, without the port. Of several addresses, that of the first.
    #[cfg(feature = "tls")]
    pub(crate) fn host(&self) -> String {
        match self {
            Target::Known(addresses) => addresses.first().map(|address| address.ip().to_string()).unwrap_or_default(),
            Target::Name(host, _) => host.clone(),
            Target::Malformed(_) => String::new(),
        }
    }

    /// The addresses, if no name has to be looked up for them.
    pub(crate) fn addresses_now(self) -> io::Result<Vec<SocketAddr>> {
        let text = match self {
            Target::Known(addresses) => return Ok(addresses),
            Target::Name(host, port) => {
                format!("{host}:{port} would have to be looked up; allowed here is an IP address with a port")
            }
            Target::Malformed(what) => what,
        };
        Err(io::Error::new(io::ErrorKind::InvalidInput, text))
    }

    /// The addresses, looked up if need be.
    pub(crate) async fn addresses(self) -> io::Result<Vec<SocketAddr>> {
        Ok(addresses_of(self.into_named(), None).await?.collect())
    }

    fn into_named(self) -> Named {
        match self {
            Target::Known(addresses) => match addresses[..] {
                [address] => Named::Known(Addresses::One(Some(address))),
                _ => Named::Known(Addresses::Many(addresses.into_iter())),
            },
            Target::Name(host, port) => Named::Name(host, port),
            Target::Malformed(what) => Named::Malformed(what),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Known(addresses) => {
                let addresses: Vec<_> = addresses.iter().map(SocketAddr::to_string).collect();
                f.write_str(&addresses.join(", "))
            }
            Target::Name(host, port) => write!(f, "{host}:{port}"),
            Target::Malformed(_) => f.write_str("(no address)"),
        }
    }
}
