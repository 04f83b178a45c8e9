//! How a connection learns that its server ends, without a lock on every turn.

use crate::Connection;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// The end of the server, as one connection waits for it.
pub(super) struct Ending<A> {
    connection: Connection<A>,
    bell: Option<Arc<Bell>>,
}

/// What the server wakes: it remembers that it was.
struct Bell {
    has_rung: AtomicBool,
    task: Waker,
}

impl<A> Ending<A> {
    pub(super) fn new(connection: Connection<A>) -> Ending<A> {
        Ending { connection, bell: None }
    }

    pub(super) fn poll(&mut self, cx: &Context<'_>) -> Poll<()> {
        if let Some(bell) = &self.bell
            && bell.task.will_wake(cx.waker())
        {
            // Acquire: pairs with the ringing. What the server has done before is seen.
            return if bell.has_rung.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending };
        }
        let bell = Arc::new(Bell { has_rung: AtomicBool::new(false), task: cx.waker().clone() });
        self.bell = Some(bell.clone());
        self.connection.poll_draining(&mut Context::from_waker(&Waker::from(bell)))
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.has_rung.store(true, Ordering::Release);
        self.task.wake_by_ref();
    }
}
