//! Destructors that panic, where a panic must not get out of the cell.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::{Bell, Core, Home, Id, JoinHandle, Meta, Unborn};

struct Silent;

impl Bell for Silent {
    fn ring(&self) {}
}

/// Panics with its name when it is dropped.
struct Bomb(&'static str);

impl Drop for Bomb {
    fn drop(&mut self) {
        std::panic::panic_any(self.0);
    }
}

/// Ready at once, with a bomb; and a bomb itself.
struct Ready(#[expect(dead_code, reason = "dropped")] Bomb);

impl Future for Ready {
    type Output = Bomb;

    fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Bomb> {
        Poll::Ready(Bomb("output"))
    }
}

fn core() -> Core {
    Core::new(Home::new(Arc::new(Silent)))
}

fn meta() -> Meta {
    Meta { id: Id::next(), spawned_at: std::panic::Location::caller() }
}

#[test]
fn future_and_output_panic_when_dropped() {
    let core = core();
    core.drive(|| {
        let mut task = JoinHandle::of(core.spawn(Unborn::new(Ready(Bomb("future")), Some(core.pool())), meta()));
        let detached = JoinHandle::of(core.spawn(Unborn::new(Ready(Bomb("future")), Some(core.pool())), meta()));
        drop(detached);
        while core.run_one() {}
        let joined = Pin::new(&mut task).poll(&mut Context::from_waker(Waker::noop()));
        let Poll::Ready(Err(error)) = joined else { panic!("the destructor's panic is the task's") };
        assert_eq!(error.into_panic().downcast_ref(), Some(&"future"));
    });
    core.close();
}

#[test]
fn future_panics_when_its_core_closes() {
    let core = core();
    let mut task =
        core.drive(|| JoinHandle::of(core.spawn(Unborn::new(Ready(Bomb("future")), Some(core.pool())), meta())));
    core.close();
    let joined = Pin::new(&mut task).poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(Err(error)) = joined else { panic!("the destructor's panic is the task's") };
    assert!(error.is_panic());
}

#[test]
fn core_that_was_not_closed_ends_its_tasks() {
    let core = core();
    let mut task =
        core.drive(|| JoinHandle::of(core.spawn(Unborn::new(std::future::pending::<()>(), Some(core.pool())), meta())));
    drop(core);
    let joined = Pin::new(&mut task).poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(joined, Poll::Ready(Err(error)) if error.is_cancelled()));
}
