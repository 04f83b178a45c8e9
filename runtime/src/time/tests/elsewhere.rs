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
fn armed_elsewhere_it_has_moved_for_good() {
    let (home, other) = (World::real(), World::real());
    let flag = Flag::new();
    let mut sleep = home.drive(|| sleep(SECOND * 60));
    assert_eq!(other.drive(|| poll_with(&mut sleep, Waker::noop())), Poll::Pending);
    home.drive(pause);
    assert_eq!(other.drive(|| poll_with(&mut sleep, Waker::noop())), Poll::Pending);
    assert_eq!((home.armed_timers(), other.armed_timers()), (0, 1));
    other.drive(pause);
    assert_eq!(home.drive(|| poll_with(&mut sleep, &flag.waker())), Poll::Pending);
    drop(home);
    other.turn(Wait::Poll);
    while !flag.take() {
        other.turn(Wait::Block);
    }
    assert!(sleep.is_elapsed());
}

#[test]
fn reset_where_it_has_moved_to() {
    let (home, other) = (World::real(), World::real());
    let flag = Flag::new();
    let mut sleep = home.drive(|| sleep(SECOND * 60));
    assert_eq!(home.drive(|| poll_with(&mut sleep, Waker::noop())), Poll::Pending);
    assert_eq!(other.drive(|| poll_with(&mut sleep, &flag.waker())), Poll::Pending);
    drop(home);
    Pin::new(&mut sleep).reset(Instant::now());
    other.turn(Wait::Poll);
    while !flag.take() {
        other.turn(Wait::Block);
    }
    assert_eq!(other.drive(|| poll_with(&mut sleep, Waker::noop())), Poll::Ready(()));
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
