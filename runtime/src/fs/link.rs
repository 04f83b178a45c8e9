//! Links, and where they lead.

use std::io;
use std::path::{Path, PathBuf};

use super::{ask, change};

/// The absolute path of something that exists, without symbolic links and dots.
///
/// # Errors
///
/// Those of [`std::fs::canonicalize`].
///
/// # Cancel safety
///
/// Dropping the future has no effect.
pub async fn canonicalize(path: impl AsRef<Path>) -> io::Result<PathBuf> {
    let path = path.as_ref().to_owned();
    ask(move || std::fs::canonicalize(path)).await
}

/// Where a symbolic link leads.
///
/// # Errors
///
/// Those of [`std::fs::read_link`].
///
/// # Cancel safety
///
/// Dropping the future has no effect.
pub async fn read_link(path: impl AsRef<Path>) -> io::Result<PathBuf> {
    let path = path.as_ref().to_owned();
    ask(move || std::fs::read_link(path)).await
}

/// Gives the file `original` the name `link`, too.
///
/// # Errors
///
/// Those of [`std::fs::hard_link`].
///
/// # Cancel safety
///
/// If the future is dropped after its first poll the link is made all the same.
pub async fn hard_link(original: impl AsRef<Path>, link: impl AsRef<Path>) -> io::Result<()> {
    let (original, link) = (original.as_ref().to_owned(), link.as_ref().to_owned());
    change(move || std::fs::hard_link(original, link)).await
}

/// Makes a symbolic link to `original`, which need not exist, with the name `link`.
///
/// # Errors
///
/// Those of [`std::os::unix::fs::symlink`].
///
/// # Cancel safety
///
/// If the future is dropped after its first poll the link is made all the same.
#[cfg(unix)]
pub async fn symlink(original: impl AsRef<Path>, link: impl AsRef<Path>) -> io::Result<()> {
    let (original, link) = (original.as_ref().to_owned(), link.as_ref().to_owned());
    change(move || std::os::unix::fs::symlink(original, link)).await
}

/// Makes a symbolic link to the directory `original` with the name `link`.
///
/// # Errors
///
/// Those of `std::os::windows::fs::symlink_dir`.
///
/// # Cancel safety
///
/// If the future is dropped after its first poll the link is made all the same.
#[cfg(windows)]
pub async fn symlink_dir(original: impl AsRef<Path>, link: impl AsRef<Path>) -> io::Result<()> {
    let (original, link) = (original.as_ref().to_owned(), link.as_ref().to_owned());
    change(move || std::os::windows::fs::symlink_dir(original, link)).await
}

/// Makes a symbolic link to the file `original` with the name `link`.
///
/// # Errors
///
/// Those of `std::os::windows::fs::symlink_file`.
///
/// # Cancel safety
///
/// If the future is dropped after its first poll the link is made all the same.
#[cfg(windows)]
pub async fn symlink_file(original: impl AsRef<Path>, link: impl AsRef<Path>) -> io::Result<()> {
    let (original, link) = (original.as_ref().to_owned(), link.as_ref().to_owned());
    change(move || std::os::windows::fs::symlink_file(original, link)).await
}
