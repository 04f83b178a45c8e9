//! Models of the inbox alone: numbers with a link instead of tasks.
#![allow(unsafe_code)]

use std::ptr::{self, NonNull};
use std::sync::Arc;

use super::{Inbox, PushError, Queued};
use crate::models::explore;
use crate::primitives::{Cell, Condvar, Mutex, thread};

struct Number {
    pusher: usize,
    number: usize,
    link: Cell<*const Number>,
}

// SAFETY: the link is a field that nobody else writes.
unsafe impl Queued for Number {
    fn link(&self) -> &Cell<*const Self> {
        &self.link
    }
}

/// An inbox and the bell of its owner.
struct Owner {
    inbox: Inbox<Number>,
    rung: Mutex<bool>,
    bell: Condvar,
}

impl Owner {
    fn new() -> Arc<Self> {
        Arc::new(Self { inbox: Inbox::new(), rung: Mutex::new(false), bell: Condvar::new() })
    }

    /// Pushes, and rings if that is asked for.
    fn push(&self, pusher: usize, number: usize) -> Result<(), PushError> {
        let element = NonNull::from(Box::leak(Box::new(Number { pusher, number, link: Cell::new(ptr::null()) })));
        // SAFETY: nobody else has the element, and the inbox lives as long as we do.
        match unsafe { self.inbox.push(element, || ()) } {
            Ok(None) => {}
            Ok(Some(())) => {
                *self.rung.lock() = true;
                self.bell.notify_one();
            }
            Err(closed) => {
                // SAFETY: made above, and not given away.
                drop(unsafe { Box::from_raw(element.as_ptr()) });
                return Err(closed);
            }
        }
        Ok(())
    }

    /// Appends what has arrived.
    fn take(&self, arrived: &mut Vec<(usize, usize)>) {
        for element in self.inbox.take() {
            // SAFETY: taken, so ours.
            let element = unsafe { Box::from_raw(element.as_ptr()) };
            arrived.push((element.pusher, element.number));
        }
    }

    /// Sleeps until it is rung, unless something has arrived.
    fn sleep(&self) {
        if self.inbox.sleep() {
            let mut rung = self.rung.lock();
            while !*rung {
                rung = self.bell.wait(rung);
            }
            *rung = false;
        }
    }
}

/// Two threads push, the owner sleeps and takes. Broken once each: the stack not reversed (order), the push Relaxed or the take
/// Relaxed (race on the link), sleep that stores without looking (a push is lost), a push that does not ask for the bell
/// (the owner sleeps for ever).
#[test]
fn two_threads_push_and_each_finds_its_order_kept() {
    explore(|| {
        let owner = Owner::new();
        let pushers = [2, 1].map(|count| {
            let owner = Arc::clone(&owner);
            thread::spawn(move || (0..count).for_each(|number| owner.push(count, number).expect("it is not closed")))
        });
        let mut arrived = Vec::new();
        while arrived.len() < 3 {
            owner.sleep();
            owner.take(&mut arrived);
        }
        let of = |pusher| arrived.iter().filter(move |(from, _)| *from == pusher).map(|(_, number)| *number);
        assert!(of(2).eq([0, 1]));
        assert!(of(1).eq([0]));
        pushers.into_iter().for_each(|pusher| pusher.join().unwrap());
    });
}

/// What a push says and what the owner finds agree. Broken once: close that stores without looking (a push is lost).
#[test]
fn pushed_against_close() {
    explore(|| {
        let owner = Owner::new();
        let pushers = [0, 1].map(|pusher| {
            let owner = Arc::clone(&owner);
            thread::spawn(move || owner.push(pusher, 0).is_ok())
        });
        let mut arrived = Vec::new();
        while !owner.inbox.close() {
            owner.take(&mut arrived);
        }
        let pushed = pushers.into_iter().map(|pusher| pusher.join().unwrap()).filter(|pushed| *pushed).count();
        assert_eq!(pushed, arrived.len());
    });
}
