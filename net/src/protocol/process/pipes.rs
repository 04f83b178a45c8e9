//! A process's pipes, as connections.

use super::ProcessProtocol;
use super::running::Running;
use crate::protocol::{ConnectionLost, Protocol, Transport};
use futures_util::io::{AsyncRead, AsyncWrite};
use rt_runtime::process::ChildStdout;
use rt_runtime::{AsyncFd, Interest, Ready};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

/// What runs on each pipe.
pub(super) struct Pipe<P> {
    pub(super) process: Rc<Running<P>>,
    /// Its number in the process.
    pub(super) child_fd: i32,
}

impl<P: ProcessProtocol> Protocol for Pipe<P> {
    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        self.process.event(|protocol, transport| protocol.child_data_received(transport, self.child_fd, data));
    }

    fn connection_lost(&mut self, _: &Transport, reason: &ConnectionLost) {
        self.process.pipe_is_lost(self.child_fd, reason);
    }
}

/// The end of a pipe that the process writes to.
pub(super) struct FromChild(ChildStdout);

impl FromChild {
    pub(super) fn new(pipe: OwnedFd) -> io::Result<Self> {
        // It is a pipe like any other.
        ChildStdout::from_std(pipe.into()).map(Self)
    }
}

impl AsyncRead for FromChild {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for FromChild {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        let what = "this pipe comes from the process: nothing can be written to it";
        Poll::Ready(Err(io::Error::new(io::ErrorKind::Unsupported, what)))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The end of a pipe that the process reads from. Nothing comes from it but its end: when nobody can read it any more.
pub(super) struct ToChild {
    /// `None` once it is closed.
    pipe: Option<AsyncFd<OwnedFd>>,
    /// The last write found no room.
    is_full: bool,
}

impl ToChild {
    pub(super) fn new(pipe: OwnedFd) -> io::Result<Self> {
        fcntl_setfl(&pipe, fcntl_getfl(&pipe)? | OFlags::NONBLOCK)?;
        let pipe = AsyncFd::with_interest(pipe, Interest::WRITABLE)?;
        Ok(Self { pipe: Some(pipe), is_full: false })
    }
}

impl AsyncRead for ToChild {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
        let Some(pipe) = &self.pipe else { return Poll::Ready(Ok(0)) };
        loop {
            let mut guard = ready!(pipe.poll_write_ready(cx))?;
            if guard.ready().is_write_closed() {
                return Poll::Ready(Ok(0));
            }
            // That there is room is no news. If somebody waits for it, it is.
            guard.clear_ready_matching(Ready::WRITABLE);
            if self.is_full {
                cx.waker().wake_by_ref();
            }
        }
    }
}

impl AsyncWrite for ToChild {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let Some(pipe) = &this.pipe else { return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())) };
        ready!(rt_runtime::poll_proceed(cx));
        loop {
            // First the attempt: `poll_read` may have cleared that there is room.
            match rustix::io::write(pipe.get_ref(), buf) {
                Ok(count) => {
                    this.is_full = false;
                    return Poll::Ready(Ok(count));
                }
                Err(rustix::io::Errno::INTR) => continue,
                Err(rustix::io::Errno::AGAIN) => this.is_full = true,
                Err(error) => return Poll::Ready(Err(error.into())),
            }
            ready!(pipe.poll_write_ready(cx))?.clear_ready_matching(Ready::WRITABLE);
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pipe = None;
        Poll::Ready(Ok(()))
    }
}
