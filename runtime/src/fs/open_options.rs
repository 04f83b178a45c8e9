//! How to open a file.

use std::io;
use std::path::Path;

use super::{File, ask};

/// How to open a file: for reading, writing, appending, and what to do if it is there or is not.
///
/// Counterpart: `tokio::fs::OpenOptions`, [`std::fs::OpenOptions`].
///
/// ```
/// use futures_util::io::AsyncWriteExt;
///
/// # fn main() -> std::io::Result<()> {
/// # rt::block_on(async {
/// let path = std::env::temp_dir().join(format!("rt-open-options-{}", std::process::id()));
/// for line in ["one\n", "two\n"] {
///     let mut log = rt::fs::OpenOptions::new().append(true).create(true).open(&path).await?;
///     log.write_all(line.as_bytes()).await?;
///     log.close().await?;
/// }
/// assert_eq!(rt::fs::read_to_string(&path).await?, "one\ntwo\n");
/// rt::fs::remove_file(&path).await?;
/// # Ok(())
/// # })
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct OpenOptions(std::fs::OpenOptions);

impl OpenOptions {
    /// Nothing is allowed yet.
    #[expect(clippy::new_without_default, reason = "neither has std's, whose name and meaning this has")]
    pub fn new() -> Self {
        Self(std::fs::OpenOptions::new())
    }

    /// Allows reading.
    pub fn read(&mut self, read: bool) -> &mut Self {
        self.0.read(read);
        self
    }

    /// Allows writing.
    pub fn write(&mut self, write: bool) -> &mut Self {
        self.0.write(write);
        self
    }

    /// Allows writing, always at the end.
    pub fn append(&mut self, append: bool) -> &mut Self {
        self.0.append(append);
        self
    }

    /// Empties a file that is there; needs `write`.
    pub fn truncate(&mut self, truncate: bool) -> &mut Self {
        self.0.truncate(truncate);
        self
    }

    /// Makes the file if it is not there; needs `write` or `append`.
    pub fn create(&mut self, create: bool) -> &mut Self {
        self.0.create(create);
        self
    }

    /// Makes the file, and fails if it is there; needs `write` or `append`.
    pub fn create_new(&mut self, create_new: bool) -> &mut Self {
        self.0.create_new(create_new);
        self
    }

    /// Sets the permissions of a file that is made, of which the process' mask takes some away: 0o666 if this is not called.
    #[cfg(unix)]
    pub fn mode(&mut self, mode: u32) -> &mut Self {
        std::os::unix::fs::OpenOptionsExt::mode(&mut self.0, mode);
        self
    }

    /// Sets flags for the system's `open` that have no method here.
    #[cfg(unix)]
    pub fn custom_flags(&mut self, flags: i32) -> &mut Self {
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut self.0, flags);
        self
    }

    /// Opens the file.
    ///
    /// # Errors
    ///
    /// Those of [`std::fs::OpenOptions::open`].
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped after its first poll the file is opened, and perhaps made or emptied, all the same, and closed.
    pub async fn open(&self, path: impl AsRef<Path>) -> io::Result<File> {
        let path = path.as_ref().to_owned();
        let options = self.0.clone();
        ask(move || options.open(path)).await.map(File::from_std)
    }
}

impl From<std::fs::OpenOptions> for OpenOptions {
    fn from(options: std::fs::OpenOptions) -> Self {
        Self(options)
    }
}
