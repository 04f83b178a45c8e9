//! A process that was started, with its pipes and its protocol: what the tasks, the transports and the handles share.

use super::{ProcessEnd, ProcessProtocol, ProcessTransport};
use crate::protocol::{ConnectionLost, Transport};
use rt_deferred::unhandled::{Unhandled, report};
use rt_deferred::{Deferred, Failure, OneShotObservers};
use rt_runtime::process::Child;
use rt_runtime::signal::unix::SignalKind;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::pin;
use std::process::ExitStatus;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

pub(super) struct Running<P> {
    /// `None` once all is over.
    pub(super) protocol: RefCell<Option<P>>,
    pub(super) state: Rc<State>,
    /// Where the process was started: reports name it.
    pub(super) started: &'static Location<'static>,
}

pub(super) struct State {
    /// `None` once it was waited for, or let go.
    child: RefCell<Option<Child>>,
    /// Those that are open, by their numbers in the process; whether it writes to them.
    pipes: RefCell<BTreeMap<i32, (Transport, bool)>>,
    exit: RefCell<Option<ProcessEnd>>,
    /// The protocol panicked: it is told no more than that.
    is_given_up: Cell<bool>,
    waiter: RefCell<Option<Waker>>,
    ended: OneShotObservers<ProcessEnd>,
}

impl<P: ProcessProtocol> Running<P> {
    /// Tells the protocol, unless it is gone or has panicked.
    pub(super) fn event(&self, event: impl FnOnce(&mut P, &ProcessTransport)) {
        if !self.state.is_given_up.get() {
            self.last_event(event);
        }
    }

    fn last_event(&self, event: impl FnOnce(&mut P, &ProcessTransport)) {
        let transport = ProcessTransport(self.state.clone());
        let called = catch_unwind(AssertUnwindSafe(|| {
            if let Some(protocol) = &mut *self.protocol.borrow_mut() {
                event(protocol, &transport);
            }
        }));
        if let Err(payload) = called {
            let failure = Failure::from_panic(payload);
            report(Unhandled::of_task(failure.clone(), self.started));
            self.state.give_up(failure);
        }
    }

    /// A pipe is closed.
    pub(super) fn pipe_is_lost(&self, child_fd: i32, reason: &ConnectionLost) {
        drop(self.state.pipes.borrow_mut().remove(&child_fd));
        if matches!(reason, ConnectionLost::WriteLimit { .. }) {
            // An error says that there is nobody to be deceived.
            let _ = self.state.kill();
        }
        self.event(|protocol, transport| protocol.child_connection_lost(transport, child_fd, reason));
        self.end_if_all_is_over();
    }

    /// The process has exited, or nobody will know.
    pub(super) fn has_exited(&self, end: ProcessEnd) {
        self.state.exit.borrow_mut().get_or_insert_with(|| end.clone());
        drop(self.state.child.take());
        self.event(|protocol, transport| protocol.process_exited(transport, &end));
        self.end_if_all_is_over();
    }

    /// Nobody waits for the process any more.
    pub(super) fn is_abandoned(&self) {
        drop(self.state.child.take());
        self.state.exit.borrow_mut().get_or_insert(ProcessEnd::Abandoned);
        self.end_if_all_is_over();
    }

    pub(super) fn end_if_all_is_over(&self) {
        let Some(end) = self.state.exit() else { return };
        if !self.state.pipes.borrow().is_empty() || self.state.ended.is_fired() {
            return;
        }
        self.last_event(|protocol, transport| protocol.process_ended(transport, &end));
        let protocol = self.protocol.take();
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(protocol))) {
            report(Unhandled::of_task(Failure::from_panic(payload), self.started));
        }
        let _ = self.state.ended.fire(end);
    }
}

impl State {
    pub(super) fn new(child: Child) -> Self {
        Self {
            child: RefCell::new(Some(child)),
            pipes: RefCell::default(),
            exit: RefCell::default(),
            is_given_up: Cell::new(false),
            waiter: RefCell::default(),
            ended: OneShotObservers::new(),
        }
    }

    pub(super) fn add_pipe(&self, child_fd: i32, pipe: Transport, is_from_child: bool) {
        self.pipes.borrow_mut().insert(child_fd, (pipe, is_from_child));
    }

    pub(super) fn pipe(&self, child_fd: i32) -> Option<Transport> {
        self.pipes.borrow().get(&child_fd).map(|(pipe, _)| pipe.clone())
    }

    pub(super) fn pipes(&self) -> Vec<Transport> {
        self.pipes.borrow().values().map(|(pipe, _)| pipe.clone()).collect()
    }

    pub(super) fn pipes_from_child(&self) -> Vec<Transport> {
        let pipes = self.pipes.borrow();
        pipes.values().filter(|(_, is_from_child)| *is_from_child).map(|(pipe, _)| pipe.clone()).collect()
    }

    pub(super) fn pid(&self) -> Option<u32> {
        self.child.borrow().as_ref().and_then(Child::id)
    }

    pub(super) fn signal(&self, kind: SignalKind) -> io::Result<()> {
        match &*self.child.borrow() {
            Some(child) => child.signal(kind),
            None => {
                let what = "the process has exited already: nothing is left to send a signal to";
                Err(io::Error::new(io::ErrorKind::InvalidInput, what))
            }
        }
    }

    pub(super) fn kill(&self) -> io::Result<()> {
        self.signal(SignalKind::from_raw(rustix::process::Signal::KILL.as_raw()))
    }

    pub(super) fn exit(&self) -> Option<ProcessEnd> {
        self.exit.borrow().clone()
    }

    pub(super) fn ended(&self) -> Deferred<ProcessEnd> {
        self.ended.when_fired()
    }

    /// Ready when the process has ended; with `None` if it was let go.
    pub(super) fn poll_wait(&self, cx: &mut Context<'_>) -> Poll<Option<io::Result<ExitStatus>>> {
        *self.waiter.borrow_mut() = Some(cx.waker().clone());
        match &mut *self.child.borrow_mut() {
            // The future has no state of its own.
            Some(child) => pin!(child.wait()).poll(cx).map(Some),
            None => Poll::Ready(None),
        }
    }

    /// The protocol has panicked.
    fn give_up(&self, failure: Failure) {
        if self.is_given_up.replace(true) {
            return;
        }
        self.exit.borrow_mut().get_or_insert(ProcessEnd::Panicked(failure.clone()));
        drop(self.child.take());
        for pipe in self.pipes() {
            pipe.abort_with(ConnectionLost::Panicked(failure.clone()));
        }
        // It has the last word, where no pipe has.
        if let Some(waiter) = self.waiter.take() {
            waiter.wake();
        }
    }
}
