//! `tcp:8080` and the like.

use super::arguments::{Arguments, Signature};
use super::error::EndpointStringError;
use super::tokens::take_apart;
#[cfg(unix)]
use crate::AdoptedSockets;
#[cfg(unix)]
use crate::protocol::{AdoptedStreamServerEndpoint, UnixServerEndpoint};
use crate::protocol::{Factory, ListenOptions, Port, StandardIoEndpoint, StreamServerEndpoint, TcpServerEndpoint};
#[cfg(feature = "tls")]
use crate::protocol::{TlsServerEndpoint, wrap_server_tls};
use rt_deferred::Deferred;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
#[cfg(unix)]
use std::sync::{LazyLock, Mutex, PoisonError};

/// The endpoint of a server that `description` describes: its kind, then what is said of it, with colons between.
///
/// | kind | without a name, in this order | by name |
/// |---|---|---|
/// | `tcp` | `port`, `interface` (an IP address; all of IPv4), `backlog` (1024) | the same |
/// | `tcp6` | `port`, `backlog`, `interface` (all of IPv6) | the same |
/// | `unix` | `address` (a path), `mode` (666, octal), `backlog`, `lockfile` (1, or 0: see [`ListenOptions::lock_file`]) | the same |
/// | `ssl` | `port`, `privateKey` (a path; `server.pem`), `certKey` (a path; that of the key), `interface`, `backlog` | also `extraCertChain` (a path) |
/// | `tls` | `port`, `certificate` (a path; `server.pem`), `privateKey` (a path; that of the certificate), `interface`, `backlog` | also `extraCertChain` |
/// | `stdio` | | |
/// | `systemd` | `domain` (`INET`, `INET6` or `UNIX`), `index`, `name` | the same; either `index` or `name` |
///
/// What may be left out is told with what it is then. A backslash before a colon, an equals sign or a backslash takes it as it is: see
/// [`quote_string_argument`](super::quote_string_argument). Kinds may be in capital letters.
///
/// The files of `ssl` and `tls`, which are there with the feature `tls`, are read at once. They are PEM; one file may hold the
/// certificate and the key.
///
/// Sockets for `systemd` are those of [`AdoptedSockets`](crate::AdoptedSockets); they are taken out of the environment the first time
/// that one is described, and each can be described once.
///
/// Counterpart: `twisted.internet.endpoints.serverFromString`, whose backlog is 50. Of its `ssl`, `sslmethod`
/// and `dhParameters` are not there: TLS 1.2 and 1.3 are spoken, and their key exchange needs no parameters.
///
/// # Errors
///
/// What is wrong, with its place.
///
/// ```
/// use rt::protocol::{AnyStreamServerEndpoint, server_from_string};
///
/// let endpoint = server_from_string("tcp:8080:interface=127.0.0.1")?;
/// assert!(matches!(endpoint, AnyStreamServerEndpoint::Tcp(_)));
///
/// let error = server_from_string("tcp:8080:interfce=127.0.0.1").unwrap_err();
/// assert_eq!(error.reason(), "there is no argument \"interfce\"; tcp takes port, interface, backlog");
/// assert_eq!(error.offset(), 9);
/// # Ok::<(), rt::protocol::EndpointStringError>(())
/// ```
pub fn server_from_string(description: &str) -> Result<AnyStreamServerEndpoint, EndpointStringError> {
    let parts = take_apart(description)?;
    let kind = parts.kind.clone();
    let arguments = |signature| Arguments::of(description, parts, signature);
    match &kind.text.to_ascii_lowercase()[..] {
        "tcp" => tcp(arguments(&TCP)?, Ipv4Addr::UNSPECIFIED.into()),
        "tcp6" => tcp(arguments(&TCP6)?, Ipv6Addr::UNSPECIFIED.into()),
        #[cfg(feature = "tls")]
        "ssl" => tls(arguments(&SSL)?, "certKey"),
        #[cfg(feature = "tls")]
        "tls" => tls(arguments(&TLS)?, "certificate"),
        #[cfg(unix)]
        "unix" => unix(arguments(&UNIX)?),
        #[cfg(unix)]
        "systemd" => systemd(arguments(&SYSTEMD)?),
        "stdio" => arguments(&STDIO).map(|_| AnyStreamServerEndpoint::StandardIo(StandardIoEndpoint)),
        _ => {
            let reason = format!("there is no kind of server {:?}; allowed are {}", kind.text, KINDS.join(", "));
            Err(EndpointStringError::new(description, kind.place, reason))
        }
    }
}

const KINDS: &[&str] = &[
    "tcp",
    "tcp6",
    #[cfg(feature = "tls")]
    "ssl",
    #[cfg(feature = "tls")]
    "tls",
    #[cfg(unix)]
    "unix",
    "stdio",
    #[cfg(unix)]
    "systemd",
];

const STDIO: Signature = Signature { positional: &[], named: &[] };

/// What a server is described to listen on.
///
/// Counterpart: what `serverFromString` returns.
///
/// ```
/// use rt::protocol::{Protocol, StreamServerEndpoint, Transport, for_protocol, server_from_string};
///
/// struct Discard;
///
/// impl Protocol for Discard {
///     fn data_received(&mut self, _: &Transport, _: &[u8]) {}
/// }
///
/// # fn main() -> Result<(), rt::deferred::Failure> {
/// # rt::block_on(async {
/// let port = server_from_string("tcp:0:interface=127.0.0.1")?.listen(for_protocol(|| Discard)).await?;
/// assert!(port.host().ip().unwrap().ip().is_loopback());
/// # Ok(())
/// # })
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AnyStreamServerEndpoint {
    /// `tcp:` and `tcp6:`
    Tcp(TcpServerEndpoint),
    /// `ssl:` and `tls:`
    #[cfg(feature = "tls")]
    Tls(TlsServerEndpoint<TcpServerEndpoint>),
    /// `unix:`
    #[cfg(unix)]
    Unix(UnixServerEndpoint),
    /// `stdio:`
    StandardIo(StandardIoEndpoint),
    /// `systemd:`
    #[cfg(unix)]
    Adopted(AdoptedStreamServerEndpoint),
}

impl StreamServerEndpoint for AnyStreamServerEndpoint {
    fn listen<F: Factory>(&self, factory: F) -> Deferred<Port> {
        match self {
            AnyStreamServerEndpoint::Tcp(endpoint) => endpoint.listen(factory),
            #[cfg(feature = "tls")]
            AnyStreamServerEndpoint::Tls(endpoint) => endpoint.listen(factory),
            #[cfg(unix)]
            AnyStreamServerEndpoint::Unix(endpoint) => endpoint.listen(factory),
            AnyStreamServerEndpoint::StandardIo(endpoint) => endpoint.listen(factory),
            #[cfg(unix)]
            AnyStreamServerEndpoint::Adopted(endpoint) => endpoint.listen(factory),
        }
    }
}

type Described = Result<AnyStreamServerEndpoint, EndpointStringError>;

const BACKLOG: u32 = 1024;

const TCP: Signature = Signature { positional: &["port", "interface", "backlog"], named: &[] };
const TCP6: Signature = Signature { positional: &["port", "backlog", "interface"], named: &[] };

fn tcp(arguments: Arguments<'_>, all: IpAddr) -> Described {
    Ok(AnyStreamServerEndpoint::Tcp(tcp_endpoint(arguments, all)?))
}

fn tcp_endpoint(mut arguments: Arguments<'_>, all: IpAddr) -> Result<TcpServerEndpoint, EndpointStringError> {
    let port = arguments.port()?;
    let interface = arguments.ip("interface")?.unwrap_or(all);
    let options = ListenOptions::new().backlog(arguments.number_or("backlog", BACKLOG)?);
    Ok(TcpServerEndpoint::new((interface, port)).with_options(options))
}

#[cfg(feature = "tls")]
const SSL: Signature =
    Signature { positional: &["port", "privateKey", "certKey", "interface", "backlog"], named: &["extraCertChain"] };
#[cfg(feature = "tls")]
const TLS: Signature = Signature {
    positional: &["port", "certificate", "privateKey", "interface", "backlog"],
    named: &["extraCertChain"],
};

#[cfg(feature = "tls")]
fn tls(mut arguments: Arguments<'_>, certificate: &str) -> Described {
    let acceptor = super::tls::acceptor(&mut arguments, certificate, "privateKey", "extraCertChain")?;
    let below = tcp_endpoint(arguments, Ipv4Addr::UNSPECIFIED.into())?;
    Ok(AnyStreamServerEndpoint::Tls(wrap_server_tls(&acceptor, below)))
}

#[cfg(unix)]
const UNIX: Signature = Signature { positional: &["address", "mode", "backlog", "lockfile"], named: &[] };

#[cfg(unix)]
fn unix(mut arguments: Arguments<'_>) -> Described {
    let path = arguments.require_text("address")?;
    let mode = match arguments.take("mode") {
        None => 0o666,
        Some(piece) => match u32::from_str_radix(&piece.text, 8) {
            Ok(mode) if mode <= 0o7777 && !piece.text.starts_with('+') => mode,
            _ => return Err(arguments.not_allowed("mode", &piece, "an octal number from 0 to 7777")),
        },
    };
    let options = ListenOptions::new()
        .mode(mode)
        .backlog(arguments.number_or("backlog", BACKLOG)?)
        .lock_file(arguments.flag("lockfile")?.unwrap_or(true));
    Ok(AnyStreamServerEndpoint::Unix(UnixServerEndpoint::new(path).with_options(options)))
}

#[cfg(unix)]
const SYSTEMD: Signature = Signature { positional: &["domain", "index", "name"], named: &[] };

#[cfg(unix)]
fn systemd(mut arguments: Arguments<'_>) -> Described {
    /// Those of the process, which leave the environment when they are read.
    static SOCKETS: LazyLock<Mutex<AdoptedSockets>> = LazyLock::new(|| Mutex::new(AdoptedSockets::from_env()));
    let domain = arguments.require("domain")?;
    let is_unix = match &domain.text[..] {
        "UNIX" => true,
        "INET" | "INET6" => false,
        _ => return Err(arguments.not_allowed("domain", &domain, "INET, INET6 and UNIX")),
    };
    let (index, name) = (arguments.take("index"), arguments.take("name"));
    let mut sockets = SOCKETS.lock().unwrap_or_else(PoisonError::into_inner);
    let (which, taken) = match (index, name) {
        (Some(piece), None) => {
            let index = arguments.number::<u32>("index", &piece)? as usize;
            (piece, adopt(&mut sockets, index, is_unix))
        }
        (None, Some(piece)) => {
            let taken = adopt(&mut sockets, &piece.text[..], is_unix);
            (piece, taken)
        }
        (Some(_), Some(second)) => {
            return Err(arguments.wrong(&second, "both index and name are given; allowed is one of them"));
        }
        (None, None) => return Err(arguments.incomplete("systemd needs either index or name")),
    };
    taken.map(AnyStreamServerEndpoint::Adopted).map_err(|error| arguments.wrong(&which, error.to_string()))
}

#[cfg(unix)]
fn adopt(
    sockets: &mut AdoptedSockets,
    which: impl crate::AdoptedSocket,
    is_unix: bool,
) -> std::io::Result<AdoptedStreamServerEndpoint> {
    match is_unix {
        true => sockets.unix_listener(which).map(AdoptedStreamServerEndpoint::unix),
        false => sockets.tcp_listener(which).map(AdoptedStreamServerEndpoint::tcp),
    }
}
