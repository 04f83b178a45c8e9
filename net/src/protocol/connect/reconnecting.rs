//! Connecting again, less and less often.

use super::jitter::Jitter;
#[cfg(feature = "tls")]
use crate::protocol::StartTls;
use crate::protocol::factory::{Connecting, started_and_stopped_with};
use crate::protocol::{Address, ClientFactory, ConnectionLost, Connector, Factory};
use rt_deferred::{Failure, Reactor, ReactorTime, home};
use std::cell::{Cell, RefCell};
use std::f64::consts::E;
use std::fmt;
use std::rc::{Rc, Weak};
use std::time::Duration;

/// Connects again after a failure or a loss, and waits longer each time.
///
/// The time to wait begins with [`initial_delay`](Self::initial_delay), grows by [`factor`](Self::factor) before each attempt (before the
/// first one, too) up to [`max_delay`](Self::max_delay), and varies by [`jitter`](Self::jitter). **It does not begin anew by itself**:
/// who has connected well says so, by [`Reconnecting::reset_delay`].
///
/// The factory inside is told everything first. It is told to stop while nothing is under way, and to start at the next attempt.
///
/// Counterpart: `twisted.internet.protocol.ReconnectingClientFactory`.
///
/// ```
/// use rt::deferred::Clock;
/// use rt::protocol::{Address, Protocol, Reconnecting, ReconnectingClientFactory, Transport, connect_tcp};
/// use rt::time::Duration;
///
/// struct Client(Reconnecting);
///
/// impl Protocol for Client {
///     fn data_received(&mut self, _: &Transport, _: &[u8]) {
///         // Only a server that says something counts as one.
///         self.0.reset_delay();
///     }
/// }
///
/// # rt::block_on(async {
/// let factory = ReconnectingClientFactory::new_with(|reconnecting| {
///     let reconnecting = reconnecting.clone();
///     move |_: &Address| Client(reconnecting.clone())
/// })
/// .max_delay(Duration::from_secs(60));
/// let reconnecting = factory.reconnecting();
/// let connector = connect_tcp("127.0.0.1:9", factory);
/// reconnecting.stop_trying();
/// # drop(connector);
/// # })
/// ```
pub struct ReconnectingClientFactory<F> {
    factory: F,
    reconnecting: Reconnecting,
}

impl<F> ReconnectingClientFactory<F> {
    /// Connects again on behalf of `factory`.
    pub fn new(factory: F) -> Self {
        Self::new_with(|_| factory)
    }

    /// [`new`](Self::new), for a factory that hands on to its protocols the handle that it gets here.
    pub fn new_with(make: impl FnOnce(&Reconnecting) -> F) -> Self {
        let reconnecting = Reconnecting(Rc::new(State::default()));
        Self { factory: make(&reconnecting), reconnecting }
    }

    /// Where the time to wait begins; 1 second if not set.
    #[must_use]
    pub fn initial_delay(self, delay: Duration) -> Self {
        self.reconnecting.0.initial_delay.set(delay.as_secs_f64());
        self.reconnecting.0.delay.set(delay.as_secs_f64());
        self
    }

    /// How long to wait at most, but for the jitter; 1 hour if not set.
    #[must_use]
    pub fn max_delay(self, delay: Duration) -> Self {
        self.reconnecting.0.max_delay.set(delay.as_secs_f64());
        self
    }

    /// By what the time to wait grows; 2.718… if not set.
    ///
    /// # Panics
    ///
    /// If it is less than 1, or no number.
    #[must_use]
    pub fn factor(self, factor: f64) -> Self {
        assert!(factor >= 1.0 && factor.is_finite(), "a factor of {factor}: it has to be a number from 1 on");
        self.reconnecting.0.factor.set(factor);
        self
    }

    /// By what part of itself the time to wait varies: the standard deviation of a normal distribution. 0.1196… if not set; 0 for none.
    ///
    /// # Panics
    ///
    /// If it is negative, or no number.
    #[must_use]
    pub fn jitter(self, jitter: f64) -> Self {
        assert!(jitter >= 0.0 && jitter.is_finite(), "a jitter of {jitter}: it has to be a number from 0 on");
        self.reconnecting.0.jitter.set(jitter);
        self
    }

    /// Has the jitter come out the same each time, for tests.
    #[must_use]
    pub fn jitter_seed(self, seed: u64) -> Self {
        self.reconnecting.0.chance.replace(Jitter::seeded(seed));
        self
    }

    /// How many times to try again without [`reset_delay`](Reconnecting::reset_delay) in between; without limit if not set.
    #[must_use]
    pub fn max_retries(self, retries: u32) -> Self {
        self.reconnecting.0.max_retries.set(Some(retries));
        self
    }

    /// Whose time it is; [`Reactor`]'s if not set.
    #[must_use]
    pub fn clock(self, clock: &dyn ReactorTime) -> Self {
        self.reconnecting.0.clock.replace(Some(clock.weak()));
        self
    }

    /// A handle, for protocols and for who wants to stop it.
    pub fn reconnecting(&self) -> Reconnecting {
        self.reconnecting.clone()
    }
}

impl<F: Factory> Factory for ReconnectingClientFactory<F> {
    type Protocol = F::Protocol;

    fn build_protocol(&mut self, peer: &Address) -> Option<F::Protocol> {
        self.factory.build_protocol(peer)
    }

    started_and_stopped_with!(factory);

    #[cfg(feature = "tls")]
    fn start_tls(&mut self) -> Option<StartTls> {
        self.factory.start_tls()
    }
}

impl<F: ClientFactory> ClientFactory for ReconnectingClientFactory<F> {
    fn connector_made(&mut self, connector: &Connector) {
        self.reconnecting.0.connector.replace(Some(Rc::downgrade(&connector.0)));
        self.factory.connector_made(connector);
    }

    fn started_connecting(&mut self, connector: &Connector) {
        self.reconnecting.0.connector.replace(Some(Rc::downgrade(&connector.0)));
        self.factory.started_connecting(connector);
    }

    fn client_connection_failed(&mut self, connector: &Connector, reason: &Failure) {
        self.factory.client_connection_failed(connector, reason);
        self.reconnecting.retry(connector);
    }

    fn client_connection_lost(&mut self, connector: &Connector, reason: &ConnectionLost) {
        self.factory.client_connection_lost(connector, reason);
        self.reconnecting.retry(connector);
    }
}

impl<F: fmt::Debug> fmt::Debug for ReconnectingClientFactory<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReconnectingClientFactory")
            .field("factory", &self.factory)
            .field("reconnecting", &self.reconnecting)
            .finish()
    }
}

/// What a [`ReconnectingClientFactory`] is at, and may be told. A cheap handle.
///
/// Counterpart: the methods `resetDelay` and `stopTrying`, the attributes `delay` and `retries`.
#[derive(Clone)]
pub struct Reconnecting(Rc<State>);

struct State {
    initial_delay: Cell<f64>,
    max_delay: Cell<f64>,
    factor: Cell<f64>,
    jitter: Cell<f64>,
    max_retries: Cell<Option<u32>>,
    /// [`Reactor`], if there is none.
    clock: RefCell<Option<Rc<dyn ReactorTime>>>,
    chance: RefCell<Jitter>,
    /// The time of the last wait, in seconds.
    delay: Cell<f64>,
    retries: Cell<u32>,
    is_trying: Cell<bool>,
    /// What takes the next attempt back, while it is waited for.
    next: Cell<Option<Box<dyn FnOnce()>>>,
    /// The connector owns the factory, and so this.
    connector: RefCell<Option<Weak<dyn Connecting>>>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            initial_delay: Cell::new(1.0),
            max_delay: Cell::new(3600.0),
            factor: Cell::new(E),
            jitter: Cell::new(0.119_626_565_582),
            max_retries: Cell::new(None),
            clock: RefCell::new(None),
            chance: RefCell::new(Jitter::new()),
            delay: Cell::new(1.0),
            retries: Cell::new(0),
            is_trying: Cell::new(true),
            next: Cell::new(None),
            connector: RefCell::new(None),
        }
    }
}

impl Reconnecting {
    /// All is well: the next time to wait begins with the initial delay, and retries are counted anew. After
    /// [`stop_trying`](Self::stop_trying), losses are followed by attempts again.
    pub fn reset_delay(&self) {
        self.0.delay.set(self.0.initial_delay.get());
        self.0.retries.set(0);
        self.0.is_trying.set(true);
    }

    /// Does not connect again, and gives up an attempt that is under way or waited for. A connection that is open stays open.
    pub fn stop_trying(&self) {
        self.0.is_trying.set(false);
        if let Some(take_back) = self.0.next.take() {
            take_back();
        }
        let connector = self.0.connector.borrow().as_ref().and_then(Weak::upgrade);
        if let Some(connector) = connector {
            connector.stop_connecting();
        }
    }

    /// How long the last wait was to be, or the initial delay.
    pub fn delay(&self) -> Duration {
        Duration::try_from_secs_f64(self.0.delay.get()).unwrap_or(Duration::MAX)
    }

    /// How many retries there were since the last [`reset_delay`](Self::reset_delay).
    pub fn retries(&self) -> u32 {
        self.0.retries.get()
    }

    fn retry(&self, connector: &Connector) {
        let state = &*self.0;
        if !state.is_trying.get() || state.max_retries.get().is_some_and(|most| state.retries.get() >= most) {
            return;
        }
        state.retries.set(state.retries.get().saturating_add(1));
        let mean = (state.delay.get() * state.factor.get()).min(state.max_delay.get());
        let chance = state.chance.borrow().normal();
        state.delay.set((mean + mean * state.jitter.get() * chance).max(0.0));
        let (state, connector) = (Rc::downgrade(&self.0), connector.clone());
        let again = move || {
            if let Some(state) = state.upgrade() {
                state.next.take();
            }
            connector.connect();
        };
        let clock = self.0.clock.borrow().clone();
        let take_back = match clock {
            Some(clock) => clock.call_later(self.delay(), Box::new(again)),
            None if home::current().is_some() => Reactor.call_later(self.delay(), Box::new(again)),
            // The connection was lost at the end of the runtime.
            None => return,
        };
        if let Some(former) = self.0.next.replace(Some(take_back)) {
            former();
        }
    }
}

impl fmt::Debug for Reconnecting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reconnecting")
            .field("delay", &self.delay())
            .field("retries", &self.retries())
            .field("is_trying", &self.0.is_trying.get())
            .finish_non_exhaustive()
    }
}
