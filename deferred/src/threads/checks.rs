//! Models of the hand-over between two threads.

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use super::handover::Handover;
use crate::primitives::{Condvar, Mutex, thread};

/// Runs `model` in every interleaving under `--cfg loom`, once otherwise.
fn explore(model: impl Fn() + Sync + Send + 'static) {
    #[cfg(loom)]
    loom::model(model);
    #[cfg(not(loom))]
    model();
}

/// Who waits for what is handed over, asleep until woken: a wake that does not come is a deadlock, which loom reports.
#[derive(Default)]
struct Sleeper {
    woken: Mutex<bool>,
    bell: Condvar,
}

impl Wake for Sleeper {
    fn wake(self: Arc<Self>) {
        *self.woken.lock().unwrap() = true;
        self.bell.notify_one();
    }
}

fn take<T>(handover: &Handover<T>) -> T {
    let sleeper = Arc::new(Sleeper::default());
    let waker = Waker::from(Arc::clone(&sleeper));
    loop {
        if let Poll::Ready(value) = handover.poll_take(&mut Context::from_waker(&waker)) {
            return value;
        }
        let mut woken = sleeper.woken.lock().unwrap();
        while !*woken {
            woken = sleeper.bell.wait(woken).unwrap();
        }
        *woken = false;
    }
}

/// One puts while the other waits.
///
/// Seen failing with a `put` that looks for the waker before it leaves the value, in two locks.
#[test]
fn put_against_take() {
    explore(|| {
        let handover = Arc::new(Handover::new());
        let there = Arc::clone(&handover);
        let puts = thread::spawn(move || there.put(7));
        assert_eq!(take(&handover), 7);
        assert_eq!(puts.join().unwrap(), Ok(()));
    });
}

/// One puts while the other leaves: one of the two has the value in the end.
///
/// Seen failing with a `close` that looks for a value and closes in two locks.
#[test]
fn put_against_close() {
    explore(|| {
        let handover = Arc::new(Handover::new());
        let there = Arc::clone(&handover);
        let puts = thread::spawn(move || there.put(7));
        let closed = handover.close();
        let back = puts.join().unwrap();
        assert_eq!((closed.is_some(), back.is_err()), (back.is_ok(), closed.is_none()));
    });
}

/// Two put: the one who comes second has its own back.
#[test]
fn put_against_put() {
    explore(|| {
        let handover = Arc::new(Handover::new());
        let there = Arc::clone(&handover);
        let other = thread::spawn(move || there.put(1));
        let mine = handover.put(2);
        let other = other.join().unwrap();
        assert_eq!(take(&handover), if mine.is_ok() { 2 } else { 1 });
        assert_ne!(mine.is_ok(), other.is_ok());
    });
}
