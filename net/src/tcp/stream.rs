//! A TCP connection.

use crate::addr::ToSocketAddrs;
use crate::bytes::{byte_stream, offered, receive, room, send};
use crate::readiness::{operations_of_the_users, waits, waits_to_read, waits_to_write};
use crate::tcp::connector::connect_by_default;
use crate::tcp::split::{self, OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf};
use rt_runtime::{Interest, Source};
use socket2::SockRef;
use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::task::{Context, Poll};
use std::time::Duration;

/// A TCP connection, made by [`connect`](TcpStream::connect) or [`TcpListener::accept`](crate::TcpListener::accept).
///
/// It reads and writes through futures' `AsyncRead` and `AsyncWrite` (and their `Ext` traits), through a half of
/// [`split`](TcpStream::split) or [`into_split`](TcpStream::into_split), or by hand: [`readable`](TcpStream::readable) and
/// [`try_read`](TcpStream::try_read). `poll_read` and `poll_write` remember one task each; `readable` and its siblings any number.
/// A stream buffers nothing: what `write` has taken is in the system's hands, and `flush` has nothing to do.
///
/// Dropping it closes the connection; what was written is still sent, unless [`set_linger`](TcpStream::set_linger) says otherwise.
/// It may be moved to and dropped on any thread. It belongs to the runtime in which it first had to wait, and fails there once that
/// runtime has shut down.
///
/// Counterpart: `tokio::net::TcpStream`; Twisted's `ITCPTransport`.
///
/// ```
/// use futures_util::io::{AsyncReadExt, AsyncWriteExt};
/// use rt::net::{TcpListener, TcpStream};
///
/// # fn main() -> std::io::Result<()> {
/// # rt::block_on(async {
/// // Both ends of a connection in one task.
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let mut near = TcpStream::connect(listener.local_addr()?).await?;
/// let (mut far, _) = listener.accept().await?;
///
/// near.write_all(b"hello").await?;
/// near.close().await?;
/// let mut text = String::new();
/// far.read_to_string(&mut text).await?;
/// assert_eq!(text, "hello");
/// # Ok(())
/// # })
/// # }
/// ```
pub struct TcpStream {
    source: Source<mio::net::TcpStream>,
}

impl TcpStream {
    /// Connects to the address of `addr` that answers first.
    ///
    /// A name is looked up by the process's [`DnsResolver`](crate::DnsResolver). Several addresses race, as in RFC 8305: families take
    /// turns, that of the first address first; the next address is tried as soon as one has failed, and 250 ms after the last
    /// attempt began, with at most 16 under way; when one is connected, the other attempts are given up. [`TcpConnector`](crate::TcpConnector) has settings for
    /// that.
    ///
    /// # Errors
    ///
    /// The name is not known, or no address could be connected to: the most telling failure, with the kind that it has and all
    /// addresses tried in its text. That of a single address that was given as such is the system's, as it is.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes all sockets; peers may have seen connections.
    pub async fn connect<A: ToSocketAddrs>(addr: A) -> io::Result<TcpStream> {
        connect_by_default(addr).await
    }

    /// Waits for a connection that is under way.
    pub(crate) async fn connecting(stream: mio::net::TcpStream) -> io::Result<TcpStream> {
        let source = Source::join_connecting(stream)?;
        source.writable().await?;
        match source.get_ref().take_error()? {
            Some(error) => Err(error),
            None => Ok(TcpStream { source }),
        }
    }

    /// A connection that `accept` gave.
    pub(crate) fn accepted(stream: mio::net::TcpStream) -> io::Result<TcpStream> {
        Ok(TcpStream { source: Source::join_when_pending(stream)? })
    }

    /// Takes a connected stream of the standard library, which must be in
    /// [non-blocking mode](std::net::TcpStream::set_nonblocking).
    ///
    /// # Errors
    ///
    /// None on Unix; elsewhere those of registering with the system's poller.
    pub fn from_std(stream: std::net::TcpStream) -> io::Result<TcpStream> {
        TcpStream::accepted(mio::net::TcpStream::from_std(stream))
    }

    /// Gives the stream back to the standard library. It stays in non-blocking mode.
    ///
    /// # Errors
    ///
    /// None today; the signature is that of the counterpart.
    pub fn into_std(self) -> io::Result<std::net::TcpStream> {
        Ok(self.source.into_inner().into())
    }

    /// The address of this end.
    ///
    /// # Errors
    ///
    /// Those of `getsockname`.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io().local_addr()
    }

    /// The address of the other end.
    ///
    /// # Errors
    ///
    /// [`NotConnected`](io::ErrorKind::NotConnected) once the connection is gone.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io().peer_addr()
    }

    /// Takes the error that is pending on the socket.
    ///
    /// # Errors
    ///
    /// Those of `getsockopt`.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.io().take_error()
    }

    /// Whether small writes are sent at once (`TCP_NODELAY`).
    ///
    /// # Errors
    ///
    /// Those of `getsockopt`.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.io().nodelay()
    }

    /// Sends small writes at once instead of collecting them while earlier ones are not acknowledged.
    ///
    /// # Errors
    ///
    /// Those of `setsockopt`.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.io().set_nodelay(nodelay)
    }

    /// How long the system keeps sending after close (`SO_LINGER`).
    ///
    /// # Errors
    ///
    /// Those of `getsockopt`.
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        SockRef::from(self.io()).linger()
    }

    /// What closing does with bytes that are not sent yet: `None` sends them in the background, zero throws them away and resets
    /// the connection. Any other time, in whole seconds, may make dropping the stream block its thread for that long.
    ///
    /// # Errors
    ///
    /// Those of `setsockopt`.
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        SockRef::from(self.io()).set_linger(linger)
    }

    /// The time to live of the packets sent, in hops.
    ///
    /// # Errors
    ///
    /// Those of `getsockopt`.
    pub fn ttl(&self) -> io::Result<u32> {
        self.io().ttl()
    }

    /// Sets the time to live of the packets sent, in hops.
    ///
    /// # Errors
    ///
    /// Those of `setsockopt`.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.io().set_ttl(ttl)
    }

    /// Ends writing: the other end reads up to its end of file. Reading goes on.
    ///
    /// A connection that is gone already counts as shut down.
    ///
    /// # Errors
    ///
    /// Those of `shutdown`.
    ///
    /// # Cancel safety
    ///
    /// It completes the first time it is polled.
    pub async fn shutdown(&mut self) -> io::Result<()> {
        self.shutdown_now(Shutdown::Write)
    }

    pub(crate) fn shutdown_now(&self, how: Shutdown) -> io::Result<()> {
        match self.io().shutdown(how) {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            result => result,
        }
    }

    /// Reads without taking: the next read gives the same bytes.
    ///
    /// # Errors
    ///
    /// Those of `recv`.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.source.async_io(Interest::READABLE, |io| io.peek(buf)).await
    }

    /// [`peek`](TcpStream::peek) for one caller at a time.
    ///
    /// # Errors
    ///
    /// Those of `recv`.
    pub fn poll_peek(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.source.poll_read_io(cx, |io| io.peek(buf))
    }

    waits!();
    waits_to_read!(TcpStream, try_read, poll_read_ready);
    waits_to_write!(TcpStream, try_write, poll_write_ready);
    operations_of_the_users!();

    /// Reads what is there. `Ok(0)` is the end, unless `buf` is empty.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if nothing is there; otherwise those of `recv`.
    pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.source.try_bytes(Interest::READABLE, buf.len(), |io| receive(io, buf))
    }

    /// Reads what is there into several buffers, one after the other.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if nothing is there; otherwise those of `readv`.
    pub fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.source.try_bytes(Interest::READABLE, room(bufs), |mut io| io.read_vectored(bufs))
    }

    /// Writes what there is room for.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is no room; otherwise those of `send`.
    pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        self.source.try_bytes(Interest::WRITABLE, buf.len(), |io| send(io, buf))
    }

    /// Writes what there is room for, from several buffers, one after the other.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is no room; otherwise those of `writev`.
    pub fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.source.try_bytes(Interest::WRITABLE, offered(bufs), |mut io| io.write_vectored(bufs))
    }

    /// Two halves that borrow the stream, for reading and writing at the same time in one task.
    ///
    /// Where futures' `AsyncReadExt` is in scope, `stream.split()` is that trait's method, whose halves own the stream behind a
    /// lock: write `TcpStream::split(&mut stream)` for these.
    pub fn split(&mut self) -> (ReadHalf<'_>, WriteHalf<'_>) {
        split::split(self)
    }

    /// Two halves that can go to different tasks. Dropping the writing half ends writing.
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        split::into_split(self)
    }

    fn io(&self) -> &mio::net::TcpStream {
        self.source.get_ref()
    }

    pub(crate) fn poll_read_bytes(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.source.poll_read_bytes(cx, buf.len(), |io| receive(io, buf))
    }

    /// Reads into memory of which nothing need be initialized. As many bytes as it says are then, at the beginning.
    #[cfg(all(unix, any(feature = "hyper", feature = "tokio-io")))]
    pub(crate) fn poll_read_uninit(
        &self,
        cx: &mut Context<'_>,
        buf: &mut [std::mem::MaybeUninit<u8>],
    ) -> Poll<io::Result<usize>> {
        self.source.poll_read_bytes(cx, buf.len(), |io| crate::bytes::receive_uninit(io, buf))
    }

    pub(crate) fn poll_read_bytes_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        self.source.poll_read_bytes(cx, room(bufs), |mut io| io.read_vectored(bufs))
    }

    pub(crate) fn poll_write_bytes(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.source.poll_write_bytes(cx, buf.len(), |io| send(io, buf))
    }

    pub(crate) fn poll_write_bytes_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.source.poll_write_bytes(cx, offered(bufs), |mut io| io.write_vectored(bufs))
    }
}

byte_stream!(TcpStream);

impl TryFrom<std::net::TcpStream> for TcpStream {
    type Error = io::Error;

    /// [`from_std`](TcpStream::from_std).
    fn try_from(stream: std::net::TcpStream) -> io::Result<TcpStream> {
        TcpStream::from_std(stream)
    }
}

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

#[cfg(unix)]
mod unix {
    use super::TcpStream;
    use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

    impl AsFd for TcpStream {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.io().as_fd()
        }
    }

    impl AsRawFd for TcpStream {
        fn as_raw_fd(&self) -> RawFd {
            self.io().as_raw_fd()
        }
    }
}
