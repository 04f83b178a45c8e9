//! A listening Unix socket and the files that belong to it.

use super::ListenOptions;
use crate::serve::Listener;
use crate::unix::{SocketAddr, UnixListener, UnixStream};
use socket2::{Domain, SockAddr, Socket, Type};
use std::fs::{self, File, Metadata, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::task::{Context, Poll};

/// A listening socket that removes its file in the end.
pub(super) struct UnixSocket {
    listener: UnixListener,
    _files: Files,
}

/// What is removed in the end.
struct Files {
    /// With its file system and number. `None` for an abstract name, which has no file.
    socket: Option<(PathBuf, Option<(u64, u64)>)>,
    /// Held, and so locked, for as long as the socket is there.
    lock: Option<(File, PathBuf)>,
}

impl UnixSocket {
    pub(super) fn bind(path: &Path, options: &ListenOptions) -> io::Result<UnixSocket> {
        // An abstract name begins with a NUL byte, which has no place in the name of a file.
        let is_file = !path.as_os_str().as_encoded_bytes().contains(&0);
        let mut files = Files { socket: None, lock: None };
        if is_file && options.lock_file {
            files.lock = Some(lock(path)?);
            remove_socket(path)?;
        }
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.bind(&SockAddr::unix(path)?)?;
        if is_file {
            files.socket = Some((path.to_owned(), identity(fs::symlink_metadata(path))));
            if let Some(mode) = options.mode {
                fs::set_permissions(path, Permissions::from_mode(mode))?;
            }
        }
        socket.listen(options.backlog.try_into().unwrap_or(i32::MAX))?;
        let listener = UnixListener::from_std(OwnedFd::from(socket).into())?;
        Ok(UnixSocket { listener, _files: files })
    }
}

impl Listener for UnixSocket {
    type Io = UnixStream;
    type Addr = SocketAddr;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(UnixStream, SocketAddr)>> {
        Listener::poll_accept(&mut self.listener, cx)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        // In this order: who gets the lock finds no socket.
        if let Some((path, made)) = &self.socket
            && made.is_some()
            && identity(fs::symlink_metadata(path)) == *made
        {
            let _ = fs::remove_file(path);
        }
        if let Some((_file, path)) = &self.lock {
            let _ = fs::remove_file(path);
        }
    }
}

/// Locks the file beside the socket, or says who has it.
fn lock(path: &Path) -> io::Result<(File, PathBuf)> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    loop {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&name)?;
        match file.try_lock() {
            // Its last owner may have removed it between the two calls: then others do not see this lock.
            Ok(()) if identity(file.metadata()) == identity(fs::symlink_metadata(&name)) => return Ok((file, name)),
            Ok(()) => {}
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) => {
                let text = format!("{} is listened on: another port has locked {}", path.display(), name.display());
                return Err(io::Error::new(io::ErrorKind::AddrInUse, text));
            }
        }
    }
}

/// What tells a file from one that has taken its name.
fn identity(file: io::Result<Metadata>) -> Option<(u64, u64)> {
    file.ok().map(|file| (file.dev(), file.ino()))
}

/// Removes a socket that was left behind. Anything else there is not ours.
fn remove_socket(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(there) if there.file_type().is_socket() => fs::remove_file(path),
        _ => Ok(()),
    }
}
