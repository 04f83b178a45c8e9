//! tokio's `AsyncRead` and `AsyncWrite`, over those of futures that standard streams, pipes and files have.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};
use tokio::io::ReadBuf;

use crate::fs::File;
#[cfg(unix)]
use crate::process::{ChildStderr, ChildStdin, ChildStdout};
use crate::stdio::{Stderr, Stdin, Stdout};

macro_rules! read {
    ($($reader:ty)*) => {$(
        impl tokio::io::AsyncRead for $reader {
            fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
                AsyncRead::poll_read(self, cx, buf.initialize_unfilled()).map_ok(|count| buf.advance(count))
            }
        }
    )*};
}

macro_rules! write {
    ($($writer:ty)*) => {$(
        impl tokio::io::AsyncWrite for $writer {
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
                AsyncWrite::poll_write_vectored(self, cx, bufs)
            }
        }
    )*};
}

read!(File Stdin);
write!(File Stdout Stderr);
#[cfg(unix)]
read!(ChildStdout ChildStderr);
#[cfg(unix)]
write!(ChildStdin);
