//! What a program can do with time: wait, repeat, give up, do something later.

use std::future::pending;
use std::time::Duration;

use rt::time::{Instant, call_later, interval, sleep, timeout};

#[rt::main]
async fn main() {
    let start = Instant::now();
    sleep(Duration::from_millis(20)).await;
    println!("slept: {}", start.elapsed() >= Duration::from_millis(20));

    // The first tick comes at once.
    let mut metronome = interval(Duration::from_millis(10));
    for tick in 1..=3 {
        metronome.tick().await;
        println!("tick {tick}");
    }

    // Give up on what takes too long. It is dropped.
    match timeout(Duration::from_millis(10), pending::<()>()).await {
        Ok(()) => println!("it came"),
        Err(elapsed) => println!("gave up: {elapsed}"),
    }

    // A function instead of a future, as in Twisted. It can be put off, brought forward and cancelled.
    let late = call_later(Duration::from_secs(3600), || println!("an hour later"));
    let soon = call_later(Duration::from_secs(3600), || println!("later"));
    soon.reset(Duration::from_millis(10)).expect("it has not been called");
    late.cancel().expect("it has not been called");
    while soon.is_active() {
        metronome.tick().await;
    }
    println!("still to come: {}", late.is_active());
}
