//! A protocol that runs on a connection, seen from outside.

use super::{Protocol, Transport};
use std::cell::RefCell;
use std::error::Error;
use std::fmt;
use std::rc::Rc;

/// A protocol that runs on a connection, for who wants to call its methods from outside of its events. A cheap handle.
///
/// Counterpart: the protocol instance that Twisted's endpoints give.
pub struct ProtocolHandle<P>(Rc<dyn Holds<P>>);

/// Where a running protocol lives: a connection, or a test's double of one.
pub trait Holds<P> {
    /// `None` once the connection is gone.
    fn protocol(&self) -> &RefCell<Option<P>>;

    /// What the protocol is given with its events.
    fn transport(self: Rc<Self>) -> Transport;
}

impl<P: Protocol> ProtocolHandle<P> {
    /// A handle for what `place` holds.
    pub fn new(place: Rc<dyn Holds<P>>) -> Self {
        Self(place)
    }

    /// Calls `f` with the protocol and its transport.
    ///
    /// # Errors
    ///
    /// The connection is gone, and the protocol with it; or this was called from within one of the protocol's own events.
    pub fn with<R>(&self, f: impl FnOnce(&mut P, &Transport) -> R) -> Result<R, HandleError> {
        let mut protocol = self.0.protocol().try_borrow_mut().map_err(|_| HandleError::Busy)?;
        let protocol = protocol.as_mut().ok_or(HandleError::Lost)?;
        Ok(f(protocol, &self.transport()))
    }

    /// The connection's transport.
    pub fn transport(&self) -> Transport {
        self.0.clone().transport()
    }
}

impl<P> Clone for ProtocolHandle<P> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<P> fmt::Debug for ProtocolHandle<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ProtocolHandle").finish_non_exhaustive()
    }
}

/// Why a protocol cannot be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandleError {
    /// The call comes from within one of the protocol's own events.
    Busy,
    /// The connection is gone, and the protocol with it.
    Lost,
}

impl fmt::Display for HandleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HandleError::Busy => "the protocol is in one of its events; call it from outside of them",
            HandleError::Lost => "the connection is gone, and the protocol with it",
        })
    }
}

impl Error for HandleError {}
