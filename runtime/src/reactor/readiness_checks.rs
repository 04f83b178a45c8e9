//! Readiness under all interleavings: loom models, which also run plain.

use crate::primitives::atomic::{AtomicUsize, Ordering};
use crate::primitives::thread;
use crate::reactor::readiness::{Direction, Readiness};
use crate::reactor::ready::{Interest, Ready};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Poll, Wake, Waker};

/// Told to anybody who looks whether it was woken. Outside of what is checked, so not loom's.
#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Flag {
    fn is_raised(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

fn readiness() -> Arc<Readiness> {
    Arc::new(Readiness::new(Ready::EMPTY))
}

/// The driver's part: marks and wakes.
fn event(readiness: &Readiness, ready: Ready) {
    let mut woken = Vec::new();
    readiness.mark(ready, &mut woken);
    woken.into_iter().for_each(Waker::wake);
}

/// Seen failing when `poll` looks only before it takes the lock, and when `mark` takes the wakers before it sets
/// the word, outside of the lock.
#[test]
fn mark_against_poll() {
    check(|| {
        let readiness = readiness();
        let flag = Arc::new(Flag::default());
        let driver = {
            let readiness = readiness.clone();
            thread::spawn(move || event(&readiness, Ready::READABLE))
        };
        let polled = readiness.poll(Direction::Read, &Context::from_waker(&flag.clone().into()));
        driver.join().unwrap();
        assert!(polled.is_ready() || flag.is_raised(), "the wake-up was lost");
    });
}

/// Seen failing when `clear` takes the bit out of the word, whatever the tick.
#[test]
fn late_clear_against_mark() {
    check(|| {
        let readiness = readiness();
        event(&readiness, Ready::READABLE);
        let observed = readiness.observe(Interest::READABLE).expect("it was marked");
        let driver = {
            let readiness = readiness.clone();
            thread::spawn(move || event(&readiness, Ready::READABLE))
        };
        readiness.clear(observed, Ready::READABLE);
        driver.join().unwrap();
        assert!(readiness.observe(Interest::READABLE).is_some(), "a late clear ate a fresh event");
    });
}

/// A reader in earnest: it reads until nothing is there, clears, and waits. Whatever comes is read, or the reader is told of it.
///
/// Seen failing when the store of `next_tick` is `Relaxed` (the reader sees the mark, not the byte, and clears for good), when the
/// load of `observe` is, and when `clear` uses up the tick of the moment instead of the one that was observed.
#[test]
fn mark_against_read_and_clear() {
    check(|| {
        let readiness = readiness();
        let sent = Arc::new(AtomicUsize::new(0));
        let flag = Arc::new(Flag::default());
        let driver = {
            let (readiness, sent) = (readiness.clone(), sent.clone());
            thread::spawn(move || {
                for byte in 1..=2 {
                    sent.store(byte, Ordering::Relaxed);
                    event(&readiness, Ready::READABLE);
                }
            })
        };
        let waker = Waker::from(flag.clone());
        let mut read = 0;
        while let Poll::Ready(observed) = readiness.poll(Direction::Read, &Context::from_waker(&waker)) {
            let there = sent.load(Ordering::Relaxed);
            if there == read {
                readiness.clear(observed, Ready::READABLE);
            }
            read = there;
        }
        driver.join().unwrap();
        assert!(read == 2 || flag.is_raised(), "bytes are there and nobody says so");
    });
}

/// Seen failing when `mark` wakes only the first of the futures, and when `poll_place` looks only before it takes the lock.
#[test]
fn mark_against_two_waiters() {
    check(|| {
        let readiness = readiness();
        let wait = |readiness: Arc<Readiness>| {
            let flag = Arc::new(Flag::default());
            let mut place = None;
            let waker = Waker::from(flag.clone());
            let polled = readiness.poll_place(Interest::READABLE, &mut place, &Context::from_waker(&waker));
            (polled.is_ready(), flag, place)
        };
        let other = {
            let readiness = readiness.clone();
            thread::spawn(move || wait(readiness))
        };
        let driver = {
            let readiness = readiness.clone();
            thread::spawn(move || event(&readiness, Ready::READABLE))
        };
        let mine = wait(readiness.clone());
        let other = other.join().unwrap();
        driver.join().unwrap();
        for (was_ready, flag, place) in [mine, other] {
            assert!(was_ready || flag.is_raised(), "a waiter was forgotten");
            if let Some(place) = place {
                readiness.leave(place);
            }
        }
    });
}

/// One waiter gives up while the event comes: the other is told all the same.
///
/// Seen failing when `mark` hands the event to one future, and giving up does not pass it on.
#[test]
fn leave_against_mark() {
    check(|| {
        let readiness = readiness();
        let staying = Arc::new(Flag::default());
        let (mut first, mut second) = (None, None);
        let interest = Interest::READABLE;
        assert!(readiness.poll_place(interest, &mut first, &Context::from_waker(Waker::noop())).is_pending());
        let waker = Waker::from(staying.clone());
        assert!(readiness.poll_place(interest, &mut second, &Context::from_waker(&waker)).is_pending());
        let driver = {
            let readiness = readiness.clone();
            thread::spawn(move || event(&readiness, Ready::READABLE))
        };
        readiness.leave(first.expect("it waits"));
        driver.join().unwrap();
        assert!(staying.is_raised(), "the waiter that stayed was forgotten");
    });
}

/// Seen failing when `abandon` does not wake.
#[test]
fn abandon_against_poll() {
    check(|| {
        let readiness = readiness();
        let flag = Arc::new(Flag::default());
        let driver = {
            let readiness = readiness.clone();
            thread::spawn(move || {
                let mut woken = Vec::new();
                readiness.abandon(&mut woken);
                woken.into_iter().for_each(Waker::wake);
            })
        };
        let polled = readiness.poll(Direction::Write, &Context::from_waker(&flag.clone().into()));
        driver.join().unwrap();
        assert!(polled.is_ready() || flag.is_raised(), "a task waits for a driver that is gone");
        assert!(readiness.observe(Interest::WRITABLE).expect("everybody is told").abandoned);
    });
}

#[cfg(not(loom))]
mod plain {
    use super::*;

    #[test]
    fn ends_stay_unless_they_turn_out_to_be_none() {
        let readiness = readiness();
        let end = Ready::READABLE | Ready::READ_CLOSED;
        event(&readiness, end);
        let observed = readiness.observe(Interest::READABLE).unwrap();
        readiness.clear(observed, Ready::READABLE);
        assert_eq!(readiness.observe(Interest::READABLE).unwrap().ready, Ready::READ_CLOSED);
        // The next one has come since: that is not meant.
        event(&readiness, end);
        readiness.clear(observed, end);
        let observed = readiness.observe(Interest::READABLE).unwrap();
        assert_eq!(observed.ready, end);
        readiness.clear(observed, end);
        assert!(readiness.observe(Interest::READABLE).is_none());
    }

    #[test]
    fn directions_do_not_disturb_each_other() {
        let readiness = readiness();
        let (reader, writer) = (Arc::new(Flag::default()), Arc::new(Flag::default()));
        assert!(readiness.poll(Direction::Read, &Context::from_waker(&reader.clone().into())).is_pending());
        assert!(readiness.poll(Direction::Write, &Context::from_waker(&writer.clone().into())).is_pending());
        event(&readiness, Ready::WRITABLE);
        assert!(writer.is_raised() && !reader.is_raised());
        assert!(readiness.observe(Interest::READABLE).is_none());
    }

    #[test]
    fn event_of_one_direction_does_not_bring_back_the_other() {
        let readiness = readiness();
        event(&readiness, Ready::READABLE | Ready::WRITABLE);
        let observed = readiness.observe(Interest::WRITABLE).unwrap();
        readiness.clear(observed, Ready::WRITABLE);
        assert!(readiness.observe(Interest::WRITABLE).is_none());
        assert!(readiness.observe(Interest::READABLE).is_some());
        event(&readiness, Ready::READABLE);
        assert!(readiness.observe(Interest::WRITABLE).is_none());
        event(&readiness, Ready::WRITABLE);
        assert!(readiness.observe(Interest::WRITABLE).is_some());
    }

    #[test]
    fn urgent_data_is_taken_back_when_it_was_observed_last() {
        let readiness = readiness();
        event(&readiness, Ready::READABLE | Ready::PRIORITY);
        let observed = readiness.observe(Interest::READABLE).unwrap();
        assert_eq!(observed.ready, Ready::READABLE | Ready::PRIORITY);
        event(&readiness, Ready::READABLE);
        readiness.clear(observed, Ready::PRIORITY);
        let observed = readiness.observe(Interest::READABLE).unwrap();
        assert!(observed.ready.is_priority(), "an event came since");
        readiness.clear(observed, Ready::PRIORITY);
        assert_eq!(readiness.observe(Interest::READABLE).unwrap().ready, Ready::READABLE);
    }
}

/// All interleavings under loom, a few as they come otherwise.
fn check(body: impl Fn() + Send + Sync + 'static) {
    #[cfg(loom)]
    loom::model(body);
    #[cfg(not(loom))]
    for _ in 0..100 {
        body();
    }
}
