//! A protocol's connection, as a stream.

use super::layer::Layer;
use super::live::{LOST, Live, TAKEN, UNREAD};
use crate::protocol::{ConnectionLost, Protocol};
use futures_util::io::{AsyncRead, AsyncWrite};
use std::fmt;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// A protocol's connection, taken over as a stream by [`Transport::take_stream`](crate::protocol::Transport::take_stream).
///
/// What the protocol wrote before goes first; meanwhile it gets no events but the loss of the connection. Dropping the stream loses
/// the connection; [`give_back`](ConnectionStream::give_back) returns it to the protocol.
///
/// # Cancel safety
///
/// Dropping a future that reads or writes loses nothing: bytes are taken or given in the poll that completes it.
pub struct ConnectionStream {
    taken: Option<Rc<dyn Taken>>,
}

/// A connection that was taken.
trait Taken {
    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>>;
    fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>>;
    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
    fn poll_close(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
    fn give_back(&self, unread: &[u8]);
    fn lose(&self);
}

impl ConnectionStream {
    pub(super) fn new<S, P>(live: Rc<Live<S, P>>) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
        P: Protocol,
    {
        Self { taken: Some(live) }
    }

    /// Returns the connection to its protocol, which gets `unread` before anything else: bytes that were read from here and not
    /// used.
    pub fn give_back(mut self, unread: &[u8]) {
        if let Some(taken) = self.taken.take() {
            taken.give_back(unread);
        }
    }

    fn taken(&self) -> &dyn Taken {
        self.taken.as_deref().expect("only what consumes the stream takes it out")
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + 'static, P: Protocol> Taken for Live<S, P> {
    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        match self.take_unread_into(buf) {
            0 => self.poll_as_stream(cx, |layer, cx| layer.poll_read(cx, buf)),
            count => Poll::Ready(Ok(count)),
        }
    }

    fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_as_stream(cx, |layer, cx| match self.connection.unsent() {
            0 => layer.poll_write(cx, buf),
            _ => Poll::Pending,
        })
    }

    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_as_stream(cx, |layer, cx| match self.connection.unsent() {
            0 => layer.poll_flush(cx),
            _ => Poll::Pending,
        })
    }

    fn poll_close(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_as_stream(cx, |layer, cx| match self.connection.unsent() {
            0 => layer.poll_close(cx),
            _ => Poll::Pending,
        })
    }

    fn give_back(&self, unread: &[u8]) {
        self.put_unread(unread);
        Live::give_back(self);
    }

    fn lose(&self) {
        if self.connection.is_connected() {
            self.connection.lost(ConnectionLost::Done, self);
        }
        Live::give_back(self);
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + 'static, P: Protocol> Live<S, P> {
    /// The connection as a stream: waits for what the protocol wrote to be sent, then for the stream.
    pub(super) fn poll_as_stream<R>(
        &self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Layer<S>, &mut Context<'_>) -> Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        while self.connection.is_writing() && !self.has(LOST) {
            let pass = self.connection.write_pass(self, |bytes| match bytes {
                [] => Poll::Ready(Ok(0)),
                bytes => self.layer.borrow_mut().poll_write(cx, bytes),
            });
            if pass.is_pending() {
                break;
            }
        }
        let polled = match self.has(LOST) {
            true => Poll::Ready(Err(io::Error::new(io::ErrorKind::NotConnected, "the connection is gone"))),
            false => poll(&mut self.layer.borrow_mut(), cx),
        };
        if polled.is_pending() {
            let owner = cx.waker().clone();
            let before = self.rare(|rare| rare.stream_owner.replace(owner));
            drop(before);
        }
        polled
    }

    pub(super) fn take_unread_into(&self, buf: &mut [u8]) -> usize {
        if !self.has(UNREAD) {
            return 0;
        }
        let (count, is_empty) = self.rare(|rare| {
            let count = rare.unread.len().min(buf.len());
            buf[..count].copy_from_slice(&rare.unread[..count]);
            rare.unread.drain(..count);
            (count, rare.unread.is_empty())
        });
        self.set(UNREAD, !is_empty);
        count
    }

    pub(super) fn put_unread(&self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.rare(|rare| rare.unread.splice(0..0, bytes.iter().copied()).for_each(drop));
            self.set(UNREAD, true);
        }
    }

    pub(super) fn give_back(&self) {
        self.set(TAKEN, false);
        self.wake();
    }
}

impl AsyncRead for ConnectionStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.taken().poll_read(cx, buf)
    }
}

impl AsyncWrite for ConnectionStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.taken().poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.taken().poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.taken().poll_close(cx)
    }
}

impl Drop for ConnectionStream {
    fn drop(&mut self) {
        if let Some(taken) = self.taken.take() {
            taken.lose();
        }
    }
}

impl fmt::Debug for ConnectionStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionStream").finish_non_exhaustive()
    }
}
