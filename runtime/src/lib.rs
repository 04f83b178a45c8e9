//! Tasks, readiness and time: the executor and reactor of `rt`.

mod primitives;
mod scoped;
mod queue;
pub mod task;
mod coop;
