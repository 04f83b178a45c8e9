//! Sending what a task reads, while the transport does not say to pause.

use super::transfer::{Chunk, Transfer};
use crate::protocol::{Producer, Transport};
use futures_util::io::AsyncRead;
use rt_deferred::Deferred;
use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

struct Push {
    transfer: Transfer,
    is_paused: Cell<bool>,
    /// The task that reads.
    reader: Cell<Option<Waker>>,
}

pub(super) fn begin<R: AsyncRead + 'static>(file: R, chunk: Chunk, transport: &Transport) -> Deferred<Option<u8>> {
    let push =
        Rc::new(Push { transfer: Transfer::new(transport), is_paused: Cell::new(false), reader: Cell::new(None) });
    let weak = Rc::downgrade(&push);
    let (deferred, waiting) = Deferred::with_canceller(move |_| {
        if let Some(push) = weak.upgrade() {
            push.transfer.cancel();
            push.wake();
        }
    });
    push.transfer.begin(waiting);
    match transport.register_producer(push.clone(), true) {
        Ok(()) => drop(rt_runtime::spawn_local(send(push, file, chunk))),
        Err(error) => push.transfer.refuse(error),
    }
    deferred
}

async fn send<R: AsyncRead>(push: Rc<Push>, file: R, mut chunk: Chunk) {
    let mut file = pin!(file);
    while let Some(read) = poll_fn(|cx| push.poll_read(cx, |cx| file.as_mut().poll_read(cx, chunk.room()))).await {
        match read {
            Ok(0) => push.transfer.end(Ok(())),
            Ok(count) => push.transfer.write(chunk.filled(count)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => push.transfer.end(Err(error)),
        }
    }
}

impl Push {
    /// Reads unless it is paused; `None` when the transfer is over.
    fn poll_read(
        &self,
        cx: &mut Context<'_>,
        read: impl FnOnce(&mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<Option<io::Result<usize>>> {
        if self.transfer.is_over() {
            return Poll::Ready(None);
        }
        self.reader.set(Some(cx.waker().clone()));
        if self.is_paused.get() {
            return Poll::Pending;
        }
        Poll::Ready(Some(ready!(read(cx))))
    }

    fn wake(&self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

impl Producer for Push {
    fn resume_producing(&self) {
        self.is_paused.set(false);
        self.wake();
    }

    fn pause_producing(&self) {
        self.is_paused.set(true);
    }

    fn stop_producing(&self) {
        self.transfer.stop();
        self.wake();
    }
}
