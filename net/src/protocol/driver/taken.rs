//! A protocol's connection, as a stream.

use super::layer::Layer;
use super::live::{LOST, Live, Rare, TAKEN, UNFLUSHED, UNREAD};
use crate::protocol::{ConnectionLost, Protocol};
use futures_util::io::{AsyncRead, AsyncWrite};
use std::fmt;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

/// A protocol's connection, taken over as a stream by [`Transport::take_stream`](crate::protocol::Transport::take_stream).
///
/// What the protocol wrote before goes first; meanwhile it gets no events but the loss of the connection. One task at a time may wait
/// to read, and one to write.
///
/// Dropping the stream closes the connection, when what the protocol wrote is sent;
/// [`give_back`](ConnectionStream::give_back) returns it to the protocol.
///
/// # Cancel safety
///
/// Dropping a future that reads or writes loses nothing: bytes are taken or given in the poll that completes it.
pub struct ConnectionStream {
    taken: Option<Rc<dyn Taken>>,
    /// Something was written that the stream below may hold until it is flushed.
    is_unflushed: bool,
}

/// A connection that was taken.
trait Taken {
    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>>;
    fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>>;
    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
    fn poll_close(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
    fn give_back(&self, unread: &[u8], is_unflushed: bool);
    fn lose(&self);
}

impl ConnectionStream {
    pub(super) fn new<S, P>(live: Rc<Live<S, P>>) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
        P: Protocol,
    {
        Self { taken: Some(live), is_unflushed: false }
    }

    /// Returns the connection to its protocol, which gets `unread` before anything else: bytes that were read from here and not
    /// used.
    pub fn give_back(mut self, unread: &[u8]) {
        if let Some(taken) = self.taken.take() {
            taken.give_back(unread, self.is_unflushed);
        }
    }

    fn taken(&self) -> &dyn Taken {
        self.taken.as_deref().expect("only what consumes the stream takes it out")
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + 'static, P: Protocol> Taken for Live<S, P> {
    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        match self.take_unread_into(buf) {
            0 => self.poll_stream(cx, |rare| &mut rare.stream_reader, |layer, cx| layer.poll_read(cx, buf)),
            count => Poll::Ready(Ok(count)),
        }
    }

    fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_stream_after_protocol(cx, |layer, cx| layer.poll_write(cx, buf))
    }

    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_stream_after_protocol(cx, Layer::poll_flush)
    }

    fn poll_close(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_stream_after_protocol(cx, Layer::poll_close)
    }

    fn give_back(&self, unread: &[u8], is_unflushed: bool) {
        self.put_unread(unread);
        if is_unflushed {
            self.set(UNFLUSHED, true);
        }
        Live::give_back(self);
    }

    fn lose(&self) {
        match self.connection.unsent() {
            0 => self.give_up(ConnectionLost::Done),
            // What the protocol wrote before goes first.
            _ => {
                self.connection.stop_producer(self);
                self.connection.lose(self);
            }
        }
        Live::give_back(self);
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + 'static, P: Protocol> Live<S, P> {
    /// Waits for the connection's task to have sent what the protocol wrote, then for the stream.
    fn poll_stream_after_protocol<R>(
        &self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Layer<S>, &mut Context<'_>) -> Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        self.poll_stream(
            cx,
            |rare| &mut rare.stream_writer,
            |layer, cx| if self.is_sending() { Poll::Pending } else { poll(layer, cx) },
        )
    }

    /// The connection as a stream. Who waits for it keeps his place in `place`, for the news that the stream does not tell.
    fn poll_stream<R>(
        &self,
        cx: &mut Context<'_>,
        place: impl FnOnce(&mut Rare) -> &mut Option<Waker>,
        poll: impl FnOnce(&mut Layer<S>, &mut Context<'_>) -> Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        let polled = match self.has(LOST) {
            true => Poll::Ready(Err(io::Error::new(io::ErrorKind::NotConnected, "the connection is gone"))),
            false => poll(&mut self.layer.borrow_mut(), cx),
        };
        if polled.is_pending() {
            let waiting = cx.waker().clone();
            let before = self.rare(|rare| place(rare).replace(waiting));
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
        drop(self.rare(|rare| [rare.stream_reader.take(), rare.stream_writer.take()]));
        self.wake();
    }
}

impl AsyncRead for ConnectionStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.taken().poll_read(cx, buf)
    }
}

impl AsyncWrite for ConnectionStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(self.taken().poll_write(cx, buf));
        self.is_unflushed = true;
        Poll::Ready(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = ready!(self.taken().poll_flush(cx));
        self.is_unflushed = false;
        Poll::Ready(flushed)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let closed = ready!(self.taken().poll_close(cx));
        self.is_unflushed = false;
        Poll::Ready(closed)
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
