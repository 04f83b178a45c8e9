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
