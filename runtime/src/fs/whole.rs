//! Whole files by their names.

use std::fs::{Metadata, Permissions};
use std::io;
use std::path::Path;

use super::{ask, change};

/// Reads a whole file.
///
/// # Errors
///
/// Those of [`std::fs::read`].
///
/// # Cancel safety
///
/// If the future is dropped the file is read to its end all the same, for nobody.
pub async fn read(path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
    let path = path.as_ref().to_owned();
    ask(move || std::fs::read(path)).await
}

/// Reads a whole file of UTF-8.
///
/// # Errors
///
/// Those of [`std::fs::read_to_string`]: [`InvalidData`](io::ErrorKind::InvalidData) if it is something else.
///
/// # Cancel safety
///
/// If the future is dropped the file is read to its end all the same, for nobody.
pub async fn read_to_string(path: impl AsRef<Path>) -> io::Result<String> {
    let path = path.as_ref().to_owned();
    ask(move || std::fs::read_to_string(path)).await
}

/// Writes a whole file: makes it, or replaces what is in it. `contents` is copied.
///
/// # Errors
///
/// Those of [`std::fs::write`].
///
/// # Cancel safety
///
/// If the future is dropped after its first poll everything is written all the same.
pub async fn write(path: impl AsRef<Path>, contents: impl AsRef<[u8]>) -> io::Result<()> {
    let path = path.as_ref().to_owned();
    let contents = contents.as_ref().to_owned();
    change(move || std::fs::write(path, contents)).await
}

/// Copies a file with its permissions; answers with the number of bytes.
///
/// # Errors
///
/// Those of [`std::fs::copy`].
///
/// # Cancel safety
///
/// If the future is dropped after its first poll the whole file is copied all the same.
pub async fn copy(from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<u64> {
    let (from, to) = (from.as_ref().to_owned(), to.as_ref().to_owned());
    change(move || std::fs::copy(from, to)).await
}

/// Gives a file or directory another name; a file that has it is replaced.
///
/// # Errors
///
/// Those of [`std::fs::rename`].
///
/// # Cancel safety
///
/// If the future is dropped after its first poll it is renamed all the same.
pub async fn rename(from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<()> {
    let (from, to) = (from.as_ref().to_owned(), to.as_ref().to_owned());
    change(move || std::fs::rename(from, to)).await
}

/// Removes a file's name, and the file if it was the last and nobody has it open.
///
/// # Errors
///
/// Those of [`std::fs::remove_file`].
///
/// # Cancel safety
///
/// If the future is dropped after its first poll it is removed all the same.
pub async fn remove_file(path: impl AsRef<Path>) -> io::Result<()> {
    let path = path.as_ref().to_owned();
    change(move || std::fs::remove_file(path)).await
}

/// What the system knows about a file or directory; about the target if it is a symbolic link.
///
/// # Errors
///
/// Those of [`std::fs::metadata`].
///
/// # Cancel safety
///
/// Dropping the future has no effect.
pub async fn metadata(path: impl AsRef<Path>) -> io::Result<Metadata> {
    let path = path.as_ref().to_owned();
    ask(move || std::fs::metadata(path)).await
}

/// What the system knows about a file or directory; about the link itself if it is a symbolic one.
///
/// # Errors
///
/// Those of [`std::fs::symlink_metadata`].
///
/// # Cancel safety
///
/// Dropping the future has no effect.
pub async fn symlink_metadata(path: impl AsRef<Path>) -> io::Result<Metadata> {
    let path = path.as_ref().to_owned();
    ask(move || std::fs::symlink_metadata(path)).await
}

/// Whether there is something with this name, or, for a symbolic link, at its end.
///
/// # Errors
///
/// Those of [`std::fs::exists`]: it can not be told.
///
/// # Cancel safety
///
/// Dropping the future has no effect.
pub async fn try_exists(path: impl AsRef<Path>) -> io::Result<bool> {
    let path = path.as_ref().to_owned();
    ask(move || path.try_exists()).await
}

/// Sets who may do what with a file or directory.
///
/// # Errors
///
/// Those of [`std::fs::set_permissions`].
///
/// # Cancel safety
///
/// If the future is dropped after its first poll they are set all the same.
pub async fn set_permissions(path: impl AsRef<Path>, perm: Permissions) -> io::Result<()> {
    let path = path.as_ref().to_owned();
    change(move || std::fs::set_permissions(path, perm)).await
}
