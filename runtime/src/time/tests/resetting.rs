//! Sleep::reset.

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
