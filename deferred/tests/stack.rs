//! Whatever is a million deep or long runs in the stack of a thread of 1 MiB (the usual is 2), also in a debug build.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use rt_deferred::{Deferred, Resolver, ensure_deferred, success_result_of};

const MILLION: u64 = 1_000_000;

fn in_small_stack(test: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(1 << 20).spawn(test).unwrap().join().unwrap();
}

#[test]
fn million_callbacks() {
    in_small_stack(|| {
        let (mut deferred, resolver) = Deferred::new();
        for _ in 0..MILLION {
            deferred = deferred.add_callback(|n: u64| n + 1);
        }
        resolver.callback(0).unwrap();
        assert_eq!(success_result_of(deferred), MILLION);
    });
}

#[test]
fn million_fired_deferreds_returned() {
    in_small_stack(|| {
        let mut deferred = Deferred::succeed(0);
        for _ in 0..MILLION {
            deferred = deferred.add_callback(|n: u64| Deferred::succeed(n + 1));
        }
        assert_eq!(success_result_of(deferred), MILLION);
    });
}

/// Each waits for the one before it.
fn tower() -> (Deferred<u64>, Resolver<u64>) {
    let (mut top, resolver) = Deferred::new();
    for _ in 0..MILLION {
        let below = top;
        top = Deferred::succeed(()).add_callback(move |()| below);
    }
    (top, resolver)
}

#[test]
fn million_pending_deferreds_returned() {
    in_small_stack(|| {
        let (top, resolver) = tower();
        resolver.callback(7).unwrap();
        assert_eq!(success_result_of(top), 7);
    });
}

#[test]
fn tower_cancelled() {
    in_small_stack(|| {
        let (top, _resolver) = tower();
        top.cancel();
        assert!(rt_deferred::failure_result_of(top).check::<rt_deferred::Cancelled>());
    });
}

#[test]
fn tower_dropped_unfired() {
    in_small_stack(|| {
        let (top, resolver) = tower();
        resolver.detach();
        drop(top);
        let (top, resolver) = tower();
        drop(top);
        resolver.detach();
    });
}

#[test]
fn nested_unfired_dropped() {
    in_small_stack(|| {
        let (mut outer, resolver) = Deferred::<()>::new();
        resolver.detach();
        for _ in 0..MILLION {
            let inner = outer;
            let (next, resolver) = Deferred::<()>::new();
            resolver.detach();
            outer = next.add_callback(move |()| inner);
        }
        drop(outer);
    });
}

#[test]
fn fired_by_hand_inside_callbacks() {
    in_small_stack(|| {
        let ran = Rc::new(Cell::new(0));
        let (first, mut resolver) = Deferred::<()>::new();
        let count = ran.clone();
        drop(first.add_callback(move |()| count.set(count.get() + 1)));
        for _ in 1..MILLION {
            let (deferred, next) = Deferred::<()>::new();
            let count = ran.clone();
            drop(deferred.add_callback(move |()| {
                count.set(count.get() + 1);
                resolver.callback(()).unwrap();
            }));
            resolver = next;
        }
        resolver.callback(()).unwrap();
        assert_eq!(ran.get(), MILLION);
    });
}

#[test]
fn nested_firings_run_at_once_to_a_depth() {
    let order = Rc::new(RefCell::new(Vec::new()));
    let (a, fire_a) = Deferred::<()>::new();
    let (b, fire_b) = Deferred::<()>::new();
    let trace = order.clone();
    drop(a.add_callback(move |()| {
        trace.borrow_mut().push("before");
        fire_b.callback(()).unwrap();
        trace.borrow_mut().push("after");
    }));
    let trace = order.clone();
    drop(b.add_callback(move |()| trace.borrow_mut().push("inner")));
    fire_a.callback(()).unwrap();
    assert_eq!(*order.borrow(), ["before", "inner", "after"]);
}

#[test]
fn million_awaits_of_fired_deferreds() {
    in_small_stack(|| {
        let sum = ensure_deferred(async {
            let mut sum = 0;
            for n in 0..MILLION {
                sum += Deferred::succeed(n).await?;
            }
            Ok::<_, rt_deferred::Failure>(sum)
        });
        assert_eq!(success_result_of(sum), MILLION * (MILLION - 1) / 2);
    });
}

#[test]
fn ring_of_coroutines_each_firing_the_next() {
    in_small_stack(|| {
        let ran = Rc::new(Cell::new(0));
        let (last, fire_last) = Deferred::<()>::new();
        let mut fire_next = fire_last;
        for _ in 0..MILLION {
            let (mine, fire_mine) = Deferred::<()>::new();
            let (count, next) = (ran.clone(), fire_next);
            drop(ensure_deferred(async move {
                mine.await.unwrap();
                count.set(count.get() + 1);
                next.callback(()).unwrap();
            }));
            fire_next = fire_mine;
        }
        fire_next.callback(()).unwrap();
        assert_eq!(ran.get(), MILLION);
        success_result_of(last);
    });
}
