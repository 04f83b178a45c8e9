//! Sending a piece each time the transport asks for one.

use super::transfer::{Chunk, Transfer};
use crate::protocol::{Producer, Transport};
use rt_deferred::Deferred;
use std::cell::Cell;
use std::io::{ErrorKind, Read};
use std::rc::Rc;

struct Pull<R> {
    transfer: Transfer,
    /// Out of its place while it is read from.
    file: Cell<Option<(R, Chunk)>>,
}

pub(super) fn begin<R: Read + 'static>(file: R, chunk: Chunk, transport: &Transport) -> Deferred<Option<u8>> {
    let pull = Rc::new(Pull { transfer: Transfer::new(transport), file: Cell::new(Some((file, chunk))) });
    let weak = Rc::downgrade(&pull);
    let (deferred, waiting) = Deferred::with_canceller(move |_| {
        if let Some(pull) = weak.upgrade() {
            pull.transfer.cancel();
            drop(pull.file.take());
        }
    });
    pull.transfer.begin(waiting);
    if let Err(error) = transport.register_producer(pull.clone(), false) {
        pull.transfer.refuse(error);
    }
    deferred
}

impl<R: Read> Producer for Pull<R> {
    fn resume_producing(&self) {
        let Some((mut file, mut chunk)) = self.file.take() else { return };
        let end = loop {
            match file.read(chunk.room()) {
                Ok(0) => break Ok(()),
                Ok(count) => {
                    let piece = chunk.filled(count);
                    self.transfer.write(piece);
                    if piece.is_empty() {
                        // Who writes nothing is not asked again.
                        continue;
                    }
                    if !self.transfer.is_over() {
                        self.file.set(Some((file, chunk)));
                    }
                    return;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        drop((file, chunk));
        self.transfer.end(end);
    }

    fn stop_producing(&self) {
        drop(self.file.take());
        self.transfer.stop();
    }
}
