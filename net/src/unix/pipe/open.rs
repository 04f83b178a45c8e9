//! Pipes with a name.

use crate::unix::pipe::{End, Receiver, Sender, is_a_pipe};
use rustix::fs::OFlags;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// How to open a named pipe (a FIFO, made by `mkfifo`).
///
/// Counterpart: `tokio::net::unix::pipe::OpenOptions`.
///
/// ```
/// use rt::net::unix::pipe::OpenOptions;
///
/// # fn main() -> std::io::Result<()> {
/// # rt::block_on(async {
/// // Something else than a pipe is refused.
/// let error = OpenOptions::new().open_receiver("/dev/null").unwrap_err();
/// assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
/// # Ok(())
/// # })
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    read_write: bool,
    unchecked: bool,
}

impl OpenOptions {
    /// The way it is mostly done: one end, of what is found to be a pipe.
    pub fn new() -> OpenOptions {
        OpenOptions::default()
    }

    /// Opens the pipe for both directions, whichever end is asked for: then a sender can be opened while nobody reads, and a
    /// receiver never sees an end. Linux and Android allow that.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub fn read_write(&mut self, value: bool) -> &mut Self {
        self.read_write = value;
        self
    }

    /// Does not look whether the file is a pipe.
    pub fn unchecked(&mut self, value: bool) -> &mut Self {
        self.unchecked = value;
        self
    }

    /// Opens the reading end. Until somebody has opened the writing end, [`try_read`](Receiver::try_read) reads an end, and
    /// [`readable`](Receiver::readable) waits.
    ///
    /// # Errors
    ///
    /// There is no such file, it may not be read, or it is no pipe ([`InvalidInput`](io::ErrorKind::InvalidInput)).
    pub fn open_receiver<P: AsRef<Path>>(&self, path: P) -> io::Result<Receiver> {
        Receiver::from_file_unchecked(self.open(path.as_ref(), End::Receiver)?)
    }

    /// Opens the writing end.
    ///
    /// # Errors
    ///
    /// Nobody has the reading end open (`ENXIO`): try again later. There is no such file, it may not be written, or it is no pipe
    /// ([`InvalidInput`](io::ErrorKind::InvalidInput)).
    pub fn open_sender<P: AsRef<Path>>(&self, path: P) -> io::Result<Sender> {
        Sender::from_file_unchecked(self.open(path.as_ref(), End::Sender)?)
    }

    fn open(&self, path: &Path, end: End) -> io::Result<File> {
        let file = std::fs::OpenOptions::new()
            .read(end == End::Receiver || self.read_write)
            .write(end == End::Sender || self.read_write)
            .custom_flags(OFlags::NONBLOCK.bits() as i32)
            .open(path)?;
        if !self.unchecked && !is_a_pipe(file.as_fd())? {
            let what = format!("{} is not a pipe", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        Ok(file)
    }
}
