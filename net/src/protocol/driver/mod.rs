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
            let has_more = if live.is_lost() {
                if live.poll_closed(cx).is_ready() {
                    live.end(&transport, false);
                    return Poll::Ready(());
                }
                false
            } else if live.is_taken() {
                live.write_before_the_stream(cx)
            } else {
                live.round(&transport, &mut scratch, cx)
            };
            if !has_more && !live.has_news() {
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
    /// Does what there is to do, once: whether there is more.
    fn round(&self, transport: &Transport, scratch: &mut Option<Scratch>, cx: &mut Context<'_>) -> bool {
        if self.is_going_under_tls() {
            self.handshake(transport, cx);
        }
        let wrote_enough = self.has_to_write() && self.write(transport, cx);
        if self.is_closed_on_both_sides() {
            self.give_up(ConnectionLost::Done);
        }
        self.tell_resumed(transport);
        self.read(transport, scratch, cx).is_ready() || wrote_enough
    }

    fn write(&self, transport: &Transport, cx: &mut Context<'_>) -> bool {
        let wrote_enough = self.send(cx);
        self.close_write(transport, cx);
        self.consider_backpressure();
        wrote_enough
    }

    /// Sends what the protocol has written before its connection was taken as a stream, or writes meanwhile.
    fn write_before_the_stream(&self, cx: &mut Context<'_>) -> bool {
        let wrote_enough = self.send(cx);
        if !self.is_sending() {
            self.wake_stream();
        }
        self.consider_backpressure();
        wrote_enough
    }

    /// Sends what is to be sent, until the stream takes no more, or it was enough for once: whether there is more to do.
    fn send(&self, cx: &mut Context<'_>) -> bool {
        let mut passes = 0;
        while self.connection.is_writing() && !self.is_shaking() && passes < PASSES_PER_ROUND {
            passes += 1;
            let pass = self.connection.write_pass(self, |bytes| match self.before_tls(bytes) {
                [] => Poll::Ready(Ok(0)),
                bytes => self.layer.borrow_mut().poll_write(cx, bytes),
            });
            let Poll::Ready(pass) = pass else { break };
            self.note_sent(pass);
        }
        if self.needs_flush() {
            let flushed = self.layer.borrow_mut().poll_flush(cx);
            self.flushed(flushed);
        }
        passes == PASSES_PER_ROUND
    }

    /// Closes the writing side, if it is time for that.
    fn close_write(&self, transport: &Transport, cx: &mut Context<'_>) {
        if self.is_closing_write() {
            let closed = self.layer.borrow_mut().poll_close(cx);
            if closed.is_ready() {
                self.write_is_closed();
                self.event(transport, |protocol, transport| protocol.write_connection_lost(transport));
            }
        }
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
            Err(error) => {
                let reason = self.layer.borrow().reason(error);
                self.give_up(reason);
            }
        }
        Poll::Ready(())
    }

    fn deliver(&self, transport: &Transport, data: &[u8]) {
        self.connection.take_written();
        let before = self.connection.unsent();
        self.event(transport, |protocol, transport| protocol.data_received(transport, data));
        match self.connection.take_written() {
            true => self.note_answer(data.len(), self.connection.unsent().saturating_sub(before)),
            false => self.note_no_answer(),
        }
    }

    /// How much may be read, so that answers of the same size stay below the high-water mark.
    fn room(&self) -> usize {
        let (answers, high) = (self.answers(), self.connection.write_limits().high);
        if answers == 0 || !self.is_answering() { usize::MAX } else { high.saturating_sub(answers).max(LEAST_ROOM) }
    }

    /// Takes a peer for one that does not read the answers when they pile up, until few are left.
    fn consider_backpressure(&self) {
        let (answers, limits) = (self.answers(), self.connection.write_limits());
        if answers <= limits.low {
            self.hold_back(false);
        } else if self.piles_up_answers() && answers + LEAST_ROOM > limits.high {
            self.hold_back(true);
        }
        if self.connection.unsent() <= limits.low {
            self.fire_drained();
        }
    }

    /// One answer, `length` bytes long, to `question` bytes.
    ///
    /// A long answer to a short question may as well be a message in a conversation that the peer answers while it reads it, and
    /// if it were not read, neither side would ever go on. So one thing more is read after it: if that is answered, too, the
    /// peer is held back.
    fn note_answer(&self, question: usize, length: usize) {
        let limits = self.connection.write_limits();
        let before = self.answers();
        let now = before.saturating_add(length);
        let is_first = before + LEAST_ROOM <= limits.high && length > question;
        let leaves_room = limits.cap.is_none_or(|cap| now <= cap / 2);
        self.note_answers(now, is_first && leaves_room);
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
            Poll::Ready(Err(failure)) => self.give_up(ConnectionLost::Tls(failure)),
        }
    }
}
