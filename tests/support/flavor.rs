//! Which runtime the tests run on: the current-thread flavor, or with `RT_TEST_WORKERS=n` the multi-thread flavor with so many
//! workers. `.ci/run` runs them on both.
#![allow(dead_code)]

use std::future::Future;

use rt::runtime::{Builder, Runtime};

/// How many workers there are; 0 stands for the current-thread flavor.
pub(crate) fn workers() -> usize {
    let asked = std::env::var("RT_TEST_WORKERS").unwrap_or_default();
    if asked.is_empty() { 0 } else { asked.parse().expect("RT_TEST_WORKERS is a number of workers") }
}

/// A builder of the flavor that is tested.
pub(crate) fn builder() -> Builder {
    match workers() {
        0 => Builder::new_current_thread(),
        count => {
            let mut builder = Builder::new_multi_thread();
            builder.worker_threads(count);
            builder
        }
    }
}

/// A runtime of the flavor that is tested.
pub(crate) fn runtime() -> Runtime {
    builder().build().unwrap()
}

/// Runs `future` on a runtime of the flavor that is tested.
#[track_caller]
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    runtime().block_on(future)
}

/// A runtime of the current-thread flavor, for what is so only where everything runs on one thread.
pub(crate) fn one_thread() -> Runtime {
    Builder::new_current_thread().build().unwrap()
}

/// Each worker has had a timer, and so has the descriptor that its timers need, from here on.
pub(crate) async fn timers_everywhere() {
    for worker in 0..workers().max(1) {
        let timer = || rt::time::sleep(std::time::Duration::from_micros(100));
        rt::spawn_pinned(worker, timer).unwrap().await.unwrap();
    }
}
