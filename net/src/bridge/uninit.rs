//! Reads from a TCP connection into memory that nobody has initialized, as hyper and tokio hand it out.
//!
//! The way around by [`scratch`](super::scratch) needs no `unsafe` and costs a copy of what comes: nothing for small messages, half of
//! the server's time for uploads. So this is one of few files with `unsafe`, and the only one of this crate.
//!
//! # Invariants
//!
//! 1. What [`TcpStream::poll_read_uninit`] says was read is initialized: it is the length of the slice of `u8` that rustix has made of
//!    the beginning of the memory which it was given here.
//! 2. It initializes and never takes back: safe code gets that memory as `&mut [MaybeUninit<u8>]` in one place, rustix's `recv`,
//!    and there only the system writes to it.
#![allow(unsafe_code)]

use crate::{OwnedReadHalf, ReadHalf, TcpStream};
use std::io;
use std::task::{Context, Poll, ready};

/// What reads from a TCP connection.
pub(super) trait Socket {
    fn socket(&self) -> &TcpStream;
}

impl Socket for TcpStream {
    fn socket(&self) -> &TcpStream {
        self
    }
}

impl Socket for ReadHalf<'_> {
    fn socket(&self) -> &TcpStream {
        self.as_ref()
    }
}

impl Socket for OwnedReadHalf {
    fn socket(&self) -> &TcpStream {
        self.as_ref()
    }
}

#[cfg(feature = "hyper")]
pub(super) fn poll_read_hyper(
    stream: &impl Socket,
    cx: &mut Context<'_>,
    mut buf: hyper::rt::ReadBufCursor<'_>,
) -> Poll<io::Result<()>> {
    // SAFETY: what is initialized stays so (2).
    let room = unsafe { buf.as_mut() };
    let count = ready!(stream.socket().poll_read_uninit(cx, room))?;
    // SAFETY: `count` bytes at the beginning of `room`, which is where the cursor stands, are initialized (1).
    unsafe { buf.advance(count) };
    Poll::Ready(Ok(()))
}

#[cfg(feature = "tokio-io")]
pub(super) fn poll_read_tokio(
    stream: &impl Socket,
    cx: &mut Context<'_>,
    buf: &mut tokio::io::ReadBuf<'_>,
) -> Poll<io::Result<()>> {
    // SAFETY: what is initialized stays so (2).
    let room = unsafe { buf.unfilled_mut() };
    let count = ready!(stream.socket().poll_read_uninit(cx, room))?;
    // SAFETY: `count` bytes at the beginning of `room`, which is where the unfilled part begins, are initialized (1).
    unsafe { buf.assume_init(count) };
    buf.advance(count);
    Poll::Ready(Ok(()))
}
