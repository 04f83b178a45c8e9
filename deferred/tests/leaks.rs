//! What nobody can fire, cancel or look at any more is freed, whoever went first.

use std::cell::Cell;
use std::rc::{Rc, Weak};

use rt_deferred::{
    Deferred, DeferredList, DeferredLock, DeferredQueue, Resolver, ensure_deferred, gather_results, race,
};

/// A value whose end can be seen.
fn probe() -> (Rc<()>, Weak<()>) {
    let probe = Rc::new(());
    let weak = Rc::downgrade(&probe);
    (probe, weak)
}

fn detached() -> Deferred<()> {
    let (deferred, resolver) = Deferred::new();
    resolver.detach();
    deferred
}

#[test]
fn deferred_and_its_resolver_in_its_own_callback() {
    let (probe, weak) = probe();
    let (deferred, resolver) = Deferred::<()>::new();
    let own: Rc<Cell<Option<Resolver<()>>>> = Rc::new(Cell::new(None));
    let held = own.clone();
    let deferred = deferred.add_callback(move |()| drop((held, probe)));
    own.set(Some(resolver));
    let resolver = own.take().unwrap();
    resolver.callback(()).unwrap();
    drop((deferred, resolver, own));
    assert_eq!(weak.strong_count(), 0);
}

#[test]
fn control_in_its_own_callback() {
    let (probe, weak) = probe();
    let deferred = detached();
    let control = deferred.control();
    drop(deferred.add_callback(move |()| {
        control.cancel();
        drop(probe);
    }));
    assert_eq!(weak.strong_count(), 0);
}

#[test]
fn waiting_for_a_detached_one() {
    let (probe, weak) = probe();
    let outer = Deferred::succeed(()).add_callback(|()| detached()).add_callback(move |()| drop(probe));
    assert_eq!(weak.strong_count(), 1);
    drop(outer);
    assert_eq!(weak.strong_count(), 0);
}

#[test]
fn detached_after_who_waits_was_dropped() {
    let (probe, weak) = probe();
    let (inner, resolver) = Deferred::<()>::new();
    drop(Deferred::succeed(()).add_callback(|()| inner).add_callback(move |()| drop(probe)));
    assert_eq!(weak.strong_count(), 1);
    resolver.detach();
    assert_eq!(weak.strong_count(), 0);
}

#[test]
fn members_of_a_list() {
    let (probe, weak) = probe();
    let list = DeferredList::new([detached(), detached()]).start().add_callback(move |_| drop(probe));
    assert_eq!(weak.strong_count(), 1);
    drop(list);
    assert_eq!(weak.strong_count(), 0);
}

#[test]
fn members_of_a_race_of_races() {
    let (probe, weak) = probe();
    let inner = race([detached(), detached()]).add_callback(|_| ());
    let outer = race([inner, detached()]).add_callback(move |_| drop(probe));
    assert_eq!(weak.strong_count(), 1);
    drop(outer);
    assert_eq!(weak.strong_count(), 0);
}

#[test]
fn coroutine_awaiting_a_detached_one() {
    let (probe, weak) = probe();
    let coroutine = ensure_deferred(async move {
        let _ = gather_results([detached(), detached()]).await;
        drop(probe);
    });
    assert_eq!(weak.strong_count(), 1);
    drop(coroutine);
    assert_eq!(weak.strong_count(), 0);
}

#[test]
fn coroutine_cancelled_and_going_on() {
    let (probe, weak) = probe();
    let coroutine = ensure_deferred(async move {
        let _ = detached().await;
        let _ = detached().await;
        drop(probe);
    });
    coroutine.cancel();
    assert_eq!(weak.strong_count(), 1);
    drop(coroutine);
    assert_eq!(weak.strong_count(), 0);
}

#[test]
fn waiters_of_a_lock_and_a_queue() {
    let (lock, queue) = (DeferredLock::new(), DeferredQueue::<()>::new());
    let ((probe_1, weak_1), (probe_2, weak_2)) = (probe(), probe());
    let held = lock.acquire();
    drop(lock.run(move || drop(probe_1)));
    drop(queue.get().unwrap().add_callback(move |()| drop(probe_2)));
    lock.detach();
    queue.detach();
    drop(held);
    assert_eq!((weak_1.strong_count(), weak_2.strong_count()), (0, 0));
}
