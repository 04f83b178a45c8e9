//! Time as its users see it, with virtual time wherever the clock has a say.

mod sleeping;
mod resetting;
mod elsewhere;
mod siblings;
mod timing_out;
mod giving_way;
mod intervals;
mod calling_later;
mod virtual_time;
mod instants;

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn, ready};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures_core::Stream;

use super::testing::{World, poll_with};
use super::*;
use crate::reactor::testing::Flag;
use crate::reactor::{Reactor, Wait};
use crate::spawn::spawn_local;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// What happened, in order.
#[derive(Clone, Default)]
struct Trace(Rc<RefCell<Vec<String>>>);

impl Trace {
    fn note(&self, word: impl ToString) {
        self.0.borrow_mut().push(word.to_string());
    }

    /// A closure that notes a word.
    fn noting(&self, word: &'static str) -> impl FnOnce() + 'static {
        let trace = self.clone();
        move || trace.note(word)
    }

    fn take(&self) -> Vec<String> {
        self.0.take()
    }
}

fn panic_text<T>(f: impl FnOnce() -> T) -> String {
    let Err(panic) = catch_unwind(AssertUnwindSafe(f)) else { panic!("it did not panic") };
    panic.downcast_ref::<String>().cloned().unwrap_or_else(|| panic.downcast_ref::<&str>().unwrap().to_string())
}

async fn yields(times: u32) {
    for _ in 0..times {
        let mut yielded = false;
        poll_fn(|cx| match std::mem::replace(&mut yielded, true) {
            true => Poll::Ready(()),
            false => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        })
        .await;
    }
}

#[test]
fn futures_are_small_and_may_be_shared() {
    fn is_shared<T: Send + Sync + Unpin>() {}
    is_shared::<Sleep>();
    is_shared::<Interval>();
    is_shared::<Timeout<std::future::Ready<()>>>();
    assert_eq!(size_of::<Sleep>(), 32);
}

#[test]
fn wakers_run_without_borrows() {
    struct Arms(std::sync::Mutex<Option<Sleep>>);
    impl std::task::Wake for Arms {
        fn wake(self: Arc<Self>) {
            let mut sleep = sleep(SECOND);
            assert!(poll_with(&mut sleep, Waker::noop()).is_pending());
            *self.0.lock().unwrap() = Some(sleep);
        }
    }
    let (world, arms) = (World::paused(), Arc::new(Arms(Default::default())));
    let mut first = world.drive(|| sleep(SECOND));
    assert!(world.drive(|| poll_with(&mut first, &Waker::from(arms.clone()))).is_pending());
    world.turn(Wait::Block);
    assert!(arms.0.lock().unwrap().is_some());
    assert_eq!(world.armed_timers(), 1);
}
