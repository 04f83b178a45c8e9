//! timeout and timeout_at.

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
