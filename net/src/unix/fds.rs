//! Descriptors that travel with bytes (`SCM_RIGHTS`).

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// How many descriptors can travel at once: what Linux allows.
pub const MAX_FDS: usize = 253;

const SPACE: usize = rustix::cmsg_space!(ScmRights(MAX_FDS));

/// One `sendmsg`.
pub(super) fn send_with_fds(socket: &impl AsFd, buf: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); SPACE];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(too_many(fds.len()));
    }
    if fds.len() > MAX_FDS {
        return Err(too_many(fds.len()));
    }
    Ok(sendmsg(socket, &[IoSlice::new(buf)], &mut control, no_signal())?)
}

/// One `recvmsg`: how many bytes came, and how many descriptors, which are in the first places of `fds`.
pub(super) fn recv_with_fds(
    socket: &impl AsFd,
    buf: &mut [u8],
    fds: &mut [Option<OwnedFd>],
) -> io::Result<(usize, usize)> {
    // Room for all that can come, however few the caller takes: the space for a few has padding, into which the system would put one
    // more without a word.
    let mut space = [MaybeUninit::uninit(); SPACE];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let message = recvmsg(socket, &mut [IoSliceMut::new(buf)], &mut control, close_on_exec())?;
    let (mut came, room) = (0, fds.len());
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(arrived) = message {
            for fd in arrived {
                set_close_on_exec(&fd)?;
                // What there is no place for is closed here.
                if let Some(place) = fds.get_mut(came) {
                    *place = Some(fd);
                }
                came += 1;
            }
        }
    }
    if came <= room && !message.flags.contains(ReturnFlags::CTRUNC) {
        return Ok((message.bytes, came));
    }
    fds.iter_mut().take(came).for_each(|place| *place = None);
    Err(io::Error::new(
        io::ErrorKind::InvalidData,
        format!(
            "more descriptors came with {} bytes than the {room} that there is room for, or than this process may open; \
             they are closed",
            message.bytes
        ),
    ))
}

fn too_many(count: usize) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("{count} descriptors at once are too many: {MAX_FDS} can be sent"),
    )
}

#[cfg(not(target_vendor = "apple"))]
pub(super) fn no_signal() -> SendFlags {
    SendFlags::NOSIGNAL
}

/// Here it is an option of the socket, which mio has set.
#[cfg(target_vendor = "apple")]
pub(super) fn no_signal() -> SendFlags {
    SendFlags::empty()
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn close_on_exec() -> RecvFlags {
    RecvFlags::CMSG_CLOEXEC
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn set_close_on_exec(_: &OwnedFd) -> io::Result<()> {
    Ok(())
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn close_on_exec() -> RecvFlags {
    RecvFlags::empty()
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn set_close_on_exec(fd: &OwnedFd) -> io::Result<()> {
    Ok(rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::CLOEXEC)?)
}
