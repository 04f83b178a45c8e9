//! What a protocol may ask of its socket for datagrams.

use super::DatagramAddress;
use crate::protocol::ConnectionLost;
use rt_deferred::Deferred;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

/// A socket for datagrams, as a protocol sees it: what it may ask of it. A cheap handle that may be cloned and kept.
///
/// It never blocks, and never calls the protocol: what comes of a request comes when the protocol has returned. On a socket that is
/// closed every request is ignored. A UDP socket's has [more methods](UdpTransport#impl-DatagramTransport).
///
/// Counterpart: `IUDPTransport`, `IMulticastTransport`, `IUNIXDatagramTransport`.
///
/// ```
/// use rt::protocol::{DatagramProtocol, UdpTransport, listen_udp};
/// use std::net::SocketAddr;
///
/// /// Closes after the first datagram.
/// struct Once;
///
/// impl DatagramProtocol for Once {
///     fn datagram_received(&mut self, transport: &UdpTransport, _: &[u8], _: SocketAddr) {
///         drop(transport.stop_listening());
///     }
/// }
///
/// # fn main() -> Result<(), rt::Failure> {
/// # rt::block_on(async {
/// let transport = listen_udp("127.0.0.1:0", Once)?.transport();
/// transport.with_socket(|socket| socket.set_recv_buffer_size(1 << 20))??;
/// transport.write(b"to myself", transport.host());
/// assert!(transport.closed().await?.is_clean());
/// # Ok(())
/// # })
/// # }
/// ```
pub struct DatagramTransport<A: DatagramAddress = SocketAddr>(Rc<dyn DatagramBackend<A>>);

/// That of a UDP socket.
pub type UdpTransport = DatagramTransport<SocketAddr>;

/// What does the work behind a [`DatagramTransport`]: a socket, or a double of one for tests.
pub trait DatagramBackend<A: DatagramAddress> {
    /// See [`DatagramTransport::write`].
    fn write(&self, data: &[u8], to: Option<A>);

    /// See [`DatagramTransport::try_write`].
    fn try_write(&self, data: &[u8], to: Option<A>) -> io::Result<()>;

    /// See [`DatagramTransport::connect`].
    fn connect(&self, to: A) -> io::Result<()>;

    /// See [`DatagramTransport::host`].
    fn host(&self) -> A;

    /// See [`DatagramTransport::peer`].
    fn peer(&self) -> Option<A>;

    /// See [`DatagramTransport::pause_producing`].
    fn pause_producing(&self);

    /// See [`DatagramTransport::resume_producing`].
    fn resume_producing(&self);

    /// See [`DatagramTransport::unsent`].
    fn unsent(&self) -> usize;

    /// See [`DatagramTransport::set_queue_limit`].
    fn set_queue_limit(&self, bytes: usize);

    /// See [`DatagramTransport::drained`].
    fn drained(&self) -> Deferred<()>;

    /// See [`DatagramTransport::stop_listening`].
    fn stop_listening(&self) -> Deferred<()>;

    /// See [`DatagramTransport::closed`].
    fn closed(&self) -> Deferred<ConnectionLost>;

    /// Calls `f` with the socket, if there is one: see [`DatagramTransport::with_socket`].
    fn with_socket(&self, f: &mut dyn FnMut(&A::Socket)) {
        let _ = f;
    }
}

impl<A: DatagramAddress> DatagramTransport<A> {
    /// A transport over what does the work.
    pub fn new(backend: Rc<dyn DatagramBackend<A>>) -> Self {
        Self(backend)
    }

    /// Sends a datagram to `to`, or with `None` to where the socket is connected.
    ///
    /// It goes at once. What the system does not take waits in a queue: 256 KiB and 1024 datagrams of it at most, unless
    /// [`set_queue_limit`](DatagramTransport::set_queue_limit) says otherwise. What finds the queue full, and what the system refuses,
    /// is lost, and [`send_failed`](super::DatagramProtocol::send_failed) is told.
    ///
    /// On a connected socket `to` may be given as well, and has to be the same address.
    pub fn write(&self, data: &[u8], to: impl Into<Option<A>>) {
        self.0.write(data, to.into());
    }

    /// [`write`](DatagramTransport::write) for who wants to know at once: the datagram was sent, or not and does not wait either.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if the system has no room, or others wait already;
    /// [`NotConnected`](io::ErrorKind::NotConnected) if the socket is closed; those of `sendto`.
    pub fn try_write(&self, data: &[u8], to: impl Into<Option<A>>) -> io::Result<()> {
        self.0.try_write(data, to.into())
    }

    /// Sends to and receives from this address only, from now on. What has arrived already is still delivered.
    ///
    /// # Errors
    ///
    /// The system has no way there; the socket is connected already or closed.
    pub fn connect(&self, to: A) -> io::Result<()> {
        self.0.connect(to)
    }

    /// Where this end is; with the number that the system chose, if it was asked to.
    pub fn host(&self) -> A {
        self.0.host()
    }

    /// Where it is [connected](DatagramTransport::connect) to.
    pub fn peer(&self) -> Option<A> {
        self.0.peer()
    }

    /// Delivers nothing until [`resume_producing`](DatagramTransport::resume_producing). What comes meanwhile waits in the system's
    /// buffer, and what has no place there is lost.
    pub fn pause_producing(&self) {
        self.0.pause_producing();
    }

    /// Delivers again.
    pub fn resume_producing(&self) {
        self.0.resume_producing();
    }

    /// How many bytes wait to be sent.
    pub fn unsent(&self) -> usize {
        self.0.unsent()
    }

    /// How many bytes may wait to be sent: 256 KiB unless this is called. In any case at most 1024 datagrams wait.
    pub fn set_queue_limit(&self, bytes: usize) {
        self.0.set_queue_limit(bytes);
    }

    /// Fires when nothing waits to be sent, at once if that is so now. It fails with the [`ConnectionLost`] if the socket is closed
    /// first.
    pub fn drained(&self) -> Deferred<()> {
        self.0.drained()
    }

    /// Closes the socket; fires when that is done, after `stop_protocol`. At the second call, too. What waits to be sent is thrown
    /// away: see [`drained`](DatagramTransport::drained).
    pub fn stop_listening(&self) -> Deferred<()> {
        self.0.stop_listening()
    }

    /// Fires with the reason when the socket is closed, after the protocol was told; at once if it is.
    pub fn closed(&self) -> Deferred<ConnectionLost> {
        self.0.closed()
    }

    /// Calls `f` with the socket, for options that have no method here.
    ///
    /// # Errors
    ///
    /// [`NotConnected`](io::ErrorKind::NotConnected) if it is closed, or there is none: this is a test's double.
    pub fn with_socket<R>(&self, f: impl FnOnce(&A::Socket) -> R) -> io::Result<R> {
        let (mut f, mut result) = (Some(f), None);
        self.0.with_socket(&mut |socket| {
            if let Some(f) = f.take() {
                result = Some(f(socket));
            }
        });
        result.ok_or_else(closed)
    }
}

pub(super) fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the socket for datagrams is closed")
}

impl<A: DatagramAddress> Clone for DatagramTransport<A> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<A: DatagramAddress> fmt::Debug for DatagramTransport<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatagramTransport").field("host", &self.host()).finish_non_exhaustive()
    }
}
