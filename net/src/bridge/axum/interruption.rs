//! What may end a connection from outside: its server's end, and a client that does nothing. A turn of the connection that neither
//! concerns costs one load.

use super::activity::Watch;
use crate::Connection;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// Waits for both, with a waker that remembers that it was woken.
pub(super) struct Interruptions<A> {
    connection: Connection<A>,
    watch: Option<Watch>,
    bell: Option<Arc<Bell>>,
}

pub(super) enum Interruption {
    /// The server ends. Told again and again.
    Ending,
    /// The client has done nothing for too long.
    Quiet,
}

struct Bell {
    has_rung: AtomicBool,
    task: Waker,
}

impl<A> Interruptions<A> {
    pub(super) fn new(connection: Connection<A>) -> Self {
        Interruptions { connection, watch: None, bell: None }
    }

    /// From now on it is watched whether the client does something.
    pub(super) fn watch(&mut self, watch: Option<Watch>) {
        self.watch = watch;
        self.bell = None;
    }

    #[inline]
    pub(super) fn poll(&mut self, cx: &Context<'_>) -> Poll<Interruption> {
        match &self.bell {
            // Acquire: pairs with the ringing. What has been done before it is seen.
            Some(bell) if bell.task.will_wake(cx.waker()) && !bell.has_rung.load(Ordering::Acquire) => Poll::Pending,
            _ => self.look(cx),
        }
    }

    #[cold]
    fn look(&mut self, cx: &Context<'_>) -> Poll<Interruption> {
        // A new one, for the old one may yet be rung.
        let bell = Arc::new(Bell { has_rung: AtomicBool::new(false), task: cx.waker().clone() });
        self.bell = Some(bell.clone());
        let bell = Waker::from(bell);
        let mut cx = Context::from_waker(&bell);
        if let Some(watch) = &mut self.watch
            && watch.poll_quiet(&mut cx).is_ready()
        {
            return Poll::Ready(Interruption::Quiet);
        }
        self.connection.poll_draining(&mut cx).map(|()| Interruption::Ending)
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
