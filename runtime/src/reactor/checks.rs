//! Models of timers that other threads ask for: under `--cfg loom` every interleaving, else the same bodies a few times with
//! real threads, for the sanitizers.
//!
//! Each has been seen to fail; what was broken for it stands above it.

use std::sync::Arc;
use std::task::{Wake, Waker};

use super::remote::{Posted, RemoteTimer, Request, Requests};
use super::wheel::{Precision, Wheel};
use crate::primitives::{Condvar, Mutex, thread};

/// Deadlines of the models; the owner turns the clock from one to the next.
const SOON: u64 = 1;

fn model(body: impl Fn() + Send + Sync + 'static) {
    #[cfg(loom)]
    loom::model(body);
    #[cfg(not(loom))]
    (0..200).for_each(|_| body());
}

/// Rung and waited for; counts how often it was rung.
#[derive(Default)]
struct Signal {
    /// Rings so far, and those that a wait has taken.
    rings: Mutex<(usize, usize)>,
    changed: Condvar,
}

impl Signal {
    fn ring(&self) {
        self.rings.lock().0 += 1;
        self.changed.notify_one();
    }

    fn wait(&self) {
        let mut rings = self.rings.lock();
        while rings.0 == rings.1 {
            rings = self.changed.wait(rings);
        }
        rings.1 = rings.0;
    }

    fn rings(&self) -> usize {
        self.rings.lock().0
    }

    fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(Arc::clone(self))
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.ring();
    }
}

/// What the handle of a reactor is to other threads.
#[derive(Default)]
struct Outside {
    requests: Requests,
    bell: Signal,
}

impl Outside {
    /// False: closed.
    fn post(&self, request: Request) -> bool {
        match self.requests.post(request) {
            Posted::Ring => self.bell.ring(),
            Posted::Nothing => {}
            Posted::Closed => return false,
        }
        true
    }

    fn cancel(&self, timer: &RemoteTimer) -> Option<Waker> {
        let remains = timer.cancel();
        if let Some(key) = remains.key {
            self.post(Request::Cancel(key));
        }
        remains.waker
    }
}

/// What a reactor is to its thread.
struct Inside {
    outside: Arc<Outside>,
    wheel: Wheel<Waker>,
}

impl Inside {
    fn new() -> Self {
        Self { outside: Arc::default(), wheel: Wheel::new(0) }
    }

    fn serve(&mut self) {
        let mut removed = Vec::new();
        self.outside.requests.serve(&mut self.wheel, &mut removed);
    }

    /// Fires what is armed; time passes in an instant here.
    fn fire(&mut self) {
        let mut woken = Vec::new();
        self.wheel.advance(SOON, Precision::Exact, &mut woken);
        woken.into_iter().for_each(Waker::wake);
    }

    /// Serves, and waits for the bell for as long as there is no timer to fire.
    fn turn_until_fired(&mut self) {
        self.serve();
        while self.wheel.is_empty() {
            self.outside.bell.wait();
            self.serve();
        }
        self.fire();
    }

    fn close(&mut self) {
        let mut orphans = Vec::new();
        self.outside.requests.close(&mut orphans);
        self.wheel.clear(&mut orphans);
        orphans.into_iter().for_each(Waker::wake);
    }
}

/// A timer that is armed remotely is heard of by an owner that is about to sleep, and wakes. Broken: the bell rung before the
/// request is pushed (deadlock); `post` raising `pending` before it takes the lock (deadlock).
#[test]
fn arm_against_sleep() {
    model(|| {
        let mut inside = Inside::new();
        let outside = Arc::clone(&inside.outside);
        let signal = Arc::<Signal>::default();
        let woken = Arc::clone(&signal);
        let sleeper = thread::spawn(move || {
            let timer = RemoteTimer::new(SOON, woken.waker());
            assert!(outside.post(Request::Arm(Arc::clone(&timer))));
            woken.wait();
            assert!(!timer.set_waker(&woken.waker()), "it has fired");
        });
        inside.turn_until_fired();
        sleeper.join().unwrap();
        assert!(inside.wheel.is_empty());
        assert_eq!((signal.rings(), Arc::strong_count(&signal)), (1, 1));
    });
}

/// A timer that is armed and cancelled at once leaves nothing behind, whatever the owner does meanwhile. Broken: `arm` putting it
/// into the wheel although it is cancelled (an entry is left); `arm` letting go of the lock before it notes the key (the same).
#[test]
fn arm_and_cancel_against_serve() {
    model(|| {
        let mut inside = Inside::new();
        let outside = Arc::clone(&inside.outside);
        let signal = Arc::<Signal>::default();
        let waker = signal.waker();
        let fickle = thread::spawn(move || {
            let timer = RemoteTimer::new(SOON, waker);
            assert!(outside.post(Request::Arm(Arc::clone(&timer))));
            assert!(outside.cancel(&timer).is_some(), "nothing fires here");
        });
        inside.serve();
        fickle.join().unwrap();
        inside.serve();
        assert!(inside.wheel.is_empty());
        assert_eq!((signal.rings(), Arc::strong_count(&signal)), (0, 1));
    });
}

/// Either the timer is cancelled and its waker handed back, or it fires and wakes: never both, never neither. Broken: `wake` cloning
/// the waker instead of taking it (both); `cancel` leaving the waker where it is (woken after the cancel).
#[test]
fn cancel_against_fire() {
    model(|| {
        let mut inside = Inside::new();
        let outside = Arc::clone(&inside.outside);
        let signal = Arc::<Signal>::default();
        let timer = RemoteTimer::new(SOON, signal.waker());
        assert!(outside.post(Request::Arm(Arc::clone(&timer))));
        inside.serve();
        let canceller = thread::spawn(move || outside.cancel(&timer).is_some());
        inside.serve();
        inside.fire();
        let cancelled = canceller.join().unwrap();
        assert_eq!(signal.rings(), usize::from(!cancelled));
        inside.serve();
        assert!(inside.wheel.is_empty());
        assert_eq!(Arc::strong_count(&signal), 1);
    });
}

/// A cancel by key of a timer that the owner armed itself really takes the entry out, or comes too late. Broken: `serve` lowering
/// `pending` after it has let go of the queue (the entry is left).
#[test]
fn cancel_by_key_against_serve() {
    model(|| {
        let mut inside = Inside::new();
        let outside = Arc::clone(&inside.outside);
        let signal = Arc::<Signal>::default();
        let keys = [inside.wheel.insert(SOON, signal.waker()), inside.wheel.insert(SOON, signal.waker())];
        let canceller = thread::spawn(move || {
            assert!(keys.into_iter().all(|key| outside.post(Request::Cancel(key))));
        });
        inside.serve();
        canceller.join().unwrap();
        inside.serve();
        assert!(inside.wheel.is_empty());
        inside.fire();
        assert_eq!((signal.rings(), Arc::strong_count(&signal)), (0, 1));
    });
}

/// Who is told that the new waker is in place will be woken through it; who is told that the timer has fired need not wait. Broken:
/// `wake` not noting that it fired (the new waker is never woken).
#[test]
fn new_waker_against_fire() {
    model(|| {
        let mut inside = Inside::new();
        let (old, new) = (Arc::<Signal>::default(), Arc::<Signal>::default());
        let timer = RemoteTimer::new(SOON, old.waker());
        assert!(inside.outside.post(Request::Arm(Arc::clone(&timer))));
        let waker = new.waker();
        let poller = thread::spawn(move || timer.set_waker(&waker));
        inside.turn_until_fired();
        let waits = poller.join().unwrap();
        assert_eq!((old.rings(), new.rings()), if waits { (0, 1) } else { (1, 0) });
        assert_eq!((Arc::strong_count(&old), Arc::strong_count(&new)), (1, 1));
    });
}

/// A timer asked for while the reactor closes is either refused or woken. Broken: `post` reading `closed` before it takes the lock
/// that it pushes under (nobody is told).
#[test]
fn arm_against_close() {
    model(|| {
        let mut inside = Inside::new();
        let outside = Arc::clone(&inside.outside);
        let signal = Arc::<Signal>::default();
        let waker = signal.waker();
        let sleeper = thread::spawn(move || outside.post(Request::Arm(RemoteTimer::new(SOON, waker))));
        inside.close();
        let accepted = sleeper.join().unwrap();
        assert_eq!(signal.rings(), usize::from(accepted));
        assert_eq!(Arc::strong_count(&signal), 1);
    });
}
