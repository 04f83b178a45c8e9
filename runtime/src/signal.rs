//! Signals of the operating system, awaited.
//!
//! [`ctrl_c`] is what most programs need; [`unix`] has the others.
//!
//! # How it works, and what that means for a program
//!
//! A signal handler may do next to nothing: it must not lock, allocate or wake a task. So the handler (the
//! `signal-hook` crate's) sets a flag and writes one byte to a socket, and one small thread, started with the first
//! listener, is blocked in a read on the other end: it marks and wakes the listeners.
//!
//! It is a thread of its own and not a source in a reactor because signals belong to the process, which may have
//! several runtimes or, for a while, none: a listener works in any of them and outside, and moves freely between them.
//! The thread sleeps in the kernel until a signal comes, and does not hold up exit.
//!
//! **The first listener for a signal ends its default action for the rest of the process**, also after all listeners
//! are gone: a program that has once called [`ctrl_c`] is no longer ended by Ctrl-C. There is no way back that would be
//! sound in a program with other handlers. Programs that it starts are not affected: what they execute begins with the
//! default action.
//!
//! Counterpart: `tokio::signal`.

#[cfg(unix)]
pub mod unix;

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Waits for Ctrl-C: the signal `SIGINT`.
///
/// It counts from the call: a Ctrl-C that comes before the future is polled completes it. Each call makes a listener of
/// its own, and one Ctrl-C completes all that exist at that moment. A loop that must not miss a Ctrl-C between two
/// turns keeps one [`unix::Signal`] instead. From the first call on, Ctrl-C no longer ends the process (see the
/// [module](self)).
///
/// # Errors
///
/// The future fails if the system refuses the handler, or the thread or socket pair behind it. On systems other than
/// Unix it fails with [`io::ErrorKind::Unsupported`].
///
/// # Cancel safety
///
/// Dropping the future drops its listener: what arrived and was not awaited is forgotten.
///
/// # Examples
///
/// A program that runs until Ctrl-C:
///
/// ```no_run
/// fn main() -> std::io::Result<()> {
///     rt::block_on(async {
///         rt::signal::ctrl_c().await?;
///         println!("goodbye");
///         Ok(())
///     })
/// }
/// ```
///
/// Counterpart: `tokio::signal::ctrl_c`, which counts from the first poll.
pub fn ctrl_c() -> CtrlC {
    #[cfg(unix)]
    let listener = unix::signal(unix::SignalKind::interrupt());
    #[cfg(not(unix))]
    let listener = Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "rt listens for Ctrl-C on Unix systems only; elsewhere use a crate for it, such as ctrlc",
    ));
    CtrlC { listener: Some(listener) }
}

/// The future that [`ctrl_c`] returns; ready once.
///
/// # Panics
///
/// When polled after it has completed.
#[derive(Debug)]
#[must_use = "a future does nothing unless it is awaited"]
pub struct CtrlC {
    /// `None` once the future has completed.
    listener: Option<io::Result<Listener>>,
}

impl Future for CtrlC {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        const AGAIN: &str = "a CtrlC future was polled after it had completed";
        if let Ok(listener) = self.listener.as_mut().expect(AGAIN) {
            ready!(listener.poll_recv(cx));
        }
        Poll::Ready(self.listener.take().expect(AGAIN).map(drop))
    }
}

#[cfg(unix)]
type Listener = unix::Signal;

#[cfg(not(unix))]
#[derive(Debug)]
enum Listener {}

#[cfg(not(unix))]
impl Listener {
    fn poll_recv(&mut self, _: &mut Context<'_>) -> Poll<Option<()>> {
        match *self {}
    }
}
