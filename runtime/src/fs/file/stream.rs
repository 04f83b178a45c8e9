//! futures-io's traits on a file.

use std::io::{self, SeekFrom};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncSeek, AsyncWrite};

use super::File;

impl AsyncRead for File {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        ready!(crate::coop::poll_proceed(cx));
        self.slot.poll_read(&self.std, cx, buf, self.max_buf_size)
    }
}

impl AsyncWrite for File {
    /// Accepts the bytes; they are written in the pool. Tells the error of the write before.
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(crate::coop::poll_proceed(cx));
        self.slot.poll_write(&self.std, cx, buf, self.max_buf_size)
    }

    /// Waits until what was accepted is with the system, and tells its error. See [`File::sync_all`] for the disk.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.slot.poll_flushed(cx)
    }

    /// As `poll_flush`: the descriptor is closed when the file is dropped.
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

impl AsyncSeek for File {
    /// Tells the error of the write before.
    fn poll_seek(self: Pin<&mut Self>, cx: &mut Context<'_>, pos: SeekFrom) -> Poll<io::Result<u64>> {
        ready!(self.slot.poll_flushed(cx))?;
        self.slot.poll_seek(&self.std, cx, pos)
    }
}
