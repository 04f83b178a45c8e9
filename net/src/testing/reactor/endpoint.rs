//! Endpoints in memory.

use super::attempt::Attempt;
use super::{Destination, MemoryReactor, State};
use crate::protocol::{Address, Factory, NoProtocol, Port, ProtocolHandle, StreamClientEndpoint, StreamServerEndpoint};
use crate::target::Target;
use crate::testing::pair::ReadyEnd;
use rt_deferred::{Deferred, Failure, Resolver, execute};
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

/// Listens in memory; made by [`MemoryReactor::server_endpoint`].
///
/// ```
/// use rt::protocol::StreamServerEndpoint;
/// use rt::testing::{AccumulatingFactory, MemoryReactor, success_result_of};
///
/// let reactor = MemoryReactor::new();
/// let endpoint = reactor.server_endpoint("127.0.0.1:80");
/// let factory = AccumulatingFactory::new();
/// let port = success_result_of(endpoint.listen(factory.clone()));
/// assert_eq!(factory.running(), 1);
/// success_result_of(port.stop_listening());
/// assert_eq!((factory.running(), reactor.listening().len()), (0, 0));
/// ```
#[derive(Clone, Debug)]
pub struct MemoryServerEndpoint {
    reactor: MemoryReactor,
    target: Target,
}

impl MemoryServerEndpoint {
    pub(super) fn new(reactor: MemoryReactor, target: Target) -> Self {
        Self { reactor, target }
    }
}

impl StreamServerEndpoint for MemoryServerEndpoint {
    fn listen<F: Factory>(&self, factory: F) -> Deferred<Port> {
        execute(|| Ok(self.reactor.listen_at(self.target.clone(), factory)?))
    }
}

/// Connects in memory; made by [`MemoryReactor::client_endpoint`].
///
/// ```
/// use rt::protocol::{StreamClientEndpoint, connect_protocol};
/// use rt::testing::{AccumulatingProtocol, MemoryReactor, assert_no_result, success_result_of};
///
/// let reactor = MemoryReactor::new();
/// let connecting = connect_protocol(&reactor.client_endpoint("example.com:80"), AccumulatingProtocol::new());
/// assert_eq!(reactor.attempts(), ["example.com:80"]);
/// assert_no_result(&connecting);
///
/// let server = AccumulatingProtocol::new();
/// reactor.accept(server.clone());
/// success_result_of(connecting).transport().write(b"hello");
/// reactor.flush();
/// assert_eq!(server.data(), b"hello");
/// ```
#[derive(Clone, Debug)]
pub struct MemoryClientEndpoint {
    reactor: MemoryReactor,
    destination: Destination,
}

impl MemoryClientEndpoint {
    pub(super) fn new(reactor: MemoryReactor, destination: Destination) -> Self {
        Self { reactor, destination }
    }
}

impl StreamClientEndpoint for MemoryClientEndpoint {
    fn connect<F: Factory>(&self, mut factory: F) -> Deferred<ProtocolHandle<F::Protocol>> {
        factory.start_factory();
        let attempt = Rc::new_cyclic(|itself: &Weak<EndpointAttempt<F>>| {
            let (attempt, reactor) = (itself.clone(), Rc::downgrade(&self.reactor.state));
            let (deferred, resolver) = Deferred::with_canceller(move |_| give_up(&attempt, &reactor));
            EndpointAttempt {
                itself: itself.clone(),
                destination: self.destination.clone(),
                factory: RefCell::new(factory),
                handle: RefCell::default(),
                resolver: Cell::new(Some(resolver)),
                deferred: Cell::new(Some(deferred)),
            }
        });
        let deferred = attempt.deferred.take();
        self.reactor.begin(attempt);
        deferred.unwrap_or_else(|| Deferred::fail(NoProtocol))
    }
}

struct EndpointAttempt<F: Factory> {
    itself: Weak<Self>,
    destination: Destination,
    factory: RefCell<F>,
    handle: RefCell<Option<ProtocolHandle<F::Protocol>>>,
    resolver: Cell<Option<Resolver<ProtocolHandle<F::Protocol>>>>,
    /// Until it is given to who connects.
    deferred: Cell<Option<Deferred<ProtocolHandle<F::Protocol>>>>,
}

/// Who connects does not want it any more.
fn give_up<F: Factory>(attempt: &Weak<EndpointAttempt<F>>, reactor: &Weak<State>) {
    if let (Some(attempt), Some(reactor)) = (attempt.upgrade(), reactor.upgrade())
        && reactor.forget(&*attempt)
    {
        attempt.factory.borrow_mut().stop_factory();
    }
}

impl<F: Factory> Attempt for EndpointAttempt<F> {
    fn destination(&self) -> Destination {
        self.destination.clone()
    }

    fn end(&self, host: Address, peer: Address) -> Option<ReadyEnd> {
        let built = ReadyEnd::build(&mut *self.factory.borrow_mut(), host, peer);
        let Some((handle, end)) = built else {
            self.fail(NoProtocol.into());
            return None;
        };
        *self.handle.borrow_mut() = Some(handle);
        Some(end)
    }

    fn made(&self) {
        let (handle, resolver) = (self.handle.take(), self.resolver.take());
        if let (Some(handle), Some(resolver), Some(itself)) = (handle, resolver, self.itself.upgrade()) {
            let gone = handle.transport().closed();
            drop(gone.add_callback(move |_| itself.factory.borrow_mut().stop_factory()));
            let _ = resolver.callback(handle);
        }
    }

    fn fail(&self, reason: Failure) {
        self.factory.borrow_mut().stop_factory();
        if let Some(resolver) = self.resolver.take() {
            let _ = resolver.errback(reason);
        }
    }
}
