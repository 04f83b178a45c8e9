//! What the recordings cannot say because it is this library's own: panics, abandoning.

use std::cell::Cell;
use std::rc::Rc;

use rt_deferred::{
    Abandoned, AlreadyCalled, Cancelled, Deferred, Failure, ReturnedItself, State, failure_result_of,
    success_result_of, unhandled,
};

#[test]
fn panic_in_a_callback_becomes_a_failure_and_the_chain_goes_on() {
    let (deferred, resolver) = Deferred::new();
    let deferred = deferred
        .add_callback(|n: i32| if n > 0 { panic!("positive") } else { n })
        .add_callback(|n| n + 1)
        .add_errback(|failure: Failure| failure.panic_message().map_or(0, |text| text.len() as i32))
        .add_callback(|n| n + 1);
    resolver.callback(1).unwrap();
    assert_eq!(success_result_of(deferred), 9);
}

#[test]
fn panic_in_a_canceller_becomes_the_result() {
    let (deferred, resolver) = Deferred::<u8>::with_canceller(|_| panic!("no brakes"));
    deferred.cancel();
    assert_eq!(failure_result_of(deferred).panic_message(), Some("no brakes"));
    assert_eq!(resolver.callback(1), Err(AlreadyCalled));
}

#[test]
fn abandoned_by_the_last_clone_only() {
    let (deferred, resolver) = Deferred::<u8>::new();
    let clone = resolver.clone();
    drop(resolver);
    assert_eq!(deferred.state(), State::Pending);
    drop(clone);
    assert!(failure_result_of(deferred).check::<Abandoned>());
}

#[test]
fn abandoned_while_unwinding() {
    let (deferred, resolver) = Deferred::<u8>::new();
    let deferred = deferred.add_errback(|_| -> u8 { panic!("inside of a drop") });
    let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _resolver = resolver;
        panic!("outside");
    }));
    assert!(unwound.is_err());
    assert_eq!(failure_result_of(deferred).panic_message(), Some("inside of a drop"));
}

#[test]
fn detached_then_cancelled() {
    let (inner, resolver) = Deferred::<u8>::new();
    resolver.detach();
    let outer = Deferred::succeed(()).add_callback(move |()| inner);
    assert_eq!(outer.state(), State::Chained);
    outer.cancel();
    assert!(failure_result_of(outer).check::<Cancelled>());
}

#[test]
fn callback_returns_its_own_deferred() {
    let (deferred, resolver) = Deferred::<()>::new();
    let own: Rc<Cell<Option<Deferred<()>>>> = Rc::default();
    let take = own.clone();
    let deferred = deferred.add_callback(move |()| take.take().unwrap());
    own.set(Some(deferred));
    let ((), lost) = unhandled::capture(|| resolver.callback(()).unwrap());
    assert!(lost[0].failure.check::<ReturnedItself>());
}

#[test]
fn unpause_without_a_pause() {
    let (inner, resolver) = Deferred::<u8>::new();
    let outer = Deferred::succeed(()).add_callback(move |()| inner);
    outer.unpause();
    assert_eq!(outer.state(), State::Chained, "waiting is not a pause of the user's");
    resolver.callback(1).unwrap();
    assert_eq!(success_result_of(outer), 1);
}

#[test]
fn paused_through_a_control_when_no_other_handle_is_left() {
    let ran = Rc::new(Cell::new(false));
    let (deferred, see) = (Deferred::succeed(()), ran.clone());
    let control = deferred.control();
    control.pause();
    drop(deferred.add_callback(move |()| see.set(true)));
    assert!(!ran.get());
    control.unpause();
    assert!(ran.get());
}

#[test]
fn kinds_of_outcomes_infer() {
    let value = Deferred::succeed(1).add_callback(|n| n + 1);
    let result = value.add_callback(|n| if n == 2 { Ok("two") } else { Err(Failure::new("not two")) });
    let deferred = result.add_callback(|text| Deferred::succeed(text.len()));
    let future = deferred.add_callback(|n| async move { n * 2 });
    let nested = future.add_callback(|n| async move { Ok::<_, Failure>(Deferred::succeed(n).await? + 1) });
    let both = nested.add_both(|result: Result<usize, Failure>| result.map(|n| n + 1));
    assert_eq!(success_result_of(both), 8);
}
