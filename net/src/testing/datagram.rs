//! A socket for datagrams that keeps what is sent.

use super::lost::Lost;
use crate::protocol::{ConnectionLost, DatagramBackend, UdpTransport};
use rt_deferred::Deferred;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::mem;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;

/// A UDP socket that keeps what is sent. A cheap handle; the test calls the protocol.
///
/// Counterpart: `twisted.internet.testing.FakeDatagramTransport`.
///
/// ```
/// use rt::protocol::{DatagramProtocol, UdpTransport};
/// use rt::testing::FakeDatagramTransport;
/// use std::net::SocketAddr;
///
/// struct Echo;
/// impl DatagramProtocol for Echo {
///     fn datagram_received(&mut self, transport: &UdpTransport, data: &[u8], from: SocketAddr) {
///         transport.write(data, from);
///     }
/// }
///
/// let (double, peer) = (FakeDatagramTransport::new(), SocketAddr::from(([192, 0, 2, 1], 7)));
/// Echo.datagram_received(&double.transport(), b"hello", peer);
/// assert_eq!(double.take_written(), [(b"hello".to_vec(), Some(peer))]);
/// ```
#[derive(Clone, Default)]
pub struct FakeDatagramTransport {
    state: Rc<State>,
}

struct State {
    written: RefCell<Vec<(Vec<u8>, Option<SocketAddr>)>>,
    host: Cell<SocketAddr>,
    peer: Cell<Option<SocketAddr>>,
    write_error: Cell<Option<io::ErrorKind>>,
    is_paused: Cell<bool>,
    lost: Lost,
}

impl FakeDatagramTransport {
    /// A socket that nothing was sent from.
    pub fn new() -> Self {
        Self::default()
    }

    /// What a protocol is given.
    pub fn transport(&self) -> UdpTransport {
        UdpTransport::new(self.state.clone())
    }

    /// The datagrams that were sent since the last call of this, with where to, if that was said.
    pub fn take_written(&self) -> Vec<(Vec<u8>, Option<SocketAddr>)> {
        mem::take(&mut *self.state.written.borrow_mut())
    }

    /// What the transport says where it is; `127.0.0.1:0` at first.
    pub fn set_host(&self, host: SocketAddr) {
        self.state.host.set(host);
    }

    /// [`try_write`](UdpTransport::try_write) fails from here on, with an error of this kind, and what is written is lost.
    pub fn set_write_error(&self, kind: Option<io::ErrorKind>) {
        self.state.write_error.set(kind);
    }

    /// Whether the protocol wants no datagrams now.
    pub fn is_paused(&self) -> bool {
        self.state.is_paused.get()
    }

    /// Whether it was told to listen no more.
    pub fn is_closed(&self) -> bool {
        self.state.lost.is_lost()
    }
}

impl Default for State {
    fn default() -> Self {
        Self {
            written: RefCell::default(),
            host: Cell::new((Ipv4Addr::LOCALHOST, 0).into()),
            peer: Cell::default(),
            write_error: Cell::default(),
            is_paused: Cell::default(),
            lost: Lost::default(),
        }
    }
}

impl DatagramBackend<SocketAddr> for State {
    fn write(&self, data: &[u8], to: Option<SocketAddr>) {
        let _ = self.try_write(data, to);
    }

    fn try_write(&self, data: &[u8], to: Option<SocketAddr>) -> io::Result<()> {
        if self.lost.is_lost() {
            return Err(io::ErrorKind::NotConnected.into());
        }
        if let Some(kind) = self.write_error.get() {
            return Err(kind.into());
        }
        self.written.borrow_mut().push((data.to_vec(), to));
        Ok(())
    }

    fn connect(&self, to: SocketAddr) -> io::Result<()> {
        if self.peer.get().is_some() {
            return Err(io::Error::other("the socket is connected already"));
        }
        self.peer.set(Some(to));
        Ok(())
    }

    fn host(&self) -> SocketAddr {
        self.host.get()
    }

    fn peer(&self) -> Option<SocketAddr> {
        self.peer.get()
    }

    fn pause_producing(&self) {
        self.is_paused.set(true);
    }

    fn resume_producing(&self) {
        self.is_paused.set(false);
    }

    fn unsent(&self) -> usize {
        0
    }

    fn set_queue_limit(&self, _: usize) {}

    fn drained(&self) -> Deferred<()> {
        self.lost.drained(true)
    }

    fn stop_listening(&self) -> Deferred<()> {
        self.lost.set(ConnectionLost::Done);
        Deferred::succeed(())
    }

    fn closed(&self) -> Deferred<ConnectionLost> {
        self.lost.closed()
    }
}

impl fmt::Debug for FakeDatagramTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeDatagramTransport").field("written", &self.state.written.borrow()).finish_non_exhaustive()
    }
}
