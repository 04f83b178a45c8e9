//! Between a source and the driver: when the source joins, for what, and how it leaves.

use crate::primitives::Mutex;
use crate::primitives::atomic::{AtomicU8, Ordering};
use crate::reactor::driver::DriverHandle;
use crate::reactor::readiness::{Direction, Observed, Readiness};
use crate::reactor::ready::{Interest, Ready};
use crate::reactor::registry::gone;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// The readiness of one source, and its membership in a driver.
pub(crate) struct Registration {
    readiness: Arc<Readiness>,
    /// Bits of the interest that the driver watches for now: 0 before the source has joined.
    watched: AtomicU8,
    membership: Mutex<Option<Membership>>,
    joining: Joining,
}

struct Membership {
    driver: Arc<DriverHandle>,
    token: mio::Token,
}

/// How a source comes to its driver.
enum Joining {
    /// It joined when it was made, for all it will ever wait for.
    Done,
    /// It joins where it first pends, for the direction in which it pends, and for the other one when that pends too. Most
    /// connections only ever wait for bytes to read: they cost one call of `epoll_ctl` and are never woken for room to write.
    #[cfg(unix)]
    WhenPending { descriptor: std::os::fd::RawFd },
}

impl Registration {
    /// Joins the driver of this thread's runtime at once.
    pub(crate) fn join_now(
        io: &mut dyn mio::event::Source,
        descriptor: Option<i32>,
        interest: Interest,
    ) -> io::Result<Self> {
        let driver = driver_of_this_thread();
        let readiness = Arc::new(Readiness::new(Ready::EMPTY));
        let token = driver.register_descriptor(io, descriptor, &readiness, interest)?;
        Ok(Self {
            readiness,
            watched: AtomicU8::new(interest.bits()),
            membership: Mutex::new(Some(Membership { driver, token })),
            joining: Joining::Done,
        })
    }

    /// Joins later. `descriptor` must be open until this is dropped or has [left](Registration::leave), and closed then.
    #[cfg(unix)]
    pub(crate) fn join_when_pending(descriptor: std::os::fd::RawFd, presumed: Ready) -> Self {
        Self {
            readiness: Arc::new(Readiness::new(presumed)),
            watched: AtomicU8::new(0),
            membership: Mutex::new(None),
            joining: Joining::WhenPending { descriptor },
        }
    }

    /// Ready, or `cx` is woken when `direction` is; it takes the place of who waited here before.
    #[inline]
    pub(crate) fn poll_ready(&self, direction: Direction, cx: &Context<'_>) -> Poll<io::Result<Observed>> {
        let observed = match self.readiness.observe(direction.interest()) {
            Some(observed) => observed,
            None => {
                self.watch(direction.interest())?;
                ready!(self.readiness.poll(direction, cx))
            }
        };
        Poll::Ready(alive(observed))
    }

    /// Waits for `interest` among any number of others.
    pub(crate) fn wait(&self, interest: Interest) -> Wait<'_> {
        Wait { registration: self, interest, place: None }
    }

    /// What is known right now. `None`: nothing that `interest` asks for. A direction that nobody watches is not known, and then
    /// an operation should simply be tried.
    pub(crate) fn observe(&self, interest: Interest) -> Option<Observed> {
        self.readiness.observe(interest)
    }

    /// Whether an event will tell when `interest` is satisfied.
    pub(crate) fn watches(&self, interest: Interest) -> bool {
        self.watched.load(Ordering::Acquire) & interest.bits() == interest.bits()
    }

    /// Takes back what turned out not to be so (any more), unless an event came since.
    #[inline]
    pub(crate) fn clear(&self, observed: Observed, used_up: Ready) {
        self.readiness.clear(observed, used_up);
    }

    /// Makes sure that the driver watches for `interest`.
    pub(crate) fn watch(&self, interest: Interest) -> io::Result<()> {
        if self.watches(interest) {
            return Ok(());
        }
        match self.joining {
            Joining::Done => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("the source was made for {:?} and can not wait for {interest:?}", self.interest()),
            )),
            #[cfg(unix)]
            Joining::WhenPending { descriptor } => self.widen(descriptor, interest),
        }
    }

    #[cfg(unix)]
    #[cold]
    fn widen(&self, descriptor: std::os::fd::RawFd, interest: Interest) -> io::Result<()> {
        let mut io = mio::unix::SourceFd(&descriptor);
        let mut membership = self.membership.lock();
        let interest = with_urgency(self.interest().map_or(interest, |watched| watched | interest));
        match &*membership {
            Some(Membership { driver, token }) => driver.reregister(&mut io, *token, interest)?,
            None => {
                let driver = driver_of_this_thread();
                let token = driver.register_descriptor(&mut io, Some(descriptor), &self.readiness, interest)?;
                *membership = Some(Membership { driver, token });
            }
        }
        // Written under the lock, so that two directions that pend at the same time both stay watched.
        self.watched.store(interest.bits(), Ordering::Release);
        Ok(())
    }

    fn interest(&self) -> Option<Interest> {
        Interest::from_bits(self.watched.load(Ordering::Acquire))
    }

    /// Leaves the driver with a call to the kernel: for a descriptor that stays open.
    pub(crate) fn leave(&self, io: &mut dyn mio::event::Source) {
        let membership = self.membership.lock().take();
        if let Some(Membership { driver, token }) = membership {
            // It can only say that the kernel did not watch it anyway.
            let _ = driver.deregister(io, token);
        }
    }

    /// The same for a source that joins by its descriptor.
    #[cfg(unix)]
    pub(crate) fn leave_by_descriptor(&self) {
        if let Joining::WhenPending { descriptor } = self.joining {
            self.leave(&mut mio::unix::SourceFd(&descriptor));
        }
    }

    /// Whether closing the descriptor is all it takes to leave.
    pub(crate) fn leaves_by_closing(&self) -> bool {
        !matches!(self.joining, Joining::Done)
    }
}

impl Drop for Registration {
    /// No `EPOLL_CTL_DEL` here: the descriptor is about to be closed, which takes it out of epoll, and saves a call per connection.
    /// What comes until then, or for a duplicate that stays open, carries a token that means nothing any more. (Sources whose
    /// descriptor may stay open have left before.)
    fn drop(&mut self) {
        let membership = self.membership.lock().take();
        if let Some(Membership { driver, token }) = membership {
            driver.forget(token);
        }
    }
}

/// The future of [`Registration::wait`].
#[must_use = "futures do nothing unless polled"]
pub(crate) struct Wait<'a> {
    registration: &'a Registration,
    interest: Interest,
    place: Option<usize>,
}

impl Future for Wait<'_> {
    type Output = io::Result<Observed>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let readiness = &this.registration.readiness;
        // Not only when nothing is known: who waits for either direction must hear of both.
        let known = readiness.observe(this.interest).map_or(Ready::EMPTY, |observed| observed.ready);
        if !this.interest.is_all_in(known) {
            this.registration.watch(this.interest)?;
        }
        let observed = ready!(readiness.poll_place(this.interest, &mut this.place, cx));
        ready!(crate::coop::poll_proceed(cx));
        Poll::Ready(alive(observed))
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            self.registration.readiness.leave(place);
        }
    }
}

#[inline]
fn alive(observed: Observed) -> io::Result<Observed> {
    if observed.abandoned { Err(gone()) } else { Ok(observed) }
}

/// A byte stream that joins late also hears of urgent data: a read stops short at it although there are bytes behind it.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn with_urgency(interest: Interest) -> Interest {
    if interest.is_readable() { interest | Interest::PRIORITY } else { interest }
}

#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
fn with_urgency(interest: Interest) -> Interest {
    interest
}

/// The only place here that asks which runtime this thread is in.
fn driver_of_this_thread() -> Arc<DriverHandle> {
    match crate::context::reactor_handle() {
        Some(reactor) => reactor.driver().clone(),
        None => panic!("{}", crate::context::NO_RUNTIME),
    }
}
