//! Two protocols that are connected in memory.

mod end;
mod pump;
mod wire;

pub(super) use end::{End, ReadyEnd};
pub(super) use pump::until_nothing_moves;
pub use pump::{Direction, IoPump};

use crate::protocol::{Address, Protocol, ProtocolHandle};
use rt_deferred::Clock;
use std::fmt;

/// Two protocols that are connected in memory: bytes move when the test says so.
///
/// No runtime, no sockets, no time. [`IoPump`] says what a step does; by [`io`](Pair::io) the test chops the bytes into pieces, clogs a
/// direction, cuts the connection.
///
/// Counterpart: `twisted.test.iosim.connect` and `connectedServerAndClient`.
///
/// ```
/// use rt::protocol::{Protocol, Transport};
/// use rt::testing::{AccumulatingProtocol, Pair};
///
/// struct Echo;
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
///         transport.write(data);
///     }
/// }
///
/// let client = AccumulatingProtocol::new();
/// let pair = Pair::new(client.clone(), Echo);
/// pair.client().transport().write(b"hello");
/// pair.flush();
/// assert_eq!(client.data(), b"hello");
///
/// pair.client().transport().lose_connection();
/// pair.flush();
/// assert!(client.lost().unwrap().is_clean());
/// assert!(pair.io().is_over());
/// ```
pub struct Pair<C, S> {
    client: ProtocolHandle<C>,
    server: ProtocolHandle<S>,
    pump: IoPump,
}

impl<C: Protocol, S: Protocol> Pair<C, S> {
    /// Connects the two: both are told, the server first. Nothing has moved yet.
    pub fn new(client: C, server: S) -> Self {
        PairBuilder::new().connect(client, server)
    }

    /// The client's protocol.
    pub fn client(&self) -> &ProtocolHandle<C> {
        &self.client
    }

    /// The server's protocol.
    pub fn server(&self) -> &ProtocolHandle<S> {
        &self.server
    }

    /// What moves the bytes.
    pub fn io(&self) -> &IoPump {
        &self.pump
    }

    /// See [`IoPump::pump`].
    pub fn pump(&self) -> bool {
        self.pump.pump()
    }

    /// See [`IoPump::flush`].
    pub fn flush(&self) -> bool {
        self.pump.flush()
    }
}

impl Pair<(), ()> {
    /// For addresses, and a clock.
    pub fn builder() -> PairBuilder {
        PairBuilder::new()
    }
}

impl<C, S> fmt::Debug for Pair<C, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair").field("pump", &self.pump).finish_non_exhaustive()
    }
}

/// Connects two protocols in memory, with addresses and a clock; made by [`Pair::builder`].
///
/// ```
/// use rt::testing::{AccumulatingProtocol, Pair};
/// use std::net::SocketAddr;
///
/// let client: SocketAddr = "192.0.2.1:40000".parse().unwrap();
/// let pair = Pair::builder()
///     .client_address(client)
///     .connect(AccumulatingProtocol::new(), AccumulatingProtocol::new());
/// assert_eq!(pair.server().transport().peer().ip(), Some(client));
/// ```
#[derive(Clone, Debug)]
pub struct PairBuilder {
    client: Address,
    server: Address,
    clock: Option<Clock>,
}

impl PairBuilder {
    fn new() -> Self {
        Self { client: Address::Memory, server: Address::Memory, clock: None }
    }

    /// The client's address; [`Address::Memory`] unless given.
    pub fn client_address(mut self, address: impl Into<Address>) -> Self {
        self.client = address.into();
        self
    }

    /// The server's address; [`Address::Memory`] unless given.
    pub fn server_address(mut self, address: impl Into<Address>) -> Self {
        self.server = address.into();
        self
    }

    /// Each step makes the calls first that are due on `clock`.
    pub fn clock(mut self, clock: &Clock) -> Self {
        self.clock = Some(clock.clone());
        self
    }

    /// Connects the two: both are told, the server first. Nothing has moved yet.
    pub fn connect<C: Protocol, S: Protocol>(self, client: C, server: S) -> Pair<C, S> {
        let client = End::between(client, self.client.clone(), self.server.clone());
        let server = End::between(server, self.server, self.client);
        let (client_handle, server_handle) = (client.handle(), server.handle());
        let pump = IoPump::connect(ReadyEnd::new(client), ReadyEnd::new(server), self.clock);
        Pair { client: client_handle, server: server_handle, pump }
    }
}
