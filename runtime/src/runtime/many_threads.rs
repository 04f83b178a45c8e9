//! The multi-thread flavor: who blocks on a future sits at the front seat, if it is free.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::{Handle, Patience, Within};
use crate::context;
use crate::deferred::Beside;
use crate::executor::crew::{Crew, FRONT, Seated};
use crate::executor::locals;
use crate::executor::park::{self, Parker};

/// How long a thread that gives way may take, before the future is polled without a worker. It may be in a poll that waits for the
/// future to do something.
const TIME_TO_LEAVE: Duration = Duration::from_millis(5);

pub(super) struct ManyThreads {
    crew: Arc<Crew>,
}

impl ManyThreads {
    pub(super) fn new(crew: Arc<Crew>) -> Self {
        Self { crew }
    }

    pub(super) fn block_on<F: Future>(
        &self,
        handle: &Handle,
        future: Within<'_, F>,
        called_at: &'static Location<'static>,
    ) -> F::Output {
        let mut future = Beside::new(future);
        let parker = Arc::new(Parker::default());
        loop {
            let seated = match self.wait_for_seat(handle, &mut future, &parker) {
                Ok(seated) => seated,
                Err(output) => return output,
            };
            let worker = seated.worker();
            let reactor = worker.reactor().handle();
            match locals::with(handle.shared(), reactor, |locals| worker.block_on_among(locals, future, called_at)) {
                Ok(output) => return output,
                Err(unfinished) => future = unfinished,
            }
        }
    }

    /// The front seat; or, if the future is ready before that is free, its output. Meanwhile only the future runs here.
    fn wait_for_seat<F: Future>(
        &self,
        handle: &Handle,
        future: &mut Beside<Within<'_, F>>,
        parker: &Arc<Parker>,
    ) -> Result<Seated<'_>, F::Output> {
        let seated = |post| Seated { crew: &self.crew, seat: FRONT, post: Some(post) };
        if let Some(post) = self.crew.take_front_or_wait(parker) {
            return Ok(seated(post));
        }
        let _call = self.crew.call_for_front(Arc::clone(parker));
        if self.crew.gives_front_way() {
            // Almost always it leaves at once, and the future can do from the beginning what needs a worker, such as `spawn_local`.
            parker.park_timeout(TIME_TO_LEAVE);
            if let Some(post) = self.crew.take_front_or_wait(parker) {
                return Ok(seated(post));
            }
        }
        let entered = handle.enter();
        let future = Inside(future);
        future.0.without_worker(handle);
        match park::block_on_unless(Pin::new(&mut *future.0), parker, || self.crew.take_front_or_wait(parker)) {
            Ok(output) => Err(output),
            Err(post) => {
                // Whatever panics from here on, the worker is put back.
                let seated = seated(post);
                std::mem::forget(future);
                drop(entered);
                Ok(seated)
            }
        }
    }

    pub(super) fn close(&self, handle: &Handle, patience: Patience) {
        locals::close(handle.shared());
        let timeout = if let Patience::Some(timeout) = patience { Some(timeout) } else { None };
        let waits = patience != Patience::None && !context::is_at_work_in(handle);
        self.crew.close(timeout, waits);
    }
}

/// Empties the future while its runtime is still entered, also by unwinding.
struct Inside<'a, 'b, F>(&'a mut Beside<Within<'b, F>>);

impl<F> Drop for Inside<'_, '_, F> {
    fn drop(&mut self) {
        self.0.future.0.set(None);
    }
}
