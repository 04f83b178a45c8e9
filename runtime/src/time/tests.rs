//! Time as its users see it, with virtual time wherever the clock has a say.

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
    assert!(size_of::<Sleep>() <= 64);
}

mod sleeping {
    use super::*;

    #[test]
    fn ends_at_the_deadline_exactly() {
        World::paused().block_on(async {
            let start = Instant::now();
            let sleep = sleep(Duration::from_nanos(1_234_567));
            assert_eq!(sleep.deadline(), start + Duration::from_nanos(1_234_567));
            sleep.await;
            assert_eq!(start.elapsed(), Duration::from_nanos(1_234_567));
        });
    }

    #[test]
    fn is_never_early_by_the_real_clock() {
        World::real().block_on(async {
            for micros in [1, 50, 70, 1_000] {
                let start = std::time::Instant::now();
                sleep(Duration::from_micros(micros)).await;
                assert!(start.elapsed() >= Duration::from_micros(micros));
            }
        });
    }

    #[test]
    fn zero_and_past_do_not_wait() {
        let world = World::real();
        world.drive(|| {
            assert_eq!(poll_with(&mut sleep(Duration::ZERO), Waker::noop()), Poll::Ready(()));
            let past = Instant::now() - SECOND;
            assert_eq!(poll_with(&mut sleep_until(past), Waker::noop()), Poll::Ready(()));
        });
        assert_eq!(world.armed_timers(), 0);
    }

    #[test]
    fn for_ever_is_far_away() {
        let world = World::paused();
        world.drive(|| {
            let mut sleep = sleep(Duration::MAX);
            assert!(sleep.deadline() > Instant::now() + Duration::from_secs(29 * 365 * 86_400));
            assert_eq!(poll_with(&mut sleep, Waker::noop()), Poll::Pending);
            assert!(!sleep.is_elapsed());
        });
        assert_eq!(world.armed_timers(), 0);
    }

    #[test]
    fn counts_from_the_call() {
        World::paused().block_on(async {
            let start = Instant::now();
            let first = sleep(SECOND);
            sleep(SECOND * 3).await;
            first.await;
            assert_eq!(start.elapsed(), SECOND * 3);
        });
    }

    #[test]
    fn stays_ready() {
        World::paused().block_on(async {
            let mut sleep = pin!(sleep(SECOND));
            sleep.as_mut().await;
            assert!(sleep.is_elapsed());
            sleep.as_mut().await;
        });
    }

    #[test]
    fn unpolled_takes_no_timer() {
        let world = World::paused();
        world.drive(|| {
            let sleep = sleep(SECOND);
            assert_eq!(world.armed_timers(), 0);
            drop(sleep);
        });
    }

    #[test]
    fn dropped_takes_its_timer_out() {
        let world = World::paused();
        let flag = Flag::new();
        world.drive(|| {
            let mut sleep = sleep(SECOND);
            assert_eq!(poll_with(&mut sleep, &flag.waker()), Poll::Pending);
            assert_eq!(world.armed_timers(), 1);
            drop(sleep);
            assert_eq!(world.armed_timers(), 0);
        });
        assert_eq!(Arc::strong_count(&flag), 1);
    }

    #[test]
    fn wakes_the_latest_waker_only() {
        let world = World::paused();
        let (first, second) = (Flag::new(), Flag::new());
        world.drive(|| {
            let mut sleep = sleep(SECOND);
            assert_eq!(poll_with(&mut sleep, &first.waker()), Poll::Pending);
            assert_eq!(poll_with(&mut sleep, &second.waker()), Poll::Pending);
            assert_eq!(world.armed_timers(), 1);
            world.turn(Wait::Block);
            assert!(second.take() && !first.take());
            assert_eq!(poll_with(&mut sleep, &first.waker()), Poll::Ready(()));
        });
    }

    #[test]
    fn in_the_order_of_deadlines_then_of_arming() {
        let trace = Trace::default();
        let noted = trace.clone();
        World::paused().block_on(async move {
            for (name, micros) in [("c", 30), ("a", 10), ("b1", 20), ("b2", 20), ("b3", 20), ("d", 40)] {
                let trace = noted.clone();
                spawn_local(async move {
                    sleep(Duration::from_micros(micros)).await;
                    trace.note(name);
                });
            }
            sleep(MS).await;
        });
        assert_eq!(trace.take(), ["a", "b1", "b2", "b3", "c", "d"]);
    }

    #[test]
    fn outside_a_runtime_says_so() {
        assert_eq!(panic_text(|| sleep(SECOND)), crate::context::NO_RUNTIME);
        assert_eq!(panic_text(|| sleep_until(Instant::now())), crate::context::NO_RUNTIME);
    }

    #[test]
    fn a_hundred_thousand_at_once() {
        #[derive(Default)]
        struct Count(std::sync::atomic::AtomicUsize);
        impl std::task::Wake for Count {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
        }
        let (world, woken) = (World::paused(), Arc::new(Count::default()));
        let waker = Waker::from(woken.clone());
        world.drive(|| {
            let start = Instant::now();
            let mut sleeps: Vec<Sleep> = (0..100_000).map(|n| sleep(MS * (1 + n * 7919 % 1_000))).collect();
            sleeps.iter_mut().for_each(|sleep| assert!(poll_with(sleep, &waker).is_pending()));
            while start.elapsed() < MS * 500 {
                world.turn(Wait::Block);
            }
            assert_eq!(woken.0.load(std::sync::atomic::Ordering::Relaxed), 50_000);
            sleeps.retain(|sleep| !sleep.is_elapsed());
            assert_eq!(sleeps.len(), 50_000);
            assert_eq!(world.armed_timers(), 50_000);
            drop(sleeps);
            assert_eq!(world.armed_timers(), 0, "what was dropped is gone");
        });
    }
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

mod resetting {
    use super::*;

    #[test]
    fn earlier_and_later_while_armed_keeps_the_waker() {
        for (from, to) in [(1, 5), (5, 1)] {
            let world = World::paused();
            let flag = Flag::new();
            world.drive(|| {
                let start = Instant::now();
                let mut sleep = sleep(SECOND * from);
                assert_eq!(poll_with(&mut sleep, &flag.waker()), Poll::Pending);
                Pin::new(&mut sleep).reset(start + SECOND * to);
                assert_eq!(sleep.deadline(), start + SECOND * to);
                world.turn(Wait::Block);
                assert_eq!(start.elapsed(), SECOND * to);
                assert!(flag.take());
                assert!(sleep.is_elapsed());
            });
        }
    }

    #[test]
    fn after_it_fired_it_waits_again() {
        let world = World::paused();
        let flag = Flag::new();
        world.drive(|| {
            let start = Instant::now();
            let mut sleep = sleep(SECOND);
            assert_eq!(poll_with(&mut sleep, &flag.waker()), Poll::Pending);
            world.turn(Wait::Block);
            assert!(flag.take());
            Pin::new(&mut sleep).reset(start + SECOND * 3);
            assert!(!sleep.is_elapsed());
            assert_eq!(poll_with(&mut sleep, &flag.waker()), Poll::Pending);
            world.turn(Wait::Block);
            assert_eq!(start.elapsed(), SECOND * 3);
            assert!(flag.take());
            assert_eq!(poll_with(&mut sleep, &flag.waker()), Poll::Ready(()));
        });
    }

    #[test]
    fn after_it_was_ready_to_the_past_and_to_the_future() {
        World::paused().block_on(async {
            let start = Instant::now();
            let mut sleep = pin!(sleep(SECOND));
            sleep.as_mut().await;
            sleep.as_mut().reset(start);
            sleep.as_mut().await;
            assert_eq!(start.elapsed(), SECOND);
            sleep.as_mut().reset(start + SECOND * 2);
            sleep.as_mut().await;
            assert_eq!(start.elapsed(), SECOND * 2);
        });
    }

    #[test]
    fn unpolled() {
        World::paused().block_on(async {
            let start = Instant::now();
            let mut sleep = pin!(sleep(SECOND * 9));
            sleep.as_mut().reset(start + SECOND);
            sleep.await;
            assert_eq!(start.elapsed(), SECOND);
        });
    }
}

mod elsewhere {
    //! Sleeps on threads that do not drive their reactor.

    use super::*;

    #[test]
    fn polled_from_outside_it_wakes_across() {
        let world = World::paused();
        let flag = Flag::new();
        let mut sleep = world.enter(|| sleep(SECOND));
        assert_eq!(poll_with(&mut sleep, &flag.waker()), Poll::Pending);
        world.turn(Wait::Poll);
        assert_eq!(world.armed_timers(), 1);
        assert_eq!(poll_with(&mut sleep, &flag.waker()), Poll::Pending);
        world.turn(Wait::Block);
        assert!(flag.take());
        assert!(sleep.is_elapsed());
        assert_eq!(poll_with(&mut sleep, Waker::noop()), Poll::Ready(()));
    }

    #[test]
    fn another_waker_from_outside_gets_the_wake() {
        let world = World::paused();
        let (first, second) = (Flag::new(), Flag::new());
        let mut sleep = world.enter(|| sleep(SECOND));
        assert_eq!(poll_with(&mut sleep, &first.waker()), Poll::Pending);
        world.turn(Wait::Poll);
        assert_eq!(poll_with(&mut sleep, &second.waker()), Poll::Pending);
        world.turn(Wait::Block);
        assert!(second.take() && !first.take());
    }

    #[test]
    fn dropped_outside_its_timer_is_taken_out() {
        let world = World::paused();
        let flag = Flag::new();
        let (mut here, mut there) = (world.drive(|| sleep(SECOND)), world.enter(|| sleep(SECOND)));
        assert_eq!(world.drive(|| poll_with(&mut here, &flag.waker())), Poll::Pending);
        assert_eq!(poll_with(&mut there, &flag.waker()), Poll::Pending);
        world.turn(Wait::Poll);
        assert_eq!(world.armed_timers(), 2);
        std::thread::spawn(move || drop((here, there))).join().unwrap();
        world.turn(Wait::Poll);
        assert_eq!(world.armed_timers(), 0);
        assert_eq!(Arc::strong_count(&flag), 1);
    }

    #[test]
    fn armed_here_then_polled_outside_and_back() {
        let world = World::paused();
        let flag = Flag::new();
        let mut sleep = world.drive(|| sleep(SECOND));
        for _ in 0..3 {
            assert_eq!(world.drive(|| poll_with(&mut sleep, Waker::noop())), Poll::Pending);
            assert_eq!(poll_with(&mut sleep, &flag.waker()), Poll::Pending);
            world.turn(Wait::Poll);
            assert_eq!(world.armed_timers(), 1);
        }
        world.turn(Wait::Block);
        assert!(flag.take());
    }

    #[test]
    fn reset_outside_while_armed_here_keeps_the_waker() {
        let world = World::paused();
        let flag = Flag::new();
        let mut sleep = world.drive(|| sleep(SECOND * 5));
        let start = sleep.deadline() - SECOND * 5;
        assert_eq!(world.drive(|| poll_with(&mut sleep, &flag.waker())), Poll::Pending);
        Pin::new(&mut sleep).reset(start + SECOND);
        world.turn(Wait::Poll);
        world.turn(Wait::Block);
        assert!(flag.take());
        assert_eq!(world.reactor(Reactor::now), (start + SECOND).into_std());
    }

    #[test]
    fn reset_outside_while_armed_outside_keeps_the_waker() {
        let world = World::paused();
        let flag = Flag::new();
        let mut sleep = world.enter(|| sleep(SECOND));
        let start = sleep.deadline() - SECOND;
        assert_eq!(poll_with(&mut sleep, &flag.waker()), Poll::Pending);
        world.turn(Wait::Poll);
        Pin::new(&mut sleep).reset(start + SECOND * 5);
        world.turn(Wait::Poll);
        assert_eq!(world.armed_timers(), 1);
        world.turn(Wait::Block);
        assert!(flag.take());
        assert_eq!(world.reactor(Reactor::now), (start + SECOND * 5).into_std());
    }

    #[test]
    fn on_another_reactor_with_the_real_clock_it_is_armed_there() {
        let (home, other) = (World::real(), World::real());
        let flag = Flag::new();
        let mut sleep = home.drive(|| sleep(SECOND * 60));
        assert_eq!(home.drive(|| poll_with(&mut sleep, Waker::noop())), Poll::Pending);
        assert_eq!(other.drive(|| poll_with(&mut sleep, &flag.waker())), Poll::Pending);
        home.turn(Wait::Poll);
        assert_eq!((home.armed_timers(), other.armed_timers()), (0, 1));
        other.drive(|| Pin::new(&mut sleep).reset(Instant::now()));
        other.turn(Wait::Poll);
        // Rounded up to the end of a tick.
        while !flag.take() {
            other.turn(Wait::Block);
        }
        assert_eq!(other.drive(|| poll_with(&mut sleep, Waker::noop())), Poll::Ready(()));
    }

    #[test]
    fn on_another_reactor_whose_time_is_virtual_it_is_armed_at_home() {
        let (home, other) = (World::real(), World::paused());
        let mut sleep = home.drive(|| sleep(SECOND * 60));
        assert_eq!(other.drive(|| poll_with(&mut sleep, Waker::noop())), Poll::Pending);
        home.turn(Wait::Poll);
        assert_eq!((home.armed_timers(), other.armed_timers()), (1, 0));
    }

    #[test]
    fn virtual_at_home_it_is_armed_at_home() {
        let (home, other) = (World::paused(), World::real());
        let flag = Flag::new();
        let mut sleep = home.drive(|| sleep(SECOND));
        assert_eq!(other.drive(|| poll_with(&mut sleep, &flag.waker())), Poll::Pending);
        home.turn(Wait::Poll);
        assert_eq!((home.armed_timers(), other.armed_timers()), (1, 0));
        home.turn(Wait::Block);
        assert!(flag.take());
        assert_eq!(other.drive(|| poll_with(&mut sleep, &flag.waker())), Poll::Ready(()));
    }

    #[test]
    fn paused_after_it_was_armed_elsewhere_it_comes_home() {
        let (home, other) = (World::real(), World::real());
        let mut sleep = home.drive(|| sleep(SECOND * 60));
        assert_eq!(other.drive(|| poll_with(&mut sleep, Waker::noop())), Poll::Pending);
        assert_eq!(other.armed_timers(), 1);
        home.drive(pause);
        assert_eq!(other.drive(|| poll_with(&mut sleep, Waker::noop())), Poll::Pending);
        home.turn(Wait::Poll);
        assert_eq!((home.armed_timers(), other.armed_timers()), (1, 0));
    }

    #[test]
    fn made_where_another_runtime_was_entered_it_belongs_to_that() {
        let (driven, entered) = (World::real(), World::paused());
        let now = entered.drive(Instant::now);
        entered.handle().clock().advance_to((now + SECOND * 1_000).into_std());
        driven.drive(|| {
            let (mut sleep, time) = entered.enter(|| (sleep(SECOND), Instant::now()));
            assert_eq!(time, now + SECOND * 1_000);
            assert_eq!(sleep.deadline(), now + SECOND * 1_001);
            assert!(poll_with(&mut sleep, Waker::noop()).is_pending());
            entered.handle().clock().advance_to((now + SECOND * 1_001).into_std());
            assert!(poll_with(&mut sleep, Waker::noop()).is_ready());
        });
    }

    #[test]
    fn waited_for_by_a_real_thread() {
        let world = World::real();
        let mut sleep = world.enter(|| sleep(MS));
        let deadline = sleep.deadline();
        let (done, handle) = (Flag::new(), world.handle());
        let thread = std::thread::spawn({
            let done = done.clone();
            move || {
                struct Unpark(std::thread::Thread);
                impl std::task::Wake for Unpark {
                    fn wake(self: Arc<Self>) {
                        self.0.unpark();
                    }
                }
                let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
                while poll_with(&mut sleep, &waker).is_pending() {
                    std::thread::park();
                }
                done.waker().wake();
                handle.wake();
            }
        });
        while !done.take() {
            world.turn(Wait::Block);
        }
        thread.join().unwrap();
        assert!(Instant::now() >= deadline);
        assert_eq!(world.armed_timers(), 0);
    }

    #[test]
    fn a_runtime_that_is_gone_wakes_and_refuses() {
        let flag = Flag::new();
        let world = World::real();
        let (mut early, mut late) = (world.drive(|| sleep_until(Instant::now())), world.drive(|| sleep(SECOND * 60)));
        assert_eq!(world.drive(|| poll_with(&mut late, &flag.waker())), Poll::Pending);
        let mut outside = world.enter(|| sleep(SECOND * 60));
        assert_eq!(poll_with(&mut outside, &flag.waker()), Poll::Pending);
        drop(world);
        assert!(flag.take(), "it is told");
        assert_eq!(poll_with(&mut early, Waker::noop()), Poll::Ready(()));
        assert!(panic_text(|| poll_with(&mut late, Waker::noop())).contains("shut down"));
        assert!(panic_text(|| poll_with(&mut outside, Waker::noop())).contains("shut down"));
        Pin::new(&mut late).reset(Instant::now());
        assert!(late.is_elapsed());
        drop((early, late, outside));
    }
}

mod timing_out {
    use super::*;

    #[test]
    fn ready_at_once_arms_nothing_even_too_late() {
        let world = World::paused();
        world.drive(|| {
            let mut timeout = timeout_at(Instant::now() - SECOND, ready(7));
            assert_eq!(poll_with(&mut timeout, Waker::noop()), Poll::Ready(Ok(7)));
            assert_eq!(world.armed_timers(), 0);
        });
    }

    #[test]
    fn elapses_at_the_deadline() {
        World::paused().block_on(async {
            let start = Instant::now();
            assert!(timeout(SECOND, pending::<()>()).await.is_err());
            assert_eq!(start.elapsed(), SECOND);
            assert!(timeout_at(start + SECOND * 3, pending::<()>()).await.is_err());
            assert_eq!(start.elapsed(), SECOND * 3);
        });
    }

    #[test]
    fn the_future_first_at_equal_times() {
        World::paused().block_on(async {
            assert_eq!(timeout(SECOND, sleep(SECOND)).await, Ok(()));
            assert!(timeout(SECOND, sleep(SECOND + MS)).await.is_err());
        });
    }

    #[test]
    fn counts_from_the_call() {
        World::paused().block_on(async {
            let start = Instant::now();
            let limited = timeout(SECOND, pending::<()>());
            sleep(SECOND * 2).await;
            assert!(limited.await.is_err());
            assert_eq!(start.elapsed(), SECOND * 2);
        });
    }

    #[test]
    fn dropped_while_pending_takes_its_timer_out() {
        let world = World::paused();
        world.drive(|| {
            let mut timeout = timeout(SECOND, pending::<()>());
            assert!(poll_with(&mut timeout, Waker::noop()).is_pending());
            assert_eq!(world.armed_timers(), 1);
            drop(timeout);
            assert_eq!(world.armed_timers(), 0);
        });
    }

    #[test]
    fn the_future_can_be_reached_and_taken_out() {
        World::paused().drive(|| {
            let mut timeout = timeout(Duration::MAX, ready(7));
            *timeout.get_mut() = ready(8);
            assert_eq!(timeout.get_ref().clone().into_inner(), 8);
            assert_eq!(timeout.into_inner().into_inner(), 8);
        });
    }

    #[test]
    fn elapsed_is_an_io_error() {
        let elapsed = World::paused().block_on(timeout_of_nothing()).unwrap_err();
        assert_eq!(elapsed.to_string(), "the time limit ran out");
        let error = io::Error::from(elapsed);
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(error.into_inner().unwrap().downcast_ref::<Elapsed>(), Some(&elapsed));
    }

    async fn timeout_of_nothing() -> Result<(), Elapsed> {
        timeout(MS, pending()).await
    }

    #[test]
    fn nested_the_shorter_limit_wins() {
        World::paused().block_on(async {
            let outer = timeout(SECOND, timeout(SECOND * 2, pending::<()>())).await;
            assert!(outer.is_err());
            let inner = timeout(SECOND * 2, timeout(SECOND, pending::<()>())).await;
            assert!(matches!(inner, Ok(Err(_))));
        });
    }
}

mod giving_way {
    //! The cooperative budget.

    use super::*;

    #[test]
    fn elapsed_sleeps_take_from_the_budget() {
        World::paused().block_on(async {
            let past = Instant::now() - SECOND;
            let ready = poll_fn(|_| {
                let polls = (0..1_000).map(|_| poll_with(&mut sleep_until(past), Waker::noop()));
                Poll::Ready(polls.take_while(Poll::is_ready).count())
            })
            .await;
            assert!((1..1_000).contains(&ready), "{ready}");
            sleep_until(past).await;
        });
    }

    #[test]
    fn a_future_that_uses_up_the_budget_does_not_outlive_its_limit() {
        World::paused().block_on(async {
            let past = Instant::now() - SECOND;
            let greedy = poll_fn(|cx| {
                while poll_with(&mut sleep_until(past), cx.waker()).is_ready() {}
                Poll::<()>::Pending
            });
            let mut limited = pin!(timeout_at(past, greedy));
            let first = poll_fn(|cx| Poll::Ready(limited.as_mut().poll(cx))).await;
            assert!(matches!(first, Poll::Ready(Err(_))));
        });
    }

    #[test]
    fn limits_that_ran_out_take_from_the_budget() {
        World::paused().block_on(async {
            let past = Instant::now() - SECOND;
            let ready = poll_fn(|cx| {
                let polls = (0..1_000).map(|_| pin!(timeout_at(past, pending::<()>())).poll(cx));
                Poll::Ready(polls.take_while(Poll::is_ready).count())
            })
            .await;
            assert!((1..1_000).contains(&ready), "{ready}");
        });
    }
}

mod intervals {
    use super::*;

    #[test]
    fn ticks_at_once_and_then_every_period() {
        World::paused().block_on(async {
            let start = Instant::now();
            let mut interval = interval(SECOND);
            assert_eq!(interval.period(), SECOND);
            for n in 0..5 {
                assert_eq!(interval.tick().await, start + SECOND * n);
                assert_eq!(start.elapsed(), SECOND * n);
            }
        });
    }

    #[test]
    fn starts_later() {
        World::paused().block_on(async {
            let start = Instant::now();
            let mut interval = interval_at(start + SECOND * 3, SECOND);
            assert_eq!(interval.tick().await, start + SECOND * 3);
            assert_eq!(interval.tick().await, start + SECOND * 4);
        });
    }

    /// The ticks at 0, then those after 2.5 periods during which nobody asked: (due, given), in tenths of a period.
    fn missed(behavior: MissedTickBehavior) -> Vec<(u128, u128)> {
        World::paused().block_on(async move {
            let start = Instant::now();
            let tenths = |time: Instant| (time - start).as_millis() / 10;
            let mut interval = interval(Duration::from_millis(100));
            interval.set_missed_tick_behavior(behavior);
            assert_eq!(interval.missed_tick_behavior(), behavior);
            interval.tick().await;
            sleep(Duration::from_millis(350)).await;
            let mut ticks = Vec::new();
            for _ in 0..5 {
                let due = interval.tick().await;
                ticks.push((tenths(due), tenths(Instant::now())));
            }
            ticks
        })
    }

    #[test]
    fn missed_ticks_come_in_a_burst() {
        let ticks = missed(MissedTickBehavior::Burst);
        assert_eq!(ticks, [(10, 35), (20, 35), (30, 35), (40, 40), (50, 50)]);
    }

    #[test]
    fn missed_ticks_delay_the_rest() {
        let ticks = missed(MissedTickBehavior::Delay);
        assert_eq!(ticks, [(10, 35), (45, 45), (55, 55), (65, 65), (75, 75)]);
    }

    #[test]
    fn missed_ticks_are_skipped() {
        let ticks = missed(MissedTickBehavior::Skip);
        assert_eq!(ticks, [(10, 35), (40, 40), (50, 50), (60, 60), (70, 70)]);
    }

    #[test]
    fn a_little_late_is_not_missed() {
        World::paused().block_on(async {
            let start = Instant::now();
            let mut interval = interval(MS * 100);
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            interval.tick().await;
            sleep(MS * 105).await;
            interval.tick().await;
            assert_eq!(interval.tick().await, start + MS * 200);
        });
    }

    #[test]
    fn resets() {
        World::paused().block_on(async {
            let start = Instant::now();
            let mut interval = interval(SECOND * 10);
            interval.tick().await;
            sleep(SECOND).await;
            interval.reset();
            assert_eq!(interval.tick().await, start + SECOND * 11);
            interval.reset_immediately();
            assert_eq!(interval.tick().await, start + SECOND * 11);
            interval.reset_after(SECOND);
            assert_eq!(interval.tick().await, start + SECOND * 12);
            interval.reset_at(start + SECOND * 15);
            assert_eq!(interval.tick().await, start + SECOND * 15);
            assert_eq!(interval.tick().await, start + SECOND * 25);
        });
    }

    #[test]
    fn a_cancelled_tick_is_not_lost() {
        World::paused().block_on(async {
            let start = Instant::now();
            let mut interval = interval_at(start + SECOND * 2, SECOND);
            assert!(timeout(SECOND, interval.tick()).await.is_err());
            assert_eq!(interval.tick().await, start + SECOND * 2);
        });
    }

    #[test]
    fn is_a_stream_without_end() {
        World::paused().block_on(async {
            let start = Instant::now();
            let mut interval = interval(SECOND);
            assert_eq!(interval.size_hint(), (usize::MAX, None));
            for n in 0..3 {
                let tick = poll_fn(|cx| Pin::new(&mut interval).poll_next(cx)).await;
                assert_eq!(tick, Some(start + SECOND * n));
            }
        });
    }

    #[test]
    fn a_period_of_zero_is_refused() {
        let world = World::paused();
        assert!(panic_text(|| world.drive(|| interval(Duration::ZERO))).contains("longer than zero"));
    }

    #[test]
    fn the_longest_period() {
        World::paused().block_on(async {
            let start = Instant::now();
            let mut interval = interval(Duration::MAX);
            assert_eq!(interval.tick().await, start);
            interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
            let next = interval.tick().await;
            assert!(next > start + SECOND * 86_400 * 365 * 29);
        });
    }
}

mod calling_later {
    use super::*;

    #[test]
    fn in_the_order_of_times_then_of_calls() {
        let trace = Trace::default();
        let notes = trace.clone();
        World::paused().block_on(async move {
            call_later(SECOND * 2, notes.noting("two"));
            call_later(SECOND, notes.noting("one, first"));
            call_later(SECOND, notes.noting("one, second"));
            call_later(Duration::ZERO, notes.noting("zero"));
            notes.note("called");
            sleep(SECOND * 3).await;
        });
        assert_eq!(trace.take(), ["called", "zero", "one, first", "one, second", "two"]);
    }

    #[test]
    fn in_the_order_of_times_even_if_all_are_late() {
        let (trace, notes) = (Trace::default(), Trace::default());
        let seen = trace.clone();
        let world = World::paused();
        let handle = world.handle();
        world.block_on(async move {
            call_later(SECOND * 3, notes.noting("c"));
            call_later(SECOND * 2, notes.noting("b"));
            call_later(SECOND, notes.noting("a"));
            // The clock is known to be past all of them before any is polled.
            handle.clock().advance_to((Instant::now() + SECOND * 9).into_std());
            let late = Instant::now();
            sleep(MS).await;
            assert_eq!(late.elapsed(), MS);
            notes.take().iter().for_each(|word| seen.note(word));
        });
        assert_eq!(trace.take(), ["a", "b", "c"]);
    }

    #[test]
    fn cancelled_it_is_not_called_and_its_closure_is_gone() {
        let trace = Trace::default();
        let notes = trace.clone();
        let world = World::paused();
        world.block_on(async move {
            let alive = Rc::new(());
            let held = alive.clone();
            let call = call_later(SECOND, move || drop(held));
            yields(2).await;
            let time = call.time();
            assert_eq!(Rc::strong_count(&alive), 2);
            assert_eq!(call.cancel(), Ok(()));
            assert_eq!(Rc::strong_count(&alive), 1, "dropped before `cancel` returns");
            assert_eq!(call.time(), time);
            assert!(!call.is_active());
            assert_eq!(call.cancel(), Err(DelayedCallError::AlreadyCancelled));
            assert_eq!(call.reset(SECOND), Err(DelayedCallError::AlreadyCancelled));
            assert_eq!(call.delay(SECOND), Err(DelayedCallError::AlreadyCancelled));
            call_later(SECOND, notes.noting("other"));
            sleep(SECOND * 2).await;
        });
        assert_eq!(trace.take(), ["other"]);
        assert_eq!(world.armed_timers(), 0);
    }

    #[test]
    fn cancelled_before_its_first_poll() {
        let world = World::paused();
        world.drive(|| {
            let (mut running, call) = call_later::prepare(SECOND, || unreachable!());
            call.cancel().unwrap();
            assert_eq!(poll_with(&mut running, Waker::noop()), Poll::Ready(()));
            assert_eq!(world.armed_timers(), 0);
        });
    }

    #[test]
    fn cancelled_between_fire_and_call() {
        let world = World::paused();
        world.drive(|| {
            let flag = Flag::new();
            let (mut running, call) = call_later::prepare(SECOND, || unreachable!());
            assert_eq!(poll_with(&mut running, &flag.waker()), Poll::Pending);
            world.turn(Wait::Block);
            assert!(flag.take());
            assert_eq!(call.cancel(), Ok(()));
            assert_eq!(poll_with(&mut running, &flag.waker()), Poll::Ready(()));
        });
    }

    #[test]
    fn cancelling_wakes_the_task_so_that_it_ends() {
        let world = World::paused();
        world.drive(|| {
            let flag = Flag::new();
            let (mut running, call) = call_later::prepare(SECOND, || unreachable!());
            assert_eq!(poll_with(&mut running, &flag.waker()), Poll::Pending);
            call.cancel().unwrap();
            world.turn(Wait::Poll);
            assert!(flag.take());
            assert_eq!(poll_with(&mut running, &flag.waker()), Poll::Ready(()));
        });
    }

    #[test]
    fn called_it_refuses() {
        World::paused().block_on(async {
            let own = Rc::new(RefCell::new(None::<DelayedCall>));
            let (seen, inside) = (Rc::new(Cell::new(None)), own.clone());
            let result = seen.clone();
            let call = call_later(SECOND, move || {
                result.set(inside.borrow().as_ref().map(DelayedCall::cancel));
            });
            *own.borrow_mut() = Some(call.clone());
            sleep(SECOND * 2).await;
            assert_eq!(seen.get(), Some(Err(DelayedCallError::AlreadyCalled)), "while it runs it has been called");
            assert_eq!(call.cancel(), Err(DelayedCallError::AlreadyCalled));
            assert_eq!(call.reset(SECOND), Err(DelayedCallError::AlreadyCalled));
            assert_eq!(call.delay(SECOND), Err(DelayedCallError::AlreadyCalled));
            assert_eq!(DelayedCallError::AlreadyCalled.to_string(), "the delayed call has already been called");
        });
    }

    #[test]
    fn reset_counts_from_now_and_delay_from_its_time() {
        let trace = Trace::default();
        let notes = trace.clone();
        World::paused().block_on(async move {
            let start = Instant::now();
            let note = |notes: &Trace, name: &'static str| {
                let notes = notes.clone();
                move || notes.note(format!("{name} at {}", start.elapsed().as_secs()))
            };
            let reset_later = call_later(SECOND * 5, note(&notes, "reset later"));
            let reset_earlier = call_later(SECOND * 50, note(&notes, "reset earlier"));
            let delayed = call_later(SECOND * 5, note(&notes, "delayed"));
            sleep(SECOND * 2).await;
            reset_later.reset(SECOND * 8).unwrap();
            reset_earlier.reset(SECOND).unwrap();
            delayed.delay(SECOND * 7).unwrap();
            assert_eq!(reset_later.time(), start + SECOND * 10);
            assert_eq!(reset_earlier.time(), start + SECOND * 3);
            assert_eq!(delayed.time(), start + SECOND * 12);
            sleep(SECOND * 20).await;
        });
        assert_eq!(trace.take(), ["reset earlier at 3", "reset later at 10", "delayed at 12"]);
    }

    #[test]
    fn reset_between_fire_and_call_is_obeyed() {
        let (trace, world) = (Trace::default(), World::paused());
        world.drive(|| {
            let flag = Flag::new();
            let start = Instant::now();
            let (mut running, call) = call_later::prepare(SECOND, trace.noting("called"));
            assert_eq!(poll_with(&mut running, &flag.waker()), Poll::Pending);
            world.turn(Wait::Block);
            assert!(flag.take());
            call.reset(SECOND).unwrap();
            assert_eq!(poll_with(&mut running, &flag.waker()), Poll::Pending);
            assert!(call.is_active());
            world.turn(Wait::Block);
            assert!(flag.take());
            assert_eq!(poll_with(&mut running, &flag.waker()), Poll::Ready(()));
            assert_eq!(start.elapsed(), SECOND * 2);
        });
        assert_eq!(trace.take(), ["called"]);
    }

    #[test]
    fn the_handle_dropped_it_is_called_all_the_same() {
        let trace = Trace::default();
        let notes = trace.clone();
        World::paused().block_on(async move {
            drop(call_later(SECOND, notes.noting("called")));
            sleep(SECOND * 2).await;
        });
        assert_eq!(trace.take(), ["called"]);
    }

    #[test]
    fn the_task_dropped_it_counts_as_cancelled() {
        World::paused().drive(|| {
            let held = Rc::new(());
            let inside = held.clone();
            let (running, call) = call_later::prepare(SECOND, move || drop(inside));
            drop(running);
            assert!(!call.is_active());
            assert_eq!(call.cancel(), Err(DelayedCallError::AlreadyCancelled));
            assert_eq!(Rc::strong_count(&held), 1);
        });
    }

    #[test]
    fn a_panic_in_the_closure_is_one_of_the_task() {
        let world = World::paused();
        world.drive(|| {
            let (mut running, call) = call_later::prepare(SECOND, || panic!("on purpose"));
            assert_eq!(poll_with(&mut running, Waker::noop()), Poll::Pending);
            world.turn(Wait::Block);
            assert_eq!(panic_text(|| poll_with(&mut running, Waker::noop())), "on purpose");
            assert_eq!(call.cancel(), Err(DelayedCallError::AlreadyCalled));
        });
    }

    #[test]
    fn while_the_runtime_is_not_driven() {
        let (trace, world) = (Trace::default(), World::paused());
        let (cancelled_flag, moved_flag) = (Flag::new(), Flag::new());
        let (mut cancelled, cancelled_call) = world.drive(|| call_later::prepare(SECOND, trace.noting("wrong")));
        let (mut moved, moved_call) = world.drive(|| call_later::prepare(SECOND, trace.noting("moved")));
        world.drive(|| {
            assert!(poll_with(&mut cancelled, &cancelled_flag.waker()).is_pending());
            assert!(poll_with(&mut moved, &moved_flag.waker()).is_pending());
        });
        world.enter(|| cancelled_call.cancel().unwrap());
        world.enter(|| moved_call.delay(SECOND).unwrap());
        world.drive(|| {
            world.turn(Wait::Block);
            assert!(cancelled_flag.take(), "the task is to end");
            assert!(poll_with(&mut cancelled, Waker::noop()).is_ready());
            while !moved_flag.take() {
                world.turn(Wait::Block);
            }
            assert!(poll_with(&mut moved, Waker::noop()).is_ready());
            assert_eq!(Instant::now(), moved_call.time());
        });
        assert_eq!(trace.take(), ["moved"]);
    }

    #[test]
    fn calls_make_calls() {
        let trace = Trace::default();
        let notes = trace.clone();
        World::paused().block_on(async move {
            let start = Instant::now();
            fn again(left: u32, start: Instant, notes: Trace) {
                notes.note(start.elapsed().as_secs());
                if left > 0 {
                    call_later(SECOND, move || again(left - 1, start, notes));
                }
            }
            let first = notes.clone();
            call_later(SECOND, move || again(3, start, first));
            sleep(SECOND * 10).await;
        });
        assert_eq!(trace.take(), ["1", "2", "3", "4"]);
    }
}

mod virtual_time {
    use super::*;

    #[test]
    fn pause_and_resume_in_the_wrong_state_say_so() {
        let world = World::real();
        world.drive(|| {
            assert!(panic_text(resume).contains("not paused"));
            pause();
            assert!(panic_text(pause).contains("paused already"));
            resume();
        });
        assert_eq!(panic_text(pause), crate::context::NO_RUNTIME);
    }

    #[test]
    fn advance_of_a_running_clock_says_so() {
        let world = World::real();
        let text = panic_text(|| world.block_on(advance(SECOND)));
        assert!(text.contains("not paused"));
    }

    #[test]
    fn now_is_the_clock_of_the_runtime_also_from_outside() {
        let (world, outside) = (World::paused(), Instant::now());
        let now = world.drive(Instant::now);
        world.handle().clock().advance_to((outside + SECOND * 100).into_std());
        assert!(world.drive(Instant::now) >= now + SECOND * 99);
        assert_eq!(world.enter(Instant::now), world.drive(Instant::now));
        assert!(Instant::now() < outside + SECOND * 100);
    }

    #[test]
    fn advance_stops_at_each_deadline_on_the_way() {
        let trace = Trace::default();
        let notes = trace.clone();
        World::paused().block_on(async move {
            let start = Instant::now();
            for (name, first, then) in [("a", 3, 4), ("b", 1, 1), ("c", 9, 5)] {
                let notes = notes.clone();
                spawn_local(async move {
                    sleep(SECOND * first).await;
                    notes.note(format!("{name} {}", start.elapsed().as_secs()));
                    yields(3).await;
                    sleep(SECOND * then).await;
                    notes.note(format!("{name} {}", start.elapsed().as_secs()));
                });
            }
            yields(1).await;
            advance(SECOND * 10).await;
            notes.note(format!("advanced {}", start.elapsed().as_secs()));
            advance(SECOND * 4).await;
            notes.note(format!("advanced {}", start.elapsed().as_secs()));
        });
        assert_eq!(trace.take(), ["b 1", "b 2", "a 3", "a 7", "c 9", "advanced 10", "c 14", "advanced 14"]);
    }

    #[test]
    fn advance_while_a_task_never_rests() {
        let trace = Trace::default();
        let notes = trace.clone();
        World::paused().block_on(async move {
            let start = Instant::now();
            spawn_local(yields(u32::MAX));
            call_later(SECOND, notes.noting("one"));
            call_later(SECOND * 2, notes.noting("two"));
            advance(SECOND * 3).await;
            assert_eq!(start.elapsed(), SECOND * 3);
        });
        assert_eq!(trace.take(), ["one", "two"]);
    }

    #[test]
    fn advance_past_a_blocking_call() {
        let world = World::paused();
        world.handle().hold_time();
        world.block_on(async {
            let start = Instant::now();
            advance(SECOND).await;
            assert_eq!(start.elapsed(), SECOND);
        });
        world.handle().release_time();
    }

    #[test]
    fn advance_by_zero_lets_others_run() {
        let trace = Trace::default();
        let notes = trace.clone();
        World::paused().block_on(async move {
            let start = Instant::now();
            let other = notes.clone();
            spawn_local(async move { other.note("ran") });
            advance(Duration::ZERO).await;
            notes.note("advanced");
            assert_eq!(start.elapsed(), Duration::ZERO);
        });
        assert_eq!(trace.take(), ["ran", "advanced"]);
    }

    #[test]
    fn advance_dropped_on_the_way_leaves_the_clock_there() {
        World::paused().block_on(async {
            let start = Instant::now();
            assert!(timeout(SECOND, advance(SECOND * 10)).await.is_err());
            assert_eq!(start.elapsed(), SECOND);
            yields(100).await;
            assert_eq!(start.elapsed(), SECOND);
        });
    }

    #[test]
    fn two_advances_at_a_time() {
        let trace = Trace::default();
        let notes = trace.clone();
        World::paused().block_on(async move {
            let start = Instant::now();
            let other = notes.clone();
            spawn_local(async move {
                advance(SECOND * 5).await;
                other.note(format!("other {}", start.elapsed().as_secs()));
            });
            advance(SECOND * 3).await;
            notes.note(format!("first {}", start.elapsed().as_secs()));
            sleep(SECOND * 4).await;
        });
        assert_eq!(trace.take(), ["first 3", "other 5"]);
    }

    #[test]
    fn advance_from_outside_moves_in_one_step() {
        let world = World::paused();
        let flag = Flag::new();
        let start = world.drive(Instant::now);
        let mut sleep = world.drive(|| sleep(SECOND));
        assert!(world.drive(|| poll_with(&mut sleep, &flag.waker())).is_pending());
        world.enter(|| {
            let mut advance = pin!(advance(SECOND * 5));
            let mut cx = Context::from_waker(Waker::noop());
            assert!(advance.as_mut().poll(&mut cx).is_pending());
            assert!(advance.as_mut().poll(&mut cx).is_ready());
        });
        assert_eq!(world.drive(Instant::now), start + SECOND * 5);
        world.turn(Wait::Block);
        assert!(flag.take());
    }

    #[test]
    fn pause_in_the_midst_of_sleeping() {
        World::real().block_on(async {
            let start = Instant::now();
            let long = sleep(SECOND * 3600);
            pause();
            long.await;
            assert!(start.elapsed() >= SECOND * 3600);
            resume();
            let resumed = Instant::now();
            assert!(resumed >= start + SECOND * 3600);
            sleep(MS).await;
            assert!(resumed.elapsed() >= MS);
        });
    }

    #[test]
    fn sleeping_in_order_without_advance() {
        World::paused().block_on(async {
            let start = Instant::now();
            let long = Rc::new(Cell::new(false));
            let done = long.clone();
            spawn_local(async move {
                sleep(SECOND * 86_400 * 365).await;
                done.set(true);
            });
            for n in 1..=100 {
                sleep(SECOND).await;
                assert_eq!(start.elapsed(), SECOND * n);
            }
            assert!(!long.get());
            sleep(SECOND * 86_400 * 365).await;
            assert!(long.get());
        });
    }
}

mod instants {
    use super::*;

    #[test]
    fn arithmetic_saturates_where_tokio_does() {
        let now = Instant::now();
        let later = now + SECOND;
        assert_eq!(later - now, SECOND);
        assert_eq!(now - later, Duration::ZERO);
        assert_eq!(now.duration_since(later), Duration::ZERO);
        assert_eq!(now.saturating_duration_since(later), Duration::ZERO);
        assert_eq!(now.checked_duration_since(later), None);
        assert_eq!(later.checked_duration_since(now), Some(SECOND));
        assert_eq!(later - SECOND, now);
        assert_eq!(now.checked_add(Duration::MAX), None);
        assert_eq!(now.checked_sub(Duration::MAX), None);
        let mut moved = now;
        moved += SECOND;
        assert_eq!(moved, later);
        moved -= SECOND;
        assert_eq!(moved, now);
        assert!(now < later);
    }

    #[test]
    fn to_and_from_the_standard_library() {
        let std = std::time::Instant::now();
        let instant = Instant::from_std(std);
        assert_eq!(instant.into_std(), std);
        assert_eq!(Instant::from(std), instant);
        assert_eq!(std::time::Instant::from(instant), std);
        assert_eq!(format!("{instant:?}"), format!("{std:?}"));
    }
}
