//! `rt`.

pub use rt_runtime::{join, select, task_local, try_join};

#[cfg(feature = "macros")]
pub use rt_macros::{main, test};

/// Tasks.
pub mod task {
    pub use rt_runtime::{AccessError, LocalKey, TaskLocalFuture};
}
