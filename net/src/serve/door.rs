//! Where connections come in, also when there is nothing to receive them with.

use super::listener::Listener;
use super::notice::{NoticeKind, Notices};
use super::reserve::Reserve;
use crate::accept::Trouble;
use rt_runtime::time::{Sleep, sleep};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// How long to wait after connections had to be refused, or when nothing can be done, before the next attempt.
const CLOSED_FOR: Duration = Duration::from_millis(10);
/// How many connections are refused before others get their turn.
const REFUSED_AT_ONCE: u32 = 128;

/// Where connections come in.
pub(crate) struct Door<L, R = ()> {
    listener: L,
    room: R,
    /// Until when nobody is let in. A connection that ends opens it earlier.
    closed: Option<Pin<Box<Sleep>>>,
    reserve: Reserve,
}

/// What there is room for behind the door.
pub(crate) trait Room {
    /// Waits until there is room for one more.
    fn poll_room(&self, cx: &Context<'_>) -> Poll<()>;

    /// From now on, [`poll_ended`](Room::poll_ended) tells of connections that end.
    fn note_ends(&self);

    /// Ready when a connection has ended since.
    fn poll_ended(&self, cx: &Context<'_>) -> Poll<()>;
}

/// Room for all, whose ends nobody hears of.
impl Room for () {
    fn poll_room(&self, _: &Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    fn note_ends(&self) {}

    fn poll_ended(&self, _: &Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

impl<L: Listener, R: Room> Door<L, R> {
    pub(crate) fn new(listener: L, room: R) -> Self {
        Self { listener, room, closed: None, reserve: Reserve::new() }
    }

    /// How many connections were closed at once, because there was no descriptor for them.
    pub(crate) fn refused(&self) -> u64 {
        self.reserve.refused()
    }

    /// Waits for a connection that may come in.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>, notices: &Notices) -> Poll<io::Result<(L::Io, L::Addr)>> {
        loop {
            ready!(self.room.poll_room(cx));
            if let Some(closed) = &mut self.closed {
                if self.room.poll_ended(cx).is_pending() {
                    ready!(closed.as_mut().poll(cx));
                }
                self.closed = None;
            }
            let error = match ready!(self.listener.poll_accept(cx)) {
                Ok(accepted) => return Poll::Ready(Ok(accepted)),
                Err(error) => error,
            };
            match Trouble::of(&error) {
                // A listener of the user's may say so without end: the shutdown and other tasks have their turns.
                Trouble::Connection => ready!(rt_runtime::poll_proceed(cx)),
                Trouble::Resources => {
                    self.refuse_waiting(cx);
                    notices.say(NoticeKind::Refused, || format!("connections are refused or kept waiting: {error}"));
                    self.closed = Some(Box::pin(sleep(CLOSED_FOR)));
                    self.room.note_ends();
                }
                Trouble::Listener => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Closes the connections that wait, for as long as the descriptor in reserve is enough to accept them.
    fn refuse_waiting(&mut self, cx: &mut Context<'_>) {
        for _ in 0..REFUSED_AT_ONCE {
            if !self.reserve.give_up() {
                return;
            }
            let accepted = self.listener.poll_accept(cx);
            let refused = matches!(accepted, Poll::Ready(Ok(_)));
            drop(accepted);
            self.reserve.take_back(refused);
            if !refused {
                return;
            }
        }
    }
}
