//! call_later and DelayedCall.

use super::*;

#[test]
fn in_the_order_of_times_then_of_calls() {
    let trace = Trace::default();
    let notes = trace.clone();
    World::paused().block_on(async move {
        call_later(SECOND * 2, notes.noting("two"));
        call_later(SECOND, notes.noting("one, first"));
        call_later(SECOND, notes.noting("one, second"));
        call_later(Duration::ZERO, notes.noting("zero"));
        notes.note("called");
        sleep(SECOND * 3).await;
    });
    assert_eq!(trace.take(), ["called", "zero", "one, first", "one, second", "two"]);
}

#[test]
fn in_the_order_of_times_even_if_all_are_late() {
    let (trace, notes) = (Trace::default(), Trace::default());
    let seen = trace.clone();
    let world = World::paused();
    let handle = world.handle();
    world.block_on(async move {
        call_later(SECOND * 3, notes.noting("c"));
        call_later(SECOND * 2, notes.noting("b"));
        call_later(SECOND, notes.noting("a"));
        // The clock is known to be past all of them before any is polled.
        handle.clock().advance_to((Instant::now() + SECOND * 9).into_std());
        let late = Instant::now();
        sleep(MS).await;
        assert_eq!(late.elapsed(), MS);
        notes.take().iter().for_each(|word| seen.note(word));
    });
    assert_eq!(trace.take(), ["a", "b", "c"]);
}

#[test]
fn cancelled_it_is_not_called_and_its_closure_is_gone() {
    let trace = Trace::default();
    let notes = trace.clone();
    let world = World::paused();
    world.block_on(async move {
        let alive = Rc::new(());
        let held = alive.clone();
        let call = call_later(SECOND, move || drop(held));
        yields(2).await;
        let time = call.time();
        assert_eq!(Rc::strong_count(&alive), 2);
        assert_eq!(call.cancel(), Ok(()));
        assert_eq!(Rc::strong_count(&alive), 1, "dropped before `cancel` returns");
        assert_eq!(call.time(), time);
        assert!(!call.is_active());
        assert_eq!(call.cancel(), Err(DelayedCallError::AlreadyCancelled));
        assert_eq!(call.reset(SECOND), Err(DelayedCallError::AlreadyCancelled));
        assert_eq!(call.delay(SECOND), Err(DelayedCallError::AlreadyCancelled));
        call_later(SECOND, notes.noting("other"));
        sleep(SECOND * 2).await;
    });
    assert_eq!(trace.take(), ["other"]);
    assert_eq!(world.armed_timers(), 0);
}

#[test]
fn cancelled_before_its_first_poll() {
    let world = World::paused();
    world.drive(|| {
        let (mut running, call) = call_later::prepare(SECOND, || unreachable!());
        call.cancel().unwrap();
        assert_eq!(poll_with(&mut running, Waker::noop()), Poll::Ready(()));
        assert_eq!(world.armed_timers(), 0);
    });
}

#[test]
fn cancelled_between_fire_and_call() {
    let world = World::paused();
    world.drive(|| {
        let flag = Flag::new();
        let (mut running, call) = call_later::prepare(SECOND, || unreachable!());
        assert_eq!(poll_with(&mut running, &flag.waker()), Poll::Pending);
        world.turn(Wait::Block);
        assert!(flag.take());
        assert_eq!(call.cancel(), Ok(()));
        assert_eq!(poll_with(&mut running, &flag.waker()), Poll::Ready(()));
    });
}

#[test]
fn cancelling_wakes_the_task_so_that_it_ends() {
    let world = World::paused();
    world.drive(|| {
        let flag = Flag::new();
        let (mut running, call) = call_later::prepare(SECOND, || unreachable!());
        assert_eq!(poll_with(&mut running, &flag.waker()), Poll::Pending);
        call.cancel().unwrap();
        world.turn(Wait::Poll);
        assert!(flag.take());
        assert_eq!(poll_with(&mut running, &flag.waker()), Poll::Ready(()));
    });
}

#[test]
fn called_it_refuses() {
    World::paused().block_on(async {
        let own = Rc::new(RefCell::new(None::<DelayedCall>));
        let (seen, inside) = (Rc::new(Cell::new(None)), own.clone());
        let result = seen.clone();
        let call = call_later(SECOND, move || {
            result.set(inside.borrow().as_ref().map(DelayedCall::cancel));
        });
        *own.borrow_mut() = Some(call.clone());
        sleep(SECOND * 2).await;
        assert_eq!(seen.get(), Some(Err(DelayedCallError::AlreadyCalled)), "while it runs it has been called");
        assert_eq!(call.cancel(), Err(DelayedCallError::AlreadyCalled));
        assert_eq!(call.reset(SECOND), Err(DelayedCallError::AlreadyCalled));
        assert_eq!(call.delay(SECOND), Err(DelayedCallError::AlreadyCalled));
        assert_eq!(DelayedCallError::AlreadyCalled.to_string(), "the delayed call has been made already");
    });
}

#[test]
fn reset_counts_from_now_and_delay_from_its_time() {
    let trace = Trace::default();
    let notes = trace.clone();
    World::paused().block_on(async move {
        let start = Instant::now();
        let note = |notes: &Trace, name: &'static str| {
            let notes = notes.clone();
            move || notes.note(format!("{name} at {}", start.elapsed().as_secs()))
        };
        let reset_later = call_later(SECOND * 5, note(&notes, "reset later"));
        let reset_earlier = call_later(SECOND * 50, note(&notes, "reset earlier"));
        let delayed = call_later(SECOND * 5, note(&notes, "delayed"));
        sleep(SECOND * 2).await;
        reset_later.reset(SECOND * 8).unwrap();
        reset_earlier.reset(SECOND).unwrap();
        delayed.delay(SECOND * 7).unwrap();
        assert_eq!(reset_later.time(), start + SECOND * 10);
        assert_eq!(reset_earlier.time(), start + SECOND * 3);
        assert_eq!(delayed.time(), start + SECOND * 12);
        sleep(SECOND * 20).await;
    });
    assert_eq!(trace.take(), ["reset earlier at 3", "reset later at 10", "delayed at 12"]);
}

#[test]
fn reset_between_fire_and_call_is_obeyed() {
    let (trace, world) = (Trace::default(), World::paused());
    world.drive(|| {
        let flag = Flag::new();
        let start = Instant::now();
        let (mut running, call) = call_later::prepare(SECOND, trace.noting("called"));
        assert_eq!(poll_with(&mut running, &flag.waker()), Poll::Pending);
        world.turn(Wait::Block);
        assert!(flag.take());
        call.reset(SECOND).unwrap();
        assert_eq!(poll_with(&mut running, &flag.waker()), Poll::Pending);
        assert!(call.is_active());
        world.turn(Wait::Block);
        assert!(flag.take());
        assert_eq!(poll_with(&mut running, &flag.waker()), Poll::Ready(()));
        assert_eq!(start.elapsed(), SECOND * 2);
    });
    assert_eq!(trace.take(), ["called"]);
}

#[test]
fn the_handle_dropped_it_is_called_all_the_same() {
    let trace = Trace::default();
    let notes = trace.clone();
    World::paused().block_on(async move {
        drop(call_later(SECOND, notes.noting("called")));
        sleep(SECOND * 2).await;
    });
    assert_eq!(trace.take(), ["called"]);
}

#[test]
fn the_task_dropped_it_counts_as_cancelled() {
    World::paused().drive(|| {
        let held = Rc::new(());
        let inside = held.clone();
        let (running, call) = call_later::prepare(SECOND, move || drop(inside));
        drop(running);
        assert!(!call.is_active());
        assert_eq!(call.cancel(), Err(DelayedCallError::AlreadyCancelled));
        assert_eq!(Rc::strong_count(&held), 1);
    });
}

#[test]
fn a_panic_in_the_closure_is_one_of_the_task() {
    let world = World::paused();
    world.drive(|| {
        let (mut running, call) = call_later::prepare(SECOND, || panic!("on purpose"));
        assert_eq!(poll_with(&mut running, Waker::noop()), Poll::Pending);
        world.turn(Wait::Block);
        assert_eq!(panic_text(|| poll_with(&mut running, Waker::noop())), "on purpose");
        assert_eq!(call.cancel(), Err(DelayedCallError::AlreadyCalled));
    });
}

#[test]
fn while_the_runtime_is_not_driven() {
    let (trace, world) = (Trace::default(), World::paused());
    let (cancelled_flag, moved_flag) = (Flag::new(), Flag::new());
    let (mut cancelled, cancelled_call) = world.drive(|| call_later::prepare(SECOND, trace.noting("wrong")));
    let (mut moved, moved_call) = world.drive(|| call_later::prepare(SECOND, trace.noting("moved")));
    world.drive(|| {
        assert!(poll_with(&mut cancelled, &cancelled_flag.waker()).is_pending());
        assert!(poll_with(&mut moved, &moved_flag.waker()).is_pending());
    });
    world.enter(|| cancelled_call.cancel().unwrap());
    world.enter(|| moved_call.delay(SECOND).unwrap());
    world.drive(|| {
        world.turn(Wait::Block);
        assert!(cancelled_flag.take(), "the task is to end");
        assert!(poll_with(&mut cancelled, Waker::noop()).is_ready());
        while !moved_flag.take() {
            world.turn(Wait::Block);
        }
        assert!(poll_with(&mut moved, Waker::noop()).is_ready());
        assert_eq!(Instant::now(), moved_call.time());
    });
    assert_eq!(trace.take(), ["moved"]);
}

#[test]
fn calls_make_calls() {
    let trace = Trace::default();
    let notes = trace.clone();
    World::paused().block_on(async move {
        let start = Instant::now();
        fn again(left: u32, start: Instant, notes: Trace) {
            notes.note(start.elapsed().as_secs());
            if left > 0 {
                call_later(SECOND, move || again(left - 1, start, notes));
            }
        }
        let first = notes.clone();
        call_later(SECOND, move || again(3, start, first));
        sleep(SECOND * 10).await;
    });
    assert_eq!(trace.take(), ["1", "2", "3", "4"]);
}
