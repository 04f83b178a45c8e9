//! Connectors in memory.

use super::attempt::Attempt;
use super::{Destination, MemoryReactor};
use crate::protocol::factory::Connecting;
use crate::protocol::{Address, ClientFactory, ConnectionLost, Connector, Transport};
use crate::testing::pair::ReadyEnd;
use rt_deferred::{Cancelled, Failure};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

pub(super) struct MemoryConnector<F> {
    itself: Weak<Self>,
    reactor: MemoryReactor,
    destination: Destination,
    /// Borrowed while it is told something.
    factory: RefCell<F>,
    is_started: Cell<bool>,
    state: RefCell<State>,
    /// What the factory is still to be told: it asked for something while it was told something else.
    owed: RefCell<VecDeque<News>>,
}

enum State {
    Disconnected,
    Connecting,
    /// The protocol is made. Whether its connection is to be lost.
    Beginning(bool),
    Connected(Transport),
}

enum News {
    Connecting,
    Failed(Failure),
    Lost(ConnectionLost),
}

impl<F: ClientFactory> MemoryConnector<F> {
    pub(super) fn begin(reactor: MemoryReactor, destination: Destination, factory: F) -> Connector {
        let connector = Connector(Rc::new_cyclic(|itself| Self {
            itself: itself.clone(),
            reactor,
            destination,
            factory: RefCell::new(factory),
            is_started: Cell::default(),
            state: RefCell::new(State::Disconnected),
            owed: RefCell::default(),
        }));
        connector.connect();
        connector
    }

    fn owe(&self, news: News) {
        self.owed.borrow_mut().push_back(news);
        loop {
            let Ok(mut factory) = self.factory.try_borrow_mut() else { return };
            let Some(news) = self.owed.borrow_mut().pop_front() else { return };
            self.tell(&mut factory, news);
        }
    }

    fn tell(&self, factory: &mut F, news: News) {
        let Some(itself) = self.itself.upgrade() else { return };
        let connector = Connector(itself.clone());
        match news {
            News::Connecting => {
                if !self.is_started.replace(true) {
                    factory.start_factory();
                }
                factory.started_connecting(&connector);
                // It may have thought better of it.
                if matches!(*self.state.borrow(), State::Connecting) {
                    self.reactor.begin(itself);
                }
                return;
            }
            News::Failed(reason) => factory.client_connection_failed(&connector, &reason),
            News::Lost(reason) => factory.client_connection_lost(&connector, &reason),
        }
        let is_over = matches!(*self.state.borrow(), State::Disconnected);
        if is_over && self.is_started.replace(false) {
            factory.stop_factory();
        }
    }

    fn lost(&self, reason: ConnectionLost) {
        self.state.replace(State::Disconnected);
        self.owe(News::Lost(reason));
    }
}

impl<F: ClientFactory> Connecting for MemoryConnector<F> {
    fn connect(&self) {
        if !matches!(*self.state.borrow(), State::Disconnected) {
            return;
        }
        self.state.replace(State::Connecting);
        self.owe(News::Connecting);
    }

    fn stop_connecting(&self) {
        if matches!(*self.state.borrow(), State::Connecting) {
            self.reactor.state.forget(self);
            self.fail(Cancelled::because(format!("no connection to {} is wanted", self.destination)).into());
        }
    }

    fn disconnect(&self) {
        self.stop_connecting();
        let transport = match &mut *self.state.borrow_mut() {
            State::Connected(transport) => Some(transport.clone()),
            State::Beginning(is_unwanted) => {
                *is_unwanted = true;
                None
            }
            _ => None,
        };
        if let Some(transport) = transport {
            transport.lose_connection();
        }
    }

    fn destination(&self) -> String {
        self.destination.to_string()
    }
}

impl<F: ClientFactory> Attempt for MemoryConnector<F> {
    fn destination(&self) -> Destination {
        self.destination.clone()
    }

    fn end(&self, host: Address, peer: Address) -> Option<ReadyEnd> {
        self.state.replace(State::Beginning(false));
        let built = ReadyEnd::build(&mut *self.factory.borrow_mut(), host, peer);
        let Some((handle, end)) = built else {
            self.lost(ConnectionLost::Done);
            return None;
        };
        let transport = handle.transport();
        if let State::Beginning(true) = self.state.replace(State::Connected(transport.clone())) {
            transport.lose_connection();
        }
        Some(end)
    }

    fn made(&self) {
        let transport = match &*self.state.borrow() {
            State::Connected(transport) => transport.clone(),
            _ => return,
        };
        // It lives as long as the connection, also when nobody holds the connector.
        if let Some(itself) = self.itself.upgrade() {
            drop(transport.closed().add_callback(move |reason| itself.lost(reason)));
        }
    }

    fn fail(&self, reason: Failure) {
        self.state.replace(State::Disconnected);
        self.owe(News::Failed(reason));
    }
}
