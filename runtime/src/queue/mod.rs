//! Intrusive queues: scheduling a task allocates nothing, because the links live in the task.
//!
//! [`inbox`] is where other threads leave requests for an owner; [`list`] holds what only the owner touches.

pub(crate) mod inbox;
pub(crate) mod list;

pub(crate) use inbox::{Inbox, PushError, Queued};
pub(crate) use list::{Fifo, Linked};

#[cfg(test)]
mod checks;
