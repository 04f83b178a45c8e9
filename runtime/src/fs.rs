//! Files and directories, on the threads that may block.
//!
//! A regular file is always "ready", and then makes its reader wait for the disk: no system can be asked to tell when it would not. So
//! each call here is carried out on the [blocking pool](crate::spawn_blocking), with one hop there and back for the whole operation,
//! however many system calls it takes: [`read`] opens, measures, reads to the end and closes in one. For many small steps within one
//! algorithm, one `spawn_blocking` around `std::fs` is better still.
//!
//! The functions are those of [`std::fs`]; their errors are what the system says.
//!
//! # What dropping a future means
//!
//! A call that has reached the pool goes on there and is carried out as a whole; nobody hears how it ended, except that the error of a
//! call that changes something is [reported](rt_deferred::unhandled). A call that waits for a free thread is carried out later, unless
//! the runtime is shut down before. A future that was never polled has done nothing.
//!
//! Neither the end of a runtime nor that of the process waits for such calls.
//!
//! # Panics
//!
//! All of these need a runtime: polled outside of one they panic.
//!
//! Counterpart: `tokio::fs`.
//!
//! ```
//! # fn main() -> std::io::Result<()> {
//! # rt::block_on(async {
//! let directory = std::env::temp_dir().join(format!("rt-fs-example-{}", std::process::id()));
//! rt::fs::create_dir_all(&directory).await?;
//! rt::fs::write(directory.join("greeting"), "hello").await?;
//! assert_eq!(rt::fs::read_to_string(directory.join("greeting")).await?, "hello");
//!
//! let mut entries = rt::fs::read_dir(&directory).await?;
//! while let Some(entry) = entries.next_entry().await? {
//!     assert_eq!(entry.file_name(), "greeting");
//! }
//! rt::fs::remove_dir_all(&directory).await?;
//! # Ok(())
//! # })
//! # }
//! ```

mod whole;
mod link;
mod directory;
mod read_dir;
mod open_options;
mod file;

pub use directory::{DirBuilder, create_dir, create_dir_all, remove_dir, remove_dir_all};
pub use file::File;
#[cfg(unix)]
pub use link::symlink;
pub use link::{canonicalize, hard_link, read_link};
#[cfg(windows)]
pub use link::{symlink_dir, symlink_file};
pub use open_options::OpenOptions;
pub use read_dir::{DirEntry, ReadDir, read_dir};
pub use whole::{
    copy, metadata, read, read_to_string, remove_file, rename, set_permissions, symlink_metadata, try_exists, write,
};

use std::io;

use crate::spawn::spawn_blocking;
use crate::task::JoinError;

/// Does something that leaves everything as it is: if nobody waits for the answer any more, nobody misses it.
async fn ask<T: Send + 'static>(question: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    /// Hides from the pool that there may be an error in it.
    struct Answer<T>(io::Result<T>);
    spawn_blocking(|| Answer(question())).await.map_err(not_done)?.0
}

/// Does something that matters also if nobody waits for it: its error is reported then.
async fn change<T: Send + 'static>(operation: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    spawn_blocking(operation).await.map_err(not_done)?
}

/// The error of a call that did not come to its end.
fn not_done(error: JoinError) -> io::Error {
    match error.try_into_panic() {
        Ok(payload) => std::panic::resume_unwind(payload),
        Err(_) => gone(),
    }
}

fn gone() -> io::Error {
    io::Error::other("the runtime has shut down before the call on a file could begin")
}
