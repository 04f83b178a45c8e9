//! An async runtime with Twisted's `Deferred` and `Protocol` as first-class citizens.

pub use rt_runtime::runtime;
pub use rt_runtime::{block_on, spawn, spawn_blocking, spawn_local};
pub use rt_runtime::{join, select, task_local, try_join};
#[cfg(feature = "macros")]
pub use rt_macros::{main, test};

#[doc(no_inline)]
pub use rt_runtime::runtime::{Builder, Handle, Runtime};
#[doc(no_inline)]
pub use rt_runtime::JoinHandle;

pub use rt_runtime::signal;
pub use rt_runtime::time;

/// Tasks: what [`spawn`] gives back, and what a task can do about itself.
pub mod task {
    pub use rt_runtime::{
        AbortHandle, AccessError, Id, JoinError, JoinHandle, LocalKey, TaskLocalFuture, Unconstrained, consume_budget, id,
        spawn_blocking, spawn_local, try_id, unconstrained, yield_now,
    };
}

/// Readiness of what the runtime does not know: descriptors and I/O objects of your own.
pub mod io {
    #[cfg(unix)]
    pub use rt_runtime::{AsyncFd, AsyncFdReadyGuard, TryIoError};
    pub use rt_runtime::stdio::{Stdin, stdin};
    pub use rt_runtime::{Interest, Ready, Source};
}

#[cfg(feature = "net")]
pub use rt_net as net;
