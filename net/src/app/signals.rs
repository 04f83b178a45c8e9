//! The signals that a run listens for.

use rt_runtime::signal::unix::{Signal, SignalKind, signal};
use std::future::poll_fn;
use std::io;
use std::task::Poll;

pub(super) struct Signals([Signal; 3]);

impl Signals {
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self([signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?]))
    }

    /// The next that comes. Dropping the future loses none.
    pub(super) async fn next(&mut self) -> SignalKind {
        first(&mut self.0).await
    }

    /// The next that asks to end. A `SIGHUP` that comes meanwhile is kept for [`next`](Self::next).
    pub(super) async fn next_end(&mut self) -> SignalKind {
        let [interrupt_and_terminate @ .., _] = &mut self.0;
        first(interrupt_and_terminate).await
    }
}

async fn first(signals: &mut [Signal]) -> SignalKind {
    poll_fn(|cx| {
        let came = signals.iter_mut().find_map(|signal| signal.poll_recv(cx).is_ready().then(|| signal.kind()));
        came.map_or(Poll::Pending, Poll::Ready)
    })
    .await
}
