//! tokio's `AsyncRead` and `AsyncWrite`, over those of futures that every stream has.

use super::every_stream;
use super::scratch::{read_through, write_gathered};
use futures_util::io::{AsyncRead, AsyncWrite};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::ReadBuf;

macro_rules! implement {
    (receive [$($bounds:tt)*] $stream:ty) => {
        #[cfg(unix)]
        impl<$($bounds)*> tokio::io::AsyncRead for $stream {
            fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
                super::uninit::poll_read_tokio(&*self, cx, buf)
            }
        }
        #[cfg(not(unix))]
        implement!(read [$($bounds)*] $stream);
    };
    (read [$($bounds:tt)*] $stream:ty) => {
        impl<$($bounds)*> tokio::io::AsyncRead for $stream {
            fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
                let read = |room: &mut [u8]| AsyncRead::poll_read(self, cx, room);
                read_into(buf, read)
            }
        }
    };
    (write [$($bounds:tt)*] $stream:ty) => {
        impl<$($bounds)*> tokio::io::AsyncWrite for $stream {
            fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
                AsyncWrite::poll_write(self, cx, buf)
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                AsyncWrite::poll_flush(self, cx)
            }

            fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                AsyncWrite::poll_close(self, cx)
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                write_gathered(self, bufs, |stream, bytes| AsyncWrite::poll_write(stream, cx, bytes))
                    .unwrap_or_else(|stream| AsyncWrite::poll_write_vectored(stream, cx, bufs))
            }

            fn is_write_vectored(&self) -> bool {
                true
            }
        }
    };
}

every_stream!(implement);
#[cfg(feature = "hyper")]
implement!(read [T: hyper::rt::Read + Unpin] super::hyper::Io<T>);
#[cfg(feature = "hyper")]
implement!(write [T: hyper::rt::Write + Unpin] super::hyper::Io<T>);

/// Memory that is initialized, as `AsyncReadExt::read` and `copy` have it, is read into at once.
fn read_into(buf: &mut ReadBuf<'_>, read: impl FnOnce(&mut [u8]) -> Poll<io::Result<usize>>) -> Poll<io::Result<()>> {
    if buf.initialized().len() == buf.capacity() {
        return read(buf.initialize_unfilled()).map_ok(|count| buf.advance(count));
    }
    read_through(buf.remaining(), read, |bytes| buf.put_slice(bytes))
}
