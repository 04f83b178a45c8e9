//! The cache: one fill per key, failures not kept, cancelling, eviction.

mod support;

use std::cell::RefCell;
use std::rc::Rc;

use rt_deferred::{
    Cancelled, Deferred, DeferredCache, Failure, Resolver, State, assert_no_result, failure_result_of,
    success_result_of, unhandled,
};

use support::Trace;

/// The fills under way, and what fires them.
type Fills = Rc<RefCell<Vec<(u32, Resolver<String>)>>>;

/// A cache whose fills the test fires, in the order in which they began.
fn by_hand(capacity: usize) -> (DeferredCache<u32, String>, Fills) {
    let fills = Fills::default();
    let made = fills.clone();
    let cache = DeferredCache::new(capacity, move |key: u32| {
        let (deferred, resolver) = Deferred::new();
        made.borrow_mut().push((key, resolver));
        deferred
    });
    (cache, fills)
}

/// A cache that fills at once, and notes it.
fn noting(capacity: usize) -> (DeferredCache<u32, u32>, Trace) {
    let trace = Trace::default();
    let words = trace.clone();
    let cache = DeferredCache::new(capacity, move |key: u32| {
        words.push(format!("filled {key}"));
        key * 10
    });
    (cache, trace)
}

#[test]
fn callers_of_one_key_share_one_fill() {
    let (cache, fills) = by_hand(4);
    let calls = [cache.get(1), cache.get(1), cache.get(1)];
    let other = cache.get(2);
    assert_eq!(fills.borrow().iter().map(|fill| fill.0).collect::<Vec<_>>(), [1, 2]);
    assert_eq!((cache.len(), cache.filling()), (0, 2));
    fills.borrow()[0].1.callback("one".to_owned()).unwrap();
    for call in calls {
        assert_eq!(success_result_of(call), "one");
    }
    assert_no_result(&other);
    assert_eq!(success_result_of(cache.get(1)), "one");
    assert_eq!((cache.len(), cache.filling(), fills.borrow().len()), (1, 1, 2));
    fills.borrow()[1].1.callback("two".to_owned()).unwrap();
    assert_eq!(success_result_of(other), "two");
}

#[test]
fn least_recently_used_makes_room() {
    let (cache, trace) = noting(2);
    for key in [1, 2, 1, 3, 1, 2] {
        assert_eq!(success_result_of(cache.get(key)), key * 10);
    }
    assert_eq!(trace.take(), ["filled 1", "filled 2", "filled 3", "filled 2"]);
    assert_eq!((cache.len(), cache.capacity().get()), (2, 2));
    assert_eq!((cache.try_get(&1), cache.try_get(&2), cache.try_get(&3)), (Some(10), Some(20), None));
}

#[test]
fn failure_is_not_kept() {
    let (cache, fills) = by_hand(4);
    let calls = [cache.get(1), cache.get(1)];
    fills.borrow()[0].1.errback("no answer").unwrap();
    for call in calls {
        assert_eq!(failure_result_of(call).to_string(), "no answer");
    }
    assert!(cache.is_empty());
    let again = cache.get(1);
    fills.borrow()[1].1.callback("one".to_owned()).unwrap();
    assert_eq!(success_result_of(again), "one");
}

#[test]
fn fill_that_fails_or_panics_at_once() {
    let cache = DeferredCache::new(1, |key: u32| match key {
        0 => Err(Failure::new("none")),
        1 => panic!("as it should"),
        key => Ok(key),
    });
    assert_eq!(failure_result_of(cache.get(0)).to_string(), "none");
    assert!(failure_result_of(cache.get(1)).is_panic());
    assert_eq!((cache.len(), cache.filling()), (0, 0));
}

#[test]
fn cancelled_by_one_caller() {
    let (cache, fills) = by_hand(4);
    let (leaves, stays) = (cache.get(1), cache.get(1));
    leaves.cancel();
    assert!(failure_result_of(leaves).check::<Cancelled>());
    assert!(!fills.borrow()[0].1.is_called());
    fills.borrow()[0].1.callback("one".to_owned()).unwrap();
    assert_eq!(success_result_of(stays), "one");
}

#[test]
fn fill_is_cancelled_when_nobody_wants_it() {
    let (cache, fills) = by_hand(4);
    let ((), lost) = unhandled::capture(|| {
        let calls = [cache.get(1), cache.get(1)];
        calls[0].cancel();
        assert!(!fills.borrow()[0].1.is_called());
        calls[1].cancel();
        assert!(fills.borrow()[0].1.is_called());
        assert_eq!(cache.filling(), 0);
        for call in calls {
            assert!(failure_result_of(call).check::<Cancelled>());
        }
    });
    assert_eq!(lost.len(), 0);
    let again = cache.get(1);
    assert_eq!(fills.borrow().len(), 2);
    fills.borrow()[1].1.callback("one".to_owned()).unwrap();
    assert_eq!(success_result_of(again), "one");
}

#[test]
fn fill_that_ends_well_in_spite_of_being_cancelled() {
    let cache = DeferredCache::new(1, |_: u32| {
        let (deferred, resolver) = Deferred::with_canceller(|resolver: &Resolver<&str>| {
            resolver.callback("a part").unwrap();
        });
        resolver.detach();
        deferred
    });
    let call = cache.get(1);
    call.cancel();
    assert!(failure_result_of(call).check::<Cancelled>());
    assert!(cache.is_empty(), "a part is not what was asked for");
}

#[test]
fn invalidated_during_the_fill() {
    let (cache, fills) = by_hand(4);
    let old = cache.get(1);
    assert!(cache.invalidate(&1));
    assert!(!cache.invalidate(&1));
    let new = cache.get(1);
    fills.borrow()[0].1.callback("stale".to_owned()).unwrap();
    assert_eq!(success_result_of(old), "stale");
    assert!(cache.is_empty());
    assert_eq!(new.state(), State::Pending);
    fills.borrow()[1].1.callback("fresh".to_owned()).unwrap();
    assert_eq!(success_result_of(new), "fresh");
    assert_eq!(cache.try_get(&1).as_deref(), Some("fresh"));
}

#[test]
fn cancelled_after_being_invalidated() {
    let (cache, fills) = by_hand(4);
    let old = cache.get(1);
    cache.invalidate(&1);
    let new = cache.get(1);
    old.cancel();
    assert!(failure_result_of(old).check::<Cancelled>());
    assert!(fills.borrow()[0].1.is_called());
    assert!(!fills.borrow()[1].1.is_called());
    assert_eq!(cache.filling(), 1);
    fills.borrow()[1].1.callback("fresh".to_owned()).unwrap();
    assert_eq!(success_result_of(new), "fresh");
}

#[test]
fn invalidated_when_kept() {
    let (cache, trace) = noting(4);
    success_result_of(cache.get(1));
    assert!(cache.invalidate(&1));
    success_result_of(cache.get(1));
    assert_eq!(trace.take(), ["filled 1", "filled 1"]);
}

#[test]
fn cleared() {
    let (cache, fills) = by_hand(4);
    cache.insert(1, "one".to_owned());
    let waits = cache.get(2);
    cache.clear();
    assert_eq!((cache.len(), cache.filling(), cache.capacity().get()), (0, 0, 4));
    fills.borrow()[0].1.callback("two".to_owned()).unwrap();
    assert_eq!(success_result_of(waits), "two");
    assert!(cache.is_empty());
}

#[test]
fn inserted_during_the_fill() {
    let (cache, fills) = by_hand(4);
    let waits = cache.get(1);
    cache.insert(1, "by hand".to_owned());
    fills.borrow()[0].1.callback("filled".to_owned()).unwrap();
    assert_eq!(success_result_of(waits), "filled");
    assert_eq!(success_result_of(cache.get(1)), "by hand");
}

#[test]
fn get_in_a_callback_of_get_finds_it_kept() {
    let (cache, fills) = by_hand(4);
    let own = cache.clone();
    let twice = cache.get(1).add_callback(move |_| own.get(1));
    fills.borrow()[0].1.callback("one".to_owned()).unwrap();
    assert_eq!(success_result_of(twice), "one");
    assert_eq!(fills.borrow().len(), 1);
}

#[test]
fn fill_that_asks_for_another_key() {
    let own: Rc<RefCell<Option<DeferredCache<u64, u64>>>> = Rc::default();
    let held = own.clone();
    let fibonacci = DeferredCache::new(100, move |n: u64| {
        let own = held.borrow().clone().unwrap();
        async move { if n < 2 { Ok::<u64, Failure>(n) } else { Ok(own.get(n - 1).await? + own.get(n - 2).await?) } }
    });
    own.replace(Some(fibonacci.clone()));
    assert_eq!(success_result_of(fibonacci.get(90)), 2_880_067_194_370_816_120);
    own.take();
}

#[test]
fn fill_that_is_detached() {
    let cache = DeferredCache::new(1, |_: u32| {
        let (deferred, resolver) = Deferred::<u8>::new();
        resolver.detach();
        deferred
    });
    let call = cache.get(1);
    assert_no_result(&call);
    assert_eq!(cache.filling(), 0, "what nobody will fire does not hold the key's place");
}

#[test]
fn dropped_during_the_fill() {
    let (cache, fills) = by_hand(4);
    let call = cache.get(1);
    drop(cache);
    let (_, resolver) = fills.borrow_mut().remove(0);
    resolver.callback("one".to_owned()).unwrap();
    assert_eq!(success_result_of(call), "one");
}

#[test]
fn value_whose_drop_uses_the_cache() {
    #[derive(Clone)]
    struct Nosy(Rc<RefCell<Option<DeferredCache<u32, Nosy>>>>);
    impl Drop for Nosy {
        fn drop(&mut self) {
            if let Some(cache) = &*self.0.borrow() {
                assert!(cache.len() <= 1);
            }
        }
    }

    let own: Rc<RefCell<Option<DeferredCache<u32, Nosy>>>> = Rc::default();
    let held = own.clone();
    let cache = DeferredCache::new(1, move |_| Ok::<_, Failure>(Nosy(held.clone())));
    own.replace(Some(cache.clone()));
    for key in 0..3 {
        success_result_of(cache.get(key));
    }
    cache.insert(2, Nosy(own.clone()));
    cache.invalidate(&2);
    success_result_of(cache.get(4));
    cache.clear();
    assert!(cache.is_empty());
    own.take();
}

#[test]
fn nothing_is_kept_when_all_is_dropped() {
    let probe = Rc::new(());
    let held = probe.clone();
    let cache = DeferredCache::new(2, move |pending: bool| {
        let (deferred, resolver) = Deferred::new();
        match pending {
            true => resolver.detach(),
            false => resolver.callback(held.clone()).unwrap(),
        }
        deferred
    });
    let (pending, kept) = (cache.get(true), success_result_of(cache.get(false)));
    drop((cache, kept, pending));
    assert_eq!(Rc::strong_count(&probe), 1);
}

#[test]
#[should_panic(expected = "at least 1 value, not 0")]
fn capacity_of_zero() {
    DeferredCache::new(0, |key: u32| key);
}
