//! Tasks, readiness and time: the executor and reactor of `rt`.

mod macros;
mod primitives;
mod task_local;

#[doc(hidden)]
pub use macros::__private;
pub use task_local::{AccessError, LocalKey, TaskLocalFuture};
