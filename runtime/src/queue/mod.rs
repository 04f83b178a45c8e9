//! Intrusive queues: scheduling a task allocates nothing, because the links live in the task.
//!
//! [`inbox`] is where other threads leave requests for an owner; [`list`] holds what only the owner touches. Where there are many
//! owners, [`ring`] holds what others may take from one, and [`injection`] what belongs to none yet.

pub(crate) mod inbox;
pub(crate) mod injection;
pub(crate) mod list;
pub(crate) mod ring;

pub(crate) use inbox::{Inbox, PushError, Queued};
pub(crate) use injection::Injection;
pub(crate) use list::{Fifo, Linked};
pub(crate) use ring::Ring;

#[cfg(test)]
mod checks;
#[cfg(test)]
mod injection_checks;
#[cfg(test)]
mod ring_checks;
