//! The task that waits for the end of a process.

use super::running::Running;
use super::{ProcessEnd, ProcessProtocol};
use rt_deferred::Failure;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

pub(super) struct Waiter<P: ProcessProtocol>(pub(super) Rc<Running<P>>);

impl<P: ProcessProtocol> Future for Waiter<P> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Poll::Ready(status) = self.0.state.poll_wait(cx) else { return Poll::Pending };
        match status {
            Some(Ok(status)) => self.0.has_exited(status.into()),
            Some(Err(error)) => self.0.has_exited(ProcessEnd::Unknown(Failure::new(error))),
            None => self.0.end_if_all_is_over(),
        }
        Poll::Ready(())
    }
}

/// Before the end of the process, the runtime has ended.
impl<P: ProcessProtocol> Drop for Waiter<P> {
    fn drop(&mut self) {
        if self.0.state.exit().is_none() {
            self.0.is_abandoned();
        }
    }
}
