//! AMP that goes under TLS.

use super::link::{Answer, Then};
use super::{Amp, AmpBox, ArgumentError, Arguments, CallError, Command, Remote, RemoteAmpError, UNKNOWN_ERROR_CODE};
use crate::protocol::{ConnectionLost, StartTls, Transport};
use crate::tls::{TlsAcceptor, TlsConnector};
use rt_deferred::{Deferred, Failure};

impl Amp {
    /// Lets the peer put the connection under TLS, by the command `StartTLS`: this side is the server.
    ///
    /// Without it the peer is told that there is no such command. To have commands that need TLS, ask
    /// [`Transport::peer_certificates`](crate::protocol::Transport::peer_certificates) and its kin.
    ///
    /// Counterpart: the responder of `twisted.protocols.amp.StartTLS`, which Twisted's `AMP` has with a certificate made up on the spot.
    #[must_use]
    pub fn start_tls_responder(self, acceptor: &TlsAcceptor) -> Self {
        let link = self.remote().link;
        let acceptor = acceptor.clone();
        self.respond_to::<StartTlsCommand>(false, move |_| {
            if link.has_tls() {
                // Where this side has asked for it as well, its answers wait, too: nobody would ever go on.
                if let Some(transport) = link.transport() {
                    transport.abort_with(ConnectionLost::Tls(CallError::OnlyOneTls.into()));
                }
                return Deferred::fail(RemoteAmpError::new(UNKNOWN_ERROR_CODE, CallError::OnlyOneTls.to_string()));
            }
            let tls = StartTls::server(&acceptor);
            let then = Then::StartTls(Box::new(|transport| start(transport, tls)));
            Deferred::succeed(Answer { fields: AmpBox::new(), then })
        })
    }
}

impl Remote {
    /// Puts the connection under TLS, by the command `StartTLS`: the peer is the server, who has to prove that it is `domain`.
    ///
    /// Nothing more is sent before the peer agrees: calls and answers wait, up to
    /// [`WriteLimits::cap`](crate::protocol::WriteLimits::cap), and go under TLS. The Deferred fires when the peer agrees and the
    /// handshake begins. A peer that refuses, and a handshake that fails, end the connection with [`ConnectionLost::Tls`]: what was
    /// meant for TLS never goes in the clear.
    ///
    /// # Errors
    ///
    /// As [`call_remote`](Remote::call_remote); [`CallError::OnlyOneTls`] where TLS was started already.
    ///
    /// Counterpart: `callRemote(StartTLS)`.
    #[track_caller]
    pub fn start_tls(&self, connector: &TlsConnector, domain: impl AsRef<str>) -> Deferred<()> {
        if self.link.has_tls() {
            return Deferred::fail(CallError::OnlyOneTls);
        }
        let tls = StartTls::client(connector, domain);
        self.call(&StartTlsCommand, Then::StartTls(Box::new(|transport| start(transport, tls))))
    }
}

fn start(transport: &Transport, tls: StartTls) {
    if let Err(error) = transport.start_tls(tls) {
        transport.abort_with(ConnectionLost::Tls(Failure::new(error)));
    }
}

struct StartTlsCommand;

impl Command for StartTlsCommand {
    const NAME: &str = "StartTLS";
    type Response = ();
}

impl Arguments for StartTlsCommand {
    fn from_box(_: &AmpBox) -> Result<Self, ArgumentError> {
        Ok(Self)
    }

    fn write_to(&self, _: &mut AmpBox) -> Result<(), ArgumentError> {
        Ok(())
    }
}
