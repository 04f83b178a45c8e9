//! An async runtime with Twisted's `Deferred` and `Protocol` as first-class citizens.

#[cfg(feature = "macros")]
pub use rt_macros::{main, test};
pub use rt_runtime::runtime;
pub use rt_runtime::{block_on, spawn, spawn_blocking, spawn_local};
pub use rt_runtime::{join, select, task_local, try_join};

#[doc(no_inline)]
pub use rt_runtime::JoinHandle;
#[doc(no_inline)]
pub use rt_runtime::runtime::{Builder, Handle, Runtime};

pub use rt_deferred as deferred;
#[doc(no_inline)]
pub use rt_deferred::{Deferred, Failure, Resolver};

pub use rt_runtime::signal;
pub use rt_runtime::time;

/// Tasks: what [`spawn`] gives back, and what a task can do about itself.
pub mod task {
    pub use rt_runtime::{
        AbortHandle, AccessError, Id, JoinError, JoinHandle, LocalKey, TaskLocalFuture, Unconstrained, consume_budget,
        id, spawn_blocking, spawn_local, try_id, unconstrained, yield_now,
    };
}

/// Readiness of what the runtime does not know: descriptors and I/O objects of your own.
pub mod io {
    pub use rt_runtime::stdio::{Stdin, stdin};
    pub use rt_runtime::{Interest, Ready, Source};

    /// Descriptors of any kind.
    #[cfg(unix)]
    pub mod unix {
        pub use rt_runtime::{AsyncFd, AsyncFdReadyGuard, TryIoError};
    }
}

#[cfg(feature = "net")]
pub use rt_net as net;
