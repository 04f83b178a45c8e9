//! One connection, made again whenever it is lost.

mod machine;
mod policy;

pub use policy::{backoff_policy, default_backoff_policy};

use super::{Service, ServiceHandle};
use crate::protocol::{Factory, ProtocolHandle, StreamClientEndpoint};
use machine::{Input, Machine};
use rt_deferred::{Deferred, Failure, IntoOutcome, ReactorTime, maybe_deferred};
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

/// Keeps one connection up: it connects when it is started, again when an attempt fails or the connection is lost, and closes the
/// connection when it is stopped.
///
/// Stopping is over when no attempt is under way and the connection is gone. A protocol that does not read the peer's end keeps it
/// up for as long as the peer likes; an application's deadline is the remedy.
///
/// Counterpart: `twisted.application.internet.ClientService`. What differs: a connection that
/// [`prepare_connection`](ClientService::prepare_connection) refuses is aborted, while Twisted leaves it open; and a connection that is
/// lost while it is prepared is a failed attempt.
///
/// ```
/// use rt::Deferred;
/// use rt::deferred::{Clock, assert_no_result};
/// use rt::protocol::{Factory, Protocol, ProtocolHandle, StreamClientEndpoint, Transport, for_protocol};
/// use rt::service::{ClientService, ServiceHandle};
/// use rt::time::Duration;
///
/// /// What nobody answers at.
/// struct Silent;
/// impl StreamClientEndpoint for Silent {
///     fn connect<F: Factory>(&self, _factory: F) -> Deferred<ProtocolHandle<F::Protocol>> {
///         Deferred::fail("nobody answers")
///     }
/// }
///
/// #[derive(Default)]
/// struct Lines;
/// impl Protocol for Lines {
///     fn data_received(&mut self, _: &Transport, _: &[u8]) {}
/// }
///
/// let clock = Clock::new();
/// let client = ClientService::new(Silent, for_protocol(Lines::default))
///     .clock(&clock)
///     .retry_policy(|attempt| Duration::from_secs(attempt.into()));
/// let client = ServiceHandle::named("upstream", client);
/// drop(client.start_service());
/// let connected = client.when_connected(1);
/// assert_no_result(&connected);
/// clock.advance(Duration::from_secs(1));
/// assert_eq!(rt::deferred::failure_result_of(connected).to_string(), "nobody answers");
/// # drop(client.stop_service());
/// ```
pub struct ClientService<E: StreamClientEndpoint, F: Factory> {
    machine: Rc<Machine<E, F>>,
}

impl<E: StreamClientEndpoint, F: Factory> ClientService<E, F> {
    /// Connects to `endpoint`, and runs what `factory` makes on the connection. The factory is one and the same for all connections.
    pub fn new(endpoint: E, factory: F) -> Self {
        Self { machine: Rc::new(Machine::new(endpoint, factory)) }
    }

    /// How long to wait before the next attempt, by how many have failed in a row: 1 after the first failure, and after a
    /// connection that was lost. [`default_backoff_policy`] unless it is set.
    ///
    /// Counterpart: `retryPolicy`.
    #[must_use = "it is the service, to be put in its place"]
    pub fn retry_policy(mut self, policy: impl Fn(u32) -> Duration + 'static) -> Self {
        self.settings().policy = Box::new(policy);
        self
    }

    /// What it waits by. [`Reactor`](rt_deferred::Reactor) unless it is set.
    #[must_use = "it is the service, to be put in its place"]
    pub fn clock(mut self, clock: &dyn ReactorTime) -> Self {
        self.settings().clock = Some(clock.weak());
        self
    }

    /// What is done with each new connection before anybody gets it: to log in, say. It may return nothing, a `Result`, a
    /// Deferred or a future. If that fails, the connection is aborted and counts as a failed attempt.
    ///
    /// Counterpart: `prepareConnection`.
    #[must_use = "it is the service, to be put in its place"]
    pub fn prepare_connection<R, K>(mut self, prepare: impl Fn(ProtocolHandle<F::Protocol>) -> R + 'static) -> Self
    where
        R: IntoOutcome<(), K>,
    {
        self.settings().prepare = Some(Box::new(move |handle| maybe_deferred(|| prepare(handle))));
        self
    }

    /// Fires with the connection, at once if there is one.
    ///
    /// It fails with [`Cancelled`](rt_deferred::Cancelled) when the service is stopped, and, if `fail_after_failures` is a number,
    /// with the failure of the attempt that is the so-manieth to fail from now on: 1 is the next one.
    ///
    /// Counterpart: `whenConnected`.
    pub fn when_connected(&self, fail_after_failures: impl Into<Option<u32>>) -> Deferred<ProtocolHandle<F::Protocol>> {
        self.machine.when_connected(fail_after_failures.into())
    }

    fn settings(&mut self) -> &mut machine::Settings<E, F> {
        &mut Rc::get_mut(&mut self.machine).expect("nobody else has it before it starts").settings
    }
}

impl<E: StreamClientEndpoint, F: Factory> Service for ClientService<E, F> {
    async fn start_service(&self, _: &ServiceHandle<Self>) -> Result<(), Failure> {
        self.machine.input(Input::Start);
        Ok(())
    }

    async fn stop_service(&self, _: &ServiceHandle<Self>) -> Result<(), Failure> {
        let (stopped, resolver) = Deferred::new();
        self.machine.input(Input::Stop(resolver));
        stopped.await
    }
}

impl<E: StreamClientEndpoint, F: Factory> fmt::Debug for ClientService<E, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (state, waiting) = (self.machine.state_name(), self.machine.waiters());
        f.debug_struct("ClientService").field("state", &state).field("waiting", &waiting).finish_non_exhaustive()
    }
}
