//! What sending by pull and by push have in common.

use super::{FileSender, Transform};
use crate::protocol::Transport;
use rt_deferred::{Failure, Resolver};
use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::io;

/// How far a transfer is, and who waits for it.
pub(super) struct Transfer {
    transport: Transport,
    /// Nobody waits any more when the transfer is over.
    waiting: Cell<Option<Resolver<Option<u8>>>>,
    last: Cell<Option<u8>>,
    sent: Cell<u64>,
}

impl Transfer {
    pub(super) fn new(transport: &Transport) -> Self {
        Self { transport: transport.clone(), waiting: Cell::default(), last: Cell::new(None), sent: Cell::new(0) }
    }

    pub(super) fn begin(&self, waiting: Resolver<Option<u8>>) {
        self.waiting.set(Some(waiting));
    }

    pub(super) fn is_over(&self) -> bool {
        let waiting = self.waiting.take();
        let is_over = waiting.is_none();
        self.waiting.set(waiting);
        is_over
    }

    pub(super) fn write(&self, chunk: &[u8]) {
        if let Some(last) = chunk.last() {
            self.last.set(Some(*last));
            self.sent.set(self.sent.get() + chunk.len() as u64);
            self.transport.write(chunk);
        }
    }

    /// The file is at its end, or can not be read.
    pub(super) fn end(&self, result: io::Result<()>) {
        if let Some(waiting) = self.waiting.take() {
            self.transport.unregister_producer();
            let _ = waiting.resolve(result.map(|()| self.last.get()).map_err(Failure::new));
        }
    }

    /// The transport is gone.
    pub(super) fn stop(&self) {
        if let Some(waiting) = self.waiting.take() {
            let _ = waiting.errback(Failure::new(FileTransferStopped { sent: self.sent.get() }));
        }
    }

    /// Nobody wants it any more.
    pub(super) fn cancel(&self) {
        if self.waiting.take().is_some() {
            self.transport.unregister_producer();
        }
    }

    /// It could not begin.
    pub(super) fn refuse(&self, error: impl Into<Failure>) {
        if let Some(waiting) = self.waiting.take() {
            let _ = waiting.errback(error);
        }
    }
}

/// A piece of a file, and what is done with it before it is sent.
pub(super) struct Chunk {
    buffer: Vec<u8>,
    size: usize,
    transform: Option<Transform>,
}

impl Chunk {
    pub(super) fn new(sender: FileSender) -> Self {
        Self { buffer: Vec::new(), size: sender.chunk_size, transform: sender.transform }
    }

    /// Where to read to.
    pub(super) fn room(&mut self) -> &mut [u8] {
        self.buffer.resize(self.size, 0);
        &mut self.buffer
    }

    /// What is to be sent, after so many bytes were read.
    pub(super) fn filled(&mut self, count: usize) -> &[u8] {
        self.buffer.truncate(count);
        if let Some(transform) = &mut self.transform {
            transform(&mut self.buffer);
        }
        &self.buffer
    }
}

/// The connection ended before a file was sent.
///
/// Counterpart: the plain `Exception` of `FileSender.stopProducing`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileTransferStopped {
    /// How many bytes were written to the transport.
    pub sent: u64,
}

impl fmt::Display for FileTransferStopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the connection ended before the file was sent; {} bytes of it were written", self.sent)
    }
}

impl Error for FileTransferStopped {}
