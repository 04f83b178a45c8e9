//! Models of the list of finished tasks: under `--cfg loom` every interleaving, otherwise one plain run of the same bodies.

use std::sync::Arc;
use std::task::{Wake, Waker};

use super::finished::Finished;
use crate::primitives::{Condvar, Mutex, thread};
use crate::task::Id;

fn explore(model: impl Fn() + Sync + Send + 'static) {
    #[cfg(loom)]
    loom::model(model);
    #[cfg(not(loom))]
    model();
}

/// A joiner that sleeps until it is woken; a wake that does not come is a deadlock.
#[derive(Default)]
struct Sleeper {
    woken: Mutex<bool>,
    bell: Condvar,
}

impl Sleeper {
    fn sleep(&self) {
        let mut woken = self.woken.lock();
        while !*woken {
            woken = self.bell.wait(woken);
        }
        *woken = false;
    }
}

impl Wake for Sleeper {
    fn wake(self: Arc<Self>) {
        *self.woken.lock() = true;
        self.bell.notify_one();
    }
}

fn next(finished: &Finished, sleeper: &Arc<Sleeper>) -> Id {
    let waker = Waker::from(Arc::clone(sleeper));
    loop {
        match finished.pop_or_wait(&waker) {
            Some(task) => return task,
            None => sleeper.sleep(),
        }
    }
}

/// Two tasks end on other threads while the set is waited for: both are found. Seen to deadlock when `pop_or_wait` stores the
/// waker without a second look at the list, and when `push` takes the joiner under a lock of its own before it adds the task.
#[test]
fn two_end_while_one_waits() {
    explore(|| {
        let finished = Arc::new(Finished::default());
        let ids = [Id::next(), Id::next()];
        let threads = ids.map(|id| {
            let waker = finished.waker(id);
            thread::spawn(move || waker.wake())
        });
        let sleeper = Arc::new(Sleeper::default());
        let mut found = [next(&finished, &sleeper), next(&finished, &sleeper)];
        found.sort();
        assert_eq!(found, ids);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

/// A task ends while its set closes: whichever comes first, the list is empty afterwards. Seen to fail when `push` does not look at
/// `closed`.
#[test]
fn one_ends_while_the_set_closes() {
    explore(|| {
        let finished = Arc::new(Finished::default());
        let waker = finished.waker(Id::next());
        let thread = thread::spawn(move || waker.wake());
        finished.close();
        thread.join().unwrap();
        assert_eq!(finished.pop(), None);
    });
}
