//! One factory for many ports or attempts.

#[cfg(feature = "tls")]
use crate::protocol::StartTls;
use crate::protocol::{Address, Factory};
use std::cell::RefCell;
use std::rc::Rc;

/// One factory, lent to each port or attempt.
pub(super) struct SharedFactory<F>(Rc<RefCell<F>>);

impl<F> SharedFactory<F> {
    pub(super) fn new(factory: F) -> Self {
        Self(Rc::new(RefCell::new(factory)))
    }
}

impl<F> Clone for SharedFactory<F> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<F: Factory> Factory for SharedFactory<F> {
    type Protocol = F::Protocol;

    fn build_protocol(&mut self, peer: &Address) -> Option<F::Protocol> {
        self.0.borrow_mut().build_protocol(peer)
    }

    fn start_factory(&mut self) {
        self.0.borrow_mut().start_factory();
    }

    fn stop_factory(&mut self) {
        self.0.borrow_mut().stop_factory();
    }

    #[cfg(feature = "tls")]
    fn start_tls(&mut self) -> Option<StartTls> {
        self.0.borrow_mut().start_tls()
    }
}
