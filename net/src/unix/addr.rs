//! From a path to the address of a Unix socket.

use rustix::net::SocketAddrUnix;
use std::io;
use std::os::unix::net::SocketAddr;
use std::path::Path;

/// The address that `path` stands for. On Linux a path that begins with a NUL byte is an abstract name.
pub(super) fn address(path: &Path) -> io::Result<SocketAddr> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Some(name) = abstract_name(path) {
        return <SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name);
    }
    SocketAddr::from_pathname(path)
}

/// The same as the system takes it, without an allocation.
pub(super) fn target(path: &Path) -> io::Result<SocketAddrUnix> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Some(name) = abstract_name(path) {
        return Ok(SocketAddrUnix::new_abstract_name(name)?);
    }
    Ok(SocketAddrUnix::new(path)?)
}

/// An address of the standard library as the system takes it.
pub(super) fn target_of(address: &SocketAddr) -> io::Result<SocketAddrUnix> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Some(name) = std::os::linux::net::SocketAddrExt::as_abstract_name(address) {
        return Ok(SocketAddrUnix::new_abstract_name(name)?);
    }
    match address.as_pathname() {
        Some(path) => Ok(SocketAddrUnix::new(path)?),
        None => {
            let unnamed = "an unnamed socket can not be named as a target; a path or an abstract name can";
            Err(io::Error::new(io::ErrorKind::InvalidInput, unnamed))
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn abstract_name(path: &Path) -> Option<&[u8]> {
    std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str()).strip_prefix(b"\0")
}
