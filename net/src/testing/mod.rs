//! Doubles of connections, for tests of protocols without sockets, time or a runtime.
//!
//! Counterpart: `twisted.internet.testing`, `twisted.test.iosim`.

mod accumulating;
mod disconnection;
mod lost;
mod pair;
mod reactor;
mod resolver;
mod string_transport;
mod trace;

pub use accumulating::{AccumulatingFactory, AccumulatingProtocol};
pub use disconnection::StringTransportWithDisconnection;
pub use pair::{Direction, IoPump, Pair, PairBuilder};
pub use reactor::{MemoryClientEndpoint, MemoryReactor, MemoryServerEndpoint};
pub use resolver::FakeResolver;
pub use rt_deferred::{Clock, assert_no_result, failure_result_of, success_result_of};
pub use string_transport::{ProducerState, Request, StringTransport};
pub use trace::Trace;
