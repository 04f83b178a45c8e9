//! Bursts of calls, made as one, in virtual time.

mod support;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use rt_deferred::{
    Abandoned, Cancelled, Clock, Debounce, Deferred, Resolver, State, assert_no_result, failure_result_of,
    success_result_of, unhandled,
};

use support::{MS, Trace};

/// A debounced function that notes its argument and returns it tenfold.
fn noting(clock: &Clock) -> (Debounce<u32, u32>, Trace) {
    let trace = Trace::default();
    let words = trace.clone();
    let debounce = Debounce::new(clock, 100 * MS, move |n: u32| {
        words.push(format!("called with {n}"));
        n * 10
    });
    (debounce, trace)
}

#[test]
fn burst_is_one_call_with_the_last_argument() {
    let clock = Clock::new();
    let (debounce, trace) = noting(&clock);
    let first = debounce.call(1);
    clock.advance(99 * MS);
    let second = debounce.call(2);
    clock.advance(99 * MS);
    assert!(debounce.is_pending());
    assert_eq!(trace.take(), [""; 0]);
    clock.advance(MS);
    assert_eq!(trace.take(), ["called with 2"]);
    assert!(!debounce.is_pending());
    assert_eq!((success_result_of(first), success_result_of(second)), (20, 20));
    assert_eq!(clock.delayed_calls().len(), 0);
}

#[test]
fn second_burst_is_a_second_call() {
    let clock = Clock::new();
    let (debounce, trace) = noting(&clock);
    let first = debounce.call(1);
    clock.advance(100 * MS);
    let second = debounce.call(2);
    clock.advance(100 * MS);
    assert_eq!(trace.take(), ["called with 1", "called with 2"]);
    assert_eq!((success_result_of(first), success_result_of(second)), (10, 20));
}

#[test]
fn burst_without_end() {
    let clock = Clock::new();
    let (debounce, trace) = noting(&clock);
    let debounce = debounce.max_wait(250 * MS);
    for n in 0..6 {
        drop(debounce.call(n));
        clock.advance(50 * MS);
    }
    // Called at 0, 50, 100, 150, 200 (which is put off to 250, not 300) and 250, where the next burst begins.
    assert_eq!(trace.take(), ["called with 4"]);
    clock.advance(50 * MS);
    assert_eq!(trace.take(), ["called with 5"]);
}

#[test]
fn flushed() {
    let clock = Clock::new();
    let (debounce, trace) = noting(&clock);
    assert!(!debounce.flush());
    let call = debounce.call(1);
    assert!(debounce.flush());
    assert_eq!(success_result_of(call), 10);
    assert_eq!(clock.delayed_calls().len(), 0);
    clock.advance(200 * MS);
    assert_eq!(trace.take(), ["called with 1"]);
}

#[test]
fn cancelled_as_a_whole() {
    let clock = Clock::new();
    let (debounce, trace) = noting(&clock);
    assert!(!debounce.cancel());
    let calls = [debounce.call(1), debounce.call(2)];
    assert!(debounce.cancel());
    for call in calls {
        assert!(failure_result_of(call).check::<Cancelled>());
    }
    assert_eq!(clock.delayed_calls().len(), 0);
    clock.advance(200 * MS);
    assert_eq!(trace.take(), [""; 0]);
}

#[test]
fn cancelled_by_one_caller() {
    let clock = Clock::new();
    let (debounce, _trace) = noting(&clock);
    let (stays, leaves) = (debounce.call(1), debounce.call(2));
    leaves.cancel();
    assert!(failure_result_of(leaves).check::<Cancelled>());
    clock.advance(100 * MS);
    assert_eq!(success_result_of(stays), 20);
}

#[test]
fn cancelled_by_all_callers_before_the_call() {
    let clock = Clock::new();
    let (debounce, trace) = noting(&clock);
    let calls = [debounce.call(1), debounce.call(2)];
    for call in calls {
        call.cancel();
        assert!(failure_result_of(call).check::<Cancelled>());
    }
    assert!(!debounce.is_pending());
    assert_eq!(clock.delayed_calls().len(), 0);
    clock.advance(200 * MS);
    assert_eq!(trace.take(), [""; 0]);
}

type Resolvers = Rc<RefCell<Vec<Resolver<u32>>>>;

/// A debounced function whose Deferreds the test fires.
fn pending(clock: &Clock) -> (Debounce<(), u32>, Resolvers) {
    let resolvers = Resolvers::default();
    let made = resolvers.clone();
    let debounce = Debounce::new(clock, 100 * MS, move |()| {
        let (deferred, resolver) = Deferred::new();
        made.borrow_mut().push(resolver);
        deferred
    });
    (debounce, resolvers)
}

#[test]
fn cancelled_by_all_callers_during_the_call() {
    let clock = Clock::new();
    let (debounce, resolvers) = pending(&clock);
    let ((), lost) = unhandled::capture(|| {
        let calls = [debounce.call(()), debounce.call(())];
        clock.advance(100 * MS);
        calls[0].cancel();
        assert!(!resolvers.borrow()[0].is_called());
        calls[1].cancel();
        assert!(resolvers.borrow()[0].is_called());
        for call in calls {
            assert!(failure_result_of(call).check::<Cancelled>());
        }
        resolvers.borrow_mut().clear();
    });
    assert_eq!(lost.len(), 0);
}

#[test]
fn call_while_the_former_one_is_under_way() {
    let clock = Clock::new();
    let (debounce, resolvers) = pending(&clock);
    let first = debounce.call(());
    clock.advance(100 * MS);
    let second = debounce.call(());
    clock.advance(100 * MS);
    assert_eq!(resolvers.borrow().len(), 2);
    resolvers.borrow()[1].callback(2).unwrap();
    assert_eq!((first.state(), success_result_of(second)), (State::Pending, 2));
    resolvers.borrow()[0].callback(1).unwrap();
    assert_eq!(success_result_of(first), 1);
}

#[test]
fn cancelling_a_call_under_way_leaves_the_next_burst() {
    let clock = Clock::new();
    let (debounce, resolvers) = pending(&clock);
    let first = debounce.call(());
    clock.advance(100 * MS);
    let second = debounce.call(());
    first.cancel();
    assert!(failure_result_of(first).check::<Cancelled>());
    clock.advance(100 * MS);
    resolvers.borrow()[1].callback(2).unwrap();
    assert_eq!(success_result_of(second), 2);
}

#[test]
fn function_that_panics() {
    let clock = Clock::new();
    let debounce = Debounce::new(&clock, 100 * MS, |()| -> u8 { panic!("as it should") });
    let calls = [debounce.call(()), debounce.call(())];
    clock.advance(100 * MS);
    for call in calls {
        assert!(failure_result_of(call).is_panic());
    }
}

#[test]
fn function_that_calls_again() {
    let clock = Clock::new();
    let own: Rc<RefCell<Option<Debounce<u32, u32>>>> = Rc::default();
    let (held, count) = (own.clone(), Rc::new(Cell::new(0)));
    let counted = count.clone();
    let debounce = Debounce::new(&clock, 100 * MS, move |n: u32| {
        counted.set(counted.get() + 1);
        let own = held.borrow().clone();
        own.filter(|_| n < 3).map_or(Deferred::succeed(n), |own| own.call(n + 1))
    });
    own.replace(Some(debounce.clone()));
    let call = debounce.call(1);
    clock.pump([100 * MS; 2]);
    assert_no_result(&call);
    clock.advance(100 * MS);
    assert_eq!((success_result_of(call), count.get()), (3, 3));
    own.take();
}

#[test]
fn dropped_with_a_call_put_off() {
    let clock = Clock::new();
    let (debounce, trace) = noting(&clock);
    let call = debounce.call(1);
    drop(debounce);
    assert!(failure_result_of(call).check::<Abandoned>());
    assert_eq!(clock.delayed_calls().len(), 0);
    clock.advance(100 * MS);
    assert_eq!(trace.take(), [""; 0]);
}

#[test]
fn dropped_with_a_call_under_way() {
    let clock = Clock::new();
    let (debounce, resolvers) = pending(&clock);
    let call = debounce.call(());
    clock.advance(100 * MS);
    drop(debounce);
    let resolver = resolvers.borrow_mut().remove(0);
    resolver.callback(5).unwrap();
    assert_eq!(success_result_of(call), 5);
}

#[test]
fn nothing_is_kept_when_all_is_dropped() {
    let (clock, probe) = (Clock::new(), Rc::new(()));
    let held = probe.clone();
    let debounce = Debounce::new(&clock, 100 * MS, move |_: Rc<()>| {
        let (deferred, resolver) = Deferred::new();
        let deferred = deferred.add_callback(|()| ());
        resolver.detach();
        drop(held.clone());
        deferred
    });
    let under_way = debounce.call(probe.clone());
    clock.advance(100 * MS);
    let put_off = debounce.call(probe.clone());
    drop(debounce);
    assert_no_result(&under_way);
    assert!(failure_result_of(put_off).check::<Abandoned>());
    assert_eq!(Rc::strong_count(&probe), 1);
}
