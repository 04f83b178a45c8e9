//! `tcp:host=example.com:port=80` and the like.

use super::arguments::{Arguments, Signature};
use super::error::EndpointStringError;
use super::tokens::take_apart;
#[cfg(unix)]
use crate::protocol::UnixClientEndpoint;
use crate::protocol::{ConnectOptions, Factory, HostnameEndpoint, ProtocolHandle, StreamClientEndpoint};
use rt_deferred::Deferred;

/// The endpoint of a client that `description` describes: its kind, then what is said of it, with colons between.
///
/// | kind | without a name, in this order | by name |
/// |---|---|---|
/// | `tcp` | `host` (a name or an IP address), `port` | also `timeout` (30 seconds), `bindAddress` (an IP address of this host) |
/// | `unix` | `path` | also `timeout`, `lockfile` |
///
/// What has no name is the first that is not given by name: `tcp:host=example.com:80`. Names are tried as [`HostnameEndpoint`] does.
/// `lockfile` says nothing new here: who connects learns anyway whether somebody listens. For backslashes see
/// [`server_from_string`](super::server_from_string).
///
/// Counterpart: `twisted.internet.endpoints.clientFromString`.
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
    /// `unix:`
    #[cfg(unix)]
    Unix(UnixClientEndpoint),
}

impl StreamClientEndpoint for AnyStreamClientEndpoint {
    fn connect<F: Factory>(&self, factory: F) -> Deferred<ProtocolHandle<F::Protocol>> {
        match self {
            AnyStreamClientEndpoint::Tcp(endpoint) => endpoint.connect(factory),
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
