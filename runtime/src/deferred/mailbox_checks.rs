//! Models of the mailbox.

use std::sync::Arc;
use std::task::{Poll, Waker};

use super::mailbox::Mailbox;
use crate::models::{explore, wait_for};
use crate::primitives::thread;

/// Takes until there are `count`, asleep between two posts.
fn take(mailbox: &Mailbox<u32>, count: usize) -> Vec<u32> {
    let mut taken = Vec::new();
    wait_for(|cx| {
        taken.extend(mailbox.take(cx.waker()));
        if taken.len() == count { Poll::Ready(()) } else { Poll::Pending }
    });
    taken
}

/// Two post while the owner waits: all arrives, that of one thread in its order.
///
/// Seen failing with a `take` that leaves the waker in a second lock, after it has looked.
#[test]
fn posts_against_a_sleeping_owner() {
    explore(|| {
        let mailbox = Arc::new(Mailbox::new());
        let there = Arc::clone(&mailbox);
        let other = thread::spawn(move || {
            there.push(1).unwrap();
            there.push(2).unwrap();
        });
        let there = Arc::clone(&mailbox);
        let third = thread::spawn(move || there.push(10).unwrap());
        let taken = take(&mailbox, 3);
        let ones: Vec<u32> = taken.into_iter().filter(|job| *job < 10).collect();
        assert_eq!(ones, [1, 2]);
        other.join().unwrap();
        third.join().unwrap();
    });
}

/// What was taken and is put back comes before what was posted meanwhile.
///
/// Seen failing with a `put_back` that appends.
#[test]
fn put_back_against_a_post() {
    explore(|| {
        let mailbox = Arc::new(Mailbox::new());
        mailbox.push(1).unwrap();
        let there = Arc::clone(&mailbox);
        let other = thread::spawn(move || there.push(2).unwrap());
        mailbox.put_back(mailbox.take(Waker::noop()));
        assert_eq!(take(&mailbox, 2), [1, 2]);
        other.join().unwrap();
    });
}

/// The owner ends while somebody posts: the job comes back or is dropped, once.
///
/// Seen failing with a `close` that closes in a second lock, after it has emptied the mailbox.
#[test]
fn post_against_close() {
    explore(|| {
        let mailbox = Arc::new(Mailbox::new());
        let (there, job) = (Arc::clone(&mailbox), Arc::new(()));
        let sent = Arc::clone(&job);
        let other = thread::spawn(move || there.push(sent).map_err(drop));
        mailbox.close();
        let _ = other.join().unwrap();
        assert_eq!(Arc::strong_count(&job), 1);
    });
}
