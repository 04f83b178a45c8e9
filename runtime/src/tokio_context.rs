//! A runtime of tokio beside this one, so that crates which need tokio's context find it on every thread of ours.
//!
//! A thread enters it when it enters our runtime or begins to drive a worker, once: a poll costs nothing more.

#[cfg(feature = "tokio-context")]
pub(crate) use self::on::{Entered, TokioContext};

#[cfg(not(feature = "tokio-context"))]
pub(crate) use self::off::{Entered, TokioContext};

#[cfg(feature = "tokio-context")]
mod on {
    use std::fmt;
    use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

    use tokio::runtime::{Builder, EnterGuard, Handle, Runtime};

    /// `None` unless the runtime was built with it.
    pub(crate) struct TokioContext(Option<Beside>);

    /// Started by the first thread that enters.
    #[derive(Default)]
    struct Beside {
        /// `None` inside: our runtime had ended before anybody entered.
        handle: OnceLock<Option<Handle>>,
        state: Mutex<State>,
    }

    #[derive(Default)]
    enum State {
        #[default]
        NotStarted,
        Started(Runtime),
        /// A worker that begins late must not start another one, which nobody would end.
        Ended,
    }

    impl TokioContext {
        pub(crate) fn new(wanted: bool) -> Self {
            Self(wanted.then(Beside::default))
        }

        /// Until the guard is dropped, this thread is in tokio's context, too.
        pub(crate) fn enter(&self) -> Entered<'_> {
            Entered(self.0.as_ref().and_then(Beside::enter))
        }

        /// Ends it without waiting: its tasks are dropped on its own thread.
        pub(crate) fn shut_down(&self) {
            let state = self.0.as_ref().map(|beside| std::mem::replace(&mut *beside.lock(), State::Ended));
            if let Some(State::Started(runtime)) = state {
                runtime.shutdown_background();
            }
        }
    }

    impl Beside {
        fn enter(&self) -> Option<EnterGuard<'_>> {
            // On a thread that exits, tokio's own thread-local storage may be gone, and `enter` would panic.
            let is_exiting = Handle::try_current().is_err_and(|error| error.is_thread_local_destroyed());
            if is_exiting { None } else { self.handle.get_or_init(|| self.start()).as_ref().map(Handle::enter) }
        }

        fn start(&self) -> Option<Handle> {
            let mut state = self.lock();
            if matches!(*state, State::Ended) {
                return None;
            }
            let runtime = Builder::new_multi_thread()
                .worker_threads(1)
                .thread_name("rt-tokio")
                .enable_all()
                .build()
                .expect("tokio's runtime for `Builder::tokio_context` could not be started");
            let handle = runtime.handle().clone();
            *state = State::Started(runtime);
            Some(handle)
        }

        fn lock(&self) -> MutexGuard<'_, State> {
            self.state.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }

    /// Leaves tokio's context when it is dropped.
    pub(crate) struct Entered<'a>(#[expect(dead_code, reason = "its drop is what it is for")] Option<EnterGuard<'a>>);

    impl fmt::Debug for Entered<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Entered")
        }
    }

    #[cfg(all(test, not(loom)))]
    mod tests {
        use super::*;

        #[test]
        fn who_enters_after_the_end_starts_nothing() {
            let context = TokioContext::new(true);
            context.shut_down();
            let entered = context.enter();
            assert!(Handle::try_current().is_err());
            drop(entered);
        }
    }
}

#[cfg(not(feature = "tokio-context"))]
mod off {
    use std::marker::PhantomData;

    pub(crate) struct TokioContext;

    impl TokioContext {
        pub(crate) fn new(_: bool) -> Self {
            Self
        }

        pub(crate) fn enter(&self) -> Entered<'_> {
            Entered(PhantomData)
        }

        pub(crate) fn shut_down(&self) {}
    }

    #[derive(Debug)]
    pub(crate) struct Entered<'a>(PhantomData<&'a ()>);
}
