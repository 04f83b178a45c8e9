//! Tasks, readiness and time: the executor and reactor of `rt`.

mod primitives;
mod scoped;
mod queue;
mod task;
mod coop;
mod reactor;
mod executor;
mod handle;
mod context;
pub mod runtime;
mod spawn;
mod registration;
mod source;
#[cfg(unix)]
mod async_fd;
