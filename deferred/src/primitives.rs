//! What several threads share, from `std` or, under `--cfg loom`, from loom. The only file that names the two side by side.

#[cfg(loom)]
pub(crate) use loom::sync::{Mutex, MutexGuard};
#[cfg(not(loom))]
pub(crate) use std::sync::{Mutex, MutexGuard};

#[cfg(all(test, loom))]
pub(crate) use loom::{sync::Condvar, thread};
/// What the models need besides.
#[cfg(all(test, not(loom)))]
pub(crate) use std::{sync::Condvar, thread};
