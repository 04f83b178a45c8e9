//! Who is at the other end.

use std::io;
use std::os::fd::AsFd;

/// Credentials of a process, as they were when it connected or made the pair.
///
/// Counterpart: `tokio::net::unix::UCred`.
///
/// ```
/// use rt::net::UnixStream;
///
/// # fn main() -> std::io::Result<()> {
/// # rt::block_on(async {
/// // Both ends are ours.
/// let (near, far) = UnixStream::pair()?;
/// # #[cfg(any(target_os = "linux", target_os = "android"))]
/// assert_eq!(near.peer_cred()?, far.peer_cred()?);
/// # Ok(())
/// # })
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UCred {
    pid: Option<i32>,
    uid: u32,
    gid: u32,
}

impl UCred {
    /// The user.
    pub fn uid(&self) -> u32 {
        self.uid
    }

    /// The group.
    pub fn gid(&self) -> u32 {
        self.gid
    }

    /// The process; `None` if it can not be seen from here (it is of another PID namespace).
    pub fn pid(&self) -> Option<i32> {
        self.pid
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn of_peer(socket: &impl AsFd) -> io::Result<UCred> {
    let peer = nix::sys::socket::getsockopt(socket, nix::sys::socket::sockopt::PeerCredentials)?;
    Ok(UCred { pid: Some(peer.pid()).filter(|&pid| pid != 0), uid: peer.uid(), gid: peer.gid() })
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn of_peer(_: &impl AsFd) -> io::Result<UCred> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "credentials of a peer are known on Linux and Android only"))
}
