//! A port's socket, with what was asked of it and is not done yet.

use super::queue::Queue;
use super::transport::closed;
use super::{DatagramAddress, DatagramBackend};
use crate::protocol::{Address, ConnectionLost, Listening};
use rt_deferred::{Deferred, Failure, OneShotObservers, Resolver};
use std::cell::{Cell, RefCell};
use std::io;
use std::mem;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// How many failures are kept for the protocol between two of its turns.
const FAILURES: usize = 16;

pub(super) struct State<A: DatagramAddress> {
    /// `None` once it is closed.
    socket: RefCell<Option<Rc<A::Socket>>>,
    host: A,
    peer: RefCell<Option<A>>,
    queue: RefCell<Queue<A>>,
    /// What could not be sent.
    failures: RefCell<Vec<(Option<A>, io::Error)>>,
    is_refused: Cell<bool>,
    is_paused: Cell<bool>,
    /// Why the socket is to be closed.
    ending: RefCell<Option<ConnectionLost>>,
    task: RefCell<Option<Waker>>,
    /// The task had a turn while somebody else called the protocol.
    was_busy: Cell<bool>,
    drained: RefCell<Vec<Resolver<()>>>,
    lost: OneShotObservers<ConnectionLost>,
}

impl<A: DatagramAddress> State<A> {
    pub(super) fn new(socket: A::Socket) -> io::Result<Self> {
        Ok(Self {
            host: A::host(&socket)?,
            peer: RefCell::new(A::peer(&socket)),
            socket: RefCell::new(Some(Rc::new(socket))),
            queue: RefCell::new(Queue::new()),
            failures: RefCell::default(),
            is_refused: Cell::new(false),
            is_paused: Cell::new(false),
            ending: RefCell::default(),
            task: RefCell::default(),
            was_busy: Cell::new(false),
            drained: RefCell::default(),
            lost: OneShotObservers::new(),
        })
    }

    pub(super) fn socket(&self) -> Option<Rc<A::Socket>> {
        self.socket.borrow().clone()
    }

    pub(super) fn is_paused(&self) -> bool {
        self.is_paused.get()
    }

    pub(super) fn ending(&self) -> Option<ConnectionLost> {
        self.ending.borrow().clone()
    }

    /// The socket is to be closed, for the first reason that is given.
    pub(super) fn end(&self, reason: ConnectionLost) {
        self.ending.borrow_mut().get_or_insert(reason);
        self.wake();
    }

    /// Whether there is a refusal or a failure to be told.
    pub(super) fn has_news(&self) -> bool {
        self.is_refused.get() || !self.failures.borrow().is_empty()
    }

    pub(super) fn take_refused(&self) -> bool {
        self.is_refused.take()
    }

    pub(super) fn set_refused(&self) {
        self.is_refused.set(true);
    }

    pub(super) fn take_failures(&self) -> Vec<(Option<A>, io::Error)> {
        mem::take(&mut *self.failures.borrow_mut())
    }

    /// The task's waker from now on.
    pub(super) fn set_task(&self, cx: &Context<'_>) {
        let mut task = self.task.borrow_mut();
        if !task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
            *task = Some(cx.waker().clone());
        }
    }

    pub(super) fn wake(&self) {
        if let Some(task) = &*self.task.borrow() {
            task.wake_by_ref();
        }
    }

    /// Somebody else calls the protocol: the task has to come again when that is over.
    pub(super) fn set_busy(&self) {
        self.was_busy.set(true);
    }

    pub(super) fn no_longer_busy(&self) {
        if self.was_busy.take() {
            self.wake();
        }
    }

    /// Sends what waits, as far as there is room.
    pub(super) fn poll_flush(&self, socket: &A::Socket, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let sent = match self.queue.borrow().front() {
                None => break,
                Some((data, to)) => self.unrefused(|| A::poll_send(socket, cx, data, to)),
            };
            let Poll::Ready(sent) = sent else { return Poll::Pending };
            let to = self.queue.borrow_mut().pop();
            if let Err(error) = sent {
                self.failed(to, error);
            }
        }
        for waiting in self.drained.take() {
            let _ = waiting.callback(());
        }
        Poll::Ready(())
    }

    /// Closes the socket: nothing is sent any more.
    pub(super) fn close_socket(&self) {
        self.queue.borrow_mut().clear();
        drop(self.socket.take());
    }

    /// Tells who waits for the end.
    pub(super) fn is_over(&self, reason: &ConnectionLost) {
        drop(self.task.take());
        for waiting in self.drained.take() {
            let _ = waiting.errback(Failure::new(reason.clone()));
        }
        let _ = self.lost.fire(reason.clone());
    }

    /// Sends one now. Nothing waits before it.
    fn transmit(&self, socket: &A::Socket, data: &[u8], to: Option<&A>) -> io::Result<()> {
        let peer = self.peer.borrow();
        let to = match (&*peer, to) {
            (Some(peer), Some(to)) if !to.is_same(peer) => return Err(elsewhere(peer, to)),
            (Some(_), _) => None,
            (None, Some(to)) => Some(to),
            (None, None) => return Err(nowhere()),
        };
        match self.unrefused(|| Poll::Ready(A::try_send(socket, data, to))) {
            Poll::Ready(result) => result,
            Poll::Pending => unreachable!("it does not wait"),
        }
    }

    /// Calls `send` again if it tells only that nobody listens where an earlier datagram went.
    fn unrefused(&self, mut send: impl FnMut() -> Poll<io::Result<()>>) -> Poll<io::Result<()>> {
        match send() {
            Poll::Ready(Err(error)) if self.is_refusal(&error) => {
                self.is_refused.set(true);
                send()
            }
            result => result,
        }
    }

    /// Whether an error tells that nobody listens where the socket is connected to.
    pub(super) fn is_refusal(&self, error: &io::Error) -> bool {
        // Windows tells with the latter.
        matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset)
            && self.peer.borrow().is_some()
    }

    fn failed(&self, to: Option<A>, error: io::Error) {
        if self.is_refusal(&error) {
            return;
        }
        let mut failures = self.failures.borrow_mut();
        if failures.len() < FAILURES {
            failures.push((to, error));
        }
    }
}

impl<A: DatagramAddress> DatagramBackend<A> for State<A> {
    fn write(&self, data: &[u8], to: Option<A>) {
        let Some(socket) = self.socket() else { return };
        let waits = !self.queue.borrow().is_empty();
        let sent =
            if waits { Err(io::ErrorKind::WouldBlock.into()) } else { self.transmit(&socket, data, to.as_ref()) };
        let not_sent = match sent {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait(data, to),
            Err(error) => Err((to, error)),
        };
        if let Err((to, error)) = not_sent {
            self.failed(to, error);
        }
        if self.is_refused.get() || !self.queue.borrow().is_empty() || !self.failures.borrow().is_empty() {
            self.wake();
        }
    }

    fn try_write(&self, data: &[u8], to: Option<A>) -> io::Result<()> {
        let socket = self.socket().ok_or_else(closed)?;
        if !self.queue.borrow().is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let sent = self.transmit(&socket, data, to.as_ref());
        if self.is_refused.get() {
            self.wake();
        }
        sent
    }

    fn connect(&self, to: A) -> io::Result<()> {
        if let Some(peer) = &*self.peer.borrow() {
            let what = format!("the socket is connected to {peer:?} already; open another one for {to:?}");
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, what));
        }
        A::connect(&*self.socket().ok_or_else(closed)?, &to)?;
        *self.peer.borrow_mut() = Some(to);
        Ok(())
    }

    fn host(&self) -> A {
        self.host.clone()
    }

    fn peer(&self) -> Option<A> {
        self.peer.borrow().clone()
    }

    fn pause_producing(&self) {
        self.is_paused.set(true);
    }

    fn resume_producing(&self) {
        if self.is_paused.replace(false) {
            self.wake();
        }
    }

    fn unsent(&self) -> usize {
        self.queue.borrow().bytes()
    }

    fn set_queue_limit(&self, bytes: usize) {
        self.queue.borrow_mut().set_limit(bytes);
    }

    fn drained(&self) -> Deferred<()> {
        if let (true, Some(reason)) = (self.lost.is_fired(), self.ending()) {
            return Deferred::fail(Failure::new(reason));
        }
        if self.queue.borrow().is_empty() {
            return Deferred::succeed(());
        }
        let (deferred, resolver) = Deferred::new();
        self.drained.borrow_mut().push(resolver);
        deferred
    }

    fn stop_listening(&self) -> Deferred<()> {
        self.end(ConnectionLost::Done);
        self.closed().add_callback(|_| ())
    }

    fn closed(&self) -> Deferred<ConnectionLost> {
        self.lost.when_fired()
    }

    fn with_socket(&self, f: &mut dyn FnMut(&A::Socket)) {
        if let Some(socket) = self.socket() {
            f(&socket);
        }
    }
}

impl<A: DatagramAddress> State<A> {
    /// Puts a datagram behind those that wait.
    fn wait(&self, data: &[u8], to: Option<A>) -> Result<(), (Option<A>, io::Error)> {
        let peer = self.peer.borrow();
        match (&*peer, &to) {
            (Some(peer), Some(other)) if !other.is_same(peer) => {
                let error = elsewhere(peer, other);
                Err((to, error))
            }
            (Some(_), _) => self.queue.borrow_mut().push(data, None),
            (None, Some(_)) => self.queue.borrow_mut().push(data, to),
            (None, None) => Err((to, nowhere())),
        }
    }
}

impl<A: DatagramAddress> Listening for State<A> {
    fn host(&self) -> Address {
        self.host.clone().general()
    }

    fn stop_listening(&self) -> Deferred<()> {
        DatagramBackend::stop_listening(self)
    }
}

fn nowhere() -> io::Error {
    let what =
        "a datagram without an address can be sent only where the socket is connected to, and it is not connected";
    io::Error::new(io::ErrorKind::NotConnected, what)
}

fn elsewhere<A: std::fmt::Debug>(peer: &A, to: &A) -> io::Error {
    let what = format!("the socket is connected to {peer:?} and sends nowhere else, so not to {to:?}");
    io::Error::new(io::ErrorKind::InvalidInput, what)
}
