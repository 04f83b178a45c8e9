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

/// `recv` into memory of which nothing need be initialized.
#[cfg(all(unix, any(feature = "hyper", feature = "tokio-io")))]
pub(crate) fn receive_uninit(io: &impl std::os::fd::AsFd, buf: &mut [std::mem::MaybeUninit<u8>]) -> io::Result<usize> {
    let ((received, _), _) = rustix::net::recv(io, buf, rustix::net::RecvFlags::empty())?;
    Ok(received.len())
}

/// How many bytes a read can bring at least: if it brings fewer, there were no more.
pub(crate) fn room(bufs: &[IoSliceMut<'_>]) -> usize {
    bufs.iter().take(MOST_BUFFERS).map(|buf| buf.len()).sum()
}

/// How many bytes a write can take at least: if it takes fewer, there was no room for more.
pub(crate) fn offered(bufs: &[IoSlice<'_>]) -> usize {
    bufs.iter().take(MOST_BUFFERS).map(|buf| buf.len()).sum()
}

/// futures' traits on a stream that has `poll_read_bytes` and its siblings, and buffers nothing.
macro_rules! byte_stream {
    ($stream:ident) => {
        const _: () = {
            use futures_util::io::{AsyncRead, AsyncWrite};
            use std::io::{IoSlice, IoSliceMut, Result};
            use std::pin::Pin;
            use std::task::{Context, Poll};

            impl AsyncRead for $stream {
                fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<Result<usize>> {
                    self.poll_read_bytes(cx, buf)
                }

                fn poll_read_vectored(
                    self: Pin<&mut Self>,
                    cx: &mut Context<'_>,
                    bufs: &mut [IoSliceMut<'_>],
                ) -> Poll<Result<usize>> {
                    self.poll_read_bytes_vectored(cx, bufs)
                }
            }

            impl AsyncWrite for $stream {
                fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
                    self.poll_write_bytes(cx, buf)
                }

                fn poll_write_vectored(
                    self: Pin<&mut Self>,
                    cx: &mut Context<'_>,
                    bufs: &[IoSlice<'_>],
                ) -> Poll<Result<usize>> {
                    self.poll_write_bytes_vectored(cx, bufs)
                }

                fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
                    Poll::Ready(Ok(()))
                }

                fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
                    Poll::Ready(self.shutdown_now(std::net::Shutdown::Write))
                }
            }
        };
    };
}

pub(crate) use byte_stream;
