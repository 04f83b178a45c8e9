//! A connection that is there: its state, stream and protocol, which the task, the transports and the handles share.

use super::layer::Layer;
use crate::protocol::connection::{Connection, Outside, Pass};
use crate::protocol::{Address, ConnectionLost, Holds, Protocol, StartTls, Transport, WriteLimits};
use futures_util::io::{AsyncRead, AsyncWrite};
use rt_deferred::{Failure, Resolver, unhandled};
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::io;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

pub(super) struct Live<S, P> {
    pub(super) connection: Connection,
    pub(super) layer: RefCell<Layer<S>>,
    protocol: RefCell<Option<P>>,
    pub(super) peer: Address,
    /// The connection's task.
    waker: Cell<Option<Waker>>,
    flags: Cell<u32>,
    /// How many bytes of answers are not sent, if they are sent before anything else.
    answers: Cell<u32>,
    rare: Cell<Option<Box<Rare>>>,
    #[cfg(feature = "tracing")]
    span: tracing::Span,
}

/// What few connections need, and only at times.
#[derive(Default)]
pub(super) struct Rare {
    pub(super) lost: Option<ConnectionLost>,
    pub(super) drained: Vec<Resolver<()>>,
    pub(super) closed: Vec<Resolver<ConnectionLost>>,
    /// Bytes that were read and that the protocol is to get before any others.
    pub(super) unread: Vec<u8>,
    /// TLS that is to begin when so many bytes more are sent.
    pub(super) tls: Option<(usize, StartTls)>,
    /// The tasks that wait for the connection as a stream: one to read, and one to write.
    pub(super) stream_reader: Option<Waker>,
    pub(super) stream_writer: Option<Waker>,
}

/// The task polls: whatever it is asked, it will see to it.
pub(super) const IN_TURN: u32 = 1;
/// It was asked something since it looked last.
pub(super) const NEWS: u32 = 1 << 1;
/// [`Rare::lost`] says why the connection is over.
pub(super) const LOST: u32 = 1 << 2;
/// The protocol was told so.
pub(super) const ENDED: u32 = 1 << 3;
/// A peer that does not take the answers is not read.
pub(super) const HELD_BACK: u32 = 1 << 4;
/// What the protocol wrote last, it wrote because of bytes that came.
pub(super) const ANSWERING: u32 = 1 << 5;
/// The peer sends no more.
pub(super) const INPUT_ENDED: u32 = 1 << 6;
/// Reading was resumed, and the protocol was not told yet.
pub(super) const RESUMED: u32 = 1 << 7;
/// The stream may hold bytes until it is flushed.
pub(super) const UNFLUSHED: u32 = 1 << 8;
/// The writing side is to be closed.
pub(super) const CLOSING_WRITE: u32 = 1 << 9;
/// TLS is to begin.
pub(super) const TLS_ASKED: u32 = 1 << 10;
/// The handshake is under way.
pub(super) const SHAKING: u32 = 1 << 11;
/// Somebody has the connection as a stream.
pub(super) const TAKEN: u32 = 1 << 12;
/// [`Rare::unread`] is not empty.
pub(super) const UNREAD: u32 = 1 << 13;
/// [`Rare::drained`] is not empty.
pub(super) const DRAIN_WAITED: u32 = 1 << 14;
/// The last answer was the first one of many bytes, and says little of the peer.
pub(super) const FIRST_ANSWER: u32 = 1 << 15;
/// The writing side is closed, and the protocol was told.
pub(super) const WRITE_CLOSED: u32 = 1 << 16;

impl<S, P: Protocol> Live<S, P> {
    pub(super) fn new(stream: S, peer: Address, tls: Option<StartTls>, protocol: P) -> Self {
        let live = Self {
            connection: Connection::new(WriteLimits::default()),
            layer: RefCell::new(Layer::Plain(stream)),
            protocol: RefCell::new(Some(protocol)),
            #[cfg(feature = "tracing")]
            span: tracing::info_span!(target: "rt::protocol", "connection", %peer),
            peer,
            waker: Cell::new(None),
            flags: Cell::new(0),
            answers: Cell::new(0),
            rare: Cell::new(None),
        };
        if let Some(tls) = tls {
            live.ask_for_tls(0, tls);
        }
        live
    }

    /// Calls a method of the protocol. A panic in it ends the connection.
    pub(super) fn event(&self, transport: &Transport, event: impl FnOnce(&mut P, &Transport)) {
        #[cfg(feature = "tracing")]
        let _span = self.span.enter();
        let called = {
            let mut protocol = self.protocol.borrow_mut();
            let Some(protocol) = protocol.as_mut() else { return };
            catch_unwind(AssertUnwindSafe(|| event(protocol, transport)))
        };
        if let Err(panic) = called {
            self.give_up(ConnectionLost::Panicked(report(panic)));
        }
    }

    /// The connection's task begins a turn, which ends when what this returns is dropped.
    pub(super) fn begin_turn(&self, waker: &Waker) -> Turn<'_> {
        let known = self.waker.take().filter(|known| known.will_wake(waker));
        self.waker.set(Some(known.unwrap_or_else(|| waker.clone())));
        self.set(IN_TURN, true);
        Turn(&self.flags)
    }

    pub(super) fn begin_round(&self) {
        self.set(NEWS, false);
    }

    pub(super) fn has_news(&self) -> bool {
        self.has(NEWS)
    }

    /// There is something to do for the task.
    pub(super) fn wake(&self) {
        self.set(NEWS, true);
        if self.has(IN_TURN) {
            return;
        }
        // The waker is not out of its place while it is called: that may run code of another executor.
        let waker = self.waker.take();
        self.waker.set(waker.clone());
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Who has the connection as a stream is to look again.
    pub(super) fn wake_stream(&self) {
        if self.has(TAKEN) {
            let waiting = self.rare(|rare| [rare.stream_reader.take(), rare.stream_writer.take()]);
            waiting.into_iter().flatten().for_each(Waker::wake);
        }
    }

    pub(super) fn tell_resumed(&self, transport: &Transport) {
        if self.has(RESUMED) && !self.has(TAKEN | LOST) {
            self.set(RESUMED, false);
            self.event(transport, |protocol, transport| protocol.reading_resumed(transport));
        }
    }

    /// Whether the protocol may get bytes now.
    pub(super) fn wants_bytes(&self) -> bool {
        const NOT_NOW: u32 = HELD_BACK | INPUT_ENDED | TLS_ASKED | SHAKING | TAKEN | LOST;
        self.connection.is_reading() && !self.has(NOT_NOW)
    }

    pub(super) fn take_unread(&self) -> Option<Vec<u8>> {
        if !self.has(UNREAD) {
            return None;
        }
        self.set(UNREAD, false);
        Some(self.rare(|rare| mem::take(&mut rare.unread)))
    }

    pub(super) fn input_has_ended(&self) {
        self.set(INPUT_ENDED, true);
    }

    pub(super) fn note_answers(&self, answers: usize, is_first: bool) {
        self.answers.set(u32::try_from(answers).unwrap_or(u32::MAX));
        self.set(ANSWERING, true);
        self.set(FIRST_ANSWER, is_first);
    }

    pub(super) fn note_no_answer(&self) {
        self.set(ANSWERING, false);
    }

    pub(super) fn is_answering(&self) -> bool {
        self.has(ANSWERING)
    }

    /// Whether the peer goes on to send what is answered, and does not take that.
    pub(super) fn piles_up_answers(&self) -> bool {
        self.has(ANSWERING) && !self.has(FIRST_ANSWER)
    }

    /// How many bytes of answers are not sent.
    pub(super) fn answers(&self) -> usize {
        (self.answers.get() as usize).min(self.connection.unsent())
    }

    pub(super) fn hold_back(&self, held: bool) {
        self.set(HELD_BACK, held);
    }

    pub(super) fn fire_drained(&self) {
        if self.has(DRAIN_WAITED) {
            self.set(DRAIN_WAITED, false);
            for waiting in self.rare(|rare| mem::take(&mut rare.drained)) {
                let _ = waiting.callback(());
            }
        }
    }

    pub(super) fn needs_flush(&self) -> bool {
        self.has(UNFLUSHED)
    }

    pub(super) fn flushed(&self, flushed: Poll<io::Result<()>>) {
        match flushed {
            Poll::Pending => {}
            Poll::Ready(Ok(())) => self.set(UNFLUSHED, false),
            Poll::Ready(Err(error)) => self.give_up(error.into()),
        }
    }

    pub(super) fn is_closing_write(&self) -> bool {
        self.has(CLOSING_WRITE)
    }

    pub(super) fn write_is_closed(&self) {
        // Closing is flushing, too.
        self.set(CLOSING_WRITE | UNFLUSHED, false);
        self.set(WRITE_CLOSED, true);
    }

    pub(super) fn is_closed_on_both_sides(&self) -> bool {
        self.has(INPUT_ENDED) && self.connection.is_write_closed() && !self.has(CLOSING_WRITE)
    }

    /// Whether the protocol has written something that the stream has not passed on.
    pub(super) fn is_sending(&self) -> bool {
        self.has(UNFLUSHED) || self.connection.unsent() > 0
    }

    pub(super) fn is_lost(&self) -> bool {
        self.has(LOST)
    }

    pub(super) fn has_ended(&self) -> bool {
        self.has(ENDED)
    }

    /// Whether the protocol knows that the connection is gone, and is gone itself.
    pub(super) fn is_told(&self) -> bool {
        self.has(ENDED) && self.protocol.try_borrow().is_ok_and(|protocol| protocol.is_none())
    }

    pub(super) fn is_taken(&self) -> bool {
        self.has(TAKEN)
    }

    /// It is over, now, whatever is not sent.
    pub(super) fn give_up(&self, reason: ConnectionLost) {
        if !self.has(LOST) {
            self.connection.lost(reason, self);
        }
    }

    pub(super) fn ask_for_tls(&self, after: usize, tls: StartTls) {
        self.rare(|rare| rare.tls = Some((after, tls)));
        self.set(TLS_ASKED, true);
        self.wake();
    }

    /// TLS was asked for, or the handshake is under way.
    pub(super) fn is_going_under_tls(&self) -> bool {
        self.has(TLS_ASKED | SHAKING)
    }

    /// There is something for the writing side to do, or to tell.
    pub(super) fn has_to_write(&self) -> bool {
        const MORE: u32 = UNFLUSHED | CLOSING_WRITE | HELD_BACK | DRAIN_WAITED;
        self.connection.is_writing() || self.has(MORE)
    }

    pub(super) fn is_shaking(&self) -> bool {
        self.has(SHAKING)
    }

    pub(super) fn handshake_is_over(&self) {
        self.set(SHAKING, false);
        self.wake();
    }

    /// Of what is to be sent, what comes before TLS.
    pub(super) fn before_tls<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        if !self.has(TLS_ASKED) {
            return bytes;
        }
        let plain = self.rare(|rare| rare.tls.as_ref().map_or(0, |(plain, _)| *plain));
        &bytes[..plain.min(bytes.len())]
    }

    pub(super) fn rare<R>(&self, f: impl FnOnce(&mut Rare) -> R) -> R {
        let mut rare = self.rare.take().unwrap_or_default();
        let result = f(&mut rare);
        self.rare.set(Some(rare));
        result
    }

    pub(super) fn has(&self, flag: u32) -> bool {
        self.flags.get() & flag != 0
    }

    pub(super) fn set(&self, flag: u32, on: bool) {
        let flags = self.flags.get();
        self.flags.set(if on { flags | flag } else { flags & !flag });
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + 'static, P: Protocol> Live<S, P> {
    /// After a write pass: what was sent is counted, and TLS begun if that was all that comes before it.
    pub(super) fn note_sent(&self, pass: Pass) {
        let Pass::Sent(count) = pass else { return };
        self.set(UNFLUSHED, true);
        self.answers.set(self.answers.get().saturating_sub(u32::try_from(count).unwrap_or(u32::MAX)));
        if self.has(TLS_ASKED) {
            self.rare(|rare| {
                if let Some((plain, _)) = &mut rare.tls {
                    *plain -= count;
                }
            });
            self.begins_tls();
        }
    }

    /// Begins the handshake if one was asked for and nothing is to be sent before. Whether it is under way.
    pub(super) fn begins_tls(&self) -> bool {
        if !self.has(TLS_ASKED) || self.has(LOST) {
            return false;
        }
        let tls = self.rare(|rare| rare.tls.take_if(|(plain, _)| *plain == 0));
        if let Some((_, tls)) = tls {
            self.layer.borrow_mut().start_tls(tls);
            self.set(TLS_ASKED, false);
            self.set(SHAKING, true);
            self.set(NEWS, true);
        }
        self.has(SHAKING)
    }

    /// Says goodbye to the peer, where that is more than closing.
    pub(super) fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<()> {
        let in_good_order = self.rare(|rare| rare.lost.as_ref().is_some_and(ConnectionLost::is_clean));
        let mut layer = self.layer.borrow_mut();
        if in_good_order && layer.says_goodbye() { layer.poll_close(cx).map(drop) } else { Poll::Ready(()) }
    }

    /// Tells the protocol that the connection is gone, and all who wait for it. At the end of the runtime what the system has taken
    /// is still sent.
    pub(super) fn end(&self, transport: &Transport, at_end_of_runtime: bool) {
        self.set(ENDED, true);
        let reason = self.rare(|rare| rare.lost.clone()).unwrap_or(ConnectionLost::Aborted);
        #[cfg(feature = "tracing")]
        self.span.in_scope(|| tracing::debug!(target: "rt::protocol", %reason, "connection lost"));
        self.event(transport, |protocol, transport| protocol.connection_lost(transport, &reason));
        self.connection.discard();
        // A reset would overtake the alert that says what is wrong with TLS.
        let is_told = matches!(reason, ConnectionLost::Done | ConnectionLost::Lost(_) | ConnectionLost::Tls(_));
        let stream = self.layer.borrow_mut().close(!at_end_of_runtime && !is_told);
        drop_guarded(stream);
        let protocol = self.protocol.take();
        drop_guarded(protocol);
        // A transport that somebody keeps must not keep the task.
        drop(self.waker.take());
        let (drained, closed) = self.rare(|rare| {
            rare.unread = Vec::new();
            rare.tls = None;
            (mem::take(&mut rare.drained), mem::take(&mut rare.closed))
        });
        for waiting in drained {
            let _ = waiting.errback(Failure::new(reason.clone()));
        }
        for waiting in closed {
            let _ = waiting.callback(reason.clone());
        }
    }
}

/// Reports a panic.
fn report(panic: Box<dyn Any + Send>) -> Failure {
    let failure = Failure::from_panic(panic);
    let place = failure.place();
    unhandled::report(unhandled::Unhandled::of_task(failure.clone(), place));
    failure
}

/// Drops what is the user's. If that panics, there are still others to be told.
fn drop_guarded<T>(value: T) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
        report(panic);
    }
}

/// The end of a turn.
pub(super) struct Turn<'a>(&'a Cell<u32>);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() & !IN_TURN);
    }
}

impl<S, P: Protocol> Outside for Live<S, P> {
    fn reading(&self, wanted: bool) {
        self.set(RESUMED, wanted);
        if wanted {
            self.wake();
        }
    }

    fn writing(&self, wanted: bool) {
        if wanted {
            self.wake();
        }
    }

    /// Said again when it is asked for again.
    fn write_closed(&self) {
        self.set(CLOSING_WRITE, !self.has(WRITE_CLOSED));
    }

    fn lost(&self, reason: ConnectionLost) {
        self.rare(|rare| rare.lost = Some(reason));
        self.set(LOST, true);
        self.wake();
        self.wake_stream();
    }
}

impl<S, P: Protocol> Holds<P> for Live<S, P>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    fn protocol(&self) -> &RefCell<Option<P>> {
        &self.protocol
    }

    fn transport(self: Rc<Self>) -> Transport {
        Transport::new(self)
    }
}
