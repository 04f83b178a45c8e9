//! Models of `Shared` tasks: under `--cfg loom` every interleaving (within a bound where there are many), else the same bodies a few
//! times with real threads, for the sanitizers.
//!
//! Each has been seen to fail; what was broken for it stands above it.
#![allow(unsafe_code)]

use std::future::{Future, poll_fn};
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
// std's atomics: they order nothing here, the parkers and joins do.
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::task::{Context, Poll, Waker};

use super::{Bell, Core, Home, Id, JoinHandle, Lookout, Meta, Scheduler, SeatOwner, Unborn};
use crate::executor::park::Parker;
use crate::primitives::{Mutex, UnsafeCell, thread};

fn model(preemptions: usize, body: impl Fn() + Send + Sync + 'static) {
    #[cfg(loom)]
    {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(preemptions);
        builder.check(body);
    }
    #[cfg(not(loom))]
    {
        let _ = preemptions;
        (0..200).for_each(|_| body());
    }
}

/// Rings one bell for everything.
struct OneBell(Arc<Parker>);

impl Bell for OneBell {
    fn ring(&self) {
        self.0.unpark();
    }
}

impl Lookout for OneBell {
    fn injected(&self) -> Option<Arc<dyn Bell>> {
        Some(Arc::new(OneBell(Arc::clone(&self.0))))
    }

    fn rouse(&self, _seat: usize) {}
}

/// The seats of a runtime; a task injected unparks `bell`.
struct Bench {
    scheduler: Arc<Scheduler>,
    bell: Arc<Parker>,
}

impl Bench {
    fn new(seats: usize) -> Self {
        let bell = Arc::new(Parker::default());
        Self { scheduler: Arc::new(Scheduler::new(seats, Arc::new(OneBell(Arc::clone(&bell))))), bell }
    }

    fn core(&self, seat: usize) -> Core {
        let home = Home::new(Arc::new(OneBell(Arc::clone(&self.bell))));
        Core::at_seat(home, SeatOwner::new(&self.scheduler, seat))
    }

    fn spawn<F>(&self, core: &Core, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        JoinHandle::of(core.spawn(Unborn::new(future, Some(core.pool())), meta()))
    }

    /// What a worker's loop does, until `done`.
    fn run_until(&self, core: &Core, done: impl Fn() -> bool) {
        while !done() {
            if !core.run_among() && !core.take_injected() {
                core.receive_returned();
                if !done() {
                    self.bell.park();
                }
            }
        }
    }

    /// Gives all up, as the last worker does.
    fn close(self, cores: Vec<Core>) {
        self.scheduler.close();
        loop {
            cores.iter().for_each(Core::cancel_seat);
            if cores.iter().all(Core::is_seat_empty) {
                break;
            }
            thread::yield_now();
        }
        cores[0].close_injection();
        cores.iter().for_each(Core::close);
    }
}

fn meta() -> Meta {
    Meta { id: Id::next(), spawned_at: Location::caller() }
}

/// Written by one thread and read by another, without a lock: loom says if nothing orders that.
#[derive(Default)]
struct Data(UnsafeCell<u32>);

// SAFETY: what the models are there to show.
unsafe impl Send for Data {}
// SAFETY: as above.
unsafe impl Sync for Data {}

impl Data {
    fn write(&self) {
        // SAFETY: as above.
        self.0.with_mut(|value| unsafe { *value = 7 });
    }

    fn read(&self) -> u32 {
        // SAFETY: as above.
        self.0.with(|value| unsafe { *value })
    }
}

/// Counts its drop.
struct Guard(Arc<AtomicU32>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// A future that hands out its waker in its first poll, and ends in the first after that by which `data` was written.
fn waiting(
    data: &Arc<Data>,
    wakers: &Arc<Mutex<Vec<Waker>>>,
    ready: &Arc<AtomicU32>,
) -> impl Future<Output = u32> + use<> {
    let (data, wakers, ready) = (Arc::clone(data), Arc::clone(wakers), Arc::clone(ready));
    let mut polled = false;
    poll_fn(move |cx| {
        if !std::mem::replace(&mut polled, true) {
            wakers.lock().push(cx.waker().clone());
        }
        if ready.load(SeqCst) == 0 { Poll::Pending } else { Poll::Ready(data.read()) }
    })
}

/// Polls a join handle once.
fn poll<T>(handle: &mut JoinHandle<T>, waker: &Waker) -> Poll<Result<T, super::JoinError>> {
    Pin::new(handle).poll(&mut Context::from_waker(waker))
}

/// A task is woken from elsewhere around its poll: it runs again and sees what its waker wrote. Broken once each: `rest` that stores
/// without looking at NOTIFIED, `wake` that does nothing if the task is ACTIVE (both: it sleeps for ever); the step of `wake` with
/// Relaxed (race on the data).
#[test]
fn woken_remotely_around_a_poll() {
    model(3, || {
        let bench = Bench::new(1);
        let core = bench.core(0);
        let (data, wakers, ready) = (Arc::<Data>::default(), Arc::default(), Arc::<AtomicU32>::default());
        core.drive(|| {
            let task = bench.spawn(&core, waiting(&data, &wakers, &ready));
            assert!(core.run_among());
            let waker: Waker = wakers.lock().pop().expect("it was polled");
            let thread = thread::spawn({
                let (data, ready) = (Arc::clone(&data), Arc::clone(&ready));
                move || {
                    data.write();
                    ready.store(1, SeqCst);
                    waker.wake();
                }
            });
            bench.run_until(&core, || task.is_finished());
            thread.join().unwrap();
        });
        bench.close(vec![core]);
    });
}

/// Two threads wake one task, by reference and by value: it is queued once. Broken once: `wake_by_value` that always asks to be
/// queued (it runs twice at once).
#[test]
fn woken_by_two() {
    model(3, || {
        let bench = Bench::new(1);
        let core = bench.core(0);
        let (data, wakers, ready) = (Arc::<Data>::default(), Arc::default(), Arc::<AtomicU32>::default());
        data.write();
        core.drive(|| {
            let task = bench.spawn(&core, waiting(&data, &wakers, &ready));
            assert!(core.run_among());
            let waker: Waker = wakers.lock().pop().expect("it was polled");
            ready.store(1, SeqCst);
            let other = thread::spawn({
                let waker = waker.clone();
                move || waker.wake()
            });
            let third = thread::spawn(move || waker.wake_by_ref());
            bench.run_until(&core, || task.is_finished());
            other.join().unwrap();
            third.join().unwrap();
        });
        bench.close(vec![core]);
    });
}

/// Somebody waits for a task on another thread: it is woken, and gets the output. Broken once each: `end` that does not look at WAITS
/// (nobody wakes the joiner), `is_done` with Relaxed (race on the output).
#[test]
fn joined_remotely() {
    model(3, || {
        let bench = Bench::new(1);
        let core = bench.core(0);
        let output = Arc::<Data>::default();
        core.drive(|| {
            let data = Arc::clone(&output);
            let mut task = bench.spawn(&core, async move {
                data.write();
                5
            });
            let joiner = thread::spawn(move || {
                let parker = Arc::new(Parker::default());
                let waker = Waker::from(Arc::clone(&parker));
                loop {
                    match poll(&mut task, &waker) {
                        Poll::Ready(result) => return result.unwrap() + output.read(),
                        Poll::Pending => parker.park(),
                    }
                }
            });
            while core.run_among() {}
            assert_eq!(joiner.join().unwrap(), 12);
        });
        bench.close(vec![core]);
    });
}

/// A join handle that waits takes its waker back and leaves another, or goes, while the task ends. Broken once each: `stop_waiting`
/// that does nothing (race on the slot), `join_gone` that leaves JOIN set (the output is never dropped).
#[test]
fn join_handle_changes_its_mind_while_the_task_ends() {
    for leaves in [false, true] {
        model(3, move || {
            let bench = Bench::new(1);
            let core = bench.core(0);
            let drops = Arc::<AtomicU32>::default();
            core.drive(|| {
                let guard = Guard(Arc::clone(&drops));
                let mut task = bench.spawn(&core, async move { guard });
                let joiner = thread::spawn(move || {
                    let [first, second] = [(); 2].map(|()| Arc::new(Parker::default()));
                    if poll(&mut task, &Waker::from(first)).is_ready() || leaves {
                        return;
                    }
                    while poll(&mut task, &Waker::from(Arc::clone(&second))).is_pending() {
                        second.park();
                    }
                });
                while core.run_among() {}
                joiner.join().unwrap();
            });
            bench.close(vec![core]);
            assert_eq!(drops.load(SeqCst), 1, "the output is dropped once");
        });
    }
}

/// A task is aborted from elsewhere while it runs, rests or ends: its future is dropped once. Broken once: `cancel` that does not set
/// NOTIFIED (it rests and never hears of it).
#[test]
fn aborted_remotely() {
    model(3, || {
        let bench = Bench::new(1);
        let core = bench.core(0);
        let drops = Arc::<AtomicU32>::default();
        core.drive(|| {
            let guard = Guard(Arc::clone(&drops));
            let task = bench.spawn(&core, async move {
                let _guard = guard;
                std::future::pending::<()>().await;
            });
            let switch = task.abort_handle();
            let thread = thread::spawn(move || switch.abort());
            bench.run_until(&core, || task.is_finished());
            thread.join().unwrap();
        });
        assert_eq!(drops.load(SeqCst), 1);
        bench.close(vec![core]);
    });
}

/// The last references go on two threads while the task ends: the cell is freed once. Broken once: `release` that loads with Relaxed
/// (the free races with the last use).
#[test]
fn last_references_go_on_two_threads() {
    model(3, || {
        let bench = Bench::new(1);
        let core = bench.core(0);
        core.drive(|| {
            let task = bench.spawn(&core, async { 1 });
            let switch = task.abort_handle();
            let thread = thread::spawn(move || drop(switch));
            while core.run_among() {}
            drop(task);
            thread.join().unwrap();
        });
        bench.close(vec![core]);
    });
}

/// A second worker takes the task from the first's ring, and runs it to its end while the first goes on; the cell goes home. Broken
/// once: `end` that takes a cell of another seat out of its list (race on the list).
#[test]
fn stolen_and_ended_elsewhere() {
    model(2, || {
        let bench = Bench::new(2);
        let (first, second) = (bench.core(0), bench.core(1));
        let data = Arc::<Data>::default();
        data.write();
        let tasks = first.drive(|| {
            [(); 2].map(|()| {
                let data = Arc::clone(&data);
                bench.spawn(&first, async move { data.read() })
            })
        });
        let second = thread::spawn(move || {
            second.drive(|| {
                second.steal(0);
                while second.run_among() {}
            });
            second
        });
        first.drive(|| {
            while first.run_among() {}
            first.receive_returned();
        });
        let second = second.join().unwrap();
        first.drive(|| first.receive_returned());
        assert!(tasks.iter().all(JoinHandle::is_finished));
        drop(tasks);
        bench.close(vec![first, second]);
    });
}

/// A runtime is given up while a task of it is woken and another is spawned: both end, and everything is freed. Broken once: the empty
/// seats not waited for (the waker pushes into a queue that is closed).
#[test]
fn closed_against_a_wake_and_a_spawn() {
    model(2, || {
        let bench = Bench::new(1);
        let core = bench.core(0);
        let (data, wakers, ready) = (Arc::<Data>::default(), Arc::default(), Arc::<AtomicU32>::default());
        let drops = Arc::<AtomicU32>::default();
        let task = core.drive(|| {
            let task = bench.spawn(&core, waiting(&data, &wakers, &ready));
            assert!(core.run_among());
            task
        });
        let waker: Waker = wakers.lock().pop().expect("it was polled");
        let thread = thread::spawn({
            let (scheduler, guard) = (Arc::clone(&bench.scheduler), Guard(Arc::clone(&drops)));
            move || {
                waker.wake();
                let late = async move { drop(guard) };
                drop(JoinHandle::of(scheduler.spawn(Unborn::new(late, None), meta())));
            }
        });
        bench.close(vec![core]);
        thread.join().unwrap();
        assert!(task.is_finished());
        assert_eq!(drops.load(SeqCst), 1);
    });
}
