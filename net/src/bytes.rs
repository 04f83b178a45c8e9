//! One read or write of a byte stream.

use std::io::{self, IoSlice, IoSliceMut};

/// `recv` and `send` without the C library around them: as thread cancellation points theirs cost four locked instructions a call
/// in a program with threads, which is half of what this runtime adds to a request.
#[cfg(any(target_os = "linux", target_os = "android"))]
mod calls {
    use super::io;
    use std::os::fd::AsFd;

    pub(crate) fn receive(io: &impl AsFd, buf: &mut [u8]) -> io::Result<usize> {
        let (received, _) = rustix::net::recv(io, buf, rustix::net::RecvFlags::empty())?;
        Ok(received)
    }

    pub(crate) fn send(io: &impl AsFd, buf: &[u8]) -> io::Result<usize> {
        Ok(rustix::net::send(io, buf, rustix::net::SendFlags::NOSIGNAL)?)
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod calls {
    use super::io;
    use std::io::{Read, Write};

    pub(crate) fn receive<'a, S>(mut io: &'a S, buf: &mut [u8]) -> io::Result<usize>
    where
        &'a S: Read,
    {
        io.read(buf)
    }

    pub(crate) fn send<'a, S>(mut io: &'a S, buf: &[u8]) -> io::Result<usize>
    where
        &'a S: Write,
    {
        io.write(buf)
    }
}

pub(crate) use calls::{receive, send};

/// How many buffers the system takes at a time at least; more are left alone, by the system or by the library before it.
pub(crate) const MOST_BUFFERS: usize = if cfg!(any(target_os = "linux", target_os = "android")) { 1024 } else { 16 };

/// How many bytes a read can bring at least: if it brings fewer, there were no more.
pub(crate) fn room(bufs: &[IoSliceMut<'_>]) -> usize {
    bufs.iter().take(MOST_BUFFERS).map(|buf| buf.len()).sum()
}

/// How many bytes a write can take at least: if it takes fewer, there was no room for more.
pub(crate) fn offered(bufs: &[IoSlice<'_>]) -> usize {
    bufs.iter().take(MOST_BUFFERS).map(|buf| buf.len()).sum()
}
