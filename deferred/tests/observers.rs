//! One result for many observers.

mod support;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use rt_deferred::{
    Abandoned, AlreadyCalled, Cancelled, Deferred, OneShotObservers, State, assert_no_result, failure_result_of,
    success_result_of, unhandled,
};

use support::Trace;

fn note(trace: &Trace, name: &'static str, wait: Deferred<u32>) {
    let trace = trace.clone();
    drop(wait.add_callback(move |value| trace.push(format!("{name} {value}"))));
}

#[test]
fn observers_fire_in_order_of_registration() {
    let (trace, list) = (Trace::default(), OneShotObservers::new());
    for name in ["first", "second", "third"] {
        note(&trace, name, list.when_fired());
    }
    assert_eq!((list.waiting(), list.is_fired()), (3, false));
    list.fire(7).unwrap();
    assert_eq!(trace.take(), ["first 7", "second 7", "third 7"]);
    note(&trace, "late", list.when_fired());
    assert_eq!(trace.take(), ["late 7"]);
    assert_eq!((list.waiting(), list.is_fired()), (0, true));
}

#[test]
fn fired_twice() {
    let list = OneShotObservers::new();
    list.fire(1).unwrap();
    assert_eq!(list.fire(2), Err(AlreadyCalled));
    assert_eq!(list.fail("too late"), Err(AlreadyCalled));
    assert_eq!(success_result_of(list.when_fired()), 1);
}

#[test]
fn failure_goes_to_each() {
    let list = OneShotObservers::<u8>::new();
    let early = list.when_fired();
    list.fail("no paper").unwrap();
    let failures = [failure_result_of(early), failure_result_of(list.when_fired())];
    assert!(failures[0].is_same(&failures[1]));
}

#[test]
fn cancelled_wait_leaves_the_list() {
    let list = OneShotObservers::new();
    let (stays, leaves) = (list.when_fired(), list.when_fired());
    leaves.cancel();
    assert_eq!(list.waiting(), 1);
    assert!(failure_result_of(leaves).check::<Cancelled>());
    list.fire("news").unwrap();
    assert_eq!(success_result_of(stays), "news");
}

#[test]
fn cancelled_by_an_observer_before_it() {
    let list = OneShotObservers::new();
    let first = list.when_fired();
    let second = list.when_fired();
    let control = second.control();
    drop(first.add_callback(move |_: u8| control.cancel()));
    list.fire(1).unwrap();
    assert!(failure_result_of(second).check::<Cancelled>());
}

#[test]
fn observer_that_registers_another_one() {
    let (trace, list) = (Trace::default(), OneShotObservers::new());
    let (own, words) = (list.clone(), trace.clone());
    drop(list.when_fired().add_callback(move |value| {
        words.push(format!("first {value}"));
        note(&words, "registered while firing", own.when_fired());
        assert!(own.is_fired());
    }));
    note(&trace, "second", list.when_fired());
    list.fire(7).unwrap();
    assert_eq!(trace.take(), ["first 7", "second 7", "registered while firing 7"]);
}

#[test]
fn observer_that_fires_again() {
    let list = OneShotObservers::new();
    let own = list.clone();
    let again = list.when_fired().add_callback(move |_: u8| own.fire(2));
    list.fire(1).unwrap();
    assert!(failure_result_of::<()>(again).check::<AlreadyCalled>());
}

#[test]
fn observer_that_drops_the_list() {
    let list = OneShotObservers::new();
    let held = Rc::new(RefCell::new(Some(list.clone())));
    let first = list.when_fired().add_callback(move |_: u8| drop(held.take()));
    let second = list.when_fired();
    list.fire(1).unwrap();
    drop(list);
    success_result_of(first);
    assert_eq!(success_result_of(second), 1);
}

#[test]
fn dropped_unfired() {
    let list = OneShotObservers::<u8>::new();
    let wait = list.when_fired();
    let other = list.clone();
    drop(list);
    assert_no_result(&wait);
    drop(other);
    assert!(failure_result_of(wait).check::<Abandoned>());
}

#[test]
fn detached() {
    let list = OneShotObservers::<u8>::new();
    let wait = list.when_fired();
    list.detach();
    assert_eq!(wait.state(), State::Pending);
}

#[test]
fn follows_a_deferred() {
    let (source, resolver) = Deferred::new();
    let list = OneShotObservers::from_deferred(source);
    let wait = list.when_fired();
    drop(list);
    resolver.callback(3).unwrap();
    assert_eq!(success_result_of(wait), 3);
}

#[test]
fn follows_a_deferred_that_is_detached() {
    let (source, resolver) = Deferred::<u8>::new();
    let list = OneShotObservers::from_deferred(source);
    let wait = list.when_fired();
    drop(list);
    resolver.detach();
    assert_no_result(&wait);
}

#[test]
fn fired_by_hand_before_the_deferred_it_follows() {
    let (source, resolver) = Deferred::new();
    let list = OneShotObservers::from_deferred(source);
    list.fire(1).unwrap();
    resolver.callback(2).unwrap();
    assert_eq!(success_result_of(list.when_fired()), 1);
}

#[test]
fn failure_that_nobody_asked_for() {
    let ((), lost) = unhandled::capture(|| {
        let list = OneShotObservers::<u8>::new();
        list.fail("nobody looks").unwrap();
    });
    assert_eq!(lost.len(), 1);
    assert_eq!(lost[0].failure.to_string(), "nobody looks");
    assert!(lost[0].to_string().contains(file!()), "{}", lost[0]);
}

#[test]
fn failure_that_a_late_one_asked_for() {
    let ((), lost) = unhandled::capture(|| {
        let list = OneShotObservers::<u8>::new();
        list.fail("somebody looks").unwrap();
        failure_result_of(list.when_fired());
    });
    assert_eq!(lost.len(), 0);
}

#[test]
fn canceller_is_called_when_all_have_cancelled() {
    let calls = Rc::new(Cell::new(0));
    let counted = calls.clone();
    let list = OneShotObservers::<u8>::with_canceller(move || counted.set(counted.get() + 1));
    let waits = [list.when_fired(), list.when_fired()];
    waits[0].cancel();
    assert_eq!(calls.get(), 0);
    waits[1].cancel();
    assert_eq!(calls.get(), 1);
    let later = list.when_fired();
    later.cancel();
    assert_eq!(calls.get(), 1);
    for wait in waits.into_iter().chain([later]) {
        assert!(failure_result_of(wait).check::<Cancelled>());
    }
}

#[test]
fn canceller_is_not_called_after_firing() {
    let calls = Rc::new(Cell::new(0));
    let counted = calls.clone();
    let list = OneShotObservers::with_canceller(move || counted.set(counted.get() + 1));
    let first = list.when_fired();
    let last = list.when_fired();
    let control = last.control();
    drop(first.add_callback(move |_: u8| control.cancel()));
    list.fire(1).unwrap();
    assert!(failure_result_of(last).check::<Cancelled>());
    assert_eq!((calls.get(), Rc::strong_count(&calls)), (0, 1));
}

#[test]
fn clone_that_panics() {
    /// Its clone panics the second time.
    struct Fragile(Rc<Cell<u32>>);
    impl Clone for Fragile {
        fn clone(&self) -> Self {
            self.0.set(self.0.get() + 1);
            assert_ne!(self.0.get(), 2, "the second clone breaks");
            Self(self.0.clone())
        }
    }

    let list = OneShotObservers::new();
    let [first, second, third] = [list.when_fired(), list.when_fired(), list.when_fired()];
    list.fire(Fragile(Rc::default())).unwrap();
    success_result_of(first);
    assert!(failure_result_of(second).is_panic());
    success_result_of(third);
}

#[test]
fn nothing_is_kept_when_all_is_dropped() {
    let probe = Rc::new(());
    let list = OneShotObservers::new();
    let (own, held) = (list.clone(), probe.clone());
    drop(list.when_fired().add_callback(move |()| drop((own, held))));
    list.fire(()).unwrap();
    drop(list);
    assert_eq!(Rc::strong_count(&probe), 1);
}
