//! A Deferred and other threads: blocking work, its reports, its questions, and a thread that the runtime does not know.
//!
//! A Deferred stays on its thread, and so do its callbacks. What goes to another thread is a function, or an end of the
//! Deferred that may be sent.
//!
//! ```sh
//! cargo run --example threads
//! ```

use std::thread;

use rt::deferred::{
    Deferred, Failure, Reactor, TimedOut, block_on_from_thread, call_from_thread, defer_to_thread, ensure_deferred,
};
use rt::time::{Duration, sleep};

#[rt::main]
async fn main() -> Result<(), Failure> {
    let home = thread::current().id();

    // A function that blocks goes to the blocking pool; its result comes back here.
    let sum = defer_to_thread(move || {
        let mut sum = 0_u64;
        for part in 1..=3 {
            sum += (part * 1_000..(part + 1) * 1_000).sum::<u64>();
            // Reports run at home, in order, and before the result is there.
            call_from_thread(move || println!("part {part} of 3, at home: {}", thread::current().id() == home))?;
        }
        // A question to the runtime. This thread waits; the runtime does not.
        let factor = block_on_from_thread(ask_factor)?;
        Ok::<u64, Failure>(sum * factor)
    });
    println!("sum: {}", sum.await?);

    // An error over there is a failure here, and so would be a panic.
    let missing = defer_to_thread(|| std::fs::read_to_string("/no/such/file")).add_callback(|text: String| text.len());
    println!("not found: {}", missing.await.unwrap_err().check_kind(std::io::ErrorKind::NotFound));

    // A thread of somebody else, which is given the firing end …
    let (answer, resolver) = Deferred::new();
    let resolver = resolver.into_send();
    let reactor = Reactor.handle();
    let foreign = thread::spawn(move || {
        // … and a way to call functions here, before it answers.
        reactor.call_from_thread(|| println!("a word from a plain thread"))?;
        resolver.callback(42)?;
        Ok::<(), Failure>(())
    });
    let answer = answer
        .add_timeout(Duration::from_secs(60), &Reactor)
        .add_callback(move |answer: u32| (answer, thread::current().id() == home))
        .await?;
    println!("answer: {}, at home: {}", answer.0, answer.1);
    foreign.join().expect("it does not panic")?;

    // … and one that forgets it: nobody waits for ever.
    let (lost, resolver) = Deferred::<u32>::new();
    let resolver = resolver.into_send();
    thread::spawn(move || drop(resolver)).join().expect("it does not panic");
    println!("forgotten: {}", lost.await.unwrap_err());

    // Cancelled before its turn, a function is not called; once it runs, only its result is lost.
    let (release, released) = std::sync::mpsc::channel::<()>();
    let late: Deferred<()> = defer_to_thread(move || released.recv()).add_timeout(Duration::from_millis(10), &Reactor);
    println!("gave up: {}", late.await.unwrap_err().check::<TimedOut>());
    drop(release);
    Ok(())
}

/// Runs on the runtime's thread, where it may wait for timers and sockets.
fn ask_factor() -> Deferred<u64> {
    ensure_deferred(async {
        sleep(Duration::from_millis(1)).await;
        Ok::<u64, Failure>(2)
    })
}
