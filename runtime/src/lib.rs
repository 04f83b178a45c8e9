//! Tasks, readiness and time: the executor and reactor of `rt`.

pub mod signal;
pub mod stdio;

mod executor;
#[cfg(test)]
mod models;
mod panics;
mod primitives;
