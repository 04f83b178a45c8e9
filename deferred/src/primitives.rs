//! What several threads share, from `std` or, under `--cfg loom`, from loom. The only file that names the two side by side.

#[cfg(loom)]
mod imp {
    pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard};
    pub(crate) use loom::thread;
}

#[cfg(not(loom))]
mod imp {
    pub(crate) use std::sync::{Mutex, MutexGuard};
    #[cfg(test)]
    pub(crate) use std::{sync::Condvar, thread};
}

#[allow(unused_imports, reason = "the models use more than the crate does")]
pub(crate) use imp::*;
