//! One thing from one thread to another, or back if the other has left.

use std::sync::PoisonError;
use std::task::{Context, Poll, Waker};

use crate::primitives::{Mutex, MutexGuard};

/// The place where it changes hands. One puts, one takes.
pub(crate) struct Handover<T>(Mutex<State<T>>);

enum State<T> {
    /// Nothing yet, and who waits for it.
    Empty(Option<Waker>),
    Full(T),
    /// Taken, or nobody will take it.
    Closed,
}

impl<T> Handover<T> {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(State::Empty(None)))
    }

    /// Leaves it to be taken.
    ///
    /// # Errors
    ///
    /// What was to be left, if nobody will take it.
    pub(crate) fn put(&self, value: T) -> Result<(), T> {
        let waker = {
            let mut state = self.lock();
            match &mut *state {
                State::Empty(waker) => {
                    let waker = waker.take();
                    *state = State::Full(value);
                    waker
                }
                State::Full(_) | State::Closed => return Err(value),
            }
        };
        // Outside of the lock: it is others' code.
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(())
    }

    /// What was left; otherwise `cx` is woken when there is something.
    ///
    /// # Panics
    ///
    /// If it was taken already.
    pub(crate) fn poll_take(&self, cx: &mut Context<'_>) -> Poll<T> {
        // Cloned in advance and outside of the lock, as it is others' code.
        let waker = cx.waker().clone();
        let former = {
            let mut state = self.lock();
            match &mut *state {
                State::Empty(place) => place.replace(waker),
                State::Full(_) | State::Closed => match std::mem::replace(&mut *state, State::Closed) {
                    State::Full(value) => return Poll::Ready(value),
                    _ => panic!("polled after its end"),
                },
            }
        };
        drop(former);
        Poll::Pending
    }

    /// Takes what is there, and nothing will be taken later.
    pub(crate) fn close(&self) -> Option<T> {
        let former = std::mem::replace(&mut *self.lock(), State::Closed);
        match former {
            State::Full(value) => Some(value),
            State::Empty(_) | State::Closed => None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
