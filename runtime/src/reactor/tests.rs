//! Turns with a driver by hand and a clock that stands or runs.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use super::clock::nanos;
use super::testing::{Flag, Script, scripted};
use super::{Handle, Reactor, Wait};

/// A reactor that nobody drives but the test.
struct World {
    reactor: Reactor,
    script: Arc<Script>,
}

impl World {
    fn paused() -> Self {
        let (reactor, script) = scripted(true);
        Self { reactor, script }
    }

    fn real() -> Self {
        let (reactor, script) = scripted(false);
        Self { reactor, script }
    }

    fn handle(&self) -> Arc<Handle> {
        Arc::clone(self.reactor.handle())
    }
}

const SECOND: Duration = Duration::from_secs(1);

fn waits(world: &World) -> Vec<Wait> {
    std::mem::take(&mut *world.script.waits.lock().unwrap())
}

fn alarms(world: &World) -> Vec<Duration> {
    std::mem::take(&mut *world.script.alarms.lock().unwrap())
}

#[test]
fn a_reactor_may_move_between_threads() {
    fn is_send<T: Send>() {}
    fn is_shared<T: Send + Sync>() {}
    is_send::<Reactor>();
    is_shared::<Handle>();
}

#[test]
fn without_timers_a_blocking_turn_waits_for_the_bell_and_reads_no_clock() {
    let world = World::real();
    let seen = world.reactor.seen.get();
    world.handle().wake();
    world.reactor.turn(Wait::Block);
    world.reactor.turn(Wait::Poll);
    assert_eq!(waits(&world), [Wait::Block, Wait::Poll]);
    assert_eq!(alarms(&world), []);
    assert_eq!(world.reactor.seen.get(), seen);
}

#[test]
fn a_blocking_turn_waits_until_the_deadline() {
    let world = World::real();
    let flag = Flag::new();
    let deadline = world.reactor.now() + Duration::from_millis(2);
    world.reactor.arm(nanos(deadline), flag.waker());
    while !flag.take() {
        world.reactor.turn(Wait::Block);
    }
    assert!(world.reactor.has_seen(nanos(deadline)));
    assert_eq!(world.reactor.armed_timers(), 0);
    assert!(alarms(&world).iter().all(|&after| after <= Duration::from_micros(2_066)));
}

#[test]
fn events_before_the_alarm_cost_no_look_at_the_clock() {
    let world = World::real();
    let now = world.reactor.now();
    let key = world.reactor.arm(nanos(now + SECOND * 60), Waker::noop().clone());
    for round in 0..3 {
        world.script.events.lock().unwrap().push(Flag::new().waker());
        let seen = world.reactor.seen.get();
        world.reactor.turn(Wait::Block);
        assert_eq!(alarms(&world).len(), usize::from(round == 0));
        assert_eq!(world.reactor.seen.get() == seen, round > 0);
    }
    // Neither a later timer nor none at all changes the alarm, an earlier one does.
    world.reactor.arm(nanos(now + SECOND * 70), Waker::noop().clone());
    assert!(world.reactor.cancel(key).is_some());
    world.script.events.lock().unwrap().push(Flag::new().waker());
    world.reactor.turn(Wait::Block);
    assert_eq!(alarms(&world), []);
    world.reactor.arm(nanos(now + SECOND), Waker::noop().clone());
    world.script.events.lock().unwrap().push(Flag::new().waker());
    world.reactor.turn(Wait::Block);
    assert!(matches!(*alarms(&world), [after] if after <= SECOND));
}

#[test]
fn after_a_wait_the_clock_is_looked_at_once() {
    let world = World::real();
    let deadline = world.reactor.now_nanos() + 1;
    while world.reactor.clock().now_nanos() < deadline {}
    assert!(!world.reactor.has_come(deadline), "nothing has been waited for");
    world.handle().wake();
    world.reactor.turn(Wait::Block);
    assert!(!world.reactor.has_seen(deadline) && world.reactor.has_come(deadline));
    let seen = world.reactor.seen.get();
    assert!(!world.reactor.has_come(u64::MAX));
    assert_eq!(world.reactor.seen.get(), seen);
}

#[test]
fn an_alarm_for_a_cancelled_timer_does_no_harm() {
    let world = World::real();
    let flag = Flag::new();
    let now = world.reactor.now();
    let key = world.reactor.arm(nanos(now + Duration::from_millis(1)), Waker::noop().clone());
    world.script.events.lock().unwrap().push(Flag::new().waker());
    world.reactor.turn(Wait::Block);
    assert!(world.reactor.cancel(key).is_some());
    let deadline = now + Duration::from_millis(2);
    world.reactor.arm(nanos(deadline), flag.waker());
    while !flag.take() {
        world.reactor.turn(Wait::Block);
    }
    assert!(world.reactor.now() >= deadline);
}

#[test]
fn an_alarm_from_before_a_pause_is_not_trusted() {
    let world = World::real();
    let flag = Flag::new();
    let now = world.reactor.now();
    world.reactor.arm(nanos(now + SECOND * 60), flag.waker());
    world.script.events.lock().unwrap().push(Flag::new().waker());
    world.reactor.turn(Wait::Block);
    assert_eq!(alarms(&world).len(), 1);
    let clock = world.reactor.clock();
    clock.pause().unwrap();
    clock.advance_to(now + SECOND * 60 - Duration::from_millis(1));
    clock.resume().unwrap();
    while !flag.take() {
        world.reactor.turn(Wait::Block);
    }
    assert!(alarms(&world).iter().all(|&after| after < SECOND));
}

#[test]
fn memory_of_a_burst_is_given_back_before_a_wait_without_timers() {
    for world in [World::real(), World::paused()] {
        let now = world.reactor.now();
        for _ in 0..10_000 {
            world.reactor.arm(nanos(now - SECOND), Waker::noop().clone());
        }
        world.reactor.turn(Wait::Block);
        assert_eq!(world.reactor.armed_timers(), 0);
        assert!(world.reactor.wheel.lock().capacity() >= 10_000, "the next burst may be near");
        let handle = world.handle();
        *world.script.meanwhile.lock().unwrap() = Some(Box::new(move || handle.wake()));
        world.reactor.turn(Wait::Block);
        assert_eq!(world.reactor.wheel.lock().capacity(), 0);
    }
}

#[test]
fn a_wheel_that_was_unused_for_long_waits_once() {
    let world = World::paused();
    let flag = Flag::new();
    let now = world.reactor.now() + Duration::from_secs(100_000);
    world.reactor.clock().advance_to(now);
    world.reactor.clock().resume().unwrap();
    world.reactor.arm(nanos(now + SECOND * 3600), flag.waker());
    world.handle().wake();
    world.reactor.turn(Wait::Block);
    assert!(!flag.take());
    let alarms = alarms(&world);
    assert!(alarms.len() == 1 && alarms[0] > SECOND, "{alarms:?}");
    assert_eq!(waits(&world), [Wait::Block]);
}

#[test]
fn a_deadline_in_the_past_fires_in_the_next_turn() {
    let world = World::real();
    let flag = Flag::new();
    let now = world.reactor.now();
    world.reactor.arm(nanos(now - SECOND), flag.waker());
    world.reactor.turn(Wait::Block);
    assert!(flag.take());
}

#[test]
fn a_burst_is_served_in_larger_steps_until_it_is_over() {
    let world = World::real();
    let now = world.reactor.now();
    let fire = |count| {
        for _ in 0..count {
            world.reactor.arm(nanos(now - SECOND), Waker::noop().clone());
        }
        world.reactor.turn(Wait::Block);
        world.reactor.step.get()
    };
    assert_eq!(fire(super::BURST - 1), 1);
    assert_eq!(fire(super::BURST), super::BURST_STEP);
    assert_eq!(fire(super::LARGE_BURST), super::LARGE_BURST_STEP);
    world.reactor.turn(Wait::Poll);
    assert_eq!(world.reactor.step.get(), super::LARGE_BURST_STEP, "a turn that does not wait says nothing");
    assert_eq!(fire(1), 1);
}

#[test]
fn the_steps_of_a_burst_never_end_before_the_deadline() {
    let world = World::real();
    for step in [1, super::BURST_STEP, super::LARGE_BURST_STEP] {
        world.reactor.step.set(step);
        for ahead in [1, step - 1, step, step + 1, 3 * step + 7, 1 << 60, u64::MAX >> 2] {
            let deadline = world.reactor.now_nanos() + ahead;
            let key = world.reactor.arm(deadline, Waker::noop().clone());
            let exact = world.reactor.wheel.lock().next_deadline(super::Precision::Tick).unwrap();
            let stop = world.reactor.next_stop().unwrap();
            assert!(stop >= exact && stop - exact < step && stop.is_multiple_of(step));
            assert!(world.reactor.cancel(key).is_some());
        }
        world.reactor.arm(u64::MAX, Waker::noop().clone());
        assert!(world.reactor.next_stop().is_some());
    }
}

#[test]
fn paused_time_jumps_to_the_exact_deadline() {
    let world = World::paused();
    let (first, second) = (Flag::new(), Flag::new());
    let start = world.reactor.now();
    world.reactor.arm(nanos(start + Duration::from_nanos(1_000_001)), second.waker());
    world.reactor.arm(nanos(start + Duration::from_nanos(1_000_000)), first.waker());
    world.reactor.turn(Wait::Block);
    assert_eq!(world.reactor.now(), start + Duration::from_nanos(1_000_000));
    assert!(first.take() && !second.take());
    world.reactor.turn(Wait::Block);
    assert_eq!(world.reactor.now(), start + Duration::from_nanos(1_000_001));
    assert!(second.take());
}

#[test]
fn paused_time_stands_while_tasks_are_ready() {
    let world = World::paused();
    let flag = Flag::new();
    let start = world.reactor.now();
    world.reactor.arm(nanos(start + SECOND), flag.waker());
    world.reactor.turn(Wait::Poll);
    assert!(!flag.take());
    assert_eq!(world.reactor.now(), start);
}

#[test]
fn paused_time_stands_while_an_event_is_ready() {
    let world = World::paused();
    let (event, timer) = (Flag::new(), Flag::new());
    let start = world.reactor.now();
    world.reactor.arm(nanos(start + SECOND), timer.waker());
    world.script.events.lock().unwrap().push(event.waker());
    world.reactor.turn(Wait::Block);
    assert!(event.take() && !timer.take());
    assert_eq!(world.reactor.now(), start);
    world.reactor.turn(Wait::Block);
    assert!(timer.take());
}

#[test]
fn paused_time_stands_when_the_bell_was_rung() {
    let world = World::paused();
    let flag = Flag::new();
    world.reactor.arm(nanos(world.reactor.now() + SECOND), flag.waker());
    world.handle().wake();
    world.reactor.turn(Wait::Block);
    assert!(!flag.take(), "who rang may have made a task ready");
    world.reactor.turn(Wait::Block);
    assert!(flag.take());
}

#[test]
fn paused_time_stands_while_a_blocking_call_is_out() {
    let world = World::paused();
    let flag = Flag::new();
    let (start, handle) = (world.reactor.now(), world.handle());
    world.reactor.arm(nanos(start + SECOND), flag.waker());
    handle.hold_time();
    handle.hold_time();
    handle.release_time();
    *world.script.meanwhile.lock().unwrap() = Some(Box::new(move || handle.release_time()));
    world.reactor.turn(Wait::Block);
    assert_eq!(waits(&world), [Wait::Poll, Wait::Block], "it waited for the release");
    assert!(!flag.take());
    assert_eq!(world.reactor.now(), start);
    world.reactor.turn(Wait::Block);
    if !flag.take() {
        // The ring of the release was still to be heard.
        world.reactor.turn(Wait::Block);
        assert!(flag.take());
    }
    assert_eq!(world.reactor.now(), start + SECOND);
}

#[test]
fn paused_without_timers_waits_for_the_bell() {
    let world = World::paused();
    let handle = world.handle();
    *world.script.meanwhile.lock().unwrap() = Some(Box::new(move || handle.wake()));
    world.reactor.turn(Wait::Block);
    assert_eq!(waits(&world), [Wait::Poll, Wait::Block]);
}

#[test]
fn a_limited_wait_ends_by_the_systems_clock() {
    for world in [World::real(), World::paused()] {
        let start = world.reactor.now();
        world.reactor.turn(Wait::AtMost(Duration::from_micros(100)));
        assert_eq!(world.reactor.clock().is_paused(), world.reactor.now() == start);
        assert!(matches!(*alarms(&world), [after] if after <= Duration::from_micros(100)));
    }
}

#[test]
fn a_limited_wait_lets_paused_time_jump() {
    let world = World::paused();
    let flag = Flag::new();
    world.reactor.arm(nanos(world.reactor.now() + SECOND), flag.waker());
    world.reactor.turn(Wait::AtMost(Duration::ZERO));
    assert!(flag.take());
}

#[test]
fn one_that_is_alone_is_served_by_nobody() {
    let world = World::real();
    let flag = Flag::new();
    world.reactor.arm(0, flag.waker());
    assert_eq!(world.reactor.station().serve(), 0);
    assert!(!flag.take() && world.reactor.sibling(world.reactor.id()).is_none());
    assert!(!world.reactor.step_time());
}

#[test]
fn resumed_time_runs_in_ticks_again() {
    let world = World::paused();
    let flag = Flag::new();
    let deadline = world.reactor.now() + Duration::from_millis(1);
    world.reactor.arm(nanos(deadline), flag.waker());
    world.reactor.clock().resume().unwrap();
    while !flag.take() {
        world.reactor.turn(Wait::Block);
    }
    assert!(world.reactor.now() >= deadline);
}

#[test]
fn remote_requests_are_served_in_the_next_turn() {
    let world = World::paused();
    let (first, second) = (Flag::new(), Flag::new());
    let (handle, start) = (world.handle(), world.reactor.now());
    let timer = handle.arm_timer(nanos(start + SECOND), first.waker()).unwrap();
    assert!(handle.take_rung(), "the owner may be asleep");
    assert!(timer.set_waker(&second.waker()));
    world.reactor.turn(Wait::Poll);
    assert_eq!(world.reactor.armed_timers(), 1);
    world.reactor.turn(Wait::Block);
    assert!(second.take() && !first.take());
    assert!(!timer.set_waker(&first.waker()), "it has fired");
    assert_eq!(timer.cancel().key, None);
}

#[test]
fn remote_cancel_before_and_after_it_is_served() {
    let world = World::paused();
    let flag = Flag::new();
    let (handle, deadline) = (world.handle(), world.reactor.now() + SECOND);
    let early = handle.arm_timer(nanos(deadline), flag.waker()).unwrap();
    assert!(early.cancel().waker.is_some());
    world.reactor.turn(Wait::Poll);
    assert_eq!(world.reactor.armed_timers(), 0, "what was cancelled is not armed");

    let late = handle.arm_timer(nanos(deadline), flag.waker()).unwrap();
    world.reactor.turn(Wait::Poll);
    assert_eq!(world.reactor.armed_timers(), 1);
    handle.cancel_timer(late.cancel().key.unwrap());
    world.reactor.turn(Wait::Poll);
    assert_eq!(world.reactor.armed_timers(), 0);
    drop((early, late));
    assert_eq!(Arc::strong_count(&flag), 1, "no waker is kept");
}

#[test]
fn many_remote_cancels_ring() {
    let world = World::real();
    let (handle, deadline) = (world.handle(), world.reactor.now() + SECOND);
    let keys: Vec<_> = (0..32).map(|_| world.reactor.arm(nanos(deadline), Waker::noop().clone())).collect();
    keys[..31].iter().for_each(|&key| handle.cancel_timer(key));
    assert!(!handle.take_rung());
    handle.cancel_timer(keys[31]);
    assert!(handle.take_rung());
    world.reactor.turn(Wait::Poll);
    assert_eq!(world.reactor.armed_timers(), 0);
}

#[test]
fn dropping_the_reactor_wakes_who_waits_and_refuses_the_rest() {
    let world = World::paused();
    let (armed, requested) = (Flag::new(), Flag::new());
    let (handle, deadline) = (world.handle(), world.reactor.now() + SECOND);
    world.reactor.arm(nanos(deadline), armed.waker());
    let timer = handle.arm_timer(nanos(deadline), requested.waker());
    assert!(timer.is_some() && Handle::find(handle.id()).is_some());
    drop(world);
    assert!(armed.take() && requested.take());
    assert!(handle.arm_timer(nanos(deadline), armed.waker()).is_none());
    assert!(Handle::find(handle.id()).is_none());
}

#[test]
fn a_waker_that_panics_does_not_keep_others_asleep() {
    struct Panics;
    impl std::task::Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("on purpose");
        }
    }
    let world = World::paused();
    let flag = Flag::new();
    let deadline = world.reactor.now() + SECOND;
    world.reactor.arm(nanos(deadline), Waker::from(Arc::new(Panics)));
    world.reactor.arm(nanos(deadline), flag.waker());
    world.reactor.turn(Wait::Block);
    assert!(flag.take());
    world.reactor.arm(nanos(deadline), flag.waker());
    world.reactor.turn(Wait::Poll);
    assert!(flag.take(), "the next turn is a turn like others");
}

#[test]
fn buffers_of_a_burst_are_given_back() {
    let world = World::paused();
    let deadline = world.reactor.now() + SECOND;
    for _ in 0..100_000 {
        world.reactor.arm(nanos(deadline), Waker::noop().clone());
    }
    world.reactor.turn(Wait::Block);
    let woken = world.reactor.woken.take();
    assert!(woken.capacity() <= super::RETAINED_WAKERS);
}
