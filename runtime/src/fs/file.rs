//! An open file.

mod slot;
mod stream;

use std::fmt;
use std::fs::{Metadata, Permissions};
use std::future::poll_fn;
use std::io::{self, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use slot::Slot;

use super::{OpenOptions, ask, change};

/// Bytes in a file's buffer at most, unless [`File::set_max_buf_size`] says otherwise.
const MAX_BUF_SIZE: usize = 2 * 1024 * 1024;

/// An open file, read and written on the [blocking pool](crate::spawn_blocking).
///
/// Reading, writing and seeking are futures-io's: import `futures_util::io::{AsyncReadExt, AsyncWriteExt, AsyncSeekExt}`. There is one
/// buffer between them and the pool, which one operation at a time uses:
///
/// - A **read** is one hop for as many bytes as it has room for, at most [`max_buf_size`](Self::max_buf_size). If its future is dropped,
///   the bytes are there for the next one.
/// - A **write** is accepted at once, up to that size, and carried out in the pool; the next operation waits for it. So an error of a
///   write is told by the next write or seek: **flush or close a file in order to know that its writes have succeeded**. One that is dropped
///   before completes the write that it has accepted, unless the runtime is shut down before that could begin; an error that nobody can
///   be told any more is [reported](rt_deferred::unhandled).
/// - A **seek** is one hop.
///
/// Each of these can be dropped at any time: a pending read or write has taken or accepted nothing; a dropped seek may have taken place.
/// Small steps are cheaper through futures-io's `BufReader` and `BufWriter`.
///
/// The descriptor is closed when the file is dropped, or when its last operation ends, by the thread that does so.
///
/// Counterpart: `tokio::fs::File`.
///
/// ```
/// use futures_util::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
/// use std::io::SeekFrom;
///
/// # fn main() -> std::io::Result<()> {
/// # rt::block_on(async {
/// let path = std::env::temp_dir().join(format!("rt-file-{}", std::process::id()));
/// let mut file = rt::fs::OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path).await?;
/// file.write_all(b"hello, file").await?;
/// file.seek(SeekFrom::Start(7)).await?;
/// let mut rest = String::new();
/// AsyncReadExt::read_to_string(&mut file, &mut rest).await?;
/// assert_eq!(rest, "file");
/// file.close().await?;
/// rt::fs::remove_file(&path).await?;
/// # Ok(())
/// # })
/// # }
/// ```
pub struct File {
    std: Arc<std::fs::File>,
    slot: Arc<Slot>,
    max_buf_size: usize,
}

impl File {
    /// Opens a file for reading.
    ///
    /// # Errors
    ///
    /// Those of [`std::fs::File::open`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect.
    pub async fn open(path: impl AsRef<Path>) -> io::Result<File> {
        OpenOptions::new().read(true).open(path).await
    }

    /// Opens a file for writing: makes it, or empties it.
    ///
    /// # Errors
    ///
    /// Those of [`std::fs::File::create`].
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped after its first poll the file is made or emptied all the same, and closed.
    pub async fn create(path: impl AsRef<Path>) -> io::Result<File> {
        OpenOptions::new().write(true).create(true).truncate(true).open(path).await
    }

    /// Makes a file for reading and writing; fails if it is there.
    ///
    /// # Errors
    ///
    /// Those of [`std::fs::File::create_new`].
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped after its first poll the file is made all the same, and closed.
    pub async fn create_new(path: impl AsRef<Path>) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).create_new(true).open(path).await
    }

    /// How to open a file in other ways.
    pub fn options() -> OpenOptions {
        OpenOptions::new()
    }

    /// Takes a file of the standard library.
    pub fn from_std(std: std::fs::File) -> File {
        File { std: Arc::new(std), slot: Arc::default(), max_buf_size: MAX_BUF_SIZE }
    }

    /// Gives the file back to the standard library, once what was accepted is written. Bytes that were read for a future that was
    /// dropped are read again by who reads next.
    ///
    /// # Errors
    ///
    /// That of a write that nobody was told yet.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the file.
    pub async fn into_std(self) -> io::Result<std::fs::File> {
        self.settle().await?;
        match Arc::try_unwrap(self.std) {
            Ok(std) => Ok(std),
            // A call of `read_at`, say, whose future was dropped is still at it.
            Err(shared) => shared.try_clone(),
        }
    }

    /// Gives the file back to the standard library if nothing is under way.
    ///
    /// # Errors
    ///
    /// The file, if something is: an operation, bytes that were read for a future that was dropped, or an error that nobody was told
    /// yet.
    pub fn try_into_std(self) -> Result<std::fs::File, File> {
        let File { std, slot, max_buf_size } = self;
        if !slot.is_settled() {
            return Err(File { std, slot, max_buf_size });
        }
        Arc::try_unwrap(std).map_err(|std| File { std, slot, max_buf_size })
    }

    /// Waits until everything that was accepted, and what the system knows about the file, is on the disk.
    ///
    /// # Errors
    ///
    /// That of a write that nobody was told yet; those of [`std::fs::File::sync_all`].
    ///
    /// # Cancel safety
    ///
    /// One can call it again.
    pub async fn sync_all(&self) -> io::Result<()> {
        self.flushed().await?;
        let std = Arc::clone(&self.std);
        change(move || std.sync_all()).await
    }

    /// Waits until everything that was accepted is on the disk.
    ///
    /// # Errors
    ///
    /// That of a write that nobody was told yet; those of [`std::fs::File::sync_data`].
    ///
    /// # Cancel safety
    ///
    /// One can call it again.
    pub async fn sync_data(&self) -> io::Result<()> {
        self.flushed().await?;
        let std = Arc::clone(&self.std);
        change(move || std.sync_data()).await
    }

    /// Cuts the file off at this length, or fills it up with zeros; what was accepted is written before.
    ///
    /// # Errors
    ///
    /// That of a write that nobody was told yet; those of [`std::fs::File::set_len`].
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped the length may have been set.
    pub async fn set_len(&self, size: u64) -> io::Result<()> {
        self.settle().await?;
        let std = Arc::clone(&self.std);
        let result = change(move || std.set_len(size)).await;
        self.slot.forget_end();
        result
    }

    /// What the system knows about the file; a write that is under way may be in it or not.
    ///
    /// # Errors
    ///
    /// Those of [`std::fs::File::metadata`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect.
    pub async fn metadata(&self) -> io::Result<Metadata> {
        let std = Arc::clone(&self.std);
        ask(move || std.metadata()).await
    }

    /// Sets who may do what with the file.
    ///
    /// # Errors
    ///
    /// Those of [`std::fs::File::set_permissions`].
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped after its first poll they are set all the same.
    pub async fn set_permissions(&self, perm: Permissions) -> io::Result<()> {
        let std = Arc::clone(&self.std);
        change(move || std.set_permissions(perm)).await
    }

    /// A second handle on the same open file, with the same position, once what was accepted is written. It has a buffer of its own.
    ///
    /// # Errors
    ///
    /// That of a write that nobody was told yet; those of [`std::fs::File::try_clone`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect.
    pub async fn try_clone(&self) -> io::Result<File> {
        self.settle().await?;
        let std = Arc::clone(&self.std);
        let std = ask(move || std.try_clone()).await?;
        Ok(File { std: Arc::new(std), slot: Arc::default(), max_buf_size: self.max_buf_size })
    }

    /// Reads to the end of the file in one hop, and appends to `buf`. Without a limit but the memory: see [`metadata`](Self::metadata)
    /// for how much there is.
    ///
    /// # Errors
    ///
    /// Those of reading; what was read before is there for the next read.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped `buf` is as it was, and the bytes are there for the next read.
    pub async fn read_to_end(&mut self, buf: &mut Vec<u8>) -> io::Result<usize> {
        poll_fn(|cx| self.slot.poll_read_to_end(&self.std, cx, buf)).await
    }

    /// Reads at `offset`, wherever the file's position is, which stays: at most 2 MiB at a time. 0 bytes are the end of the file. Any number
    /// of these can be under way at the same time.
    ///
    /// # Errors
    ///
    /// Those of `pread`.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect.
    #[cfg(unix)]
    pub async fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let std = Arc::clone(&self.std);
        let mut bytes = vec![0; buf.len().min(MAX_BUF_SIZE)];
        let bytes = ask(move || {
            let count = retry(|| std::os::unix::fs::FileExt::read_at(&*std, &mut bytes, offset))?;
            bytes.truncate(count);
            Ok(bytes)
        })
        .await?;
        buf[..bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }

    /// Writes at `offset`, wherever the file's position is, which stays: at most 2 MiB at a time, and answers with how many bytes it was.
    /// Any number of these can be under way at the same time.
    ///
    /// # Errors
    ///
    /// Those of `pwrite`.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped after its first poll the bytes are written all the same.
    #[cfg(unix)]
    pub async fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        let std = Arc::clone(&self.std);
        let bytes = buf[..buf.len().min(MAX_BUF_SIZE)].to_owned();
        let result = change(move || retry(|| std::os::unix::fs::FileExt::write_at(&*std, &bytes, offset))).await;
        self.slot.forget_end();
        result
    }

    /// Bytes that a read or a write moves at most: 2 MiB unless it was set.
    pub fn max_buf_size(&self) -> usize {
        self.max_buf_size
    }

    /// Sets how many bytes a read or a write moves at most; 0 counts as 1.
    pub fn set_max_buf_size(&mut self, max_buf_size: usize) {
        self.max_buf_size = max_buf_size.max(1);
    }

    /// Waits for the operation that is under way, and tells the error of a write.
    async fn flushed(&self) -> io::Result<()> {
        poll_fn(|cx| self.slot.poll_flushed(cx)).await
    }

    /// The same, and goes back to where the user believes the position is.
    async fn settle(&self) -> io::Result<()> {
        self.flushed().await?;
        if self.slot.has_unread() {
            poll_fn(|cx| self.slot.poll_seek(&self.std, cx, SeekFrom::Current(0))).await?;
        }
        Ok(())
    }
}

fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

impl From<std::fs::File> for File {
    fn from(std: std::fs::File) -> File {
        File::from_std(std)
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File").field("std", &self.std).field("max_buf_size", &self.max_buf_size).finish_non_exhaustive()
    }
}

#[cfg(unix)]
mod unix {
    use super::File;
    use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

    impl AsFd for File {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.std.as_fd()
        }
    }

    impl AsRawFd for File {
        fn as_raw_fd(&self) -> RawFd {
            self.std.as_raw_fd()
        }
    }
}
