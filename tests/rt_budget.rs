//! The cooperative budget: a task that always finds something ready gives way after 128 steps.

mod support;

use std::cell::Cell;
use std::future::{Future, poll_fn, ready};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use futures_util::{AsyncReadExt, AsyncWriteExt};

use rt::net::{TcpListener, TcpStream};
use rt::task::{JoinSet, consume_budget, unconstrained, yield_now};
use rt::time::{Instant, sleep, sleep_until};

const BUDGET: u32 = 128;

/// Counts the polls of `future` until it is ready.
async fn polls_of(future: impl Future) -> u32 {
    let mut future = pin!(future);
    let mut polls = 0;
    poll_fn(|cx| {
        polls += 1;
        future.as_mut().poll(cx).map(drop)
    })
    .await;
    polls
}

async fn consume(steps: u32) {
    for _ in 0..steps {
        consume_budget().await;
    }
}

#[test]
fn task_gives_way_after_its_steps() {
    support::block_on(async {
        for (steps, polls) in [(0, 1), (BUDGET, 1), (BUDGET + 1, 2), (2 * BUDGET, 2), (10 * BUDGET, 10)] {
            let task = rt::spawn(polls_of(consume(steps)));
            assert_eq!(task.await.unwrap(), polls, "{steps} steps");
            let task = rt::spawn_local(polls_of(consume(steps)));
            assert_eq!(task.await.unwrap(), polls, "{steps} steps");
        }
    });
}

#[test]
fn others_run_when_it_gives_way() {
    support::block_on(async {
        let turns = Rc::new(Cell::new(0));
        let count = Rc::clone(&turns);
        rt::spawn_local(async move {
            loop {
                count.set(count.get() + 1);
                yield_now().await;
            }
        });
        rt::spawn_local(consume(10 * BUDGET)).await.unwrap();
        assert!(turns.get() >= 10, "{}", turns.get());
    });
}

#[test]
fn future_of_block_on_has_a_budget_too() {
    assert_eq!(support::block_on(polls_of(consume(3 * BUDGET))), 3);
}

#[test]
fn each_task_has_its_own() {
    support::block_on(async {
        let tasks: Vec<_> = (0..10).map(|_| rt::spawn(polls_of(consume(BUDGET)))).collect();
        for task in tasks {
            assert_eq!(task.await.unwrap(), 1);
        }
    });
}

#[test]
fn full_again_in_the_next_poll() {
    support::block_on(async {
        let polls = polls_of(async {
            consume(BUDGET - 1).await;
            yield_now().await;
            consume(BUDGET).await;
        });
        assert_eq!(polls.await, 2);
    });
}

#[test]
fn unconstrained_is_exempt() {
    support::block_on(async {
        assert_eq!(polls_of(unconstrained(consume(100 * BUDGET))).await, 1);
        // And only what is within it.
        assert_eq!(polls_of(async { unconstrained(consume(BUDGET)).await }).await, 1);
        let task = rt::spawn(polls_of(async {
            unconstrained(consume(5 * BUDGET)).await;
            consume(BUDGET + 1).await;
        }));
        assert_eq!(task.await.unwrap(), 2);
    });
}

#[test]
fn spent_outside_of_a_task_costs_nothing() {
    assert_eq!(futures_executor::block_on(polls_of(consume(10 * BUDGET))), 1);
    let runtime = support::runtime();
    assert_eq!(runtime.handle().block_on(polls_of(consume(10 * BUDGET))), 1, "it runs no task that could starve");
}

#[test]
fn join_set_whose_tasks_have_ended() {
    support::block_on(async {
        let mut set: JoinSet<u32> = (0..5 * BUDGET).map(ready).collect();
        yield_now().await;
        let polls = rt::spawn(polls_of(async move { while set.join_next().await.is_some() {} }));
        assert!(polls.await.unwrap() >= 5);
    });
}

#[test]
fn sleeps_that_are_over() {
    support::block_on(async {
        let past = Instant::now();
        let polls = rt::spawn(polls_of(async move {
            for _ in 0..5 * BUDGET {
                sleep_until(past).await;
            }
        }));
        assert!(polls.await.unwrap() >= 5);
    });
}

#[test]
fn stream_that_always_has_bytes() {
    support::block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (client, accepted) = rt::join!(TcpStream::connect(address), listener.accept());
        let (mut client, mut server) = (client.unwrap(), accepted.unwrap().0);
        let count = 4 * BUDGET as usize;
        client.write_all(&vec![7; count]).await.unwrap();
        // Byte by byte, with all of them there from the start.
        while server.peek(&mut vec![0; count]).await.unwrap() < count {
            yield_now().await;
        }
        let polls = rt::spawn(polls_of(async move {
            for _ in 0..count {
                server.read_exact(&mut [0]).await.unwrap();
            }
        }));
        assert!(polls.await.unwrap() >= 4);
    });
}

#[test]
fn does_not_make_a_timeout_miss() {
    // The future is never out of work: that must not hide the deadline from its timeout.
    let runtime = support::runtime();
    runtime.block_on(async {
        let endless = async {
            loop {
                consume_budget().await;
            }
        };
        let result: Result<(), _> = rt::time::timeout(Duration::from_millis(1), endless).await;
        assert!(result.is_err());
    });
}

#[test]
fn select_between_two_that_spend_it() {
    support::block_on(async {
        let endless = || async {
            loop {
                consume_budget().await;
            }
        };
        rt::select! {
            () = endless() => unreachable!(),
            () = endless() => unreachable!(),
            () = sleep(Duration::from_millis(1)) => {}
        }
    });
}

#[test]
fn task_made_by_a_poll_that_has_spent_all() {
    support::block_on(async {
        let task = poll_fn(|cx| {
            let mut spend = pin!(consume(BUDGET));
            assert!(spend.as_mut().poll(cx).is_ready());
            Poll::Ready(rt::spawn(polls_of(consume(BUDGET))))
        })
        .await;
        assert_eq!(task.await.unwrap(), 1);
    });
}
