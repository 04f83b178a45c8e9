//! The other way round: futures' traits on what has hyper's.

use futures_util::io::{AsyncRead, AsyncWrite};
use hyper::rt::{Read, ReadBuf, Write};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Reads and writes through futures' `AsyncRead` and `AsyncWrite` (and tokio's, with the feature `tokio-io`) what has hyper's
/// `Read` and `Write` only: `hyper::upgrade::Upgraded`.
///
/// Counterpart: `hyper_util::rt::TokioIo`, which goes both ways; our own streams need no wrapper.
///
/// A request that turns its connection into an echo:
///
/// ```
/// # #[cfg(feature = "hyper")]
/// # mod example {
/// use futures_util::io::{AsyncReadExt, AsyncWriteExt, copy};
///
/// async fn echo<B>(mut request: hyper::Request<B>) -> Result<(), Box<dyn std::error::Error>> {
///     let stream = rt::hyper::Io::new(hyper::upgrade::on(&mut request).await?);
///     let (reading, mut writing) = stream.split();
///     copy(reading, &mut writing).await?;
///     writing.close().await?;
///     Ok(())
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct Io<T>(T);

impl<T> Io<T> {
    /// Wraps `io`.
    pub fn new(io: T) -> Io<T> {
        Io(io)
    }

    /// What is wrapped.
    pub fn get_ref(&self) -> &T {
        &self.0
    }

    /// What is wrapped.
    pub fn get_mut(&mut self) -> &mut T {
        &mut self.0
    }

    /// What was wrapped. Nothing is buffered here.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T: Read + Unpin> AsyncRead for Io<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buf = ReadBuf::new(buf);
        ready!(Pin::new(&mut self.0).poll_read(cx, buf.unfilled()))?;
        Poll::Ready(Ok(buf.filled().len()))
    }
}

impl<T: Write + Unpin> AsyncWrite for Io<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
