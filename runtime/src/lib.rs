//! Tasks, readiness and time: the executor and reactor of `rt`.

mod context;
mod coop;
mod primitives;
mod reactor;
mod spawn;
pub mod time;
