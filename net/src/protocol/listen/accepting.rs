//! The task of a port: takes connections and starts protocols.

use crate::protocol::start::{start, stop};
use crate::protocol::{Address, Factory, Listening, Port};
use crate::serve::{Door, Listener, NoticeKind, Notices};
use futures_util::io::{AsyncRead, AsyncWrite};
use rt_deferred::unhandled::{self, Unhandled};
use rt_deferred::{Deferred, OneShotObservers};
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

/// Begins to take connections from `listener`.
#[track_caller]
pub(crate) fn listen_with<L, F>(listener: L, mut factory: F, notices: Notices) -> io::Result<Port>
where
    L: Listener<Io: AsyncRead + AsyncWrite + Unpin, Addr: Into<Address>>,
    F: Factory,
{
    let shared = Rc::new(Shared {
        host: listener.local_addr()?.into(),
        is_stopping: Cell::new(false),
        task: RefCell::new(None),
        closed: OneShotObservers::new(),
    });
    factory.start_factory();
    let accepting = Accepting {
        open: Some(Open { door: Door::new(listener, ()), factory }),
        notices,
        shared: shared.clone(),
        made: Location::caller(),
    };
    // It ends by itself; its handle would only be in the way.
    drop(rt_runtime::spawn_local(accepting));
    Ok(Port::new(shared))
}

/// What the port's handles and its task have in common.
struct Shared {
    host: Address,
    is_stopping: Cell<bool>,
    /// Wakes the task.
    task: RefCell<Option<Waker>>,
    closed: OneShotObservers<()>,
}

impl Listening for Shared {
    fn host(&self) -> Address {
        self.host.clone()
    }

    fn stop_listening(&self) -> Deferred<()> {
        self.is_stopping.set(true);
        let task = self.task.take();
        if let Some(task) = task {
            task.wake();
        }
        self.closed.when_fired()
    }
}

/// The task.
struct Accepting<L: Listener, F: Factory> {
    /// `None` when it is closed.
    open: Option<Open<L, F>>,
    notices: Notices,
    shared: Rc<Shared>,
    /// Where the port was made.
    made: &'static Location<'static>,
}

struct Open<L, F> {
    door: Door<L>,
    factory: F,
}

/// Nothing in it is pinned.
impl<L: Listener, F: Factory> Unpin for Accepting<L, F> {}

impl<L, F> Future for Accepting<L, F>
where
    L: Listener<Io: AsyncRead + AsyncWrite + Unpin, Addr: Into<Address>>,
    F: Factory,
{
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        while let Some(open) = &mut this.open
            && !this.shared.is_stopping.get()
        {
            let next = open.door.poll_next(cx, &this.notices);
            if next.is_pending() {
                this.shared.wake_by(cx.waker());
            }
            match ready!(next) {
                Ok((stream, peer)) => {
                    if let Err(failure) = start(stream, &peer.into(), &mut open.factory) {
                        unhandled::report(Unhandled::of_task(failure, this.made));
                    }
                }
                Err(error) => {
                    let host = &this.shared.host;
                    this.notices.say(NoticeKind::Listener, || format!("{host} is listened on no more: {error}"));
                    break;
                }
            }
        }
        this.close();
        Poll::Ready(())
    }
}

impl<L: Listener, F: Factory> Accepting<L, F> {
    fn close(&mut self) {
        let Some(Open { door, mut factory }) = self.open.take() else { return };
        drop(door);
        stop(&mut factory, self.made);
        drop(factory);
        self.shared.is_stopping.set(true);
        self.shared.task.take();
        let _ = self.shared.closed.fire(());
    }
}

/// The end of the runtime closes the port, too.
impl<L: Listener, F: Factory> Drop for Accepting<L, F> {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    fn wake_by(&self, waker: &Waker) {
        let mut task = self.task.borrow_mut();
        match &mut *task {
            Some(known) if known.will_wake(waker) => {}
            other => *other = Some(waker.clone()),
        }
    }
}
