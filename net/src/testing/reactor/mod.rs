//! What listens and connects in memory.

mod attempt;
mod connector;
mod destination;
mod endpoint;
mod listener;

pub use endpoint::{MemoryClientEndpoint, MemoryServerEndpoint};

use super::pair::{End, IoPump, ReadyEnd};
use crate::ToSocketAddrs;
#[cfg(unix)]
use crate::protocol::ReactorUnix;
use crate::protocol::{Address, ClientFactory, Connector, Factory, Port, Protocol, ProtocolHandle, ReactorTcp};
use crate::target::Target;
use attempt::Attempt;
use connector::MemoryConnector;
use destination::Destination;
use listener::{Door, Listener};
use rt_deferred::{Clock, Failure, ReactorTime};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

/// What listens and connects in memory, with a [`Clock`]: it notes what is asked of it, and the test has connections succeed or fail.
/// A cheap handle.
///
/// - Code that takes a [`ReactorTcp`] gets the reactor itself, code that takes endpoints gets its
///   [`client_endpoint`](MemoryReactor::client_endpoint) and [`server_endpoint`](MemoryReactor::server_endpoint), code that takes a
///   [`ReactorTime`] gets the reactor or its [`clock`](MemoryReactor::clock).
/// - Attempts wait until the test decides: [`succeed_once`](MemoryReactor::succeed_once) connects one to what listens there,
///   [`accept`](MemoryReactor::accept) to a protocol of the test, [`fail_once`](MemoryReactor::fail_once) lets it fail.
/// - [`dial`](MemoryReactor::dial) connects a client of the test to what listens.
/// - Names are not looked up. A client that asks for TLS is connected without, and told at once that the handshake is over.
///
/// Counterpart: `twisted.internet.testing.{MemoryReactor, MemoryReactorClock, RaisingMemoryReactor}` and
/// `twisted.test.iosim.ConnectionCompleter`.
///
/// ```
/// use rt::protocol::{Protocol, ReactorTcp, Transport, for_protocol};
/// use rt::testing::{AccumulatingProtocol, MemoryReactor};
///
/// struct Echo;
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
///         transport.write(data);
///     }
/// }
///
/// let reactor = MemoryReactor::new();
/// let port = reactor.listen_tcp("127.0.0.1:7", for_protocol(|| Echo)).unwrap();
///
/// let client = AccumulatingProtocol::new();
/// let (handle, _) = reactor.dial(&port.host(), client.clone()).unwrap();
/// handle.transport().write(b"hello");
/// reactor.flush();
/// assert_eq!(client.data(), b"hello");
/// ```
#[derive(Clone)]
pub struct MemoryReactor {
    state: Rc<State>,
}

struct State {
    clock: Clock,
    listeners: RefCell<Vec<Rc<dyn Door>>>,
    attempts: RefCell<Vec<Rc<dyn Attempt>>>,
    pumps: RefCell<Vec<IoPump>>,
    listen_error: Cell<Option<io::ErrorKind>>,
    connect_error: Cell<Option<io::ErrorKind>>,
    /// The number that the next socket gets which asks for none.
    next_port: Cell<u16>,
}

impl MemoryReactor {
    /// Nothing listens, and nothing connects.
    pub fn new() -> Self {
        let state = State {
            clock: Clock::new(),
            listeners: RefCell::default(),
            attempts: RefCell::default(),
            pumps: RefCell::default(),
            listen_error: Cell::default(),
            connect_error: Cell::default(),
            next_port: Cell::new(49152),
        };
        Self { state: Rc::new(state) }
    }

    /// The clock, which stands still until the test moves it.
    pub fn clock(&self) -> &Clock {
        &self.state.clock
    }

    /// Where something listens, in the order in which that began.
    ///
    /// Counterpart: `tcpServers`, `unixServers`.
    pub fn listening(&self) -> Vec<Address> {
        self.state.listeners.borrow().iter().map(|listener| listener.address()).collect()
    }

    /// Where somebody is about to connect to, in the order in which that began: `"example.com:80"`, `"unix:/run/socket"`.
    ///
    /// Counterpart: `tcpClients`, `unixClients`.
    pub fn attempts(&self) -> Vec<String> {
        self.state.attempts.borrow().iter().map(|attempt| attempt.destination().to_string()).collect()
    }

    /// Connects the first attempt for which something listens to that: both are told. `None` if there is no such attempt.
    ///
    /// TCP ports are compared by their numbers alone, as names are not looked up.
    ///
    /// Counterpart: `ConnectionCompleter.succeedOnce`.
    pub fn succeed_once(&self) -> Option<IoPump> {
        let found = self.state.attempts.borrow().iter().find_map(|attempt| {
            let listener = self.listener(&attempt.destination())?;
            Some((attempt.clone(), listener))
        });
        let (attempt, listener) = found?;
        self.remove(&attempt);
        let server = listener.address();
        let client = self.client_address(&server);
        self.join(&attempt, client.clone(), server.clone(), || listener.end(server, client))
    }

    /// Connects the first attempt to `server`, a protocol of the test: both are told. `None` if there is no attempt.
    pub fn accept<P: Protocol>(&self, server: P) -> Option<(ProtocolHandle<P>, IoPump)> {
        let attempt = self.state.attempts.borrow().first().cloned()?;
        self.remove(&attempt);
        let address = attempt.destination().address();
        let client = self.client_address(&address);
        let end = End::between(server, address.clone(), client.clone());
        let handle = end.handle();
        let pump = self.join(&attempt, client, address, || ReadyEnd::new(end))?;
        Some((handle, pump))
    }

    /// The first attempt fails. Whether there is one.
    ///
    /// Counterpart: `ConnectionCompleter.failOnce`.
    pub fn fail_once(&self, reason: impl Into<Failure>) -> bool {
        let attempt = self.state.attempts.borrow().first().cloned();
        let is_any = attempt.is_some();
        if let Some(attempt) = attempt {
            self.remove(&attempt);
            attempt.fail(reason.into());
        }
        is_any
    }

    /// Connects `client`, a protocol of the test, to what listens at `address`: both are told.
    ///
    /// # Errors
    ///
    /// [`ConnectionRefused`](io::ErrorKind::ConnectionRefused) if nothing listens there.
    pub fn dial<P: Protocol>(&self, address: &Address, client: P) -> io::Result<(ProtocolHandle<P>, IoPump)> {
        let listener = self.state.listeners.borrow().iter().find(|listener| listener.address() == *address).cloned();
        let Some(listener) = listener else {
            let text = format!("nothing listens at {address}; at these addresses there is: {:?}", self.listening());
            return Err(io::Error::new(io::ErrorKind::ConnectionRefused, text));
        };
        let here = self.client_address(address);
        let end = End::between(client, here.clone(), address.clone());
        let handle = end.handle();
        let pump = self.pump_between(ReadyEnd::new(end), listener.end(address.clone(), here));
        Ok((handle, pump))
    }

    /// [Steps](IoPump::pump) each connection that was made. Whether anything happened.
    pub fn pump(&self) -> bool {
        let pumps = self.state.pumps.borrow().clone();
        let moved = pumps.iter().fold(false, |moved, pump| pump.pump() | moved);
        self.state.pumps.borrow_mut().retain(|pump| !pump.is_over());
        moved
    }

    /// [Steps](MemoryReactor::pump) until nothing happens any more, on any connection. Whether anything happened.
    ///
    /// # Panics
    ///
    /// As [`IoPump::flush`] does.
    pub fn flush(&self) -> bool {
        super::pair::until_nothing_moves(|| self.pump())
    }

    /// From here on, listening fails with an error of this kind; with `None`, it succeeds again.
    ///
    /// Counterpart: `RaisingMemoryReactor(listenException)`.
    pub fn set_listen_error(&self, kind: Option<io::ErrorKind>) {
        self.state.listen_error.set(kind);
    }

    /// From here on, connecting fails at once, with an error of this kind; with `None`, attempts wait for the test again.
    ///
    /// Counterpart: `RaisingMemoryReactor(connectException)`.
    pub fn set_connect_error(&self, kind: Option<io::ErrorKind>) {
        self.state.connect_error.set(kind);
    }

    /// An endpoint that listens here.
    pub fn server_endpoint(&self, address: impl ToSocketAddrs) -> MemoryServerEndpoint {
        MemoryServerEndpoint::new(self.clone(), Target::of(&address))
    }

    /// An endpoint that connects here. A name stays a name.
    pub fn client_endpoint(&self, address: impl ToSocketAddrs) -> MemoryClientEndpoint {
        MemoryClientEndpoint::new(self.clone(), Target::of(&address).into())
    }

    fn listen<F: Factory>(&self, address: Address, factory: F) -> io::Result<Port> {
        if let Some(kind) = self.state.listen_error.get() {
            return Err(kind.into());
        }
        if self.listening().contains(&address) {
            return Err(io::Error::new(io::ErrorKind::AddrInUse, format!("something listens at {address} already")));
        }
        let listener = Listener::start(Rc::downgrade(&self.state), address, factory);
        self.state.listeners.borrow_mut().push(listener.clone());
        Ok(Port::new(listener))
    }

    fn listen_at<F: Factory>(&self, target: Target, factory: F) -> io::Result<Port> {
        let address = target.addresses_now()?.first().copied();
        let mut address = address.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        if address.port() == 0 {
            address.set_port(self.free_port());
        }
        self.listen(address.into(), factory)
    }

    /// Notes an attempt, or lets it fail.
    fn begin(&self, attempt: Rc<dyn Attempt>) {
        if let Destination::Malformed(what) = attempt.destination() {
            attempt.fail(io::Error::new(io::ErrorKind::InvalidInput, what).into());
        } else if let Some(kind) = self.state.connect_error.get() {
            attempt.fail(io::Error::from(kind).into());
        } else {
            self.state.attempts.borrow_mut().push(attempt);
        }
    }

    fn remove(&self, attempt: &Rc<dyn Attempt>) {
        self.state.forget(&**attempt);
    }

    fn listener(&self, destination: &Destination) -> Option<Rc<dyn Door>> {
        self.state.listeners.borrow().iter().find(|listener| destination.is_at(&listener.address())).cloned()
    }

    /// Makes the client's end, then the server's, and connects them.
    fn join(
        &self,
        attempt: &Rc<dyn Attempt>,
        client: Address,
        server: Address,
        server_end: impl FnOnce() -> ReadyEnd,
    ) -> Option<IoPump> {
        let end = attempt.end(client, server)?;
        let pump = self.pump_between(end, server_end());
        attempt.made();
        Some(pump)
    }

    fn pump_between(&self, client: ReadyEnd, server: ReadyEnd) -> IoPump {
        let pump = IoPump::connect(client, server, Some(self.state.clock.clone()));
        self.state.pumps.borrow_mut().push(pump.clone());
        pump
    }

    fn client_address(&self, server: &Address) -> Address {
        match server {
            Address::Ip(server) => SocketAddr::new(server.ip(), self.free_port()).into(),
            _ => Address::Unix(None),
        }
    }

    fn free_port(&self) -> u16 {
        let port = self.state.next_port.get();
        self.state.next_port.set(port.checked_add(1).unwrap_or(49152));
        port
    }
}

impl State {
    /// An attempt is none any more. Whether it was one.
    fn forget(&self, attempt: &dyn Attempt) -> bool {
        let mut attempts = self.attempts.borrow_mut();
        let place = attempts.iter().position(|other| std::ptr::addr_eq(Rc::as_ptr(other), attempt));
        let former = place.map(|place| attempts.remove(place));
        drop(attempts);
        former.is_some()
    }
}

impl Default for MemoryReactor {
    fn default() -> Self {
        Self::new()
    }
}

impl ReactorTime for MemoryReactor {
    fn now(&self) -> Duration {
        self.state.clock.now()
    }

    fn call_later(&self, delay: Duration, call: Box<dyn FnOnce()>) -> Box<dyn FnOnce()> {
        ReactorTime::call_later(&self.state.clock, delay, call)
    }

    fn weak(&self) -> Rc<dyn ReactorTime> {
        self.state.clock.weak()
    }
}

impl ReactorTcp for MemoryReactor {
    fn listen_tcp<F: Factory>(&self, address: impl ToSocketAddrs, factory: F) -> io::Result<Port> {
        self.listen_at(Target::of(&address), factory)
    }

    fn connect_tcp<F: ClientFactory>(&self, address: impl ToSocketAddrs, factory: F) -> Connector {
        MemoryConnector::begin(self.clone(), Target::of(&address).into(), factory)
    }
}

#[cfg(unix)]
impl ReactorUnix for MemoryReactor {
    fn listen_unix<F: Factory>(&self, path: impl AsRef<Path>, factory: F) -> io::Result<Port> {
        self.listen(Address::Unix(Some(path.as_ref().to_owned())), factory)
    }

    fn connect_unix<F: ClientFactory>(&self, path: impl AsRef<Path>, factory: F) -> Connector {
        MemoryConnector::begin(self.clone(), Destination::Unix(path.as_ref().to_owned()), factory)
    }
}

impl fmt::Debug for MemoryReactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryReactor")
            .field("clock", &self.state.clock)
            .field("listening", &self.listening())
            .field("attempts", &self.attempts())
            .finish_non_exhaustive()
    }
}
