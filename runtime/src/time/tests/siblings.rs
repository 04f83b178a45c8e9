//! Sleeps that move between the workers of one runtime.

use super::*;

fn both() -> impl Iterator<Item = [World; 2]> {
    [true, false].into_iter().map(World::siblings)
}

#[test]
fn polled_on_a_sibling_it_is_armed_there_at_once() {
    for [home, other] in both() {
        let (old, new) = (Flag::new(), Flag::new());
        let mut sleep = home.drive(|| sleep(SECOND * 60));
        for _ in 0..3 {
            assert_eq!(home.drive(|| poll_with(&mut sleep, &old.waker())), Poll::Pending);
            assert_eq!((home.armed_timers(), other.armed_timers()), (1, 0));
            assert_eq!(other.drive(|| poll_with(&mut sleep, &new.waker())), Poll::Pending);
            assert_eq!((home.armed_timers(), other.armed_timers()), (0, 1));
            assert_eq!(Arc::strong_count(&old), 1);
        }
        drop(home);
        other.drive(|| drop(sleep));
        assert_eq!((other.armed_timers(), Arc::strong_count(&new)), (0, 1));
    }
}

#[test]
fn dropped_on_a_sibling_its_timer_is_taken_out_at_once() {
    for [home, other] in both() {
        let flag = Flag::new();
        let mut sleep = home.drive(|| sleep(SECOND * 60));
        assert!(home.drive(|| poll_with(&mut sleep, &flag.waker())).is_pending());
        other.drive(|| drop(sleep));
        assert_eq!((home.armed_timers(), Arc::strong_count(&flag)), (0, 1));
    }
}

#[test]
fn reset_on_a_sibling_it_waits_there_for_the_same_waker() {
    for [home, other] in both() {
        let flag = Flag::new();
        let mut sleep = home.drive(|| sleep(SECOND * 60));
        assert!(home.drive(|| poll_with(&mut sleep, &flag.waker())).is_pending());
        other.drive(|| Pin::new(&mut sleep).reset(Instant::now()));
        assert_eq!((home.armed_timers(), other.armed_timers()), (0, 1));
        while !flag.take() {
            other.turn(Wait::AtMost(MS));
        }
        assert_eq!(other.drive(|| poll_with(&mut sleep, Waker::noop())), Poll::Ready(()));
    }
}

#[test]
fn armed_from_outside_then_reset_or_polled_on_a_sibling() {
    for [home, other] in both() {
        for reset in [true, false] {
            let flag = Flag::new();
            let mut sleep = home.enter(|| sleep(SECOND * 60));
            assert!(poll_with(&mut sleep, &flag.waker()).is_pending());
            let deadline = sleep.deadline() + SECOND;
            other.drive(|| match reset {
                true => Pin::new(&mut sleep).reset(deadline),
                false => assert!(poll_with(&mut sleep, &flag.waker()).is_pending()),
            });
            home.turn(Wait::Poll);
            assert_eq!((home.armed_timers(), other.armed_timers()), (0, 1));
            drop(sleep);
            other.turn(Wait::Poll);
            assert_eq!((other.armed_timers(), Arc::strong_count(&flag)), (0, 1));
        }
    }
}

#[test]
fn fired_by_another_worker_it_is_over_at_home() {
    let [home, other] = World::siblings(false);
    let flag = Flag::new();
    let mut sleep = home.drive(|| sleep(MS));
    assert!(home.drive(|| poll_with(&mut sleep, &flag.waker())).is_pending());
    let station = home.reactor(|reactor| Arc::clone(reactor.station()));
    while !flag.take() {
        station.serve();
    }
    assert_eq!(home.drive(|| poll_with(&mut sleep, Waker::noop())), Poll::Ready(()));
    assert_eq!((home.armed_timers(), other.armed_timers()), (0, 0));
}

#[test]
fn fired_by_another_worker_it_is_over_there() {
    let [home, other] = World::siblings(true);
    let flag = Flag::new();
    let mut sleep = home.drive(|| sleep(SECOND));
    assert!(home.drive(|| poll_with(&mut sleep, &flag.waker())).is_pending());
    other.drive(Instant::now);
    assert!(other.reactor(Reactor::step_time) && flag.take());
    assert!(sleep.is_elapsed());
    assert_eq!(other.drive(|| poll_with(&mut sleep, Waker::noop())), Poll::Ready(()));
    assert_eq!((home.armed_timers(), other.armed_timers()), (0, 0));
}

#[test]
fn advance_goes_on_where_it_is_polled() {
    let [home, other] = World::siblings(true);
    let (old, new) = (Flag::new(), Flag::new());
    let start = home.drive(Instant::now);
    let mut advance = pin!(advance(SECOND));
    let mut poll = |world: &World, flag: &Arc<Flag>| {
        let waker = flag.waker();
        world.drive(|| advance.as_mut().poll(&mut Context::from_waker(&waker)))
    };
    assert!(poll(&home, &old).is_pending());
    assert!(poll(&other, &new).is_pending());
    assert_eq!((home.armed_timers(), other.armed_timers()), (0, 1));
    assert!(home.reactor(Reactor::step_time) && new.take() && !old.take());
    assert_eq!(home.drive(Instant::now), start + SECOND);
    assert!(poll(&other, &new).is_pending(), "it lets others run");
    assert!(poll(&other, &new).is_ready());
}

#[test]
fn the_clock_is_stopped_for_all_and_all_are_told() {
    let [home, other] = World::siblings(false);
    home.drive(pause);
    let now = home.drive(Instant::now);
    assert_eq!(other.drive(Instant::now), now);
    // The ring that tells it ends the wait.
    other.turn(Wait::Block);
    other.drive(resume);
    assert!(panic_text(|| home.drive(resume)).contains("not paused"));
}
