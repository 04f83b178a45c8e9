//! Who runs tasks, and where: the worker's loop, the places between two runs, blocking calls.

pub(crate) mod blocking;
pub(crate) mod crew;
pub(crate) mod idle;
pub(crate) mod locals;
pub(crate) mod park;
pub(crate) mod pinned;
pub(crate) mod post;
pub(crate) mod slot;
pub(crate) mod watch;
pub(crate) mod worker;
