//! The states of a connector.

use super::dial::Dial;
use crate::protocol::factory::Connecting;
use crate::protocol::start::start;
use crate::protocol::{Address, ClientFactory, ConnectionLost, Connector, Transport};
use rt_deferred::unhandled::{self, Unhandled};
use rt_deferred::{Cancelled, Failure, home};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::pin;
use std::rc::{Rc, Weak};
use std::task::{Poll, Waker};

/// Begins the first attempt.
#[track_caller]
pub(super) fn begin<D: Dial, F: ClientFactory>(dial: D, factory: F) -> Connector {
    let made = Location::caller();
    let connection = Rc::new_cyclic(|itself| Connection {
        itself: itself.clone(),
        dial,
        factory: RefCell::new(factory),
        is_started: Cell::new(false),
        state: RefCell::new(State::Disconnected),
        made,
    });
    let connector = Connector(connection.clone());
    connection.factory.borrow_mut().connector_made(&connector);
    connection.begin_attempt();
    connector
}

struct Connection<D, F> {
    itself: Weak<Self>,
    dial: D,
    /// Borrowed while it is told something, which happens in tasks only: nothing that it does meanwhile calls it.
    factory: RefCell<F>,
    /// Whether the factory was told to start, and not to stop since.
    is_started: Cell<bool>,
    state: RefCell<State>,
    /// Where it was made.
    made: &'static Location<'static>,
}

enum State {
    Disconnected,
    /// With what wakes the attempt, once it waits.
    Connecting(Option<Waker>),
    /// The attempt is to fail.
    GivenUp,
    /// There is a connection, for which the protocol is made and told. Whether it is to be lost.
    Beginning(bool),
    Connected(Transport),
}

impl<D: Dial, F: ClientFactory> Connecting for Connection<D, F> {
    fn connect(&self) {
        // At the end of the runtime connections are lost, too, and factories are told so.
        if home::current().is_some() {
            self.begin_attempt();
        }
    }

    fn stop_connecting(&self) {
        let mut state = self.state.borrow_mut();
        if let State::Connecting(attempt) = &mut *state {
            let attempt = attempt.take();
            *state = State::GivenUp;
            drop(state);
            if let Some(attempt) = attempt {
                attempt.wake();
            }
        }
    }

    fn disconnect(&self) {
        self.stop_connecting();
        let mut state = self.state.borrow_mut();
        match &mut *state {
            State::Beginning(is_unwanted) => *is_unwanted = true,
            State::Connected(transport) => {
                let transport = transport.clone();
                drop(state);
                transport.lose_connection();
            }
            _ => {}
        }
    }

    fn destination(&self) -> String {
        self.dial.destination()
    }
}

impl<D: Dial, F: ClientFactory> Connection<D, F> {
    fn begin_attempt(&self) {
        let mut state = self.state.borrow_mut();
        if let State::Disconnected = *state
            && let Some(itself) = self.itself.upgrade()
        {
            *state = State::Connecting(None);
            drop(rt_runtime::spawn_local(itself.attempt()));
        }
    }

    async fn attempt(self: Rc<Self>) {
        let connector = Connector(self.clone());
        if !self.is_started.replace(true) {
            self.tell(|factory| factory.start_factory());
        }
        self.tell(|factory| factory.started_connecting(&connector));
        let mut waiting = Waiting(Some(&self));
        let dialled = self.until_given_up().await;
        waiting.0 = None;
        let made = dialled.and_then(|(stream, peer)| self.connected(stream, &peer, &connector));
        if let Err(failure) = made {
            self.failed(&failure);
        }
    }

    /// The stream, unless [`stop_connecting`](Connector::stop_connecting) comes first.
    async fn until_given_up(&self) -> Result<(D::Stream, Address), Failure> {
        let mut dialling = pin!(self.dial.dial());
        let dialled = poll_fn(|cx| {
            match &mut *self.state.borrow_mut() {
                State::Connecting(Some(known)) if known.will_wake(cx.waker()) => {}
                State::Connecting(attempt) => *attempt = Some(cx.waker().clone()),
                _ => return Poll::Ready(None),
            }
            dialling.as_mut().poll(cx).map(Some)
        });
        match dialled.await {
            Some(dialled) => Ok(dialled?),
            None => Err(Cancelled::because(format!("no connection to {} is wanted", self.dial.destination())).into()),
        }
    }

    fn failed(self: &Rc<Self>, failure: &Failure) {
        self.state.replace(State::Disconnected);
        let connector = Connector(self.clone());
        self.tell(|factory| factory.client_connection_failed(&connector, failure));
        self.stop_if_over();
    }

    fn connected(self: &Rc<Self>, stream: D::Stream, peer: &Address, connector: &Connector) -> Result<(), Failure> {
        self.state.replace(State::Beginning(false));
        let started = start(stream, peer, &mut *self.factory.borrow_mut())?;
        let Some(handle) = started else {
            self.lost(&ConnectionLost::Done, connector);
            return Ok(());
        };
        let transport = handle.transport();
        let before = self.state.replace(State::Connected(transport.clone()));
        if let State::Beginning(true) = before {
            // The factory or the protocol did not want it, after all.
            transport.lose_connection();
        }
        let (itself, connector) = (self.clone(), connector.clone());
        drop(transport.closed().add_callback(move |reason| itself.lost(&reason, &connector)));
        Ok(())
    }

    fn lost(&self, reason: &ConnectionLost, connector: &Connector) {
        self.state.replace(State::Disconnected);
        self.tell(|factory| factory.client_connection_lost(connector, reason));
        self.stop_if_over();
    }

    /// The factory stops unless it has begun another attempt.
    fn stop_if_over(&self) {
        let is_over = matches!(*self.state.borrow(), State::Disconnected);
        if is_over && self.is_started.replace(false) {
            self.tell(|factory| factory.stop_factory());
        }
    }

    /// Tells the factory something. If it panics, that is reported, and things go on.
    fn tell(&self, event: impl FnOnce(&mut F)) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| event(&mut self.factory.borrow_mut()))) {
            unhandled::report(Unhandled::of_task(Failure::from_panic(payload), self.made));
        }
    }
}

/// An attempt that waits. If it is dropped, the runtime has ended: the factory is told so.
struct Waiting<'a, D: Dial, F: ClientFactory>(Option<&'a Rc<Connection<D, F>>>);

impl<D: Dial, F: ClientFactory> Drop for Waiting<'_, D, F> {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            let destination = connection.dial.destination();
            let text = format!("the runtime ended before there was a connection to {destination}");
            connection.failed(&Cancelled::because(text).into());
        }
    }
}
