//! What waits to be connected.

use super::Destination;
use crate::protocol::Address;
use crate::testing::pair::ReadyEnd;
use rt_deferred::Failure;

/// An attempt to connect that waits for the test's decision.
pub(super) trait Attempt {
    fn destination(&self) -> Destination;

    /// The client's end; `None` if the factory makes no protocol, which has been told to who connects.
    fn end(&self, host: Address, peer: Address) -> Option<ReadyEnd>;

    /// Both protocols were told.
    fn made(&self);

    fn fail(&self, reason: Failure);
}
