//! What is in a directory.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fmt;
use std::fs::{FileType, Metadata};
use std::future::{Future, poll_fn};
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::{ask, not_done};
use crate::spawn::spawn_blocking;
use crate::task::JoinHandle;

/// Entries that one hop to the pool fetches.
const BATCH: usize = 128;

/// Opens a directory and fetches the first of its entries.
///
/// # Errors
///
/// Those of [`std::fs::read_dir`].
///
/// # Cancel safety
///
/// Dropping the future has no effect.
///
/// Counterpart: `tokio::fs::read_dir`.
pub async fn read_dir(path: impl AsRef<Path>) -> io::Result<ReadDir> {
    let path = path.as_ref().to_owned();
    let batch =
        ask(move || Ok(Batch { entries: VecDeque::new(), rest: Some(std::fs::read_dir(path)?) }.filled())).await?;
    Ok(ReadDir(State::Here(batch)))
}

/// The entries of a directory, in no order. What is made or removed meanwhile may be among them or not.
///
/// They are fetched 128 at a time, with one hop to the pool for each of these batches.
///
/// Counterpart: `tokio::fs::ReadDir`.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// # rt::block_on(async {
/// let mut entries = rt::fs::read_dir("/").await?;
/// let mut directories = Vec::new();
/// while let Some(entry) = entries.next_entry().await? {
///     if entry.file_type().await?.is_dir() {
///         directories.push(entry.file_name());
///     }
/// }
/// # #[cfg(unix)]
/// assert!(directories.contains(&"usr".into()));
/// # Ok(())
/// # })
/// # }
/// ```
#[must_use = "entries are read when they are asked for"]
pub struct ReadDir(State);

enum State {
    Here(Batch),
    Fetching(JoinHandle<Batch>),
    /// The fetch did not come to its end; nothing is left.
    Gone,
}

struct Batch {
    entries: VecDeque<io::Result<DirEntry>>,
    /// `None` at the end.
    rest: Option<std::fs::ReadDir>,
}

impl ReadDir {
    /// The next entry, `None` at the end.
    ///
    /// # Errors
    ///
    /// Those of reading a directory; one may go on after them.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no entry.
    pub async fn next_entry(&mut self) -> io::Result<Option<DirEntry>> {
        poll_fn(|cx| self.poll_next_entry(cx)).await
    }

    /// As [`next_entry`](Self::next_entry), for futures written by hand. When it is pending, the waker of the last call is woken.
    ///
    /// # Errors
    ///
    /// Those of [`next_entry`](Self::next_entry).
    pub fn poll_next_entry(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<DirEntry>>> {
        ready!(crate::coop::poll_proceed(cx));
        loop {
            match &mut self.0 {
                State::Here(batch) => {
                    if let Some(entry) = batch.entries.pop_front() {
                        return Poll::Ready(entry.map(Some));
                    }
                    if batch.rest.is_none() {
                        return Poll::Ready(Ok(None));
                    }
                    let batch = std::mem::replace(batch, Batch { entries: VecDeque::new(), rest: None });
                    self.0 = State::Fetching(spawn_blocking(|| batch.filled()));
                }
                State::Fetching(fetch) => {
                    let result = ready!(Pin::new(fetch).poll(cx));
                    self.0 = State::Gone;
                    self.0 = State::Here(result.map_err(not_done)?);
                }
                State::Gone => return Poll::Ready(Ok(None)),
            }
        }
    }
}

impl Batch {
    fn filled(mut self) -> Self {
        let Some(rest) = &mut self.rest else { return self };
        while self.entries.len() < BATCH {
            match rest.next() {
                Some(entry) => self.entries.push_back(entry.map(DirEntry::new)),
                None => {
                    self.rest = None;
                    break;
                }
            }
        }
        self
    }
}

impl fmt::Debug for ReadDir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadDir").finish_non_exhaustive()
    }
}

/// Something in a directory.
///
/// Counterpart: `tokio::fs::DirEntry`. For an example see [`ReadDir`].
#[derive(Debug)]
pub struct DirEntry {
    entry: Arc<std::fs::DirEntry>,
    /// What most systems say without being asked; that they do not is no error yet.
    file_type: Option<FileType>,
}

impl DirEntry {
    fn new(entry: std::fs::DirEntry) -> Self {
        let file_type = entry.file_type().ok();
        Self { entry: Arc::new(entry), file_type }
    }

    /// The path: that of the directory as it was given, and the name.
    pub fn path(&self) -> PathBuf {
        self.entry.path()
    }

    /// The name.
    pub fn file_name(&self) -> OsString {
        self.entry.file_name()
    }

    /// The number that the file has in its file system.
    #[cfg(unix)]
    pub fn ino(&self) -> u64 {
        std::os::unix::fs::DirEntryExt::ino(&*self.entry)
    }

    /// What the system knows about it; about the link itself if it is a symbolic one.
    ///
    /// # Errors
    ///
    /// Those of [`std::fs::DirEntry::metadata`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect.
    pub async fn metadata(&self) -> io::Result<Metadata> {
        let entry = Arc::clone(&self.entry);
        ask(move || entry.metadata()).await
    }

    /// Whether it is a file, a directory or a link: known already on most systems, so that this waits for nothing.
    ///
    /// # Errors
    ///
    /// Those of [`std::fs::DirEntry::file_type`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect.
    pub async fn file_type(&self) -> io::Result<FileType> {
        if let Some(file_type) = self.file_type {
            return Ok(file_type);
        }
        let entry = Arc::clone(&self.entry);
        ask(move || entry.file_type()).await
    }
}
