//! Clock, LoopingCall and Cooperator: what the recorded runs do not show.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use rt_deferred::{
    Abandoned, AlreadyRunning, Cancelled, Clock, Cooperator, Deferred, DelayedCallError, Failure, LoopingCall, Outcome,
    SchedulerError, State, assert_no_result, defer_later, failure_result_of, success_result_of, unhandled,
};

const SECOND: Duration = Duration::from_secs(1);

fn probe() -> (Rc<()>, std::rc::Weak<()>) {
    let probe = Rc::new(());
    let weak = Rc::downgrade(&probe);
    (probe, weak)
}

#[test]
fn many_calls_in_any_order() {
    let (clock, made) = (Clock::new(), Rc::new(RefCell::new(Vec::new())));
    // A step that shares no factor with their number visits each once.
    for n in (0..1_000_u64).map(|n| n * 379 % 1_000) {
        let made = made.clone();
        clock.call_later(Duration::from_millis(n), move || made.borrow_mut().push(n));
    }
    clock.advance(Duration::from_millis(500));
    assert_eq!(clock.delayed_calls().len(), 499);
    clock.advance(Duration::from_millis(500));
    assert_eq!(*made.borrow(), (0..1_000).collect::<Vec<_>>());
}

#[test]
fn call_that_makes_another() {
    let (clock, made) = (Clock::new(), Rc::new(Cell::new(false)));
    let (inner, set) = (clock.clone(), made.clone());
    clock.call_later(SECOND, move || {
        inner.call_later(Duration::ZERO, move || set.set(true));
    });
    // It is due in the same step, as time has moved already.
    clock.advance(SECOND);
    assert!(made.get());
}

#[test]
fn call_that_advances_its_clock() {
    let (clock, order) = (Clock::new(), Rc::new(RefCell::new(Vec::new())));
    let (inner, first, second) = (clock.clone(), order.clone(), order.clone());
    clock.call_later(SECOND, move || {
        first.borrow_mut().push("first begins");
        inner.advance(SECOND);
        first.borrow_mut().push("first ends");
    });
    clock.call_later(SECOND * 2, move || second.borrow_mut().push("second"));
    clock.advance(SECOND);
    assert_eq!(*order.borrow(), ["first begins", "second", "first ends"]);
}

#[test]
fn call_after_its_clock_is_gone() {
    let (probe, weak) = probe();
    let clock = Clock::new();
    let call = clock.call_later(SECOND, move || drop(probe));
    drop(clock);
    assert_eq!(weak.strong_count(), 0);
    assert!(!call.is_active());
    assert_eq!(call.reset(SECOND), Err(DelayedCallError::AlreadyCancelled));
}

#[test]
fn brought_forward_into_the_past() {
    let (clock, made) = (Clock::new(), Rc::new(Cell::new(0)));
    let count = made.clone();
    let call = clock.call_later(SECOND, move || count.set(count.get() + 1));
    call.bring_forward(SECOND * 5).unwrap();
    assert_eq!((call.time(), made.get()), (Duration::ZERO, 0));
    clock.advance(Duration::ZERO);
    assert_eq!(made.get(), 1);
    assert_eq!(call.delay(SECOND), Err(DelayedCallError::AlreadyCalled));
}

#[test]
fn later_is_cancelled() {
    let clock = Clock::new();
    let later = defer_later(&clock, SECOND, || -> () { panic!("it was taken back") });
    later.cancel();
    assert!(clock.delayed_calls().is_empty());
    assert!(failure_result_of::<()>(later).check::<Cancelled>());
}

#[test]
fn later_when_its_clock_goes() {
    let clock = Clock::new();
    let later = defer_later(&clock, SECOND, || 1);
    drop(clock);
    assert!(failure_result_of(later).check::<Abandoned>());
}

#[test]
fn looping_call_of_futures() {
    let (clock, runs) = (Clock::new(), Rc::new(Cell::new(0)));
    let (count, time) = (runs.clone(), clock.clone());
    let looping = LoopingCall::new(move || {
        let (count, nap) = (count.clone(), defer_later(&time, SECOND / 2, || ()));
        async move {
            nap.await?;
            count.set(count.get() + 1);
            Ok::<(), Failure>(())
        }
    })
    .clock(&clock);
    let done = looping.start(SECOND, true).unwrap();
    clock.pump([SECOND / 2; 4]);
    assert_eq!(runs.get(), 2);
    looping.stop().unwrap();
    // The call that is out ends first.
    assert_no_result(&done);
    clock.advance(SECOND / 2);
    assert_eq!(success_result_of(done).interval(), SECOND);
    assert_eq!(runs.get(), 3);
}

#[test]
fn looping_call_skips_what_its_function_misses() {
    let clock = Clock::new();
    let (waiting, resolvers) = (Rc::new(RefCell::new(Vec::new())), Rc::new(RefCell::new(Vec::new())));
    let (starts, answers, time) = (waiting.clone(), resolvers.clone(), clock.clone());
    let looping = LoopingCall::new(move || {
        starts.borrow_mut().push(time.now().as_secs());
        let (deferred, resolver) = Deferred::new();
        answers.borrow_mut().push(resolver);
        deferred
    })
    .clock(&clock);
    let done = looping.start(SECOND * 10, false).unwrap();
    clock.advance(SECOND * 10);
    clock.advance(SECOND * 25);
    let resolver = resolvers.borrow_mut().pop().unwrap();
    resolver.callback(()).unwrap();
    clock.advance(SECOND * 5);
    assert_eq!(*waiting.borrow(), [10, 40]);

    looping.stop().unwrap();
    assert_eq!(looping.start(SECOND, true).err(), Some(AlreadyRunning));
    assert_no_result(&done);
    let resolver = resolvers.borrow_mut().pop().unwrap();
    resolver.callback(()).unwrap();
    success_result_of(done);
}

#[test]
fn looping_call_that_panics() {
    let clock = Clock::new();
    let looping = LoopingCall::new(|| -> () { panic!("in the loop") }).clock(&clock);
    let done = looping.start(SECOND, true).unwrap();
    assert!(!looping.is_running());
    assert!(failure_result_of(done).to_string().contains("in the loop"));
    assert!(clock.delayed_calls().is_empty());
}

#[test]
fn looping_call_that_stops_itself() {
    let clock = Clock::new();
    let own: Rc<RefCell<Option<LoopingCall>>> = Rc::default();
    let stops = own.clone();
    let looping = LoopingCall::new(move || {
        let looping = stops.borrow_mut().take();
        looping.unwrap().stop().map_err(Failure::new)
    });
    let looping = looping.clock(&clock);
    *own.borrow_mut() = Some(looping.clone());
    let done = looping.start(SECOND, true).unwrap();
    success_result_of(done);
    assert!(clock.delayed_calls().is_empty());
}

#[test]
fn looping_call_starts_again() {
    let (clock, runs) = (Clock::new(), Rc::new(Cell::new(0)));
    let count = runs.clone();
    let looping = LoopingCall::new(move || count.set(count.get() + 1)).clock(&clock);
    for _ in 0..3 {
        let done = looping.start(SECOND, true).unwrap();
        looping.stop().unwrap();
        success_result_of(done);
    }
    assert_eq!(runs.get(), 3);
}

#[test]
fn looping_call_whose_handle_is_dropped_goes_on() {
    let (clock, runs) = (Clock::new(), Rc::new(Cell::new(0)));
    let count = runs.clone();
    let done = LoopingCall::new(move || count.set(count.get() + 1)).clock(&clock).start(SECOND, false).unwrap();
    clock.pump([SECOND; 3]);
    assert_eq!(runs.get(), 3);
    let ((), lost) = unhandled::capture(|| clock.delayed_calls().iter().for_each(|call| call.cancel().unwrap()));
    // Nothing keeps the loop any more, and who waits for its end learns of that.
    assert!(failure_result_of(done).check::<Abandoned>());
    assert!(lost.is_empty());
}

/// One piece of work a tick.
fn one_piece(clock: &Clock) -> Cooperator {
    Cooperator::new().clock(clock).delay(SECOND).terminate(|| || true)
}

#[test]
fn cooperator_goes_round() {
    let (clock, words) = (Clock::new(), Rc::new(RefCell::new(String::new())));
    let cooperator = one_piece(&clock);
    for letter in ['a', 'b', 'c'] {
        let words = words.clone();
        cooperator.cooperate((0..2).map(move |_| words.borrow_mut().push(letter)));
    }
    clock.pump([SECOND; 6]);
    assert_eq!(*words.borrow(), "abcabc");
}

#[test]
fn work_that_waits_lets_others_go_on() {
    let (clock, words) = (Clock::new(), Rc::new(RefCell::new(String::new())));
    let cooperator = one_piece(&clock);
    let (deferred, resolver) = Deferred::new();
    let waits = cooperator.coiterate([Outcome::Deferred(deferred), Outcome::Value(())]);
    let others = words.clone();
    cooperator.cooperate((0..3).map(move |_| others.borrow_mut().push('o')));
    clock.pump([SECOND; 8]);
    assert_eq!(*words.borrow(), "ooo");
    assert_no_result(&waits);
    resolver.callback(()).unwrap();
    clock.pump([SECOND; 2]);
    success_result_of(waits);
    assert!(clock.delayed_calls().is_empty());
}

#[test]
fn work_that_fails_or_panics() {
    let clock = Clock::new();
    let cooperator = one_piece(&clock);
    let fails = cooperator.cooperate([Err(Failure::new("no paper"))]);
    let panics = cooperator.cooperate(std::iter::once_with(|| -> () { panic!("in a piece") }));
    let (failed, panicked) = (fails.when_done(), panics.when_done());
    clock.pump([SECOND; 2]);
    assert_eq!(failure_result_of(failed).to_string(), "no paper");
    assert!(failure_result_of(panicked).to_string().contains("in a piece"));
    assert_eq!(fails.pause(), Err(SchedulerError::TaskFailed));
    assert_eq!(failure_result_of(fails.when_done()).to_string(), "no paper");
}

#[test]
fn work_that_adds_and_stops_other_work() {
    let clock = Clock::new();
    let cooperator = Cooperator::new().clock(&clock);
    let endless = cooperator.cooperate(std::iter::repeat(()));
    let (adds, stops) = (cooperator.clone(), endless.clone());
    let done: Rc<RefCell<Option<Deferred<()>>>> = Rc::default();
    let added = done.clone();
    cooperator.cooperate(std::iter::once_with(move || {
        *added.borrow_mut() = Some(adds.coiterate([(), ()]));
        stops.stop().map_err(Failure::new)
    }));
    let ended = endless.when_done();
    clock.advance(SECOND);
    assert_eq!(failure_result_of(ended).downcast_ref(), Some(&SchedulerError::TaskStopped));
    let done = done.take().unwrap();
    assert_eq!(done.state(), State::Succeeded);
}

#[test]
fn cooperator_that_is_stopped_refuses_work() {
    let clock = Clock::new();
    let cooperator = one_piece(&clock);
    let running = cooperator.coiterate([()]);
    cooperator.stop();
    assert!(!cooperator.is_running());
    let refused = cooperator.coiterate([()]);
    for ended in [running, refused] {
        assert_eq!(failure_result_of(ended).downcast_ref(), Some(&SchedulerError::SchedulerStopped));
    }
    cooperator.start();
    let accepted = cooperator.coiterate([(); 0]);
    clock.advance(SECOND);
    success_result_of(accepted);
}

#[test]
fn cooperator_goes_with_its_clock() {
    let (probe, weak) = probe();
    let clock = Clock::new();
    let work = move || {
        let _held = &probe;
    };
    let done = one_piece(&clock).coiterate(std::iter::repeat_with(work));
    for call in clock.delayed_calls() {
        call.cancel().unwrap();
    }
    assert_eq!(weak.strong_count(), 0);
    assert!(failure_result_of(done).check::<Abandoned>());
}

#[test]
fn cooperator_that_nobody_can_start() {
    let (probe, weak) = probe();
    let cooperator = one_piece(&Clock::new()).not_started();
    drop(cooperator.cooperate(std::iter::repeat_with(move || {
        let _held = &probe;
    })));
    assert_eq!(weak.strong_count(), 1);
    drop(cooperator);
    assert_eq!(weak.strong_count(), 0);
}
