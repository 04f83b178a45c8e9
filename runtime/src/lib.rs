//! Tasks, readiness and time: the executor and reactor of `rt`.

mod primitives;
mod panics;
mod scoped;
#[cfg(test)]
mod models;

mod queue;
mod task;
mod coop;
mod reactor;
mod executor;
mod tokio_context;
mod handle;
mod join_set;
mod context;

pub mod runtime;
mod spawn;
mod task_local;
mod macros;
pub mod time;
mod deferred;
mod registration;
mod source;
#[cfg(unix)]
mod async_fd;
pub mod signal;
pub mod stdio;
pub mod fs;
#[cfg(unix)]
pub mod process;
#[cfg(feature = "tokio-io")]
mod tokio_io;

#[cfg(unix)]
pub use async_fd::{AsyncFd, AsyncFdReadyGuard, TryIoError};
#[doc(hidden)]
pub use coop::poll_proceed;
pub use coop::{Unconstrained, consume_budget, unconstrained};
pub use join_set::JoinSet;
#[doc(hidden)]
pub use macros::__private;
pub use reactor::ready::{Interest, Ready};
pub use source::Source;
pub use spawn::{block_in_place, block_on, id, spawn, spawn_blocking, spawn_local, spawn_pinned, try_id, yield_now};
pub use task::{AbortHandle, Id, JoinError, JoinHandle};
pub use task_local::{AccessError, LocalKey, TaskLocalFuture};
