//! Tasks, readiness and time: the executor and reactor of `rt`.

mod primitives;
mod reactor;
mod registration;
mod source;

#[cfg(unix)]
mod async_fd;

mod standin;
#[doc(hidden)]
pub use standin::{block_on, task, time};
use standin::{context, coop};

#[cfg(unix)]
pub use async_fd::{AsyncFd, AsyncFdReadyGuard, TryIoError};
pub use reactor::ready::{Interest, Ready};
pub use source::Source;
