//! A server.

use super::factory::SharedFactory;
use super::{Service, ServiceHandle};
use crate::protocol::{Factory, Port, StreamServerEndpoint};
use rt_deferred::{Control, Deferred, Failure, OneShotObservers, maybe_deferred};
use std::cell::RefCell;
use std::fmt;

/// Listens while it runs.
///
/// The privileged start begins to listen; the start does, if it was not called before. If that fails, the start fails (Twisted logs
/// it and goes on without the server). Stopping closes the port; connections that are open stay open.
///
/// Counterpart: `twisted.application.internet.StreamServerEndpointService`.
///
/// ```
/// use rt::Deferred;
/// use rt::deferred::success_result_of;
/// use rt::protocol::{Address, Factory, Listening, Port, Protocol, StreamServerEndpoint, Transport, for_protocol};
/// use rt::service::{ServiceHandle, StreamServerEndpointService};
/// use std::rc::Rc;
///
/// /// A port that nobody connects to.
/// struct Nowhere;
/// impl Listening for Nowhere {
///     fn host(&self) -> Address {
///         Address::Memory
///     }
///     fn stop_listening(&self) -> Deferred<()> {
///         Deferred::succeed(())
///     }
/// }
/// impl StreamServerEndpoint for Nowhere {
///     fn listen<F: Factory>(&self, _factory: F) -> Deferred<Port> {
///         Deferred::succeed(Port::new(Rc::new(Nowhere)))
///     }
/// }
///
/// #[derive(Default)]
/// struct Discard;
/// impl Protocol for Discard {
///     fn data_received(&mut self, _: &Transport, _: &[u8]) {}
/// }
///
/// let server = ServiceHandle::new(StreamServerEndpointService::new(Nowhere, for_protocol(Discard::default)));
/// drop(server.start_service());
/// assert_eq!(success_result_of(server.when_listening().unwrap()).host(), Address::Memory);
/// assert!(success_result_of(server.stop_service()).is_clean());
/// ```
pub struct StreamServerEndpointService<E: StreamServerEndpoint, F: Factory> {
    endpoint: E,
    factory: SharedFactory<F>,
    listening: RefCell<Option<Listening>>,
}

/// What it is at while it runs.
struct Listening {
    control: Control,
    port: OneShotObservers<Port>,
}

impl<E: StreamServerEndpoint, F: Factory> StreamServerEndpointService<E, F> {
    /// Listens at `endpoint`, and runs what `factory` makes on each connection. The factory is one and the same each time it is
    /// started.
    pub fn new(endpoint: E, factory: F) -> Self {
        Self { endpoint, factory: SharedFactory::new(factory), listening: RefCell::default() }
    }

    /// Fires with the port when it listens, at once if it does, and fails if it cannot; `None` if it was not started.
    ///
    /// So one finds the number that the system chose.
    pub fn when_listening(&self) -> Option<Deferred<Port>> {
        self.listening.borrow().as_ref().map(|listening| listening.port.when_fired())
    }

    /// Begins to listen, unless it has.
    fn listen(&self) -> Option<Deferred<Port>> {
        if self.listening.borrow().is_some() {
            return None;
        }
        let factory = self.factory.clone();
        let listening = maybe_deferred(|| self.endpoint.listen(factory));
        let (control, port) = (listening.control(), OneShotObservers::from_deferred(listening));
        let listens = port.when_fired();
        *self.listening.borrow_mut() = Some(Listening { control, port });
        Some(listens)
    }
}

impl<E: StreamServerEndpoint, F: Factory> Service for StreamServerEndpointService<E, F> {
    async fn privileged_start_service(&self, _: &ServiceHandle<Self>) -> Result<(), Failure> {
        match self.listen() {
            Some(listens) => listens.await.map(drop),
            None => Ok(()),
        }
    }

    async fn start_service(&self, this: &ServiceHandle<Self>) -> Result<(), Failure> {
        self.privileged_start_service(this).await
    }

    async fn stop_service(&self, _: &ServiceHandle<Self>) -> Result<(), Failure> {
        let listening = self.listening.borrow_mut().take();
        let Some(listening) = listening else { return Ok(()) };
        // An attempt to listen is given up; on a port that is open this does nothing.
        listening.control.cancel();
        match listening.port.when_fired().await {
            Ok(port) => port.stop_listening().await,
            // Who started it was told.
            Err(_) => Ok(()),
        }
    }
}

impl<E: StreamServerEndpoint, F: Factory> fmt::Debug for StreamServerEndpointService<E, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_listening = self.listening.borrow().is_some();
        f.debug_struct("StreamServerEndpointService").field("is_listening", &is_listening).finish_non_exhaustive()
    }
}
