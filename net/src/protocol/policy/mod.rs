//! Policies: what holds for every connection of a factory, whatever its protocol is.
//!
//! - [`Timeout`] is a field of a protocol that gives up a peer that says nothing; [`TimeoutFactory`] does it for any protocol.
//! - [`LimitTotalConnectionsFactory`] and [`LimitConnectionsByPeer`] bound how many connections there are.
//! - [`ThrottlingFactory`] bounds how many bytes per second come and go.
//! - [`TrafficLoggingFactory`] writes down what comes and goes.
//! - [`WrappingFactory`] makes a policy of a [`Wrapper`] of your own.
//!
//! They are factories around factories, and so may be put around one another: the innermost is nearest to the protocol.
//!
//! Counterpart: `twisted.protocols.policies`.

mod timeout;
mod timeout_factory;
mod limits;
mod throttling;
mod throttled;
mod throttle;
mod throttled_producer;
mod traffic;
mod wrapping;

pub use limits::{ConnectionCount, Either, LimitConnectionsByPeer, LimitTotalConnectionsFactory, Place, Refuse};
pub use throttled::Throttled;
pub use throttling::ThrottlingFactory;
pub use timeout::Timeout;
pub use timeout_factory::{TimeoutFactory, TimeoutProtocol, TimeoutWrapper};
pub use traffic::{TrafficLog, TrafficLoggingFactory};
pub use wrapping::{Policy, ProtocolWrapper, Wrapper, WrappingFactory};
