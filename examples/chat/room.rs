//! Who is in the room, and what waits to be sent to them.

use std::cell::{OnceCell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use futures_util::io::AsyncWrite;

/// Most characters in a name.
const MAX_NAME: usize = 32;
/// Most bytes that wait for one who does not read.
const MAX_QUEUED: usize = 256 * 1024;

/// Everybody who is connected.
#[derive(Default)]
pub(crate) struct Room {
    guests: RefCell<Vec<Rc<Guest>>>,
}

/// One who is connected, and in the room once there is a name.
#[derive(Default)]
pub(crate) struct Guest {
    name: OnceCell<String>,
    pub(crate) outbox: Outbox,
}

/// A guest's time in the room: ends when it is dropped.
pub(crate) struct Visit {
    room: Rc<Room>,
    guest: Rc<Guest>,
}

impl Room {
    pub(crate) fn visit(self: &Rc<Self>) -> Visit {
        let guest = Rc::new(Guest::default());
        self.guests.borrow_mut().push(Rc::clone(&guest));
        Visit { room: Rc::clone(self), guest }
    }

    pub(crate) fn close(&self) {
        for guest in self.guests.borrow().iter() {
            guest.outbox.push("(The room is closed)");
            guest.outbox.close();
        }
    }

    fn tell_all_but(&self, guest: &Guest, line: &str) {
        let guests = self.guests.borrow();
        let others = guests.iter().filter(|other| !std::ptr::eq(&***other, guest) && other.name.get().is_some());
        others.for_each(|other| other.outbox.push(line));
    }

    fn is_taken(&self, name: &str) -> bool {
        self.guests.borrow().iter().any(|guest| guest.name.get().is_some_and(|taken| taken == name))
    }
}

impl Visit {
    pub(crate) fn guest(&self) -> Rc<Guest> {
        Rc::clone(&self.guest)
    }

    /// Enters the room under `name`, or tells why that cannot be.
    pub(crate) fn introduce(&self, name: &str) -> Result<(), String> {
        check_name(name)?;
        if self.room.is_taken(name) {
            return Err(format!("the name {name} is taken, choose another"));
        }
        self.guest.name.set(name.to_owned()).expect("one introduces oneself once");
        self.tell_others(|name| format!("(User {name} connected)"));
        Ok(())
    }

    pub(crate) fn say(&self, text: &str) {
        self.tell_others(|name| format!("#[{name}]>>> {text}"));
    }

    /// Tells the guest alone what was wrong.
    pub(crate) fn answer(&self, refusal: &str) {
        self.guest.outbox.push(&format!("(Refused: {refusal})"));
    }

    fn tell_others(&self, line: impl FnOnce(&str) -> String) {
        if let Some(name) = self.guest.name.get() {
            self.room.tell_all_but(&self.guest, &line(name));
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.room.guests.borrow_mut().retain(|guest| !Rc::ptr_eq(guest, &self.guest));
        self.tell_others(|name| format!("(User {name} disconnected)"));
    }
}

/// Whether one may be called that.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    if (1..=MAX_NAME).contains(&name.chars().count()) && name.chars().all(allowed) {
        return Ok(());
    }
    Err(format!("{name:?} is no name: 1 to {MAX_NAME} letters, digits, '-', '_' or '.' make one"))
}

/// Lines that wait for their receiver.
#[derive(Default)]
pub(crate) struct Outbox {
    queue: RefCell<Queue>,
}

#[derive(Default)]
struct Queue {
    bytes: VecDeque<u8>,
    state: State,
    /// Of the session that delivers.
    waker: Option<Waker>,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum State {
    #[default]
    Open,
    /// Nothing is added any more.
    Closed,
    /// The receiver has read too little for too long.
    CutOff,
}

impl Outbox {
    /// Never waits: a receiver for whom too much is waiting already is cut off.
    pub(crate) fn push(&self, line: &str) {
        self.change(|queue| {
            if queue.state != State::Open {
            } else if queue.bytes.len() + line.len() < MAX_QUEUED {
                queue.bytes.extend(line.as_bytes());
                queue.bytes.push_back(b'\n');
            } else {
                queue.state = State::CutOff;
            }
        });
    }

    pub(crate) fn close(&self) {
        self.change(|queue| {
            if queue.state == State::Open {
                queue.state = State::Closed;
            }
        });
    }

    /// Sends what is pushed until the outbox is closed, then ends the stream.
    ///
    /// Fails if the connection does, and as soon as the receiver is cut off.
    pub(crate) async fn deliver(&self, mut receiver: impl AsyncWrite + Unpin) -> io::Result<()> {
        poll_fn(|cx| self.poll_deliver(cx, Pin::new(&mut receiver))).await
    }

    fn poll_deliver(&self, cx: &mut Context<'_>, mut receiver: Pin<&mut impl AsyncWrite>) -> Poll<io::Result<()>> {
        let mut queue = self.queue.borrow_mut();
        queue.waker = Some(cx.waker().clone());
        while queue.state != State::CutOff && !queue.bytes.is_empty() {
            let count = ready!(receiver.as_mut().poll_write(cx, queue.bytes.as_slices().0))?;
            queue.bytes.drain(..count);
        }
        match queue.state {
            State::Open => Poll::Pending,
            State::Closed => receiver.poll_close(cx),
            State::CutOff => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
        }
    }

    fn change(&self, change: impl FnOnce(&mut Queue)) {
        let mut queue = self.queue.borrow_mut();
        change(&mut queue);
        let waker = queue.waker.take();
        drop(queue);
        waker.into_iter().for_each(Waker::wake);
    }
}
