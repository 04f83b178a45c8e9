//! What hyper asks of a runtime: who runs its tasks, who tells it the time. Its `Read` and `Write` are on every stream of
//! [`rt::net`](crate) itself, so that none needs a wrapper.
//!
//! Counterpart: `hyper_util::rt::{TokioExecutor, TokioTimer, TokioIo}`.
//!
//! A server of one connection:
//!
//! ```
//! # #[cfg(feature = "hyper")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use futures_util::io::{AsyncReadExt, AsyncWriteExt};
//! use rt::net::{TcpListener, TcpStream};
//!
//! rt::block_on(async {
//!     let listener = TcpListener::bind("127.0.0.1:0").await?;
//!     let address = listener.local_addr()?;
//!     let server = rt::spawn(async move {
//!         let (stream, _) = listener.accept().await?;
//!         let hello = hyper::service::service_fn(|_request| async {
//!             Ok::<_, std::convert::Infallible>(hyper::Response::new(String::from("hello")))
//!         });
//!         hyper::server::conn::http1::Builder::new()
//!             .timer(rt::hyper::Timer)
//!             .serve_connection(stream, hello)
//!             .await
//!             .map_err(std::io::Error::other)
//!     });
//!
//!     let mut client = TcpStream::connect(address).await?;
//!     client.write_all(b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n").await?;
//!     let mut answer = String::new();
//!     client.read_to_string(&mut answer).await?;
//!     assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nhello"));
//!     server.await??;
//!     Ok(())
//! })
//! # }
//! # #[cfg(not(feature = "hyper"))]
//! # fn main() {}
//! ```

mod io;

pub use io::Io;

use super::every_stream;
use super::scratch::{read_through, write_gathered};
use futures_util::io::{AsyncRead, AsyncWrite};
use hyper::rt::ReadBufCursor;
use rt_runtime::time;
use std::fmt;
use std::future::Future;
use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// Runs hyper's tasks on the runtime, by [`rt::spawn`](rt_runtime::spawn()).
///
/// Nobody joins such a task, so its panic is reported as that of any other detached task.
///
/// Counterpart: `hyper_util::rt::TokioExecutor`.
///
/// # Panics
///
/// Outside of a runtime, when something is to be run.
///
/// ```
/// # #[cfg(feature = "hyper")]
/// # {
/// // What the tasks of an HTTP/2 server run on.
/// let mut server = hyper::server::conn::http2::Builder::new(rt::hyper::Executor);
/// server.timer(rt::hyper::Timer).max_concurrent_streams(100);
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Executor;

impl<F> hyper::rt::Executor<F> for Executor
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        drop(rt_runtime::spawn(future));
    }
}

/// Runs hyper's tasks on this thread, by [`rt::spawn_local`](rt_runtime::spawn_local()): for services that are not `Send`.
///
/// Nobody joins such a task, so its panic is reported as that of any other detached task.
///
/// Counterpart: an executor over `tokio::task::spawn_local`, as hyper's examples have it.
///
/// # Panics
///
/// On a thread that drives no runtime, when something is to be run.
///
/// ```
/// # #[cfg(feature = "hyper")]
/// # {
/// use std::{cell::Cell, rc::Rc};
///
/// let count = Rc::new(Cell::new(0));
/// rt::block_on(async {
///     let counted = count.clone();
///     hyper::rt::Executor::execute(&rt::hyper::LocalExecutor, async move { counted.set(1) });
///     rt::task::yield_now().await;
/// });
/// assert_eq!(count.get(), 1);
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalExecutor;

impl<F> hyper::rt::Executor<F> for LocalExecutor
where
    F: Future + 'static,
    F::Output: 'static,
{
    fn execute(&self, future: F) {
        drop(rt_runtime::spawn_local(future));
    }
}

/// Tells hyper the time, by the clock of the runtime: with [virtual time](rt_runtime::time::pause) hyper's timeouts are virtual, too.
///
/// Counterpart: `hyper_util::rt::TokioTimer`.
///
/// # Panics
///
/// Outside of a runtime, when something is to wait.
///
/// ```
/// # #[cfg(feature = "hyper")]
/// # {
/// use std::time::Duration;
///
/// // A client that has not sent its request's head by then is sent away.
/// let mut server = hyper::server::conn::http1::Builder::new();
/// server.timer(rt::hyper::Timer).header_read_timeout(Duration::from_secs(10));
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Timer;

impl hyper::rt::Timer for Timer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(Sleep(time::sleep(duration)))
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(Sleep(time::sleep_until(deadline.into())))
    }

    fn now(&self) -> Instant {
        time::Instant::now().into_std()
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn hyper::rt::Sleep>>, new_deadline: Instant) {
        match sleep.as_mut().downcast_mut_pin::<Sleep>() {
            Some(ours) => Pin::new(&mut ours.get_mut().0).reset(new_deadline.into()),
            // Another timer's; hyper mixes none, but anybody may call this.
            None => *sleep = self.sleep_until(new_deadline),
        }
    }
}

/// What [`Timer`] gives: [`rt::time::Sleep`](time::Sleep) with hyper's trait.
///
/// ```
/// # #[cfg(feature = "hyper")]
/// # rt::block_on(async {
/// use std::time::Duration;
///
/// let sleep = hyper::rt::Timer::sleep(&rt::hyper::Timer, Duration::from_millis(1));
/// assert!(sleep.is::<rt::hyper::Sleep>());
/// sleep.await;
/// # })
/// ```
pub struct Sleep(time::Sleep);

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl hyper::rt::Sleep for Sleep {}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

macro_rules! implement {
    (receive [$($bounds:tt)*] $stream:ty) => {
        #[cfg(unix)]
        impl<$($bounds)*> hyper::rt::Read for $stream {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: ReadBufCursor<'_>,
            ) -> Poll<Result<()>> {
                super::uninit::poll_read_hyper(&*self, cx, buf)
            }
        }
        #[cfg(not(unix))]
        implement!(read [$($bounds)*] $stream);
    };
    (read [$($bounds:tt)*] $stream:ty) => {
        impl<$($bounds)*> hyper::rt::Read for $stream {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                mut buf: ReadBufCursor<'_>,
            ) -> Poll<Result<()>> {
                let read = |room: &mut [u8]| AsyncRead::poll_read(self, cx, room);
                read_through(buf.remaining(), read, |bytes| buf.put_slice(bytes))
            }
        }
    };
    (write [$($bounds:tt)*] $stream:ty) => {
        impl<$($bounds)*> hyper::rt::Write for $stream {
            fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
                AsyncWrite::poll_write(self, cx, buf)
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
                AsyncWrite::poll_flush(self, cx)
            }

            fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
                AsyncWrite::poll_close(self, cx)
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<Result<usize>> {
                write_gathered(self, bufs, |stream, bytes| AsyncWrite::poll_write(stream, cx, bytes))
                    .unwrap_or_else(|stream| AsyncWrite::poll_write_vectored(stream, cx, bufs))
            }

            fn is_write_vectored(&self) -> bool {
                true
            }
        }
    };
}

every_stream!(implement);
