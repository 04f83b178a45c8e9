//! Directories made and removed.

use std::io;
use std::path::Path;

use super::change;

/// Makes a directory in one that exists.
///
/// # Errors
///
/// Those of [`std::fs::create_dir`].
///
/// # Cancel safety
///
/// If the future is dropped after its first poll it is made all the same.
pub async fn create_dir(path: impl AsRef<Path>) -> io::Result<()> {
    let path = path.as_ref().to_owned();
    change(move || std::fs::create_dir(path)).await
}

/// Makes a directory with all above it that are missing. That it exists is no error.
///
/// # Errors
///
/// Those of [`std::fs::create_dir_all`].
///
/// # Cancel safety
///
/// If the future is dropped after its first poll all are made all the same.
pub async fn create_dir_all(path: impl AsRef<Path>) -> io::Result<()> {
    let path = path.as_ref().to_owned();
    change(move || std::fs::create_dir_all(path)).await
}

/// Removes an empty directory.
///
/// # Errors
///
/// Those of [`std::fs::remove_dir`].
///
/// # Cancel safety
///
/// If the future is dropped after its first poll it is removed all the same.
pub async fn remove_dir(path: impl AsRef<Path>) -> io::Result<()> {
    let path = path.as_ref().to_owned();
    change(move || std::fs::remove_dir(path)).await
}

/// Removes a directory and what is in it. Symbolic links are removed, not followed.
///
/// # Errors
///
/// Those of [`std::fs::remove_dir_all`].
///
/// # Cancel safety
///
/// If the future is dropped after its first poll everything is removed all the same.
pub async fn remove_dir_all(path: impl AsRef<Path>) -> io::Result<()> {
    let path = path.as_ref().to_owned();
    change(move || std::fs::remove_dir_all(path)).await
}

/// Makes directories with options.
///
/// Counterpart: `tokio::fs::DirBuilder`.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// # rt::block_on(async {
/// let above = std::env::temp_dir().join(format!("rt-dir-builder-{}", std::process::id()));
/// rt::fs::DirBuilder::new().recursive(true).create(above.join("below")).await?;
/// assert!(rt::fs::metadata(above.join("below")).await?.is_dir());
/// rt::fs::remove_dir_all(above).await?;
/// # Ok(())
/// # })
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct DirBuilder {
    recursive: bool,
    #[cfg(unix)]
    mode: Option<u32>,
}

impl DirBuilder {
    /// One directory, in one that exists, with the usual permissions.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether those above are made, too.
    pub fn recursive(&mut self, recursive: bool) -> &mut Self {
        self.recursive = recursive;
        self
    }

    /// Sets the permissions, of which the process' mask takes some away: 0o777 if this is not called.
    #[cfg(unix)]
    pub fn mode(&mut self, mode: u32) -> &mut Self {
        self.mode = Some(mode);
        self
    }

    /// Makes the directory.
    ///
    /// # Errors
    ///
    /// Those of [`std::fs::DirBuilder::create`].
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped after its first poll it is made all the same.
    pub async fn create(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let path = path.as_ref().to_owned();
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(self.recursive);
        #[cfg(unix)]
        if let Some(mode) = self.mode {
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, mode);
        }
        change(move || builder.create(path)).await
    }
}
