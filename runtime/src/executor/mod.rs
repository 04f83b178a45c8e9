//! Who runs tasks, and where: the worker's loop, the places between two runs, blocking calls.

pub(crate) mod blocking;
pub(crate) mod park;
pub(crate) mod seat;
pub(crate) mod slot;
pub(crate) mod worker;
