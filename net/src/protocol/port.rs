//! A listening socket that is served.

use super::Address;
use rt_deferred::Deferred;
use std::fmt;
use std::rc::Rc;

/// A listening socket, whose connections run protocols. A cheap handle; dropping it leaves the port open.
///
/// Counterpart: `IListeningPort`.
#[derive(Clone)]
pub struct Port(Rc<dyn Listening>);

/// What is behind a [`Port`]: a socket, or a test's double of one.
pub trait Listening {
    /// Where it listens.
    fn host(&self) -> Address;

    /// Listens no more; fires when the socket is closed. At the second call, too.
    fn stop_listening(&self) -> Deferred<()>;
}

impl Port {
    /// A port over what listens.
    pub fn new(listening: Rc<dyn Listening>) -> Self {
        Self(listening)
    }

    /// Where it listens; with the number that the system chose, if it was asked to.
    pub fn host(&self) -> Address {
        self.0.host()
    }

    /// Listens no more: newcomers are refused. Fires when the socket is closed. Connections that are open stay open.
    pub fn stop_listening(&self) -> Deferred<()> {
        self.0.stop_listening()
    }
}

impl fmt::Debug for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Port").field(&self.host()).finish()
    }
}
