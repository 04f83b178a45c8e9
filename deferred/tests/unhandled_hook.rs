//! A hook that does what it should not. A process has one hook, so this is one test.

use std::cell::Cell;

use rt_deferred::{Deferred, ensure_deferred, success_result_of, unhandled};

thread_local! {
    static CALLS: Cell<u32> = const { Cell::new(0) };
}

#[test]
fn hook_that_loses_something_and_panics() {
    unhandled::set_hook(|_| {
        CALLS.set(CALLS.get() + 1);
        drop(Deferred::<()>::fail("lost by the hook"));
        panic!("in the hook");
    });

    drop(Deferred::<()>::fail("lost"));
    assert_eq!(CALLS.get(), 1, "not for what it loses itself");

    // It takes nothing away from who comes after it in the same call.
    let (first, resolver) = Deferred::<()>::new();
    let (second, last) = (Deferred::<()>::new(), Deferred::<u8>::new());
    drop(first.add_both(move |_| second.0));
    let waits = ensure_deferred(async { last.0.await });
    drop(ensure_deferred(async move {
        let _ = second.1.errback("lost in the middle of a coroutine");
        last.1.callback(1).unwrap();
    }));
    resolver.callback(()).unwrap();
    assert_eq!(success_result_of(waits), 1);

    assert_eq!(CALLS.get(), 2);
}
