//! Two reactors of one runtime: who serves whom, and how time moves for both.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Waker};
use std::thread;
use std::time::{Duration, Instant};

use mio::net::UnixStream;

use super::Together;
use crate::reactor::clock::nanos;
use crate::reactor::readiness::{Direction, Readiness};
use crate::reactor::ready::{Interest, Ready};
use crate::reactor::testing::{Flag, Script, scripted_pair};
use crate::reactor::{BURST, BURST_STEP, Handle, Reactor, Wait};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// `near` is the one whose thread the test plays.
struct Pair {
    near: Reactor,
    far: Reactor,
    near_script: Arc<Script>,
    far_script: Arc<Script>,
    together: Arc<Together>,
}

impl Pair {
    fn paused() -> Self {
        Self::new(true)
    }

    fn real() -> Self {
        Self::new(false)
    }

    fn new(start_paused: bool) -> Self {
        let ([near, far], [near_script, far_script], together) = scripted_pair(start_paused);
        near.station().set_driven(true);
        far.station().set_driven(true);
        Self { near, far, near_script, far_script, together }
    }

    /// As if the thread of `far` had lain down in a blocking turn.
    fn far_sleeps(self) -> Self {
        self.far.station().set_stirring(false);
        self
    }

    /// As if nobody sat at `far`.
    fn far_is_vacant(self) -> Self {
        self.far.station().set_driven(false);
        self
    }
}

/// A source that is watched, and the end that has it become readable.
struct Source {
    readiness: Arc<Readiness>,
    near: UnixStream,
    _far: UnixStream,
}

impl Source {
    fn new(handle: &Handle, waker: &Waker) -> Self {
        let (near, mut far) = UnixStream::pair().unwrap();
        let readiness = Arc::new(Readiness::new(Ready::EMPTY));
        handle.driver().register(&mut far, &readiness, Interest::READABLE).unwrap();
        assert!(readiness.poll(Direction::Read, &Context::from_waker(waker)).is_pending());
        Self { readiness, near, _far: far }
    }

    fn write(&mut self) {
        self.near.write_all(b"x").unwrap();
    }

    fn is_readable(&self) -> bool {
        self.readiness.observe(Interest::READABLE).is_some()
    }
}

fn alarms(script: &Script) -> Vec<Duration> {
    std::mem::take(&mut *script.alarms.lock().unwrap())
}

/// An event of its own ends the next wait.
fn interrupt(script: &Script) {
    script.events.lock().unwrap().push(Waker::noop().clone());
}

fn pass(reactor: &Reactor, time: Instant) {
    while reactor.clock().now() < time {}
}

#[test]
fn a_busy_owners_timers_are_fired_by_another_thread() {
    let Pair { far, .. } = Pair::real();
    let flag = Flag::new();
    let now = far.now();
    let key = far.arm(nanos(now - MS), flag.waker());
    far.arm(nanos(now + SECOND * 60), Waker::noop().clone());
    let station = Arc::clone(far.station());
    assert_eq!(thread::spawn(move || station.serve()).join().unwrap(), 1);
    assert!(flag.take());
    assert_eq!(far.armed_timers(), 1);
    assert!(far.cancel(key).is_none() && !far.set_waker(key, Waker::noop()));
    assert_eq!(far.station().serve(), 0);
}

#[test]
fn a_busy_owners_events_are_marked_by_another_thread() {
    let Pair { far, .. } = Pair::real();
    let flag = Flag::new();
    let mut source = Source::new(far.handle(), &flag.waker());
    source.write();
    let station = Arc::clone(far.station());
    assert_eq!(thread::spawn(move || station.serve()).join().unwrap(), 1);
    assert!(flag.take() && source.is_readable());
}

#[test]
fn a_busy_owners_requests_are_served_by_another_thread() {
    let Pair { far, .. } = Pair::real();
    let flag = Flag::new();
    let timer = far.handle().arm_timer(nanos(far.now() + SECOND * 60), flag.waker()).unwrap();
    assert_eq!(far.station().serve(), 0);
    assert_eq!(far.armed_timers(), 1);
    far.handle().cancel_timer(timer.cancel().key.unwrap());
    drop(timer);
    assert_eq!(far.station().serve(), 0);
    assert_eq!(far.armed_timers(), 0);
    assert_eq!(Arc::strong_count(&flag), 1);
}

#[test]
fn a_waker_may_use_the_reactor_that_is_served() {
    struct Arms(Arc<Handle>, u64);
    impl std::task::Wake for Arms {
        fn wake(self: Arc<Self>) {
            assert!(self.0.arm_timer(self.1, Waker::noop().clone()).is_some());
            self.0.together().unwrap().stations.iter().for_each(|station| {
                station.serve();
            });
        }
    }
    let Pair { far, .. } = Pair::real();
    let now = far.now();
    let waker = Waker::from(Arc::new(Arms(Arc::clone(far.handle()), nanos(now + SECOND * 60))));
    far.arm(nanos(now - MS), waker);
    assert_eq!(far.station().serve(), 1);
    assert_eq!(far.armed_timers(), 1);
}

#[test]
fn the_owner_is_not_told_that_what_it_armed_after_a_later_look_of_another_has_fired() {
    let Pair { far, .. } = Pair::real();
    let flag = Flag::new();
    let deadline = far.now_nanos() + 1;
    far.arm(deadline, Waker::noop().clone());
    // The other worker comes when more than a tick is over, which the owner has not seen.
    pass(&far, Instant::now() + MS);
    assert_eq!(far.station().serve(), 1);
    assert!(!far.has_seen(deadline) && !far.has_fired(deadline));
    far.arm(deadline, flag.waker());
    far.turn(Wait::Poll);
    assert!(flag.take() && far.has_fired(deadline));
}

#[test]
fn a_bell_that_another_thread_came_across_still_ends_the_next_wait() {
    let Pair { far, .. } = Pair::real();
    // With a source the driver really looks, and takes the ring out.
    let _source = Source::new(far.handle(), Waker::noop());
    for _ in 0..3 {
        far.handle().wake();
        far.station().serve();
        far.station().serve();
        far.turn(Wait::Block);
    }
    assert!(!far.handle().driver().has_events());
}

#[test]
fn an_alarm_that_another_thread_came_across_is_set_anew() {
    let Pair { far, far_script, .. } = Pair::real();
    let _source = Source::new(far.handle(), Waker::noop());
    let (first, second) = (Flag::new(), Flag::new());
    let deadline = far.now() + MS;
    far.arm(nanos(deadline), first.waker());
    interrupt(&far_script);
    far.turn(Wait::Block);
    pass(&far, deadline + MS);
    far.station().serve();
    assert!(first.take() && !far.handle().driver().has_events());
    far.arm(nanos(far.now() + MS), second.waker());
    // One that were believed to be set still would never end this.
    while !second.take() {
        far.turn(Wait::Block);
    }
}

#[test]
fn an_owner_asleep_in_its_driver_is_served_without_waiting_for_it() {
    let Pair { far, far_script, .. } = Pair::real();
    let (flag, station) = (Flag::new(), Arc::clone(far.station()));
    far.arm(nanos(far.now() - MS), flag.waker());
    far.turn(Wait::Poll);
    assert!(flag.take());
    let handle = Arc::clone(far.handle());
    let deadline = far.now_nanos() + 1;
    let (requested, waker) = (Flag::new(), flag.waker());
    let waits = requested.waker();
    *far_script.meanwhile.lock().unwrap() = Some(Box::new(move || {
        let timer = handle.arm_timer(deadline, waker);
        while !flag.take() {
            station.serve();
        }
        waits.wake();
        drop(timer);
    }));
    far.turn(Wait::Block);
    assert!(requested.take());
}

/// Each timer fires once, whoever fires it.
#[test]
fn served_all_the_time_while_the_owner_turns() {
    struct Last(Arc<Handle>, AtomicUsize);
    impl std::task::Wake for Last {
        fn wake(self: Arc<Self>) {
            self.1.fetch_add(1, Ordering::SeqCst);
            self.0.wake();
        }
    }
    const TIMERS: usize = 500;
    let Pair { far, .. } = Pair::real();
    let _source = Source::new(far.handle(), Waker::noop());
    let fired = Arc::new(Last(Arc::clone(far.handle()), AtomicUsize::new(0)));
    let (station, served) = (Arc::clone(far.station()), Arc::clone(&fired));
    let helper = thread::spawn(move || {
        while served.1.load(Ordering::SeqCst) < TIMERS {
            station.serve();
        }
    });
    let start = far.now_nanos();
    for timer in 0..TIMERS as u64 {
        far.arm(start + timer * 10_000, Waker::from(Arc::clone(&fired)));
        let key = far.arm(start + timer * 10_000, Waker::noop().clone());
        far.cancel(key);
        far.turn(Wait::Poll);
    }
    while fired.1.load(Ordering::SeqCst) < TIMERS {
        far.turn(Wait::Block);
    }
    helper.join().unwrap();
    assert_eq!((fired.1.load(Ordering::SeqCst), far.armed_timers()), (TIMERS, 0));
    assert_eq!(Arc::strong_count(&fired), 1);
}

#[test]
fn work_is_a_source_a_timer_or_a_request() {
    let Pair { far, .. } = Pair::real();
    let station = far.station();
    assert!(!station.has_work());
    let key = far.arm(nanos(far.now() + SECOND), Waker::noop().clone());
    assert!(station.has_work());
    assert!(far.cancel(key).is_some() && !station.has_work());
    let timer = far.handle().arm_timer(0, Waker::noop().clone()).unwrap();
    assert!(station.has_work());
    far.turn(Wait::Poll);
    assert!(!timer.set_waker(Waker::noop()) && !station.has_work());
    let _source = Source::new(far.handle(), Waker::noop());
    assert!(station.has_work());
}

#[test]
fn a_reactor_that_is_gone_leaves_nothing_to_serve() {
    let Pair { far, near, together, .. } = Pair::real();
    let (armed, watching) = (Flag::new(), Flag::new());
    let source = Source::new(far.handle(), &watching.waker());
    let key = far.arm(0, armed.waker());
    let id = far.id();
    drop(far);
    assert!(armed.take() && watching.take() && source.is_readable());
    let station = near.sibling(id).unwrap();
    assert_eq!(station.serve(), 0);
    assert!(!station.has_work() && station.cancel(key).is_none());
    assert!(Arc::ptr_eq(station, &together.stations[1]));
}

#[test]
fn siblings_are_those_made_together() {
    let (pair, other) = (Pair::real(), Pair::real());
    for (reactor, station) in [&pair.near, &pair.far].into_iter().zip(&pair.together.stations) {
        assert_eq!(reactor.id(), station.id());
        assert!(pair.near.sibling(reactor.id()).is_some() && other.near.sibling(reactor.id()).is_none());
    }
    assert!(pair.near.sibling(other.far.id()).is_none());
}

#[test]
fn a_limited_wait_ends_without_any_event() {
    for pair in [Pair::real(), Pair::paused()] {
        let (start, time) = (Instant::now(), pair.far.now());
        pair.far.arm(nanos(time + SECOND * 60), Waker::noop().clone());
        while start.elapsed() < MS {
            pair.far.turn(Wait::AtMost(MS));
        }
        assert!(!pair.far.clock().is_paused() || pair.far.now() == time);
        assert!(!pair.far_script.waits.lock().unwrap().contains(&Wait::AtMost(MS)), "milliseconds are too coarse");
    }
}

#[test]
fn a_limited_wait_forgets_no_deadline() {
    let Pair { far, far_script, .. } = Pair::real();
    let flag = Flag::new();
    let deadline = far.now() + MS * 2;
    far.arm(nanos(deadline), flag.waker());
    far.arm(nanos(deadline + SECOND * 60), Waker::noop().clone());
    let mut turns = 0;
    while !flag.take() {
        far.turn(if turns % 2 == 0 { Wait::AtMost(MS / 10) } else { Wait::Block });
        turns += 1;
    }
    assert!(far.now() >= deadline);
    let alarms = alarms(&far_script);
    assert!(alarms.iter().all(|&after| after <= MS * 3), "{alarms:?}");
}

#[test]
fn a_limited_wait_is_no_longer_than_the_deadline() {
    let Pair { far, far_script, .. } = Pair::real();
    let flag = Flag::new();
    far.arm(nanos(far.now() + MS), flag.waker());
    while !flag.take() {
        far.turn(Wait::AtMost(SECOND * 3600));
    }
    assert!(alarms(&far_script).iter().all(|&after| after <= MS * 2));
}

#[test]
fn a_limited_wait_of_no_length_ends() {
    let Pair { far, .. } = Pair::real();
    far.turn(Wait::AtMost(Duration::ZERO));
    assert_eq!(far.armed_timers(), 0);
}

#[test]
fn a_limited_wait_in_a_burst_leaves_its_steps_alone() {
    let Pair { far, .. } = Pair::real();
    let now = far.now();
    (0..BURST).for_each(|_| {
        far.arm(nanos(now - MS), Waker::noop().clone());
    });
    far.turn(Wait::Block);
    assert_eq!(far.step.get(), BURST_STEP);
    far.turn(Wait::AtMost(MS / 10));
    assert_eq!(far.step.get(), BURST_STEP);
    far.arm(nanos(now - MS), Waker::noop().clone());
    far.turn(Wait::AtMost(MS / 10));
    assert_eq!(far.step.get(), 1);
}

#[test]
fn time_steps_from_deadline_to_deadline_of_all() {
    let Pair { near, far, .. } = Pair::paused().far_sleeps();
    let flags = [Flag::new(), Flag::new(), Flag::new()];
    let start = near.now();
    let at = |nanoseconds| nanos(start + Duration::from_nanos(nanoseconds));
    near.arm(at(1_000_001), flags[1].waker());
    far.arm(at(1_000_000), flags[0].waker());
    far.arm(at(5_000_000_000), flags[2].waker());
    for (flag, time) in flags.iter().zip([1_000_000, 1_000_001, 5_000_000_000]) {
        assert!(near.step_time() && flag.take());
        assert_eq!(near.now_nanos(), at(time));
        assert!(flags.iter().all(|flag| !flag.take()));
    }
    assert!(!near.step_time());
}

#[test]
fn what_is_due_at_the_same_time_fires_in_one_step() {
    let Pair { near, far, .. } = Pair::paused().far_sleeps();
    let (first, second) = (Flag::new(), Flag::new());
    let deadline = nanos(near.now() + SECOND);
    near.arm(deadline, first.waker());
    far.arm(deadline, second.waker());
    assert!(near.step_time() && first.take() && second.take());
    assert!(near.has_come(deadline), "it looks at the clock again");
}

#[test]
fn running_time_is_not_stepped() {
    let Pair { near, far, .. } = Pair::real().far_sleeps();
    far.arm(nanos(near.now() - SECOND), Waker::noop().clone());
    assert!(!near.step_time());
    assert_eq!(far.armed_timers(), 1);
}

#[test]
fn time_stands_while_a_blocking_call_is_out() {
    let Pair { near, far, .. } = Pair::paused().far_sleeps();
    let flag = Flag::new();
    let start = near.now();
    far.arm(nanos(start + SECOND), flag.waker());
    far.handle().hold_time();
    assert!(!near.step_time() && !flag.take());
    assert_eq!(near.now(), start);
    far.handle().release_time();
    assert!(near.handle().is_rung() && far.handle().is_rung(), "whoever is the last may step now");
    assert!(near.step_time() && !flag.take());
    far.turn(Wait::Poll);
    far.station().set_stirring(false);
    // Nobody has taken the rings out of the drivers yet.
    far.turn(Wait::Block);
    far.station().set_stirring(false);
    assert!(near.step_time() && flag.take());
}

#[test]
fn time_stands_while_an_event_of_another_is_ready() {
    let Pair { near, far, .. } = Pair::paused().far_sleeps();
    let (event, timer) = (Flag::new(), Flag::new());
    let start = near.now();
    let mut source = Source::new(far.handle(), &event.waker());
    near.arm(nanos(start + SECOND), timer.waker());
    source.write();
    for _ in 0..3 {
        assert!(near.step_time() && !event.take(), "it is left for who waits for it");
    }
    far.turn(Wait::Block);
    assert!(event.take() && source.is_readable());
    assert!(near.step_time() && !timer.take(), "its worker is still up");
    assert_eq!(near.now(), start);
    far.station().set_stirring(false);
    assert!(near.step_time() && timer.take());
}

#[test]
fn time_stands_while_an_event_of_ones_own_is_ready() {
    let Pair { near, far, .. } = Pair::paused().far_sleeps();
    let (event, timer) = (Flag::new(), Flag::new());
    let mut source = Source::new(near.handle(), &event.waker());
    far.arm(nanos(near.now() + SECOND), timer.waker());
    source.write();
    assert!(near.step_time() && event.take() && !timer.take());
    assert!(near.step_time() && timer.take());
}

#[test]
fn time_stands_until_a_bell_has_been_heard() {
    let Pair { near, far, .. } = Pair::paused().far_sleeps();
    let flag = Flag::new();
    near.arm(nanos(near.now() + SECOND), flag.waker());
    near.handle().wake();
    assert!(near.step_time() && !flag.take());
    far.handle().wake();
    for _ in 0..3 {
        assert!(near.step_time() && !flag.take());
    }
    // It does not lie down, since it was rung; then it does, and comes across the ring in its driver.
    far.turn(Wait::Block);
    assert!(far.station().is_stirring() && !far.handle().is_rung());
    far.turn(Wait::Block);
    far.station().set_stirring(false);
    assert!(near.step_time() && flag.take());
}

#[test]
fn time_stands_while_another_worker_is_up() {
    let Pair { near, far, .. } = Pair::paused();
    let flag = Flag::new();
    far.arm(nanos(near.now() + SECOND), flag.waker());
    assert!(near.step_time() && !flag.take());
    far.station().set_stirring(false);
    assert!(near.step_time() && flag.take());
}

#[test]
fn where_nobody_sits_what_is_there_is_taken_out() {
    let Pair { near, far, .. } = Pair::paused().far_is_vacant();
    let (event, timer, requested) = (Flag::new(), Flag::new(), Flag::new());
    let start = near.now();
    let mut source = Source::new(far.handle(), &event.waker());
    source.write();
    far.arm(nanos(start + SECOND * 2), timer.waker());
    let request = far.handle().arm_timer(nanos(start + SECOND), requested.waker());
    assert!(near.step_time() && event.take() && source.is_readable());
    assert_eq!(near.now(), start);
    assert!(near.step_time() && requested.take() && !timer.take());
    assert!(near.step_time() && timer.take());
    assert!(!near.step_time());
    drop(request);
}

#[test]
fn a_timer_that_is_cancelled_from_elsewhere_is_no_stop() {
    let Pair { near, far, .. } = Pair::paused().far_sleeps();
    let start = near.now();
    let key = far.arm(nanos(start + SECOND), Waker::noop().clone());
    far.handle().cancel_timer(key);
    assert!(!near.step_time());
    assert_eq!((near.now(), far.armed_timers()), (start, 0));
}

#[test]
fn advancing_goes_in_steps_also_past_blocking_calls() {
    let Pair { near, far, .. } = Pair::paused().far_sleeps();
    let flag = Flag::new();
    let start = near.now();
    let goal = nanos(start + SECOND * 2);
    far.arm(nanos(start + SECOND), flag.waker());
    near.handle().hold_time();
    near.clock().set_goal(goal);
    assert!(near.step_time() && flag.take());
    assert_eq!(near.now(), start + SECOND);
    assert!(near.step_time());
    assert_eq!(near.now_nanos(), goal);
    assert!(!near.step_time());
    near.clock().drop_goal(goal);
    assert!(!near.handle().clock().release() || near.clock().is_paused());
}

#[test]
fn advancing_while_no_worker_rests() {
    let Pair { near, far, .. } = Pair::paused();
    let flag = Flag::new();
    let start = near.now();
    far.arm(nanos(start + SECOND), flag.waker());
    near.clock().set_goal(nanos(start + SECOND * 2));
    let mut turns = 0;
    while !flag.take() {
        near.turn(Wait::Poll);
        turns += 1;
    }
    assert_eq!((turns, near.now()), (16, start + SECOND));
    (0..16).for_each(|_| near.turn(Wait::Poll));
    assert_eq!(near.now(), start + SECOND * 2);
    (0..64).for_each(|_| near.turn(Wait::Poll));
    assert_eq!(near.now(), start + SECOND * 2);
}

#[test]
fn a_blocking_turn_moves_no_time() {
    let Pair { near, near_script, .. } = Pair::paused();
    let flag = Flag::new();
    let start = near.now();
    near.arm(nanos(start + SECOND), flag.waker());
    near.turn(Wait::AtMost(MS / 10));
    near.handle().wake();
    near.turn(Wait::Block);
    near.turn(Wait::Block);
    assert_eq!(near.now(), start);
    assert!(!flag.take() && !near_script.waits.lock().unwrap().contains(&Wait::Block), "events would vanish");
}

/// The worker of `far` sleeps for real, and what ends its sleep is a bell, an event or a limit, while another steps in time.
#[test]
fn asleep_while_another_steps() {
    let Pair { near, far, .. } = Pair::paused();
    let (timer, event, seen) = (Flag::new(), Flag::new(), Flag::new());
    let mut source = Source::new(far.handle(), &event.waker());
    let (start, handle) = (near.now(), Arc::clone(far.handle()));
    far.arm(nanos(start + SECOND), timer.waker());
    let sleeper = thread::spawn({
        let seen = Arc::clone(&seen);
        move || {
            while !event.take() {
                far.turn(Wait::Block);
            }
            seen.waker().wake();
            far
        }
    });
    while !timer.take() {
        near.step_time();
        thread::yield_now();
    }
    assert_eq!(near.now(), start + SECOND);
    handle.wake();
    source.write();
    let far = sleeper.join().unwrap();
    assert!(seen.take() && source.is_readable());
    assert_eq!(far.now(), start + SECOND);
}
