//! Tasks, readiness and time: the executor and reactor of `rt`.

#[cfg(unix)]
mod async_fd;
mod context;
mod coop;
mod executor;
mod handle;
mod macros;
mod primitives;
mod queue;
mod reactor;
mod registration;
pub mod runtime;
mod scoped;
mod source;
mod spawn;
mod task;
mod task_local;
pub mod time;

#[cfg(unix)]
pub use async_fd::{AsyncFd, AsyncFdReadyGuard, TryIoError};
pub use coop::{Unconstrained, consume_budget, unconstrained};
#[doc(hidden)]
pub use macros::__private;
pub use reactor::ready::{Interest, Ready};
pub use source::Source;
pub use spawn::{block_on, id, spawn, spawn_blocking, spawn_local, try_id, yield_now};
pub use task::{AbortHandle, Id, JoinError, JoinHandle};
pub use task_local::{AccessError, LocalKey, TaskLocalFuture};
