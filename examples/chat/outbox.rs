//! What waits to be sent to one client.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use futures_util::io::AsyncWrite;

/// Most bytes that may wait. A client for whom more is waiting is cut off.
const LIMIT: usize = 256 * 1024;

#[derive(Default)]
pub(crate) struct Outbox {
    queue: RefCell<Queue>,
}

#[derive(Default)]
struct Queue {
    bytes: VecDeque<u8>,
    closed: bool,
    /// Of the session that delivers.
    waker: Option<Waker>,
}

impl Outbox {
    /// Adds a line, and never waits for its receiver.
    pub(crate) fn push(&self, line: &str) {
        self.change(|queue| {
            if !queue.closed && queue.bytes.len() <= LIMIT {
                queue.bytes.extend(line.as_bytes());
                queue.bytes.push_back(b'\n');
            }
        });
    }

    /// Nothing more will be added.
    pub(crate) fn close(&self) {
        self.change(|queue| queue.closed = true);
    }

    fn change(&self, change: impl FnOnce(&mut Queue)) {
        let mut queue = self.queue.borrow_mut();
        change(&mut queue);
        let waker = queue.waker.take();
        drop(queue);
        waker.into_iter().for_each(Waker::wake);
    }

    /// Sends what is pushed until the outbox is closed, then ends the stream.
    ///
    /// Fails if the connection does, and as soon as the receiver is to be cut off.
    pub(crate) async fn deliver(&self, mut receiver: impl AsyncWrite + Unpin) -> io::Result<()> {
        poll_fn(|cx| self.poll_deliver(cx, Pin::new(&mut receiver))).await
    }

    fn poll_deliver(&self, cx: &mut Context<'_>, mut receiver: Pin<&mut impl AsyncWrite>) -> Poll<io::Result<()>> {
        let mut queue = self.queue.borrow_mut();
        queue.waker = Some(cx.waker().clone());
        while !queue.bytes.is_empty() {
            if queue.bytes.len() > LIMIT {
                return Poll::Ready(Err(io::Error::other("the client does not read")));
            }
            let count = ready!(receiver.as_mut().poll_write(cx, queue.bytes.as_slices().0))?;
            queue.bytes.drain(..count);
        }
        if queue.closed { receiver.poll_close(cx) } else { Poll::Pending }
    }
}
