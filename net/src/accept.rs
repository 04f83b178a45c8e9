//! Accepting connections, whatever they are of: what is skipped, what is waited out, and what is asked of the system how often.

use rt_runtime::{Interest, Source};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// A listening socket of the poller's library.
pub(crate) trait Listen: mio::event::Source {
    /// A connection and who made it.
    type Accepted;

    /// One call of `accept`.
    fn accept_now(&self) -> io::Result<Self::Accepted>;

    /// Whether it is known that no connection waits.
    fn nobody_waits(&self) -> bool;
}

/// A listening socket and what is known about it.
pub(crate) struct Acceptor<L: Listen> {
    source: Source<L>,
    backlog: Backlog,
    /// Of `poll_accept`, which has nowhere else to keep it.
    pause: Mutex<Pause>,
}

impl<L: Listen> Acceptor<L> {
    pub(crate) fn new(source: Source<L>) -> Self {
        Self { source, backlog: Backlog::default(), pause: Mutex::new(Pause::new()) }
    }

    pub(crate) fn get_ref(&self) -> &L {
        self.source.get_ref()
    }

    pub(crate) fn into_inner(self) -> L {
        self.source.into_inner()
    }

    /// Waits for the next connection, for any number of callers.
    pub(crate) async fn accept(&self) -> io::Result<L::Accepted> {
        let mut delay = FIRST_PAUSE;
        loop {
            let accepting =
                self.source.read_until_drained(|io| self.backlog.accept(io), |io| self.backlog.is_empty(io));
            let error = match accepting.await {
                Ok(accepted) => return Ok(accepted),
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

    /// The same for one caller at a time.
    pub(crate) fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<L::Accepted>> {
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

    /// The same for a caller that keeps its own `pause`, which is over when this is ready.
    pub(crate) fn poll_accept_with(&self, cx: &mut Context<'_>, pause: &mut Pause) -> Poll<io::Result<L::Accepted>> {
        let result = loop {
            ready!(pause.poll(cx));
            let error = match ready!(self.poll_accept_once(cx)) {
                Ok(accepted) => break Ok(accepted),
                Err(error) => error,
            };
            match Trouble::of(&error) {
                Trouble::Connection => {}
                Trouble::Resources => pause.begin(),
                Trouble::Listener => break Err(error),
            }
        };
        *pause = Pause::new();
        Poll::Ready(result)
    }

    /// Waits for a connection and nothing else, for one caller at a time; with every error as it comes.
    pub(crate) fn poll_accept_once(&self, cx: &mut Context<'_>) -> Poll<io::Result<L::Accepted>> {
        self.source.poll_read_until_drained(cx, |io| self.backlog.accept(io), |io| self.backlog.is_empty(io))
    }

    /// One attempt, with every error as it comes.
    pub(crate) fn try_accept(&self) -> io::Result<L::Accepted> {
        self.source.try_io(Interest::READABLE, |io| self.backlog.accept(io))
    }
}

/// What every listener has besides `accept`, over its `acceptor`; `$made` makes a stream of what the system gave.
macro_rules! accepts {
    ($listener:ident, $stream:ident, $address:ty, $made:path) => {
        #[doc = concat!("[`accept`](", stringify!($listener), "::accept) for one caller at a time.")]
        ///
        /// # Errors
        ///
        /// The listening socket itself is unusable, or the runtime has shut down.
        ///
        /// # Panics
        ///
        /// Outside of a runtime.
        pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<std::io::Result<($stream, $address)>> {
            let (stream, peer) = std::task::ready!(self.acceptor.poll_accept(cx))?;
            Poll::Ready($made(stream).map(|stream| (stream, peer)))
        }

        /// `poll_accept` that waits for nothing but a connection, and tells whatever goes wrong.
        pub(crate) fn poll_accept_once(&self, cx: &mut Context<'_>) -> Poll<std::io::Result<($stream, $address)>> {
            let (stream, peer) = std::task::ready!(self.acceptor.poll_accept_once(cx))?;
            Poll::Ready($made(stream).map(|stream| (stream, peer)))
        }

        /// Accepts a connection that is there already.
        ///
        /// # Errors
        ///
        /// [`WouldBlock`](std::io::ErrorKind::WouldBlock) if none is there; otherwise those of `accept`, also the ones that
        #[doc = concat!("[`accept`](", stringify!($listener), "::accept) waits out or skips.")]
        pub fn try_accept(&self) -> std::io::Result<($stream, $address)> {
            let (stream, peer) = self.acceptor.try_accept()?;
            Ok(($made(stream)?, peer))
        }

        #[doc = concat!("The connections as a stream, which never ends. It waits as [`accept`](", stringify!($listener), "::accept) does.")]
        pub fn incoming(&self) -> Incoming<'_> {
            Incoming { listener: self, pause: Pause::new() }
        }
    };
}

pub(crate) use accepts;

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
    fn accept<L: Listen>(&self, listener: &L) -> io::Result<L::Accepted> {
        let result = listener.accept_now();
        match &result {
            // A count that two threads mix up asks at another time, nothing else.
            Ok(_) => self.accepted.store(self.accepted.load(Relaxed).wrapping_add(1), Relaxed),
            Err(_) => self.accepted.store(0, Relaxed),
        }
        result
    }

    /// Whether it is known to be empty, after a success.
    fn is_empty<L: Listen>(&self, listener: &L) -> bool {
        let is_empty = self.accepted.load(Relaxed).is_power_of_two() && listener.nobody_waits();
        if is_empty {
            self.accepted.store(0, Relaxed);
        }
        is_empty
    }
}

/// [`Listen::nobody_waits`] for what has a descriptor.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn nobody_waits(listener: &impl std::os::fd::AsFd) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut listeners = [PollFd::new(listener, PollFlags::IN)];
    matches!(poll(&mut listeners, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })), Ok(0))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn nobody_waits<L>(_: &L) -> bool {
    false
}

/// The time between two attempts to accept while resources are short.
pub(crate) struct Pause {
    sleep: Option<Pin<Box<dyn Future<Output = ()> + Send + Sync>>>,
    next: Duration,
}

const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(32);

impl Pause {
    pub(crate) fn new() -> Self {
        Self { sleep: None, next: FIRST_PAUSE }
    }

    pub(crate) fn begin(&mut self) {
        self.sleep = Some(Box::pin(sleep(self.next)));
        self.next = longer(self.next);
    }

    /// Ready when it is over, and when it has not begun.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(sleep) = &mut self.sleep {
            ready!(sleep.as_mut().poll(cx));
            self.sleep = None;
        }
        Poll::Ready(())
    }
}

#[cfg(unix)]
impl Pause {
    /// Begins if it has not.
    pub(crate) fn poll_beginning(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.sleep.is_none() {
            self.begin();
        }
        self.poll(cx)
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
