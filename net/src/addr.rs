//! What one can connect and bind to: addresses, and names that become addresses.

use crate::resolve::DnsResolver;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::{slice, vec};

/// What stands for one or more socket addresses.
///
/// Implemented for addresses, `(ip, port)`, slices of addresses, `"host:port"` and `(host, port)`, the latter two also as
/// `String`. An address in writing (`"[::1]:80"`) is parsed on the spot; every other name is looked up by the process's
/// [`DnsResolver`], unless whoever takes it has another. Sealed: its method is internal.
///
/// Counterpart: `tokio::net::ToSocketAddrs`.
pub trait ToSocketAddrs: sealed::ToAddresses {}

impl<T: sealed::ToAddresses + ?Sized> ToSocketAddrs for T {}

/// Resolves `host` to its addresses by the process's [`DnsResolver`], in the order in which they should be tried.
///
/// Counterpart: `tokio::net::lookup_host`.
///
/// # Errors
///
/// The name is not of the form `host:port`; otherwise those of [`DnsResolver::lookup`].
///
/// # Cancel safety
///
/// Dropping the future lets go of the name at once, see [`DnsResolver::lookup`].
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// # rt::block_on(async {
/// // An address in writing is its own answer.
/// let mut addresses = rt::net::lookup_host("127.0.0.1:80").await?;
/// assert_eq!(addresses.next(), Some(([127, 0, 0, 1], 80).into()));
/// # Ok(())
/// # })
/// # }
/// ```
pub async fn lookup_host<T: ToSocketAddrs>(host: T) -> io::Result<impl Iterator<Item = SocketAddr>> {
    addresses(&host).await
}

/// The addresses that `of` stands for.
pub(crate) async fn addresses<T: ToSocketAddrs + ?Sized>(of: &T) -> io::Result<Addresses> {
    match of.to_addresses() {
        Named::Known(addresses) => Ok(addresses),
        // In memory of its own: who has an address does not carry it along.
        named => Box::pin(addresses_of(named, None)).await,
    }
}

/// The addresses that are `named`, by `resolver` if it is given, else by the process's.
pub(crate) async fn addresses_of(named: Named, resolver: Option<DnsResolver>) -> io::Result<Addresses> {
    match named {
        Named::Known(addresses) => Ok(addresses),
        Named::Malformed(what) => Err(io::Error::new(io::ErrorKind::InvalidInput, what)),
        Named::Name(host, port) => {
            let found = resolver.unwrap_or_default().lookup_addresses(&host, port).await?;
            Ok(Addresses::Many(found.into_iter()))
        }
    }
}

/// Calls `attempt` with one address after the other until one succeeds; the last failure otherwise.
pub(crate) async fn first_that_works<A: ToSocketAddrs, R, F: Future<Output = io::Result<R>>>(
    addr: A,
    mut attempt: impl FnMut(SocketAddr) -> F,
) -> io::Result<R> {
    let mut failure = None;
    for address in addresses(&addr).await? {
        match attempt(address).await {
            Ok(result) => return Ok(result),
            Err(error) => failure = Some(error),
        }
    }
    let nothing = || io::Error::new(io::ErrorKind::InvalidInput, "the name stands for no address at all");
    Err(failure.unwrap_or_else(nothing))
}

/// One address without an allocation, or any number.
pub enum Addresses {
    One(Option<SocketAddr>),
    Many(vec::IntoIter<SocketAddr>),
}

impl Iterator for Addresses {
    type Item = SocketAddr;

    fn next(&mut self) -> Option<SocketAddr> {
        match self {
            Addresses::One(address) => address.take(),
            Addresses::Many(addresses) => addresses.next(),
        }
    }
}

/// What is in a name.
pub enum Named {
    Known(Addresses),
    Name(String, u16),
    Malformed(String),
}

impl Named {
    fn one(address: SocketAddr) -> Named {
        Named::Known(Addresses::One(Some(address)))
    }

    fn host_and_port(host: &str, port: u16) -> Named {
        match host.parse::<IpAddr>() {
            Ok(ip) => Named::one((ip, port).into()),
            Err(_) => Named::Name(host.to_owned(), port),
        }
    }
}

mod sealed {
    #[diagnostic::on_unimplemented(
        message = "`{Self}` is no address",
        label = "this stands for no socket addresses",
        note = "an address is `\"host:port\"`, `(host, port)`, `(ip, port)` or a `SocketAddr`; port 8080 of all interfaces is \
                `(Ipv4Addr::UNSPECIFIED, 8080)` or `\"0.0.0.0:8080\"`"
    )]
    pub trait ToAddresses {
        fn to_addresses(&self) -> super::Named;
    }
}

use sealed::ToAddresses;

impl ToAddresses for SocketAddr {
    fn to_addresses(&self) -> Named {
        Named::one(*self)
    }
}

impl ToAddresses for SocketAddrV4 {
    fn to_addresses(&self) -> Named {
        Named::one((*self).into())
    }
}

impl ToAddresses for SocketAddrV6 {
    fn to_addresses(&self) -> Named {
        Named::one((*self).into())
    }
}

impl ToAddresses for (IpAddr, u16) {
    fn to_addresses(&self) -> Named {
        Named::one((*self).into())
    }
}

impl ToAddresses for (Ipv4Addr, u16) {
    fn to_addresses(&self) -> Named {
        Named::one((*self).into())
    }
}

impl ToAddresses for (Ipv6Addr, u16) {
    fn to_addresses(&self) -> Named {
        Named::one((*self).into())
    }
}

impl ToAddresses for [SocketAddr] {
    fn to_addresses(&self) -> Named {
        let addresses: slice::Iter<'_, SocketAddr> = self.iter();
        Named::Known(Addresses::Many(addresses.copied().collect::<Vec<_>>().into_iter()))
    }
}

impl ToAddresses for str {
    fn to_addresses(&self) -> Named {
        if let Ok(address) = self.parse() {
            return Named::one(address);
        }
        let parts = self.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
        match parts {
            Some((host, port)) => Named::Name(host.to_owned(), port),
            None => Named::Malformed(format!("{self:?} is not of the form host:port with a port from 0 to 65535")),
        }
    }
}

impl ToAddresses for (&str, u16) {
    fn to_addresses(&self) -> Named {
        Named::host_and_port(self.0, self.1)
    }
}

impl ToAddresses for (String, u16) {
    fn to_addresses(&self) -> Named {
        Named::host_and_port(&self.0, self.1)
    }
}

impl ToAddresses for String {
    fn to_addresses(&self) -> Named {
        (**self).to_addresses()
    }
}

impl<T: ToAddresses + ?Sized> ToAddresses for &T {
    fn to_addresses(&self) -> Named {
        (**self).to_addresses()
    }
}
