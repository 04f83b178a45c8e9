//! Reading and writing one connection at the same time.

use crate::tcp::stream::TcpStream;
use futures_util::io::{AsyncRead, AsyncWrite};
use rt_runtime::{Interest, Ready};
use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Shutdown, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

pub(super) fn split(stream: &mut TcpStream) -> (ReadHalf<'_>, WriteHalf<'_>) {
    (ReadHalf(stream), WriteHalf(stream))
}

pub(super) fn into_split(stream: TcpStream) -> (OwnedReadHalf, OwnedWriteHalf) {
    let stream = Arc::new(stream);
    (OwnedReadHalf { stream: stream.clone() }, OwnedWriteHalf { stream, shutdown_on_drop: true })
}

/// The reading half of [`TcpStream::split`].
///
/// Counterpart: `tokio::net::tcp::ReadHalf`.
#[derive(Debug)]
pub struct ReadHalf<'a>(&'a TcpStream);

/// The writing half of [`TcpStream::split`]. Dropping it does nothing.
///
/// Counterpart: `tokio::net::tcp::WriteHalf`.
#[derive(Debug)]
pub struct WriteHalf<'a>(&'a TcpStream);

/// The reading half of [`TcpStream::into_split`].
///
/// Counterpart: `tokio::net::tcp::OwnedReadHalf`.
#[derive(Debug)]
pub struct OwnedReadHalf {
    stream: Arc<TcpStream>,
}

/// The writing half of [`TcpStream::into_split`]. Dropping it ends writing, as [`TcpStream::shutdown`] does, unless it is
/// [forgotten](OwnedWriteHalf::forget) or [reunited](OwnedWriteHalf::reunite).
///
/// Counterpart: `tokio::net::tcp::OwnedWriteHalf`.
#[derive(Debug)]
pub struct OwnedWriteHalf {
    stream: Arc<TcpStream>,
    shutdown_on_drop: bool,
}

/// The halves were not of one stream; they are given back.
///
/// Counterpart: `tokio::net::tcp::ReuniteError`.
#[derive(Debug)]
pub struct ReuniteError(pub OwnedReadHalf, pub OwnedWriteHalf);

impl fmt::Display for ReuniteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("halves of two different streams can not be reunited")
    }
}

impl std::error::Error for ReuniteError {}

impl OwnedReadHalf {
    /// Puts the stream together again.
    ///
    /// # Errors
    ///
    /// [`ReuniteError`] if `other` is of another stream.
    pub fn reunite(self, other: OwnedWriteHalf) -> Result<TcpStream, ReuniteError> {
        if !Arc::ptr_eq(&self.stream, &other.stream) {
            return Err(ReuniteError(self, other));
        }
        other.forget();
        Ok(Arc::into_inner(self.stream).expect("a stream has two halves and one of them is gone"))
    }
}

impl OwnedWriteHalf {
    /// Puts the stream together again.
    ///
    /// # Errors
    ///
    /// [`ReuniteError`] if `other` is of another stream.
    pub fn reunite(self, other: OwnedReadHalf) -> Result<TcpStream, ReuniteError> {
        other.reunite(self)
    }

    /// Drops this half and leaves writing open until the other half is dropped too.
    pub fn forget(mut self) {
        self.shutdown_on_drop = false;
    }

    /// Ends writing: the other end reads up to its end of file. Reading goes on.
    ///
    /// # Errors
    ///
    /// Those of `shutdown`.
    ///
    /// # Cancel safety
    ///
    /// It completes the first time it is polled.
    pub async fn shutdown(&mut self) -> io::Result<()> {
        self.end_writing()
    }

    fn end_writing(&mut self) -> io::Result<()> {
        self.stream.shutdown_now(Shutdown::Write)?;
        self.shutdown_on_drop = false;
        Ok(())
    }
}

impl Drop for OwnedWriteHalf {
    fn drop(&mut self) {
        if self.shutdown_on_drop {
            let _ = self.stream.shutdown_now(Shutdown::Write);
        }
    }
}

impl WriteHalf<'_> {
    /// Ends writing: the other end reads up to its end of file. Reading goes on.
    ///
    /// # Errors
    ///
    /// Those of `shutdown`.
    ///
    /// # Cancel safety
    ///
    /// It completes the first time it is polled.
    pub async fn shutdown(&mut self) -> io::Result<()> {
        self.end_writing()
    }

    fn end_writing(&mut self) -> io::Result<()> {
        self.0.shutdown_now(Shutdown::Write)
    }
}

/// What every half has.
macro_rules! half {
    ($half:ty, $stream:tt) => {
        impl $half {
            /// The address of this end. See [`TcpStream::local_addr`].
            ///
            /// # Errors
            ///
            /// Those of `getsockname`.
            pub fn local_addr(&self) -> io::Result<SocketAddr> {
                self.$stream.local_addr()
            }

            /// The address of the other end. See [`TcpStream::peer_addr`].
            ///
            /// # Errors
            ///
            /// [`NotConnected`](io::ErrorKind::NotConnected) once the connection is gone.
            pub fn peer_addr(&self) -> io::Result<SocketAddr> {
                self.$stream.peer_addr()
            }

            /// Waits until any of `interest` is the case, and tells what is. See [`TcpStream::ready`].
            ///
            /// # Errors
            ///
            /// The runtime has shut down.
            ///
            /// # Cancel safety
            ///
            /// Nothing is lost when the future is dropped; others that wait go on waiting.
            pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
                self.$stream.ready(interest).await
            }
        }

        impl AsRef<TcpStream> for $half {
            fn as_ref(&self) -> &TcpStream {
                &self.$stream
            }
        }
    };
}

/// What a reading half has.
macro_rules! read_half {
    ($half:ty, $stream:tt) => {
        half!($half, $stream);

        impl $half {
            /// Waits until [`try_read`](Self::try_read) is worth a try.
            ///
            /// # Errors
            ///
            /// The runtime has shut down.
            ///
            /// # Cancel safety
            ///
            /// Nothing is lost when the future is dropped; others that wait go on waiting.
            pub async fn readable(&self) -> io::Result<()> {
                self.$stream.readable().await
            }

            /// Reads what is there. See [`TcpStream::try_read`].
            ///
            /// # Errors
            ///
            /// [`WouldBlock`](io::ErrorKind::WouldBlock) if nothing is there; otherwise those of `recv`.
            pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
                self.$stream.try_read(buf)
            }

            /// Reads what is there into several buffers. See [`TcpStream::try_read_vectored`].
            ///
            /// # Errors
            ///
            /// [`WouldBlock`](io::ErrorKind::WouldBlock) if nothing is there; otherwise those of `readv`.
            pub fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                self.$stream.try_read_vectored(bufs)
            }

            /// Reads without taking: the next read gives the same bytes.
            ///
            /// # Errors
            ///
            /// Those of `recv`.
            ///
            /// # Cancel safety
            ///
            /// Nothing is lost when the future is dropped.
            pub async fn peek(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                self.$stream.peek(buf).await
            }
        }

        impl AsyncRead for $half {
            fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
                self.$stream.poll_read_bytes(cx, buf)
            }

            fn poll_read_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &mut [IoSliceMut<'_>],
            ) -> Poll<io::Result<usize>> {
                self.$stream.poll_read_bytes_vectored(cx, bufs)
            }
        }
    };
}

/// What a writing half has.
macro_rules! write_half {
    ($half:ty, $stream:tt) => {
        half!($half, $stream);

        impl $half {
            /// Waits until [`try_write`](Self::try_write) is worth a try.
            ///
            /// # Errors
            ///
            /// The runtime has shut down.
            ///
            /// # Cancel safety
            ///
            /// Nothing is lost when the future is dropped; others that wait go on waiting.
            pub async fn writable(&self) -> io::Result<()> {
                self.$stream.writable().await
            }

            /// Writes what there is room for. See [`TcpStream::try_write`].
            ///
            /// # Errors
            ///
            /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is no room; otherwise those of `send`.
            pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
                self.$stream.try_write(buf)
            }

            /// Writes what there is room for, from several buffers. See [`TcpStream::try_write_vectored`].
            ///
            /// # Errors
            ///
            /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is no room; otherwise those of `writev`.
            pub fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
                self.$stream.try_write_vectored(bufs)
            }
        }

        impl AsyncWrite for $half {
            fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
                self.$stream.poll_write_bytes(cx, buf)
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                self.$stream.poll_write_bytes_vectored(cx, bufs)
            }

            fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            fn poll_close(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(self.end_writing())
            }
        }
    };
}

read_half!(ReadHalf<'_>, 0);
read_half!(OwnedReadHalf, stream);
write_half!(WriteHalf<'_>, 0);
write_half!(OwnedWriteHalf, stream);
