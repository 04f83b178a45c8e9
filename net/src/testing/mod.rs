//! How to test what talks to a network, without one: doubles of connections, of what listens and connects, of time and of names.
//!
//! None of it needs a runtime, waits, or opens a socket. A test says what happens, and looks at what came of it.
//!
//! | what is tested | what it is given |
//! |---|---|
//! | a protocol | [`StringTransport`], [`StringTransportWithDisconnection`]; [`FakeDatagramTransport`] |
//! | two protocols that talk | [`Pair`]; [`AccumulatingProtocol`] as one of them |
//! | what waits | [`Clock`] |
//! | what connects or listens; a service | [`MemoryReactor`]; [`AccumulatingFactory`] |
//! | what looks up names | [`FakeResolver`] |
//! | Deferreds, and the order of things | [`success_result_of`], [`failure_result_of`], [`assert_no_result`]; [`Trace`] |
//!
//! # A protocol
//!
//! A protocol is told things and asks its transport for things. The test does the telling, and a [`StringTransport`] keeps what was
//! asked:
//!
//! ```
//! use rt::protocol::{Protocol, Transport};
//! use rt::testing::StringTransportWithDisconnection;
//!
//! /// Says how long each line was.
//! #[derive(Default)]
//! struct Lengths(usize);
//!
//! impl Protocol for Lengths {
//!     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
//!         for byte in data {
//!             match byte {
//!                 b'\n' => transport.write(format!("{}\n", std::mem::take(&mut self.0)).as_bytes()),
//!                 _ => self.0 += 1,
//!             }
//!         }
//!     }
//! }
//!
//! let connection = StringTransportWithDisconnection::new(Lengths::default());
//! // However the bytes are cut, the answers are the same.
//! connection.data_received(b"one\nthr");
//! connection.data_received(b"ee\n");
//! assert_eq!(connection.string_transport().value(), b"3\n5\n");
//! ```
//!
//! [`StringTransportWithDisconnection::settle`] does what a connection would do next, after `lose_connection`. For datagrams there is
//! [`FakeDatagramTransport`].
//!
//! # Two protocols that talk
//!
//! A [`Pair`] connects a client's protocol and a server's in memory. Its [`IoPump`] moves the bytes a step at a time, in pieces of any
//! size, and shows what happens when one direction is clogged, one side closes, or the network breaks. Each end is a
//! [`Connection`](crate::protocol::connection::Connection) as that of a socket is, so producers, water marks and half-closed
//! connections work as they do there. Where only one of the two is tested, [`AccumulatingProtocol`] is the other.
//!
//! ```
//! use rt::testing::{AccumulatingProtocol, Direction, Pair};
//!
//! let (client, server) = (AccumulatingProtocol::new(), AccumulatingProtocol::new());
//! let pair = Pair::new(client.clone(), server.clone());
//! pair.io().clog(Direction::ToServer);
//! client.transport().unwrap().write(b"nobody reads this");
//! pair.io().cut(std::io::ErrorKind::TimedOut);
//! pair.flush();
//! assert_eq!(server.data(), b"");
//! assert_eq!(client.lost().unwrap().io_kind(), Some(std::io::ErrorKind::TimedOut));
//! ```
//!
//! # Time
//!
//! What waits takes a [`ReactorTime`](rt_deferred::ReactorTime): in a program that is [`Reactor`](rt_deferred::Reactor), in a test a
//! [`Clock`] that the test moves. See [`Timeout`](crate::protocol::policy::Timeout) for an example. Async code sleeps on the
//! runtime's clock, which `#[rt::test(start_paused = true)]` stops.
//!
//! # A client or a server
//!
//! Code that connects or listens takes an endpoint, or a [`ReactorTcp`](crate::protocol::ReactorTcp). A [`MemoryReactor`] gives
//! endpoints, and is such a reactor. Attempts to connect wait until the test has them succeed or fail:
//!
//! ```
//! use rt::deferred::Deferred;
//! use rt::protocol::{StreamClientEndpoint, connect_protocol};
//! use rt::testing::{AccumulatingProtocol, MemoryReactor, success_result_of};
//!
//! /// The code under test.
//! fn greet(endpoint: &impl StreamClientEndpoint) -> Deferred<&'static str> {
//!     connect_protocol(endpoint, AccumulatingProtocol::new())
//!         .add_callback(|server| {
//!             server.transport().write(b"hello");
//!             "greeted"
//!         })
//!         .add_errback(|_| "nobody there")
//! }
//!
//! let reactor = MemoryReactor::new();
//! let endpoint = reactor.client_endpoint("example.com:80");
//! let (first, second) = (greet(&endpoint), greet(&endpoint));
//!
//! reactor.fail_once(std::io::Error::from(std::io::ErrorKind::ConnectionRefused));
//! assert_eq!(success_result_of(first), "nobody there");
//!
//! let server = AccumulatingProtocol::new();
//! reactor.accept(server.clone());
//! reactor.flush();
//! assert_eq!(success_result_of(second), "greeted");
//! assert_eq!(server.data(), b"hello");
//! ```
//!
//! # A service
//!
//! Services take endpoints and clocks, so their tests are no different:
//!
//! ```
//! use rt::service::{ClientService, ServiceHandle};
//! use rt::testing::{AccumulatingFactory, AccumulatingProtocol, MemoryReactor, success_result_of};
//! use rt::time::Duration;
//!
//! let (reactor, factory) = (MemoryReactor::new(), AccumulatingFactory::new());
//! let client = ClientService::new(reactor.client_endpoint("example.com:80"), factory.clone())
//!     .retry_policy(|_| Duration::from_secs(1))
//!     .clock(&reactor);
//! let service = ServiceHandle::new(client);
//! success_result_of(service.start_service());
//! reactor.fail_once("not yet");
//! assert!(reactor.attempts().is_empty());
//! reactor.clock().advance(Duration::from_secs(1));
//! reactor.accept(AccumulatingProtocol::new()).expect("it tries again");
//! assert_eq!(factory.protocols().len(), 1);
//! # let stopped = service.stop_service();
//! # reactor.flush();
//! # success_result_of(stopped);
//! ```
//!
//! # Names
//!
//! A [`FakeResolver`] answers for the system's: `DnsResolver::with(names)`, or with
//! [`DnsResolver::set_default`](crate::DnsResolver::set_default) for all of the process.
//!
//! # With a runtime
//!
//! [`drive`](crate::protocol::drive) runs a protocol on one end of [`duplex`](crate::io::duplex), and async code plays the peer at the
//! other: a stream in memory, with TLS if need be. `#[rt::test(leftovers = "fail")]` has such a test fail when it leaves a
//! connection, a timer or a task behind.
//!
//! # Counterpart
//!
//! `twisted.internet.testing`, `twisted.test.iosim`, `twisted.internet.task.Clock`, and the assertions of trial for Deferreds.

mod string_transport;
mod disconnection;
mod datagram;
mod pair;
mod accumulating;
mod reactor;
mod resolver;
mod trace;
mod lost;

pub use datagram::FakeDatagramTransport;
pub use disconnection::StringTransportWithDisconnection;
pub use string_transport::{ProducerState, Request, StringTransport};

pub use accumulating::{AccumulatingFactory, AccumulatingProtocol};
pub use pair::{Direction, IoPump, Pair, PairBuilder};

pub use reactor::{MemoryClientEndpoint, MemoryReactor, MemoryServerEndpoint};
pub use resolver::FakeResolver;
pub use rt_deferred::{Clock, assert_no_result, failure_result_of, success_result_of};
pub use trace::Trace;
