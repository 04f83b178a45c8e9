//! `tcp:host=example.com:port=80` and the like.

use super::arguments::{Arguments, Signature};
use super::error::EndpointStringError;
use super::tokens::take_apart;
#[cfg(unix)]
use crate::protocol::UnixClientEndpoint;
#[cfg(feature = "tls")]
use crate::protocol::{Address, Protocol, StartTls, TlsClientEndpoint, wrap_client_tls};
use crate::protocol::{ConnectOptions, Factory, HostnameEndpoint, ProtocolHandle, StreamClientEndpoint};
#[cfg(feature = "tls")]
use crate::tls::TlsConnector;
use rt_deferred::Deferred;

/// The endpoint of a client that `description` describes: its kind, then what is said of it, with colons between.
///
/// | kind | without a name, in this order | by name |
/// |---|---|---|
/// | `tcp` | `host` (a name or an IP address), `port` | also `timeout` (30 seconds), `bindAddress` (an IP address of this host) |
/// | `tls` | `host`, `port`, `timeout`, `bindAddress`, `certificate` (a path; none), `privateKey` (a path; that of the certificate), `trustRoots` (a directory; the system's), `endpoint` (the description of another client) | the same |
/// | `ssl` | `host`, `port` | also `timeout`, `bindAddress`, `certKey` (a path; none), `privateKey`, `caCertsDir` (a directory; the system's), `hostname` (that of the certificate; `host`) |
/// | `unix` | `path` | also `timeout`, `lockfile` |
///
/// What has no name is the first that is not given by name: `tcp:host=example.com:80`. Names are tried as [`HostnameEndpoint`] does.
/// `tls` and `ssl` are there with the feature `tls`; their files, and those that end in `.pem` in their directory, are read at once. With
/// `endpoint`, that is connected to, and `host` is whom the certificate has to be for; `port` may be left out then.
///
/// `lockfile` says nothing new here: who connects learns anyway whether somebody listens. For backslashes see
/// [`server_from_string`](super::server_from_string).
///
/// Counterpart: `twisted.internet.endpoints.clientFromString`. Without a `hostname`, its `ssl` believes any certificate; ours does not.
///
/// # Errors
///
/// What is wrong, with its place.
///
/// ```
/// use rt::protocol::{AnyStreamClientEndpoint, client_from_string};
///
/// let endpoint = client_from_string("tcp:host=www.example.com:port=80:timeout=15")?;
/// assert!(matches!(endpoint, AnyStreamClientEndpoint::Tcp(_)));
/// assert_eq!(client_from_string("tcp:www.example.com").unwrap_err().reason(), "tcp needs port");
/// # Ok::<(), rt::protocol::EndpointStringError>(())
/// ```
pub fn client_from_string(description: &str) -> Result<AnyStreamClientEndpoint, EndpointStringError> {
    let parts = take_apart(description)?;
    let kind = parts.kind.clone();
    let arguments = |signature| Arguments::of(description, parts, signature);
    match &kind.text.to_ascii_lowercase()[..] {
        "tcp" => tcp(arguments(&TCP)?),
        #[cfg(feature = "tls")]
        "ssl" => ssl(arguments(&SSL)?),
        #[cfg(feature = "tls")]
        "tls" => tls(arguments(&TLS)?),
        #[cfg(unix)]
        "unix" => unix(arguments(&UNIX)?),
        _ => {
            let reason = format!("there is no kind of client {:?}; allowed are {}", kind.text, KINDS.join(", "));
            Err(EndpointStringError::new(description, kind.place, reason))
        }
    }
}

const KINDS: &[&str] = &[
    "tcp",
    #[cfg(feature = "tls")]
    "ssl",
    #[cfg(feature = "tls")]
    "tls",
    #[cfg(unix)]
    "unix",
];

/// What a client is described to connect to.
///
/// Counterpart: what `clientFromString` returns.
///
/// ```
/// use rt::protocol::{Protocol, StreamClientEndpoint, Transport, client_from_string, for_protocol, listen_tcp};
///
/// struct Discard;
///
/// impl Protocol for Discard {
///     fn data_received(&mut self, _: &Transport, _: &[u8]) {}
/// }
///
/// # fn main() -> Result<(), rt::deferred::Failure> {
/// # rt::block_on(async {
/// let port = listen_tcp("127.0.0.1:0", for_protocol(|| Discard))?;
/// let endpoint = client_from_string(&format!("tcp:{}", port.host()))?;
/// let client = endpoint.connect(for_protocol(|| Discard)).await?;
/// client.transport().lose_connection();
/// # Ok(())
/// # })
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AnyStreamClientEndpoint {
    /// `tcp:`
    Tcp(HostnameEndpoint),
    /// `ssl:` and `tls:`
    #[cfg(feature = "tls")]
    Tls(Box<TlsClientEndpoint<AnyStreamClientEndpoint>>),
    /// `unix:`
    #[cfg(unix)]
    Unix(UnixClientEndpoint),
}

impl StreamClientEndpoint for AnyStreamClientEndpoint {
    fn connect<F: Factory>(&self, factory: F) -> Deferred<ProtocolHandle<F::Protocol>> {
        match self {
            AnyStreamClientEndpoint::Tcp(endpoint) => endpoint.connect(factory),
            #[cfg(feature = "tls")]
            AnyStreamClientEndpoint::Tls(endpoint) => endpoint.connect(AnyFactory(Box::new(factory))),
            #[cfg(unix)]
            AnyStreamClientEndpoint::Unix(endpoint) => endpoint.connect(factory),
        }
    }
}

type Described = Result<AnyStreamClientEndpoint, EndpointStringError>;

const TCP: Signature = Signature { positional: &["host", "port"], named: &["timeout", "bindAddress"] };

fn tcp(mut arguments: Arguments<'_>) -> Described {
    let host = arguments.require_text("host")?;
    let port = arguments.port()?;
    Ok(AnyStreamClientEndpoint::Tcp(HostnameEndpoint::new(host, port).with_options(options(&mut arguments)?)))
}

fn options(arguments: &mut Arguments<'_>) -> Result<ConnectOptions, EndpointStringError> {
    let mut options = ConnectOptions::new();
    if let Some(timeout) = arguments.seconds("timeout")? {
        options = options.timeout(timeout);
    }
    if let Some(address) = arguments.bind_address()? {
        options = options.bind_address(address);
    }
    Ok(options)
}

#[cfg(feature = "tls")]
const SSL: Signature = Signature {
    positional: &["host", "port"],
    named: &["timeout", "bindAddress", "certKey", "privateKey", "caCertsDir", "hostname"],
};

#[cfg(feature = "tls")]
fn ssl(mut arguments: Arguments<'_>) -> Described {
    let connector = super::tls::connector(&mut arguments, "certKey", "privateKey", "caCertsDir")?;
    let hostname = arguments.take("hostname").map(|piece| piece.text);
    let host = arguments.require_text("host")?;
    let below = HostnameEndpoint::new(&host, arguments.port()?).with_options(options(&mut arguments)?);
    let domain = hostname.unwrap_or(host);
    Ok(under_tls(&connector, domain, AnyStreamClientEndpoint::Tcp(below)))
}

#[cfg(feature = "tls")]
const TLS: Signature = Signature {
    positional: &["host", "port", "timeout", "bindAddress", "certificate", "privateKey", "trustRoots", "endpoint"],
    named: &[],
};

#[cfg(feature = "tls")]
fn tls(mut arguments: Arguments<'_>) -> Described {
    let connector = super::tls::connector(&mut arguments, "certificate", "privateKey", "trustRoots")?;
    let host = arguments.require_text("host")?;
    let Some(endpoint) = arguments.take("endpoint") else {
        let below = HostnameEndpoint::new(&host, arguments.port()?).with_options(options(&mut arguments)?);
        return Ok(under_tls(&connector, host, AnyStreamClientEndpoint::Tcp(below)));
    };
    let below = client_from_string(&endpoint.text);
    let below = below.map_err(|error| arguments.wrong(&endpoint, format!("endpoint: {}", error.reason())))?;
    Ok(under_tls(&connector, host, below))
}

#[cfg(feature = "tls")]
fn under_tls(connector: &TlsConnector, domain: String, below: AnyStreamClientEndpoint) -> AnyStreamClientEndpoint {
    AnyStreamClientEndpoint::Tls(Box::new(wrap_client_tls(connector, domain, below)))
}

/// A factory of some type: TLS over any endpoint makes one of another type, and that over any endpoint would make yet another one.
#[cfg(feature = "tls")]
struct AnyFactory<P>(Box<dyn Factory<Protocol = P>>);

#[cfg(feature = "tls")]
impl<P: Protocol> Factory for AnyFactory<P> {
    type Protocol = P;

    fn build_protocol(&mut self, peer: &Address) -> Option<P> {
        self.0.build_protocol(peer)
    }

    fn start_factory(&mut self) {
        self.0.start_factory();
    }

    fn stop_factory(&mut self) {
        self.0.stop_factory();
    }

    fn start_tls(&mut self) -> Option<StartTls> {
        self.0.start_tls()
    }
}

#[cfg(unix)]
const UNIX: Signature = Signature { positional: &["path"], named: &["timeout", "lockfile"] };

#[cfg(unix)]
fn unix(mut arguments: Arguments<'_>) -> Described {
    let path = arguments.require_text("path")?;
    arguments.flag("lockfile")?;
    let mut options = ConnectOptions::new();
    if let Some(timeout) = arguments.seconds("timeout")? {
        options = options.timeout(timeout);
    }
    Ok(AnyStreamClientEndpoint::Unix(UnixClientEndpoint::new(path).with_options(options)))
}
