//! What listens in memory.

use super::State;
use crate::protocol::{Address, Factory, Listening};
use crate::testing::pair::ReadyEnd;
use rt_deferred::Deferred;
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

/// What listens, whatever its factory is.
pub(super) trait Door {
    fn address(&self) -> Address;

    /// The end of a connection that comes in.
    fn end(&self, host: Address, peer: Address) -> ReadyEnd;
}

pub(super) struct Listener<F> {
    itself: Weak<Self>,
    reactor: Weak<State>,
    address: Address,
    factory: RefCell<F>,
    is_open: Cell<bool>,
    /// It was closed while the factory made a protocol, and the factory is still to be stopped.
    owes_stop: Cell<bool>,
}

impl<F: Factory> Listener<F> {
    pub(super) fn start(reactor: Weak<State>, address: Address, mut factory: F) -> Rc<Self> {
        factory.start_factory();
        Rc::new_cyclic(|itself| Self {
            itself: itself.clone(),
            reactor,
            address,
            factory: RefCell::new(factory),
            is_open: Cell::new(true),
            owes_stop: Cell::default(),
        })
    }
}

impl<F: Factory> Door for Listener<F> {
    fn address(&self) -> Address {
        self.address.clone()
    }

    fn end(&self, host: Address, peer: Address) -> ReadyEnd {
        let built = ReadyEnd::build(&mut *self.factory.borrow_mut(), host.clone(), peer.clone());
        if self.owes_stop.take() {
            self.factory.borrow_mut().stop_factory();
        }
        built.map_or_else(|| ReadyEnd::closing(host, peer), |(_, end)| end)
    }
}

impl<F: Factory> Listening for Listener<F> {
    fn host(&self) -> Address {
        self.address.clone()
    }

    fn stop_listening(&self) -> Deferred<()> {
        if self.is_open.replace(false) {
            if let (Some(reactor), Some(itself)) = (self.reactor.upgrade(), self.itself.upgrade()) {
                let itself: Rc<dyn Door> = itself;
                reactor.listeners.borrow_mut().retain(|other| !Rc::ptr_eq(other, &itself));
            }
            match self.factory.try_borrow_mut() {
                Ok(mut factory) => factory.stop_factory(),
                Err(_) => self.owes_stop.set(true),
            }
        }
        Deferred::succeed(())
    }
}
