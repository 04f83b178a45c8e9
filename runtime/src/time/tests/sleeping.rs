//! sleep and sleep_until on the thread that drives.

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
