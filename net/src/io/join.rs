//! Two halves that are no pair by nature.

use futures_util::io::{AsyncRead, AsyncWrite};
use std::io::{self, IoSlice, IoSliceMut};
use std::pin::Pin;
use std::task::{Context, Poll};

/// Makes one stream of what is read from `reader` and written to `writer`.
///
/// Counterpart: `tokio::io::join`.
///
/// ```
/// use rt::io::{AsyncReadExt, AsyncWriteExt, Cursor, join};
///
/// # fn main() -> std::io::Result<()> {
/// # rt::block_on(async {
/// let mut stream = join(&b"what comes"[..], Cursor::new(Vec::new()));
/// let mut text = String::new();
/// stream.read_to_string(&mut text).await?;
/// stream.write_all(b"what goes").await?;
/// assert_eq!(text, "what comes");
/// assert_eq!(stream.into_inner().1.into_inner(), b"what goes");
/// # Ok(())
/// # })
/// # }
/// ```
pub fn join<R, W>(reader: R, writer: W) -> Join<R, W>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    Join { reader, writer }
}

/// Made by [`join`].
///
/// Counterpart: `tokio::io::Join`.
#[derive(Debug)]
pub struct Join<R, W> {
    reader: R,
    writer: W,
}

impl<R, W> Join<R, W> {
    /// What is read from.
    pub fn reader(&self) -> &R {
        &self.reader
    }

    /// What is written to.
    pub fn writer(&self) -> &W {
        &self.writer
    }

    /// Takes it apart.
    pub fn into_inner(self) -> (R, W) {
        (self.reader, self.writer)
    }
}

impl<R: AsyncRead + Unpin, W: Unpin> AsyncRead for Join<R, W> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.reader).poll_read(cx, buf)
    }

    fn poll_read_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.reader).poll_read_vectored(cx, bufs)
    }
}

impl<R: Unpin, W: AsyncWrite + Unpin> AsyncWrite for Join<R, W> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.writer).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.writer).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_close(cx)
    }
}
