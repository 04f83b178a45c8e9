//! The states of a client, and how it moves between them.
//!
//! What comes in is handled one after the other: an attempt that ends, or a connection that is lost, while a move is being made is
//! handled after that move. So no code of the user's sees the machine between two states, and none is called with a borrow held.

use super::super::factory::SharedFactory;
use super::policy::default_backoff_policy;
use crate::protocol::{ConnectionLost, Factory, ProtocolHandle, StreamClientEndpoint};
use rt_deferred::home;
use rt_deferred::{Cancelled, Deferred, Failure, Outcome, Reactor, ReactorTime, Resolver, maybe_deferred};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::mem;
use std::rc::Rc;
use std::time::Duration;

pub(super) struct Machine<E, F: Factory> {
    pub(super) settings: Settings<E, F>,
    state: RefCell<State<F::Protocol>>,
    /// Numbers the attempts: what an earlier one has to say does not matter any more.
    attempt: Cell<u64>,
    /// How many have failed in a row.
    failed: Cell<u32>,
    waiting: RefCell<Vec<Waiting<F::Protocol>>>,
    /// Numbers those who wait.
    waiter: Cell<u64>,
    stopping: RefCell<Vec<Resolver<()>>>,
    inputs: RefCell<VecDeque<Input<F::Protocol>>>,
    is_moving: Cell<bool>,
}

pub(super) struct Settings<E, F: Factory> {
    endpoint: E,
    factory: SharedFactory<F>,
    pub(super) policy: Box<dyn Fn(u32) -> Duration>,
    /// `None`: the runtime's.
    pub(super) clock: Option<Rc<dyn ReactorTime>>,
    pub(super) prepare: Option<Prepare<F::Protocol>>,
}

type Prepare<P> = Box<dyn Fn(ProtocolHandle<P>) -> Deferred<()>>;

enum State<P> {
    Init,
    Stopped,
    Connecting(Attempt<P>),
    /// For the next attempt. With what takes the call back.
    Waiting(Box<dyn FnOnce()>),
    Connected(ProtocolHandle<P>),
    /// An attempt was cancelled or a connection is being closed.
    Disconnecting,
    /// As `Disconnecting`, and then it is to connect again.
    Restarting,
}

/// An attempt, up to when its connection is prepared.
struct Attempt<P> {
    /// What is under way, to be cancelled.
    deferred: Option<Deferred<()>>,
    /// The connection, while it is prepared.
    connection: Option<ProtocolHandle<P>>,
    /// It was lost meanwhile.
    lost: Option<ConnectionLost>,
}

impl<P> Default for Attempt<P> {
    fn default() -> Self {
        Self { deferred: None, connection: None, lost: None }
    }
}

struct Waiting<P> {
    number: u64,
    resolver: Resolver<ProtocolHandle<P>>,
    failures_left: Option<u32>,
}

/// What comes in. With the number of the attempt that it is about.
pub(super) enum Input<P> {
    Start,
    Stop(Resolver<()>),
    Retry,
    Connected(u64, ProtocolHandle<P>),
    Failed(u64, Failure),
    Lost(u64, ConnectionLost),
}

impl<E: StreamClientEndpoint, F: Factory> Machine<E, F> {
    pub(super) fn new(endpoint: E, factory: F) -> Self {
        Self {
            settings: Settings {
                endpoint,
                factory: SharedFactory::new(factory),
                policy: Box::new(default_backoff_policy()),
                clock: None,
                prepare: None,
            },
            state: RefCell::new(State::Init),
            attempt: Cell::new(0),
            failed: Cell::new(0),
            waiting: RefCell::default(),
            waiter: Cell::new(0),
            stopping: RefCell::default(),
            inputs: RefCell::default(),
            is_moving: Cell::new(false),
        }
    }

    pub(super) fn when_connected(self: &Rc<Self>, failures_left: Option<u32>) -> Deferred<ProtocolHandle<F::Protocol>> {
        match &*self.state.borrow() {
            State::Connected(connection) => Deferred::succeed(connection.clone()),
            State::Stopped => Deferred::fail(Cancelled::default()),
            _ => {
                let number = self.waiter.replace(self.waiter.get() + 1);
                let machine = Rc::downgrade(self);
                let (deferred, resolver) = Deferred::with_canceller(move |_: &Resolver<_>| {
                    if let Some(machine) = machine.upgrade() {
                        machine.forget(number);
                    }
                });
                self.waiting.borrow_mut().push(Waiting { number, resolver, failures_left });
                deferred
            }
        }
    }

    /// Somebody waits no more.
    fn forget(&self, number: u64) {
        let mut waiting = self.waiting.borrow_mut();
        let place = waiting.iter().position(|waiting| waiting.number == number);
        let forgotten = place.map(|place| waiting.remove(place));
        drop(waiting);
        // It was told by having cancelled.
        if let Some(waiting) = forgotten {
            waiting.resolver.detach();
        }
    }

    pub(super) fn waiters(&self) -> usize {
        self.waiting.borrow().len()
    }

    pub(super) fn input(self: &Rc<Self>, input: Input<F::Protocol>) {
        self.inputs.borrow_mut().push_back(input);
        if self.is_moving.replace(true) {
            return;
        }
        let _moving = Moving(&self.is_moving);
        loop {
            let next = self.inputs.borrow_mut().pop_front();
            let Some(input) = next else { break };
            self.handle(input);
        }
    }

    fn handle(self: &Rc<Self>, input: Input<F::Protocol>) {
        match input {
            Input::Start => self.start(),
            Input::Stop(resolver) => self.stop(resolver),
            Input::Retry => self.retry(),
            // Of an attempt that is over.
            Input::Connected(attempt, _) | Input::Failed(attempt, _) | Input::Lost(attempt, _)
                if attempt != self.attempt.get() => {}
            Input::Connected(_, connection) => self.connected(connection),
            Input::Failed(_, failure) => self.attempt_failed(failure),
            Input::Lost(_, reason) => self.lost(reason),
        }
    }

    fn retry(self: &Rc<Self>) {
        if matches!(*self.state.borrow(), State::Waiting(_)) {
            self.connect();
        }
    }

    fn start(self: &Rc<Self>) {
        match self.take_state() {
            State::Init | State::Stopped => self.connect(),
            State::Disconnecting => self.set(State::Restarting),
            running => self.set(running),
        }
    }

    fn stop(self: &Rc<Self>, resolver: Resolver<()>) {
        self.stopping.borrow_mut().push(resolver);
        match self.take_state() {
            State::Init | State::Stopped => {
                self.set(State::Stopped);
                self.cancel_waiting();
                self.tell_stopped();
            }
            State::Connecting(attempt) => {
                self.set(State::Disconnecting);
                attempt.deferred.inspect(Deferred::cancel);
                attempt.connection.inspect(|connection| connection.transport().abort_connection());
            }
            State::Waiting(take_back) => {
                self.set(State::Stopped);
                self.cancel_waiting();
                take_back();
                self.tell_stopped();
            }
            State::Connected(connection) => {
                self.set(State::Disconnecting);
                connection.transport().lose_connection();
            }
            State::Disconnecting | State::Restarting => self.set(State::Disconnecting),
        }
    }

    fn connect(self: &Rc<Self>) {
        let number = self.attempt.get() + 1;
        self.attempt.set(number);
        self.set(State::Connecting(Attempt::default()));
        let factory = self.settings.factory.clone();
        let connecting = maybe_deferred(|| self.settings.endpoint.connect(factory));
        let (machine, ended) = (self.clone(), self.clone());
        let prepared = connecting.add_callback(move |connection| machine.prepare(number, connection));
        let deferred = prepared.add_both(move |result: Result<_, Failure>| {
            ended.input(match result {
                Ok(connection) => Input::Connected(number, connection),
                Err(failure) => Input::Failed(number, failure),
            });
        });
        // What has come of it already is handled after this move.
        if let State::Connecting(attempt) = &mut *self.state.borrow_mut() {
            attempt.deferred = Some(deferred);
        }
    }

    fn prepare(
        self: &Rc<Self>,
        number: u64,
        connection: ProtocolHandle<F::Protocol>,
    ) -> Outcome<ProtocolHandle<F::Protocol>> {
        let machine = self.clone();
        drop(connection.transport().closed().add_both(move |reason: Result<ConnectionLost, Failure>| {
            machine.input(Input::Lost(number, reason.unwrap_or_else(ConnectionLost::Lost)));
        }));
        let Some(prepare) = &self.settings.prepare else { return Outcome::Value(connection) };
        if let State::Connecting(attempt) = &mut *self.state.borrow_mut()
            && number == self.attempt.get()
        {
            attempt.connection = Some(connection.clone());
        }
        Outcome::Deferred(prepare(connection.clone()).add_callback(move |()| Ok::<_, Failure>(connection)))
    }

    fn connected(self: &Rc<Self>, connection: ProtocolHandle<F::Protocol>) {
        match self.take_state() {
            State::Connecting(Attempt { lost: Some(reason), .. }) => self.refused(reason.into_failure()),
            State::Connecting(_) => {
                self.set(State::Connected(connection.clone()));
                self.failed.set(0);
                for waiting in self.waiting.take() {
                    let _ = waiting.resolver.callback(connection.clone());
                }
            }
            // The attempt was cancelled and has succeeded all the same.
            ending @ (State::Disconnecting | State::Restarting) => {
                self.set(ending);
                connection.transport().lose_connection();
            }
            other => self.set(other),
        }
    }

    fn attempt_failed(self: &Rc<Self>, failure: Failure) {
        match self.take_state() {
            State::Connecting(attempt) => {
                self.refused(attempt.lost.map_or(failure, IntoFailure::into_failure));
                attempt.connection.inspect(|connection| connection.transport().abort_connection());
            }
            other => self.ended(other),
        }
    }

    fn lost(self: &Rc<Self>, reason: ConnectionLost) {
        match self.take_state() {
            State::Connected(_) => self.wait(),
            State::Connecting(attempt) => {
                let deferred = attempt.deferred;
                self.set(State::Connecting(Attempt { deferred: None, lost: Some(reason), ..attempt }));
                // Who prepares it need not wait for what cannot come any more.
                deferred.inspect(Deferred::cancel);
            }
            other => self.ended(other),
        }
    }

    /// The attempt that was under way has failed.
    fn refused(self: &Rc<Self>, failure: Failure) {
        let mut ready = Vec::new();
        self.waiting.borrow_mut().retain_mut(|waiting| match &mut waiting.failures_left {
            None => true,
            Some(left) if *left > 1 => {
                *left -= 1;
                true
            }
            Some(_) => {
                ready.push(waiting.resolver.clone());
                false
            }
        });
        self.wait();
        for resolver in ready {
            let _ = resolver.errback(failure.clone());
        }
    }

    fn wait(self: &Rc<Self>) {
        let Some(clock) = self.settings.clock() else {
            // The runtime ends, and nobody connects again.
            self.set(State::Stopped);
            self.cancel_waiting();
            return self.tell_stopped();
        };
        self.failed.set(self.failed.get().saturating_add(1));
        // In case the policy panics: it can be started again then. If it asks for the connection, that is waited for.
        self.set(State::Init);
        let delay = (self.settings.policy)(self.failed.get());
        let machine = self.clone();
        let retry = Box::new(move || machine.input(Input::Retry));
        let take_back = clock.call_later(delay, retry);
        self.set(State::Waiting(take_back));
    }

    /// What was to end has ended.
    fn ended(self: &Rc<Self>, state: State<F::Protocol>) {
        match state {
            State::Disconnecting => {
                self.set(State::Stopped);
                self.cancel_waiting();
                self.tell_stopped();
            }
            State::Restarting => {
                self.connect();
                self.tell_stopped();
            }
            // It is the end of what somebody else has given up already.
            other => self.set(other),
        }
    }

    fn cancel_waiting(&self) {
        for waiting in self.waiting.take() {
            let _ = waiting.resolver.errback(Cancelled::default());
        }
    }

    fn tell_stopped(&self) {
        for resolver in self.stopping.take() {
            let _ = resolver.callback(());
        }
    }

    fn set(&self, state: State<F::Protocol>) {
        let former = self.state.replace(state);
        drop(former);
    }

    /// To be followed by [`set`](Self::set), before anything of the user's is called.
    fn take_state(&self) -> State<F::Protocol> {
        mem::replace(&mut *self.state.borrow_mut(), State::Init)
    }

    pub(super) fn state_name(&self) -> &'static str {
        match &*self.state.borrow() {
            State::Init => "Init",
            State::Stopped => "Stopped",
            State::Connecting(_) => "Connecting",
            State::Waiting(_) => "Waiting",
            State::Connected(_) => "Connected",
            State::Disconnecting => "Disconnecting",
            State::Restarting => "Restarting",
        }
    }
}

impl<E, F: Factory> Settings<E, F> {
    /// `None` if it is that of a runtime which is gone.
    fn clock(&self) -> Option<Rc<dyn ReactorTime>> {
        let reactor = || home::current().filter(|home| home.time().is_some()).map(|_| Reactor.weak());
        self.clock.clone().or_else(reactor)
    }
}

/// For as long as a move is being made, also one that panics.
struct Moving<'a>(&'a Cell<bool>);

impl Drop for Moving<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

trait IntoFailure {
    fn into_failure(self) -> Failure;
}

impl IntoFailure for ConnectionLost {
    fn into_failure(self) -> Failure {
        Failure::new(self)
    }
}
