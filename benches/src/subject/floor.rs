//! The floor's executor as a subject. Its servers and what crosses threads are loops of their own, without futures.

use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use super::{Subject, Timers};
use crate::floor::{executor, wheel};

/// A bare executor; see [`crate::floor`].
pub struct Floor;

impl Subject for Floor {
    const NAME: &'static str = "floor";
    type Task = ();

    fn block_on<T: 'static>(future: impl Future<Output = T> + 'static) -> T {
        executor::block_on(future)
    }

    fn spawn(future: impl Future<Output = ()> + Send + 'static) {
        executor::spawn(future);
    }

    /// Waits for all tasks: the floor knows how many are live, not which.
    fn join((): ()) -> impl Future<Output = ()> {
        executor::all_ended()
    }

    fn detach((): ()) {}

    fn yield_now() -> impl Future<Output = ()> + Send {
        smol::future::yield_now()
    }
}

impl Timers for Floor {
    fn sleep(duration: Duration) -> impl Future<Output = ()> {
        wheel::sleep(duration)
    }

    async fn timeout<T>(duration: Duration, future: impl Future<Output = T>) -> Option<T> {
        let mut sleep = pin!(wheel::sleep(duration));
        let mut future = pin!(future);
        poll_fn(|cx| match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => sleep.as_mut().poll(cx).map(|()| None),
        })
        .await
    }

    fn spawn_sleeping<const STATE: usize>(micros: u64) {
        let state = [1_u8; STATE];
        executor::spawn(async move {
            wheel::sleep(Duration::from_micros(micros)).await;
            black_box(&state);
        });
    }
}
