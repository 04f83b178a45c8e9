//! Tasks, readiness and time: the executor and reactor of `rt`.

mod primitives;

mod executor;
