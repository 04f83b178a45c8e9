//! Which failures are reported, when, and how often.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use rt_deferred::unhandled::{self, Origin, Unhandled};
use rt_deferred::{
    Abandoned, Cancelled, Clock, Cooperator, Deferred, Failure, LoopingCall, State, ensure_deferred, gather_results,
    race,
};

fn lost(f: impl FnOnce()) -> Vec<String> {
    let ((), lost) = unhandled::capture(f);
    lost.iter().map(|unhandled| unhandled.failure.to_string()).collect()
}

#[test]
fn failed_and_dropped() {
    assert_eq!(lost(|| drop(Deferred::<()>::fail("nobody looks"))), ["nobody looks"]);
}

#[test]
fn fired_after_it_was_dropped() {
    assert_eq!(
        lost(|| {
            let (deferred, resolver) = Deferred::<()>::new();
            drop(deferred);
            resolver.errback("too late").unwrap();
            // Once is enough.
            drop(resolver);
        }),
        ["too late"]
    );
}

#[test]
fn handled_by_the_last_callback() {
    assert!(lost(|| drop(Deferred::<u8>::fail("handled").add_errback(|_| 0))).is_empty());
}

#[test]
fn failed_again_by_its_errback() {
    let again = || drop(Deferred::<u8>::fail("first").add_errback(|_| Err::<u8, _>(Failure::new("second"))));
    assert_eq!(lost(again), ["second"]);
}

#[test]
fn handed_on_to_who_waits() {
    assert_eq!(lost(|| drop(Deferred::succeed(()).add_callback(|()| Deferred::<u8>::fail("inner")))), ["inner"]);
}

#[test]
fn abandoned_though_nobody_waits() {
    assert!(
        lost(|| {
            let (deferred, resolver) = Deferred::<()>::new();
            drop(deferred);
            drop(resolver);
        })
        .is_empty()
    );
}

#[test]
fn abandoned_with_a_callback_left() {
    let said = Rc::new(RefCell::new(Vec::new()));
    let says = said.clone();
    let callback = || {
        let (deferred, resolver) = Deferred::<()>::new();
        drop(deferred.add_callback(move |()| says.borrow_mut().push("called")));
        drop(resolver);
    };
    assert_eq!(lost(callback), [Abandoned.to_string()]);
    assert!(said.borrow().is_empty());
}

#[test]
fn cancelled_and_dropped() {
    let cancelled = || {
        let (deferred, _resolver) = Deferred::<()>::new();
        deferred.cancel();
    };
    assert_eq!(lost(cancelled), [Cancelled::default().to_string()]);
}

#[test]
fn awaited() {
    assert!(lost(|| drop(ensure_deferred(async { drop(Deferred::<()>::fail("seen").await) }))).is_empty());
}

#[test]
fn await_given_up() {
    assert!(
        lost(|| {
            let (deferred, _resolver) = Deferred::<()>::new();
            drop(std::future::IntoFuture::into_future(deferred));
        })
        .is_empty()
    );
}

#[test]
fn paused_by_the_callback_that_fails() {
    let fails = || {
        let deferred = Deferred::succeed(1);
        let control = deferred.control();
        let deferred = deferred.add_callback(move |_| {
            // It holds from the next firing on: this one comes to its end.
            control.pause();
            Err::<u8, _>(Failure::new("paused and lost"))
        });
        assert_eq!(deferred.state(), State::Paused);
    };
    assert_eq!(lost(fails), ["paused and lost"]);
}

#[test]
fn reported_where_it_was_made_and_fired() {
    let ((), lost) = unhandled::capture(|| {
        let (deferred, resolver) = Deferred::<()>::new();
        resolver.errback("lost").unwrap();
        drop(deferred);
    });
    let [Unhandled { origin: Origin::Deferred { created, fired }, .. }] = lost[..] else {
        panic!("one report of a Deferred, not {lost:?}")
    };
    assert_eq!((created.file(), fired.file()), (file!(), file!()));
    assert_eq!(created.line() + 1, fired.line());
    let text = lost[0].to_string();
    assert!(text.starts_with("Unhandled error in Deferred: lost\n  Deferred created at "), "{text}");
}

#[test]
fn reported_to_the_innermost_capture() {
    let (inner, outer) = unhandled::capture(|| {
        drop(Deferred::<()>::fail("outer"));
        lost(|| drop(Deferred::<()>::fail("inner")))
    });
    assert_eq!(inner, ["inner"]);
    assert_eq!(outer.len(), 1);
}

#[test]
fn reported_with_a_place_of_the_program_and_not_of_the_library() {
    let clock = Clock::new();
    let failed = || Deferred::<()>::fail("lost");
    let ((), lost) = unhandled::capture(|| {
        let (chained, resolver) = Deferred::new();
        drop((failed().chain_deferred(resolver), chained));
        drop(Deferred::<()>::new().0.add_errback(|_| Err::<(), _>("abandoned")));
        let (timed_out, _resolver) = Deferred::<()>::new();
        drop(timed_out.add_timeout(Duration::ZERO, &clock));
        drop(gather_results([failed()]));
        drop(race([failed()]));
        drop(LoopingCall::new(failed).clock(&clock).start(Duration::ZERO, true));
        drop(Cooperator::new().clock(&clock).coiterate([failed()]));
        clock.advance(Duration::ZERO);
        drop(Deferred::<()>::fail("lost").into_send_future());
        let (sent, resolver) = Deferred::<()>::new();
        drop(sent);
        resolver.into_send().errback("lost").unwrap();
    });
    // The list leaves its member its failure, so both are reported.
    assert_eq!(lost.len(), 10, "{lost:#?}");
    for unhandled in lost {
        let Origin::Deferred { created, fired } = unhandled.origin else { panic!("{unhandled}") };
        assert_eq!((created.file(), fired.file()), (file!(), file!()), "{unhandled}");
    }
}
