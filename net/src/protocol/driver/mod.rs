//! Between a stream and a protocol: a task that moves bytes as the connection's state wants them.

mod backend;
mod layer;
mod live;
mod socket;
mod taken;

pub use taken::ConnectionStream;

use super::{Address, ConnectionLost, Holds, Protocol, ProtocolHandle, StartTls, Transport};
use crate::scratch::{self, Scratch};
use futures_util::io::{AsyncRead, AsyncWrite};
use live::Live;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

/// Runs `protocol` on `stream`, as a task of this thread. Its `connection_made` is called at once.
///
/// Any stream will do: a socket, TLS, one end of [`duplex`](crate::io::duplex), a pipe's two ends joined. Reading waits in
/// `poll_read`, writing in `poll_write`, and the end of either is the connection's.
///
/// The connection lives until it is lost, also when the handle is dropped. When the runtime ends, it ends with
/// [`ConnectionLost::Aborted`].
///
/// # Panics
///
/// On a thread that drives no runtime.
///
/// # Examples
///
/// ```
/// use rt::io::{AsyncReadExt, AsyncWriteExt, duplex};
/// use rt::protocol::{Protocol, Transport, drive};
///
/// struct Echo;
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
///         transport.write(data);
///     }
/// }
///
/// # fn main() -> std::io::Result<()> {
/// # rt::block_on(async {
/// let (mut near, far) = duplex(1024);
/// drive(far, Echo);
/// near.write_all(b"hello").await?;
/// near.close().await?;
/// let mut answer = String::new();
/// near.read_to_string(&mut answer).await?;
/// assert_eq!(answer, "hello");
/// # Ok(())
/// # })
/// # }
/// ```
///
/// Counterpart: `makeConnection` of a Twisted protocol; `StreamReaderProtocol` the other way round in asyncio.
pub fn drive<S, P>(stream: S, protocol: P) -> ProtocolHandle<P>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    P: Protocol,
{
    let peer = socket::peer(&stream);
    drive_from(stream, peer, None, protocol)
}

/// [`drive`], where it is known already who the peer is, and whether TLS comes before anything else.
pub(crate) fn drive_from<S, P>(stream: S, peer: Address, tls: Option<StartTls>, protocol: P) -> ProtocolHandle<P>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    P: Protocol,
{
    let live = Rc::new(Live::new(stream, peer, tls, protocol));
    live.event(&Transport::new(live.clone()), |protocol, transport| protocol.connection_made(transport));
    drop(rt_runtime::spawn_local(Driver { live: live.clone() }));
    ProtocolHandle::new(live as Rc<dyn Holds<P>>)
}

/// The task of a connection.
struct Driver<S: AsyncRead + AsyncWrite + Unpin + 'static, P: Protocol> {
    live: Rc<Live<S, P>>,
}

/// How many rounds of writing and reading a connection may make before others get their turn, on streams that do not give way by
/// themselves.
const ROUNDS_PER_TURN: u32 = 32;
/// How often it may write in a round: a producer may have ever more for a stream that takes all.
const PASSES_PER_ROUND: u32 = 32;
/// With less room than this below the high-water mark, a peer that does not take the answers is not read.
const LEAST_ROOM: usize = 4 * 1024;

impl<S: AsyncRead + AsyncWrite + Unpin + 'static, P: Protocol> Future for Driver<S, P> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let live = &*self.live;
        let transport = Transport::new(self.live.clone());
        let _turn = live.begin_turn(cx.waker());
        let mut scratch = None;
        for _ in 0..ROUNDS_PER_TURN {
            live.begin_round();
            if live.is_taken() && !live.is_lost() {
                return Poll::Pending;
            }
            if live.is_going_under_tls() {
                live.handshake(&transport, cx);
            }
            let wrote_enough = live.has_to_write() && live.write(&transport, cx);
            if live.is_lost() {
                ready!(live.poll_closed(cx));
                live.end(&transport, false);
                return Poll::Ready(());
            }
            live.tell_resumed(&transport);
            let received = live.read(&transport, &mut scratch, cx);
            if received.is_pending() && !live.has_news() && !wrote_enough {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// The task was dropped with its runtime, or has ended.
impl<S: AsyncRead + AsyncWrite + Unpin + 'static, P: Protocol> Drop for Driver<S, P> {
    fn drop(&mut self) {
        if !self.live.has_ended() {
            let transport = Transport::new(self.live.clone());
            transport.abort_with(ConnectionLost::Aborted);
            self.live.end(&transport, true);
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + 'static, P: Protocol> Live<S, P> {
    /// Sends what is to be sent, until the stream takes no more, or it was enough for once: whether there is more to do.
    fn write(&self, transport: &Transport, cx: &mut Context<'_>) -> bool {
        let mut passes = 0;
        while self.connection.is_writing() && !self.is_shaking() && passes < PASSES_PER_ROUND {
            passes += 1;
            let pass = self.connection.write_pass(self, |bytes| match self.before_tls(bytes) {
                [] => Poll::Ready(Ok(0)),
                bytes => self.layer.borrow_mut().poll_write(cx, bytes),
            });
            let Poll::Ready(pass) = pass else { break };
            self.sent_before_tls(pass);
        }
        if self.needs_flush() {
            let flushed = self.layer.borrow_mut().poll_flush(cx);
            self.flushed(flushed);
        }
        if self.is_closing_write() {
            let closed = self.layer.borrow_mut().poll_close(cx);
            if closed.is_ready() {
                self.write_is_closed();
                self.event(transport, |protocol, transport| protocol.write_connection_lost(transport));
            }
        }
        self.consider_backpressure();
        passes == PASSES_PER_ROUND
    }

    /// Hands on what has come. `Pending` if there is nothing, or nobody wants it now.
    fn read(&self, transport: &Transport, scratch: &mut Option<Scratch>, cx: &mut Context<'_>) -> Poll<()> {
        if !self.wants_bytes() {
            return Poll::Pending;
        }
        if let Some(unread) = self.take_unread() {
            self.deliver(transport, &unread);
            return Poll::Ready(());
        }
        let scratch = scratch.get_or_insert_with(Scratch::take);
        let room = self.room().min(scratch::LENGTH);
        let buffer = &mut scratch.buffer()[..room];
        let read = self.layer.borrow_mut().poll_read(cx, buffer);
        match ready!(read) {
            Ok(0) => {
                self.input_has_ended();
                self.event(transport, |protocol, transport| protocol.read_connection_lost(transport));
            }
            Ok(count) => self.deliver(transport, &buffer[..count]),
            Err(error) => self.connection.lost(error.into(), self),
        }
        Poll::Ready(())
    }

    fn deliver(&self, transport: &Transport, data: &[u8]) {
        self.connection.take_written();
        self.event(transport, |protocol, transport| protocol.data_received(transport, data));
        self.note_answer(self.connection.take_written());
    }

    /// How much may be read, so that answers of the same size stay below the high-water mark.
    fn room(&self) -> usize {
        let (unsent, high) = (self.connection.unsent(), self.connection.write_limits().high);
        if unsent == 0 || !self.is_answering() { usize::MAX } else { high.saturating_sub(unsent).max(LEAST_ROOM) }
    }

    /// Takes a peer for one that does not read the answers when they pile up, until few are left.
    fn consider_backpressure(&self) {
        let (unsent, limits) = (self.connection.unsent(), self.connection.write_limits());
        if unsent <= limits.low {
            self.hold_back(false);
            self.fire_drained();
        } else if self.is_answering() && unsent + LEAST_ROOM > limits.high {
            self.hold_back(true);
        }
    }

    /// Does the next step of going under TLS.
    fn handshake(&self, transport: &Transport, cx: &mut Context<'_>) {
        if !self.is_shaking() && !self.begins_tls() {
            return;
        }
        let shaken = self.layer.borrow_mut().poll_handshake(cx);
        match shaken {
            Poll::Pending => {}
            Poll::Ready(Ok(())) => {
                self.handshake_is_over();
                self.event(transport, |protocol, transport| protocol.handshake_completed(transport));
            }
            Poll::Ready(Err(failure)) => self.connection.lost(ConnectionLost::Tls(failure), self),
        }
    }
}
