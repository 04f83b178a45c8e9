//! The floors of what goes from thread to thread: a locked queue, an eventfd, a parked thread.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, Thread};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::meter::{Meter, Sample, pin};

type Job = Box<dyn FnOnce() + Send>;

/// Sends `batches` times `batch` boxed closures from a plain thread on `processor` to a loop that sleeps in epoll on the
/// first one, and waits for each batch.
pub fn spawn_from_thread(batches: u64, batch: u64, processor: usize) -> Sample {
    let bell = Arc::new(Bell::new());
    let jobs: Arc<Mutex<Vec<Job>>> = Arc::default();
    let stop = Arc::new(AtomicBool::new(false));
    pin(0);
    let sender = thread::spawn({
        let (bell, jobs, stop) = (bell.clone(), jobs.clone(), stop.clone());
        move || {
            pin(processor);
            let left: &Left = Box::leak(Box::new(Left { jobs: AtomicU64::new(0), thread: thread::current() }));
            let send = |batches: u64| {
                for _ in 0..batches {
                    left.jobs.store(batch, Ordering::Relaxed);
                    for _ in 0..batch {
                        jobs.lock().unwrap().push(Box::new(move || left.one_less()));
                        bell.ring();
                    }
                    while left.jobs.load(Ordering::Acquire) > 0 {
                        thread::park();
                    }
                }
            };
            send(1 + batches / 10);
            let meter = Meter::start();
            send(batches);
            let sample = meter.stop(batches * batch);
            stop.store(true, Ordering::Release);
            bell.ring();
            sample
        }
    });
    let mut taken = Vec::new();
    while !stop.load(Ordering::Acquire) {
        std::mem::swap(&mut taken, &mut *jobs.lock().unwrap());
        if taken.is_empty() {
            bell.wait(|| jobs.lock().unwrap().is_empty() && !stop.load(Ordering::Acquire));
        }
        for job in taken.drain(..) {
            job();
        }
    }
    sender.join().expect("the sender does not panic")
}

/// Hands a turn to and fro between a plain thread on `processor` and a loop that sleeps in epoll on the first one, `trips`
/// times there and back.
pub fn ping_pong(trips: u64, processor: usize) -> Sample {
    let bell = Arc::new(Bell::new());
    let turn = Arc::new(AtomicU64::new(0));
    let warm_up = 1 + trips / 10;
    let all = 2 * (warm_up + trips);
    pin(0);
    let thread = thread::spawn({
        let (bell, turn) = (bell.clone(), turn.clone());
        move || {
            pin(processor);
            let run = |trips: u64| {
                for _ in 0..trips {
                    let before = turn.fetch_add(1, Ordering::SeqCst);
                    bell.ring();
                    while turn.load(Ordering::Acquire) == before + 1 {
                        thread::park();
                    }
                }
            };
            run(warm_up);
            let meter = Meter::start();
            run(trips);
            meter.stop(trips)
        }
    });
    while turn.load(Ordering::Acquire) < all {
        if turn.load(Ordering::Acquire) % 2 == 1 {
            turn.fetch_add(1, Ordering::Release);
            thread.thread().unpark();
        } else {
            bell.wait(|| turn.load(Ordering::SeqCst).is_multiple_of(2));
        }
    }
    thread.join().expect("the thread does not panic")
}

struct Left {
    jobs: AtomicU64,
    thread: Thread,
}

impl Left {
    fn one_less(&self) {
        if self.jobs.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.thread.unpark();
        }
    }
}

/// What wakes the loop: an eventfd that is written only while the loop sleeps, and never read, since it is watched by edge.
struct Bell {
    epoll: Epoll,
    event: EventFd,
    asleep: AtomicBool,
}

impl Bell {
    fn new() -> Self {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).expect("epoll");
        let event = EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC).expect("eventfd");
        epoll.add(&event, EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, 0)).expect("EPOLL_CTL_ADD");
        Self { epoll, event, asleep: AtomicBool::new(false) }
    }

    fn ring(&self) {
        if self.asleep.load(Ordering::SeqCst) && self.asleep.swap(false, Ordering::SeqCst) {
            self.event.write(1).expect("the count does not overflow in a benchmark");
        }
    }

    /// Sleeps until the bell rings, unless `idle` says that there is work after all.
    fn wait(&self, idle: impl Fn() -> bool) {
        self.asleep.store(true, Ordering::SeqCst);
        if idle() {
            let mut events = [EpollEvent::empty()];
            // An interrupted wait is a wake-up too many, which the loop bears.
            let _ = self.epoll.wait(&mut events, EpollTimeout::NONE);
        }
        self.asleep.store(false, Ordering::SeqCst);
    }
}
