//! A socket that accepts connections.

use crate::addr::{ToSocketAddrs, first_that_works};
use crate::tcp::stream::TcpStream;
use futures_util::stream::{FusedStream, Stream};
use rt_runtime::{Interest, Source};
use socket2::{Domain, Protocol, Socket, Type};
use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// A socket that accepts TCP connections.
///
/// A listener outlives what goes wrong with single connections and with the process's resources:
///
/// - A connection that fails before it is accepted (`ECONNABORTED` and the network errors that Linux reports there) is skipped.
/// - When descriptors or memory run out (`EMFILE`, `ENFILE`, `ENOBUFS`, `ENOMEM`), [`accept`](TcpListener::accept) and its
///   siblings neither fail nor spin: they pause for 1 ms, then twice as long each time up to 32 ms, until it works again.
///   Connections wait in the backlog meanwhile. [`try_accept`](TcpListener::try_accept) returns the error.
///
/// Counterpart: `tokio::net::TcpListener`, which returns those errors; Twisted's `listenTCP`.
///
/// ```
/// use futures_util::io::{AsyncReadExt, AsyncWriteExt};
/// use rt::net::{TcpListener, TcpStream};
///
/// # fn main() -> std::io::Result<()> {
/// # rt::block_on(async {
/// // Echoes one connection.
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let address = listener.local_addr()?;
/// let server = rt::spawn(async move {
///     let (mut stream, _peer) = listener.accept().await?;
///     let mut buf = [0; 1024];
///     let n = stream.read(&mut buf).await?;
///     stream.write_all(&buf[..n]).await
/// });
/// let mut client = TcpStream::connect(address).await?;
/// client.write_all(b"hello").await?;
/// let mut answer = [0; 5];
/// client.read_exact(&mut answer).await?;
/// assert_eq!(&answer, b"hello");
/// server.await.unwrap()?;
/// # Ok(())
/// # })
/// # }
/// ```
pub struct TcpListener {
    source: Source<mio::net::TcpListener>,
    backlog: Backlog,
    /// Of `poll_accept`, which has nowhere else to keep it.
    pause: Mutex<Pause>,
}

const BACKLOG: i32 = 1024;

impl TcpListener {
    /// Listens on the first address of `addr` that can be bound, with `SO_REUSEADDR` on Unix and a backlog of 1024 connections.
    /// For other settings see [`TcpSocket`](crate::TcpSocket). Port 0 takes a free port.
    ///
    /// # Errors
    ///
    /// The name is not known, or no address could be bound: the failure of the last one.
    ///
    /// # Cancel safety
    ///
    /// Nothing is left when the future is dropped.
    pub async fn bind<A: ToSocketAddrs>(addr: A) -> io::Result<TcpListener> {
        first_that_works(addr, |address| async move {
            let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
            // On Windows the option means that anybody may take the port over.
            #[cfg(unix)]
            socket.set_reuse_address(true)?;
            socket.bind(&address.into())?;
            TcpListener::listening(socket, BACKLOG)
        })
        .await
    }

    /// Starts to listen on a bound socket.
    pub(crate) fn listening(socket: Socket, backlog: i32) -> io::Result<TcpListener> {
        socket.set_nonblocking(true)?;
        socket.listen(backlog)?;
        TcpListener::from_std(socket.into())
    }

    /// Takes a listener of the standard library, which must be in
    /// [non-blocking mode](std::net::TcpListener::set_nonblocking).
    ///
    /// # Errors
    ///
    /// None on Unix; elsewhere those of registering with the system's poller.
    pub fn from_std(listener: std::net::TcpListener) -> io::Result<TcpListener> {
        let source = Source::join_when_pending(mio::net::TcpListener::from_std(listener))?;
        Ok(TcpListener { source, backlog: Backlog::default(), pause: Mutex::new(Pause::new()) })
    }

    /// Gives the listener back to the standard library. It stays in non-blocking mode.
    ///
    /// # Errors
    ///
    /// None today; the signature is that of the counterpart.
    pub fn into_std(self) -> io::Result<std::net::TcpListener> {
        Ok(into_std(self.source.into_inner()))
    }

    /// Waits for the next connection. It does not fail while descriptors or memory are short, see [above](TcpListener).
    ///
    /// # Errors
    ///
    /// The listening socket itself is unusable, or the runtime has shut down.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// # Cancel safety
    ///
    /// No connection is lost when the future is dropped. Several tasks may accept at once.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let mut delay = FIRST_PAUSE;
        loop {
            let accepting =
                self.source.read_until_drained(|io| self.backlog.accept(io), |io| self.backlog.is_empty(io));
            let error = match accepting.await {
                Ok((stream, peer)) => return Ok((TcpStream::accepted(stream)?, peer)),
                Err(error) => error,
            };
            match Trouble::of(&error) {
                Trouble::Connection => {}
                Trouble::Resources => {
                    sleep(delay).await;
                    delay = longer(delay);
                }
                Trouble::Listener => return Err(error),
            }
        }
    }

    /// [`accept`](TcpListener::accept) for one caller at a time.
    ///
    /// # Errors
    ///
    /// The listening socket itself is unusable, or the runtime has shut down.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        // Taken out while it is polled: no lock is held while wakers are cloned and dropped.
        let mut pause = std::mem::replace(&mut *self.lock_pause(), Pause::new());
        let result = self.poll_accept_with(cx, &mut pause);
        if result.is_pending() {
            *self.lock_pause() = pause;
        }
        result
    }

    fn lock_pause(&self) -> std::sync::MutexGuard<'_, Pause> {
        self.pause.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn poll_accept_with(&self, cx: &mut Context<'_>, pause: &mut Pause) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        loop {
            ready!(pause.poll(cx));
            let accept = |io: &_| self.backlog.accept(io);
            let error = match ready!(self.source.poll_read_until_drained(cx, accept, |io| self.backlog.is_empty(io))) {
                Ok((stream, peer)) => return Poll::Ready(TcpStream::accepted(stream).map(|stream| (stream, peer))),
                Err(error) => error,
            };
            match Trouble::of(&error) {
                Trouble::Connection => {}
                Trouble::Resources => pause.begin(),
                Trouble::Listener => return Poll::Ready(Err(error)),
            }
        }
    }

    /// [`poll_accept`](TcpListener::poll_accept) that waits for nothing but a connection, and tells whatever goes wrong.
    pub(crate) fn poll_accept_once(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let accept = |io: &_| self.backlog.accept(io);
        let (stream, peer) = ready!(self.source.poll_read_until_drained(cx, accept, |io| self.backlog.is_empty(io)))?;
        Poll::Ready(TcpStream::accepted(stream).map(|stream| (stream, peer)))
    }

    /// Accepts a connection that is there already.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if none is there; otherwise those of `accept`, also the ones that
    /// [`accept`](TcpListener::accept) waits out or skips.
    pub fn try_accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, peer) = self.source.try_io(Interest::READABLE, |io| self.backlog.accept(io))?;
        Ok((TcpStream::accepted(stream)?, peer))
    }

    /// The connections as a stream, which never ends. It waits as [`accept`](TcpListener::accept) does.
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming { listener: self, pause: Pause::new() }
    }

    /// The address that is listened on; it tells which port was taken for port 0.
    ///
    /// # Errors
    ///
    /// Those of `getsockname`.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.source.get_ref().local_addr()
    }

    /// The time to live of the packets sent, in hops.
    ///
    /// # Errors
    ///
    /// Those of `getsockopt`.
    pub fn ttl(&self) -> io::Result<u32> {
        self.source.get_ref().ttl()
    }

    /// Sets the time to live of the packets sent, in hops.
    ///
    /// # Errors
    ///
    /// Those of `setsockopt`.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.source.get_ref().set_ttl(ttl)
    }
}

impl TryFrom<std::net::TcpListener> for TcpListener {
    type Error = io::Error;

    /// [`from_std`](TcpListener::from_std).
    fn try_from(listener: std::net::TcpListener) -> io::Result<TcpListener> {
        TcpListener::from_std(listener)
    }
}

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

#[cfg(unix)]
mod unix {
    use super::TcpListener;
    use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

    impl AsFd for TcpListener {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.source.get_ref().as_fd()
        }
    }

    impl AsRawFd for TcpListener {
        fn as_raw_fd(&self) -> RawFd {
            self.source.get_ref().as_raw_fd()
        }
    }
}

/// The stream of [`TcpListener::incoming`].
///
/// Counterpart: `tokio_stream::wrappers::TcpListenerStream`, which owns its listener.
#[must_use = "streams do nothing unless polled"]
pub struct Incoming<'a> {
    listener: &'a TcpListener,
    pause: Pause,
}

impl Stream for Incoming<'_> {
    type Item = io::Result<TcpStream>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Incoming { listener, pause } = &mut *self;
        let accepted = ready!(listener.poll_accept_with(cx, pause));
        *pause = Pause::new();
        Poll::Ready(Some(accepted.map(|(stream, _)| stream)))
    }
}

impl FusedStream for Incoming<'_> {
    fn is_terminated(&self) -> bool {
        false
    }
}

impl fmt::Debug for Incoming<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming").field("listener", self.listener).finish()
    }
}

/// What is known about the connections that wait.
///
/// On Linux an `accept` that finds none costs 1.4 µs, for it makes a socket first, and asking whether there is one 0.2 µs. So after
/// the first connection of a batch, the second, the fourth and so on we ask, and mostly save the call that fails.
#[derive(Default)]
struct Backlog {
    /// Connections accepted since there was none.
    accepted: AtomicU32,
}

impl Backlog {
    fn accept(&self, listener: &mio::net::TcpListener) -> io::Result<(mio::net::TcpStream, SocketAddr)> {
        let result = listener.accept();
        match &result {
            // A count that two threads mix up asks at another time, nothing else.
            Ok(_) => self.accepted.store(self.accepted.load(Relaxed).wrapping_add(1), Relaxed),
            Err(_) => self.accepted.store(0, Relaxed),
        }
        result
    }

    /// Whether it is known to be empty, after a success.
    fn is_empty(&self, listener: &mio::net::TcpListener) -> bool {
        let is_empty = self.accepted.load(Relaxed).is_power_of_two() && nobody_waits(listener);
        if is_empty {
            self.accepted.store(0, Relaxed);
        }
        is_empty
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn nobody_waits(listener: &mio::net::TcpListener) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut listeners = [PollFd::new(listener, PollFlags::IN)];
    matches!(poll(&mut listeners, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })), Ok(0))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn nobody_waits(_: &mio::net::TcpListener) -> bool {
    false
}

/// The time between two attempts to accept while resources are short.
struct Pause {
    sleep: Option<Pin<Box<dyn Future<Output = ()> + Send + Sync>>>,
    next: Duration,
}

const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(32);

impl Pause {
    fn new() -> Self {
        Self { sleep: None, next: FIRST_PAUSE }
    }

    fn begin(&mut self) {
        self.sleep = Some(Box::pin(sleep(self.next)));
        self.next = longer(self.next);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(sleep) = &mut self.sleep {
            ready!(sleep.as_mut().poll(cx));
            self.sleep = None;
        }
        Poll::Ready(())
    }
}

fn longer(pause: Duration) -> Duration {
    (pause * 2).min(LONGEST_PAUSE)
}

fn sleep(duration: Duration) -> impl Future<Output = ()> + Send + Sync {
    rt_runtime::time::sleep(duration)
}

/// Whose trouble it is that `accept` failed.
pub(crate) enum Trouble {
    /// That of the connection at the head of the queue: it is gone, the next one may be well.
    Connection,
    /// The process or the system has no descriptor or memory for it: the connection stays in the queue.
    Resources,
    /// The listener's own, or unknown.
    Listener,
}

impl Trouble {
    pub(crate) fn of(error: &io::Error) -> Trouble {
        match error.raw_os_error() {
            Some(code) if errno::OF_RESOURCES.contains(&code) => Trouble::Resources,
            Some(code) if errno::OF_A_CONNECTION.contains(&code) => Trouble::Connection,
            _ => Trouble::Listener,
        }
    }
}

#[cfg(unix)]
mod errno {
    use rustix::io::Errno;

    pub(super) const OF_RESOURCES: &[i32] = &[
        Errno::MFILE.raw_os_error(),
        Errno::NFILE.raw_os_error(),
        Errno::NOBUFS.raw_os_error(),
        Errno::NOMEM.raw_os_error(),
    ];

    /// Linux hands out errors that the network had already for the new connection.
    pub(super) const OF_A_CONNECTION: &[i32] = &[
        Errno::CONNABORTED.raw_os_error(),
        Errno::CONNRESET.raw_os_error(),
        Errno::PROTO.raw_os_error(),
        Errno::NOPROTOOPT.raw_os_error(),
        Errno::NETDOWN.raw_os_error(),
        Errno::NETUNREACH.raw_os_error(),
        Errno::HOSTDOWN.raw_os_error(),
        Errno::HOSTUNREACH.raw_os_error(),
        Errno::TIMEDOUT.raw_os_error(),
    ];
}

#[cfg(windows)]
mod errno {
    /// `WSAEMFILE`, `WSAENOBUFS`.
    pub(super) const OF_RESOURCES: &[i32] = &[10024, 10055];
    /// `WSAECONNABORTED`, `WSAECONNRESET`.
    pub(super) const OF_A_CONNECTION: &[i32] = &[10053, 10054];
}

fn into_std(listener: mio::net::TcpListener) -> std::net::TcpListener {
    #[cfg(unix)]
    return std::os::fd::OwnedFd::from(listener).into();
    #[cfg(windows)]
    return std::os::windows::io::OwnedSocket::from(listener).into();
}
