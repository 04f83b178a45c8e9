//! Pumping bytes, one way and both ways.

use super::pump::{AtEnd, Pump};
use futures_util::io::{AsyncRead, AsyncWrite};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::Poll;

/// Copies from `reader` to `writer` until the reader ends, then flushes; gives the number of bytes.
///
/// It reads up to 64 KiB at a time into a buffer that all copies of a thread share. What the writer does not take at once, it keeps:
/// so it holds nothing while it waits for the reader, and at most 64 KiB while it waits for the writer. While the reader has
/// nothing, what was written is flushed.
///
/// # Errors
///
/// Those of reading and writing; [`WriteZero`](io::ErrorKind::WriteZero) if the writer takes no bytes.
///
/// # Cancel safety
///
/// Not cancel safe: bytes that were read and not written yet, at most 64 KiB, are lost with the future.
///
/// # Examples
///
/// ```
/// use rt::io::{AsyncWriteExt, copy, duplex};
///
/// # fn main() -> std::io::Result<()> {
/// # rt::block_on(async {
/// let (mut near, far) = duplex(64);
/// near.write_all(b"some bytes").await?;
/// near.close().await?;
/// let mut bytes = Vec::new();
/// assert_eq!(copy(far, &mut bytes).await?, 10);
/// assert_eq!(bytes, b"some bytes");
/// # Ok(())
/// # })
/// # }
/// ```
///
/// Counterpart: `tokio::io::copy`; `futures_util::io::copy`, which holds a buffer of its own.
pub async fn copy<R, W>(reader: R, writer: &mut W) -> io::Result<u64>
where
    R: AsyncRead,
    W: AsyncWrite + Unpin + ?Sized,
{
    let mut reader = std::pin::pin!(reader);
    let mut pump = Pump::new();
    poll_fn(|cx| pump.poll(cx, reader.as_mut(), Pin::new(&mut *writer), AtEnd::Flush)).await
}

/// Copies both ways between `a` and `b` until both have ended; gives how many bytes went from `a` to `b`, and back.
///
/// When one has ended, writing to the other is closed, and the way back goes on: half-closed connections stay what they are. Each
/// way has the limits of [`copy`].
///
/// # Errors
///
/// The first of reading, writing or closing on either side. Both ways end with it.
///
/// # Cancel safety
///
/// Not cancel safe: bytes that were read and not written yet, at most 64 KiB each way, are lost with the future.
///
/// # Examples
///
/// A proxy's connection:
///
/// ```
/// use rt::io::copy_bidirectional;
/// use rt::net::TcpStream;
///
/// async fn forward(mut client: TcpStream, target: &str) -> std::io::Result<(u64, u64)> {
///     let mut server = TcpStream::connect(target).await?;
///     copy_bidirectional(&mut client, &mut server).await
/// }
/// ```
///
/// Counterpart: `tokio::io::copy_bidirectional`; Twisted's `portforward`.
pub async fn copy_bidirectional<A, B>(a: &mut A, b: &mut B) -> io::Result<(u64, u64)>
where
    A: AsyncRead + AsyncWrite + Unpin + ?Sized,
    B: AsyncRead + AsyncWrite + Unpin + ?Sized,
{
    let (mut there, mut back) = (Pump::new(), Pump::new());
    poll_fn(|cx| {
        let (mut a, mut b) = (Pin::new(&mut *a), Pin::new(&mut *b));
        let there = there.poll(cx, a.as_mut(), b.as_mut(), AtEnd::Close)?;
        let back = back.poll(cx, b, a, AtEnd::Close)?;
        match (there, back) {
            (Poll::Ready(there), Poll::Ready(back)) => Poll::Ready(Ok((there, back))),
            _ => Poll::Pending,
        }
    })
    .await
}
