//! Protocols and factories for tests of what runs them.
#![allow(dead_code)]

use rt::deferred::Failure;
use rt::protocol::{Address, ClientFactory, ConnectionLost, Connector, Factory, Protocol, Transport};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// What happened, in order.
#[derive(Clone, Default)]
pub(crate) struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    pub(crate) fn note(&self, what: impl Into<String>) {
        self.0.borrow_mut().push(what.into());
    }

    /// What was noted since the last call.
    pub(crate) fn take(&self) -> Vec<String> {
        self.0.take()
    }

    /// Lets other tasks have their turns until so much was noted.
    pub(crate) async fn until(&self, count: usize) {
        while self.0.borrow().len() < count {
            rt::task::yield_now().await;
        }
    }
}

/// Sends back what comes.
pub(crate) struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data);
    }
}

/// Notes what happens, and sends back what comes.
pub(crate) struct Noting(pub(crate) Log);

impl Protocol for Noting {
    fn connection_made(&mut self, _: &Transport) {
        self.0.note("made");
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        self.0.note(format!("data {}", String::from_utf8_lossy(data)));
        transport.write(data);
    }

    fn connection_lost(&mut self, _: &Transport, reason: &ConnectionLost) {
        self.0.note(format!("lost {reason}"));
    }

    fn handshake_completed(&mut self, _: &Transport) {
        self.0.note("shaken");
    }
}

/// Notes what happens, and sends nothing.
pub(crate) struct Quiet(pub(crate) Log);

impl Protocol for Quiet {
    fn connection_made(&mut self, _: &Transport) {
        self.0.note("made");
    }

    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        self.0.note(format!("data {}", String::from_utf8_lossy(data)));
    }

    fn handshake_completed(&mut self, _: &Transport) {
        self.0.note("shaken");
    }
}

/// Makes [`Noting`]s, and notes what it is told itself.
pub(crate) struct NotingFactory {
    pub(crate) log: Log,
    /// What it does for the next connections; then it makes protocols.
    pub(crate) quirks: Vec<Quirk>,
    /// What it does when an attempt failed or a connection was lost.
    pub(crate) again: Rc<Cell<u32>>,
}

#[derive(Clone, Copy)]
pub(crate) enum Quirk {
    None,
    Panic,
}

impl NotingFactory {
    pub(crate) fn new(log: &Log) -> Self {
        Self { log: log.clone(), quirks: Vec::new(), again: Rc::default() }
    }

    pub(crate) fn with_quirks(mut self, quirks: &[Quirk]) -> Self {
        self.quirks = quirks.iter().rev().copied().collect();
        self
    }

    /// Connects again so many times.
    pub(crate) fn again(self, times: u32) -> Self {
        self.again.set(times);
        self
    }

    fn connect_again(&self, connector: &Connector) {
        if let Some(left) = self.again.get().checked_sub(1) {
            self.again.set(left);
            connector.connect();
        }
    }
}

impl Factory for NotingFactory {
    type Protocol = Noting;

    fn build_protocol(&mut self, _: &Address) -> Option<Noting> {
        self.log.note("build");
        match self.quirks.pop() {
            Some(Quirk::None) => None,
            Some(Quirk::Panic) => panic!("no mood for protocols"),
            None => Some(Noting(self.log.clone())),
        }
    }

    fn start_factory(&mut self) {
        self.log.note("start");
    }

    fn stop_factory(&mut self) {
        self.log.note("stop");
    }
}

impl ClientFactory for NotingFactory {
    fn started_connecting(&mut self, _: &Connector) {
        self.log.note("connecting");
    }

    fn client_connection_failed(&mut self, connector: &Connector, reason: &Failure) {
        match reason.kind() {
            Some(kind) => self.log.note(format!("failed {kind}")),
            None => self.log.note(format!("failed {reason}")),
        }
        self.connect_again(connector);
    }

    fn client_connection_lost(&mut self, connector: &Connector, reason: &ConnectionLost) {
        self.log.note(format!("client lost {reason}"));
        self.connect_again(connector);
    }
}
