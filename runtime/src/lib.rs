//! Tasks, readiness and time: the executor and reactor of `rt`.

pub mod signal;

mod executor;
mod panics;
mod primitives;
