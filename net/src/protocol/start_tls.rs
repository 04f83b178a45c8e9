//! How a connection goes under TLS.

#[cfg(feature = "tls")]
use crate::tls::{TlsAcceptor, TlsConnector};
#[cfg(feature = "tls")]
use std::fmt;

/// How a connection goes under TLS: as which side, and with what came already. Given to
/// [`Transport::start_tls`](crate::protocol::Transport::start_tls).
///
/// Counterpart: the context factory that Twisted's `startTLS` takes.
#[cfg(feature = "tls")]
pub struct StartTls {
    pub(super) side: Side,
    pub(in crate::protocol) received: Vec<u8>,
}

/// Without the feature `tls` there is none.
#[cfg(not(feature = "tls"))]
pub(crate) enum StartTls {}

#[cfg(feature = "tls")]
pub(super) enum Side {
    Server(TlsAcceptor),
    Client(TlsConnector, String),
}

#[cfg(feature = "tls")]
impl StartTls {
    /// As the server.
    pub fn server(acceptor: &TlsAcceptor) -> Self {
        Self { side: Side::Server(acceptor.clone()), received: Vec::new() }
    }

    /// As the client, who expects the server to prove that it is `domain`.
    pub fn client(connector: &TlsConnector, domain: impl AsRef<str>) -> Self {
        Self { side: Side::Client(connector.clone(), domain.as_ref().to_owned()), received: Vec::new() }
    }

    /// Bytes of the handshake that came already, behind what made the protocol start TLS in the same `data_received`.
    pub fn received(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.received = bytes.into();
        self
    }
}

#[cfg(feature = "tls")]
impl fmt::Debug for StartTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match &self.side {
            Side::Server(_) => "server",
            Side::Client(..) => "client",
        };
        f.debug_tuple("StartTls").field(&side).finish()
    }
}
