//! Functions that are called later and again: `call_later`, `LoopingCall` and `Cooperator`, and how each is stopped.
//!
//! Time is virtual here (`start_paused`): it jumps to the next deadline when there is nothing else to do, so the ten
//! seconds of this program pass at once. Without that argument it takes them.
//!
//! ```sh
//! cargo run --example looping_call
//! ```

use std::time::Duration;

use rt::deferred::{Cooperator, Failure, LoopingCall, Reactor, SchedulerError, defer_later};
use rt::time::{call_later, sleep};

const SECOND: Duration = Duration::from_secs(1);

#[rt::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Failure> {
    // A function every second, beginning now, and another one that stops it.
    let clock = LoopingCall::new(|| println!("tick"));
    let stopped = clock.start(SECOND, true)?;
    let to_stop = clock.clone();
    call_later(SECOND * 5 / 2, move || to_stop.stop().expect("it runs"));
    // Its Deferred fires when it has come to rest: no call follows.
    stopped.await?;
    println!("the clock has stopped: {}", !clock.is_running());

    // A call that takes longer than the interval misses places, and says so; the next one is on time again.
    let mut left = 2;
    let slow = LoopingCall::with_count(move |count| {
        println!("beat, {count} in one");
        left -= 1;
        let is_last = left == 0;
        defer_later(&Reactor, SECOND * 3 / 2, move || if is_last { Err(Failure::new("out of breath")) } else { Ok(()) })
    });
    // A failure ends the loop, and comes out here.
    if let Err(failure) = slow.start(SECOND, true)?.await {
        println!("it ended: {failure}");
    }

    // Long work in small pieces: each iterator is one, and each `next` a piece. They take turns, and so do all others.
    let cooperator = Cooperator::new();
    let piece = |name| move |n| println!("{name} {n}");
    let sum = cooperator.coiterate((1..=3).map(piece("sum")));
    let sort = cooperator.coiterate((1..=2).map(piece("sort")));
    sum.await?;
    sort.await?;

    // Work without an end: a Deferred among its items makes it wait. Stopping it is a failure for who waits for its end.
    let poll = cooperator.cooperate((1..).map(|n| {
        println!("poll {n}");
        defer_later(&Reactor, SECOND, || ())
    }));
    let ended = poll.when_done();
    call_later(SECOND * 5 / 2, move || poll.stop().expect("it has no end"));
    println!("polling was stopped: {}", ended.await.unwrap_err().check::<SchedulerError>());

    // What was not called yet can be taken back.
    let never = call_later(SECOND, || println!("never"));
    never.cancel().expect("it was not called");
    sleep(SECOND * 2).await;
    println!("done");
    Ok(())
}
