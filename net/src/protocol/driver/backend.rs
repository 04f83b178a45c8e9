//! What a transport asks of a connection that is there.

#[cfg(feature = "tls")]
use super::layer::Layer;
use super::live::{DRAIN_WAITED, ENDED, LOST, Live, SHAKING, TAKEN, TLS_ASKED};
use super::{ConnectionStream, socket};
#[cfg(feature = "tls")]
use crate::protocol::StartTls;
use crate::protocol::connection::asks_of_connection;
use crate::protocol::{Address, Backend, ConnectionLost, Protocol, WriteLimits};
use futures_util::io::{AsyncRead, AsyncWrite};
use rt_deferred::{Deferred, Failure};
use std::any::Any;
use std::io;
use std::rc::Rc;

impl<S: AsyncRead + AsyncWrite + Unpin + 'static, P: Protocol> Backend for Live<S, P> {
    asks_of_connection!(connection);

    fn abort_connection(&self, reason: ConnectionLost) {
        if !self.has(LOST) {
            self.connection.lost(reason, self);
        } else if !self.has(ENDED) {
            // It may be saying goodbye to a peer that does not listen.
            self.rare(|rare| rare.lost.take_if(|known| known.is_clean()).map(|_| rare.lost = Some(reason)));
            self.wake();
        }
    }

    fn is_disconnecting(&self) -> bool {
        self.connection.is_disconnecting() || self.has(LOST)
    }

    fn peer(&self) -> Address {
        self.peer.clone()
    }

    fn host(&self) -> Address {
        self.layer.borrow().socket().map_or(Address::Memory, socket::host)
    }

    fn drained(&self) -> Deferred<()> {
        if let (true, Some(reason)) = (self.has(LOST), self.rare(|rare| rare.lost.clone())) {
            return Deferred::fail(Failure::new(reason));
        }
        if self.connection.unsent() <= self.connection.write_limits().low {
            return Deferred::succeed(());
        }
        let (deferred, resolver) = Deferred::new();
        self.rare(|rare| rare.drained.push(resolver));
        self.set(DRAIN_WAITED, true);
        deferred
    }

    fn closed(&self) -> Deferred<ConnectionLost> {
        if self.is_told() {
            return Deferred::succeed(self.rare(|rare| rare.lost.clone()).unwrap_or(ConnectionLost::Aborted));
        }
        let (deferred, resolver) = Deferred::new();
        self.rare(|rare| rare.closed.push(resolver));
        deferred
    }

    fn set_write_limits(&self, limits: WriteLimits) {
        self.connection.set_write_limits(limits);
        self.hold_back(false);
        self.wake();
    }

    fn set_tcp_no_delay(&self, on: bool) -> io::Result<()> {
        self.tcp(|stream| socket::tcp(stream, |stream| stream.set_nodelay(on)))
    }

    fn set_tcp_keep_alive(&self, on: bool) -> io::Result<()> {
        self.tcp(|stream| socket::tcp(stream, |stream| socket2::SockRef::from(stream).set_keepalive(on)))
    }

    #[cfg(feature = "tls")]
    fn start_tls(&self, mut tls: StartTls) -> io::Result<()> {
        const NOT_NOW: u32 = TLS_ASKED | SHAKING | TAKEN | LOST;
        if self.has(NOT_NOW) || !matches!(*self.layer.borrow(), Layer::Plain(_)) {
            let why = "TLS was started on this connection already, or the connection is gone, or taken as a stream";
            return Err(io::Error::other(why));
        }
        // What the protocol has not got came in the open: after the handshake it would be taken for what came under TLS.
        if let Some(unread) = self.take_unread() {
            tls.received.extend(unread);
        }
        self.ask_for_tls(self.connection.unsent(), tls);
        Ok(())
    }

    #[cfg(feature = "tls")]
    fn tls_session(&self, look: &mut dyn FnMut(&crate::tls::rustls::CommonState)) {
        if let Some(stream) = self.layer.borrow().tls() {
            look(stream.connection());
        }
    }

    fn take_stream(self: Rc<Self>, unread: &[u8]) -> io::Result<ConnectionStream> {
        const NOT_NOW: u32 = TLS_ASKED | SHAKING | TAKEN | LOST;
        if self.has(NOT_NOW) {
            return Err(io::Error::other("the connection is gone, taken as a stream already, or on its way under TLS"));
        }
        self.put_unread(unread);
        self.set(TAKEN, true);
        Ok(ConnectionStream::new(self))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + 'static, P> Live<S, P> {
    fn tcp<R>(&self, ask: impl FnOnce(&dyn Any) -> io::Result<R>) -> io::Result<R> {
        match self.layer.borrow().socket() {
            Some(stream) => ask(stream),
            None => Err(io::Error::new(io::ErrorKind::NotConnected, "the connection is gone, or shakes hands")),
        }
    }
}
