//! Sending what is in a file, at the pace of the connection.

mod pull;
mod push;
mod transfer;

use crate::protocol::Transport;
use futures_util::io::AsyncRead;
use rt_deferred::Deferred;
use std::fmt;
use std::io::Read;
use transfer::Chunk;

pub use transfer::FileTransferStopped;

/// Sends what is in a file, at the pace of the connection: no more of it is in memory than the connection holds, and one piece.
///
/// It registers itself as the [`Producer`](crate::protocol::Producer) of the transport until the file is at its end. It reads 16 KiB at a time unless
/// [`chunk_size`](FileSender::chunk_size) says otherwise.
///
/// Counterpart: `twisted.protocols.basic.FileSender`.
///
/// ```
/// use rt::protocol::{FileSender, Protocol, Transport};
///
/// /// Sends a file, and closes.
/// struct Quote;
/// impl Protocol for Quote {
///     fn connection_made(&mut self, transport: &Transport) {
///         let text: &[u8] = b"no man is an island";
///         let shout = FileSender::new().transform(|chunk| chunk.make_ascii_uppercase());
///         let transport = transport.clone();
///         let sent = shout.begin_file_transfer(text, &transport);
///         let _ = sent.add_callback(move |last| {
///             assert_eq!(last, Some(b'D'));
///             transport.lose_connection();
///         });
///     }
///     fn data_received(&mut self, _: &Transport, _: &[u8]) {}
/// }
///
/// # rt::block_on(async {
/// use rt::io::{AsyncReadExt, duplex};
///
/// let (near, mut far) = duplex(64);
/// rt::protocol::drive(near, Quote);
/// let mut received = String::new();
/// far.read_to_string(&mut received).await.unwrap();
/// assert_eq!(received, "NO MAN IS AN ISLAND");
/// # });
/// ```
pub struct FileSender {
    chunk_size: usize,
    transform: Option<Transform>,
}

type Transform = Box<dyn FnMut(&mut Vec<u8>)>;

/// Twisted's `CHUNK_SIZE`.
const CHUNK_SIZE: usize = 16 * 1024;

impl FileSender {
    /// Sends what it reads, as it is.
    pub fn new() -> Self {
        Self { chunk_size: CHUNK_SIZE, transform: None }
    }

    /// How many bytes are read at a time; 16,384 by default.
    ///
    /// # Panics
    ///
    /// If it is zero.
    pub fn chunk_size(mut self, chunk_size: usize) -> Self {
        assert!(chunk_size > 0, "a piece of a file has at least one byte");
        self.chunk_size = chunk_size;
        self
    }

    /// Sends what `transform` makes of each piece.
    pub fn transform(mut self, transform: impl FnMut(&mut Vec<u8>) + 'static) -> Self {
        self.transform = Some(Box::new(transform));
        self
    }

    /// Sends what `file` has, as a pull producer. Fires with the last byte that was sent, if there was one, when all is written to the transport; cancelling
    /// the Deferred ends it.
    ///
    /// **Reading holds up the thread**: that is right for what is in memory and quick disks. See
    /// [`begin_stream_transfer`](FileSender::begin_stream_transfer) for others.
    ///
    /// # Errors
    ///
    /// The Deferred fails with the error of `file`; with [`AlreadyRegistered`](crate::protocol::AlreadyRegistered) if the transport has another
    /// producer; with [`FileTransferStopped`] if the connection ends before. The connection is closed by nobody.
    pub fn begin_file_transfer(self, file: impl Read + 'static, transport: &Transport) -> Deferred<Option<u8>> {
        pull::begin(file, Chunk::new(self), transport)
    }

    /// [`begin_file_transfer`](FileSender::begin_file_transfer) for what is read without holding up the thread, such as `rt::fs::File`: as a push
    /// producer, whose reading is a task of this thread.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// ```
    /// use rt::io::{AsyncReadExt, duplex};
    /// use rt::protocol::{FileSender, Protocol, Transport};
    ///
    /// struct Quiet;
    /// impl Protocol for Quiet {
    ///     fn data_received(&mut self, _: &Transport, _: &[u8]) {}
    /// }
    ///
    /// # fn main() -> std::io::Result<()> {
    /// # rt::block_on(async {
    /// let path = std::env::temp_dir().join(format!("rt-file-sender-{}", std::process::id()));
    /// rt::fs::write(&path, b"hello, peer").await?;
    /// let (near, mut far) = duplex(64);
    /// let transport = rt::protocol::drive(near, Quiet).transport();
    ///
    /// let file = rt::fs::File::open(&path).await?;
    /// let last = FileSender::new().begin_stream_transfer(file, &transport).await.unwrap();
    /// assert_eq!(last, Some(b'r'));
    /// transport.lose_connection();
    ///
    /// let mut received = String::new();
    /// far.read_to_string(&mut received).await?;
    /// assert_eq!(received, "hello, peer");
    /// rt::fs::remove_file(&path).await?;
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn begin_stream_transfer(self, file: impl AsyncRead + 'static, transport: &Transport) -> Deferred<Option<u8>> {
        push::begin(file, Chunk::new(self), transport)
    }
}

impl Default for FileSender {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for FileSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileSender").field("chunk_size", &self.chunk_size).finish_non_exhaustive()
    }
}
