//! A process that has no descriptor to spare.
#![allow(dead_code)]

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs::File;
use std::future::{Future, poll_fn};
use std::os::fd::AsRawFd;
use std::pin::pin;
use std::time::{Duration, Instant};

/// Leaves this process no descriptor; the limit to go back to.
pub(crate) fn exhaust() -> Rlimit {
    let before = getrlimit(Resource::Nofile);
    // The lowest free number is what the next descriptor would get.
    let free = File::open("/dev/null").unwrap().as_raw_fd() as u64;
    setrlimit(Resource::Nofile, Rlimit { current: Some(free), maximum: before.maximum }).unwrap();
    before
}

/// Polls `accepting` as often as it is woken, and raises the limit before the seventh time. If it spun instead of pausing for 1, 2,
/// 4 and 8 ms at least, that would be sooner than it can be.
pub(crate) async fn paused<F: Future>(accepting: F, before: Rlimit) -> F::Output {
    let mut accepting = pin!(accepting);
    let start = Instant::now();
    let mut polls = 0;
    let output = poll_fn(|cx| {
        polls += 1;
        if polls == 7 {
            setrlimit(Resource::Nofile, before).unwrap();
        }
        let polled = accepting.as_mut().poll(cx);
        assert!(polls >= 7 || polled.is_pending(), "accepted or failed without a descriptor");
        polled
    })
    .await;
    assert_eq!(polls, 7, "the pause is over as soon as there is a descriptor");
    assert!(start.elapsed() >= Duration::from_millis(15));
    output
}
