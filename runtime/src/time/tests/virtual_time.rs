//! pause, resume, advance.

use super::*;
use std::sync::atomic::{AtomicBool, Ordering};

#[test]
fn pause_and_resume_in_the_wrong_state_say_so() {
    let world = World::real();
    world.drive(|| {
        assert!(panic_text(resume).contains("not paused"));
        pause();
        assert!(panic_text(pause).contains("paused already"));
        resume();
    });
    assert_eq!(panic_text(pause), crate::context::NO_RUNTIME);
}

#[test]
fn advance_of_a_running_clock_says_so() {
    let world = World::real();
    let text = panic_text(|| world.block_on(advance(SECOND)));
    assert!(text.contains("not paused"));
}

#[test]
fn now_is_the_clock_of_the_runtime_also_from_outside() {
    let (world, outside) = (World::paused(), Instant::now());
    let now = world.drive(Instant::now);
    world.handle().clock().advance_to((outside + SECOND * 100).into_std());
    assert!(world.drive(Instant::now) >= now + SECOND * 99);
    assert_eq!(world.enter(Instant::now), world.drive(Instant::now));
    assert!(Instant::now() < outside + SECOND * 100);
}

#[test]
fn advance_stops_at_each_deadline_on_the_way() {
    let trace = Trace::default();
    let notes = trace.clone();
    World::paused().block_on(async move {
        let start = Instant::now();
        for (name, first, then) in [("a", 3, 4), ("b", 1, 1), ("c", 9, 5)] {
            let notes = notes.clone();
            spawn_local(async move {
                sleep(SECOND * first).await;
                notes.note(format!("{name} {}", start.elapsed().as_secs()));
                yields(3).await;
                sleep(SECOND * then).await;
                notes.note(format!("{name} {}", start.elapsed().as_secs()));
            });
        }
        yields(1).await;
        advance(SECOND * 10).await;
        notes.note(format!("advanced {}", start.elapsed().as_secs()));
        advance(SECOND * 4).await;
        notes.note(format!("advanced {}", start.elapsed().as_secs()));
    });
    assert_eq!(trace.take(), ["b 1", "b 2", "a 3", "a 7", "c 9", "advanced 10", "c 14", "advanced 14"]);
}

#[test]
fn advance_while_a_task_never_rests() {
    let trace = Trace::default();
    let notes = trace.clone();
    World::paused().block_on(async move {
        let start = Instant::now();
        spawn_local(yields(u32::MAX));
        call_later(SECOND, notes.noting("one"));
        call_later(SECOND * 2, notes.noting("two"));
        advance(SECOND * 3).await;
        assert_eq!(start.elapsed(), SECOND * 3);
    });
    assert_eq!(trace.take(), ["one", "two"]);
}

#[test]
fn advance_past_a_blocking_call() {
    let world = World::paused();
    world.handle().hold_time();
    world.block_on(async {
        let start = Instant::now();
        advance(SECOND).await;
        assert_eq!(start.elapsed(), SECOND);
    });
    world.handle().release_time();
}

#[test]
fn advance_by_zero_lets_others_run() {
    let trace = Trace::default();
    let notes = trace.clone();
    World::paused().block_on(async move {
        let start = Instant::now();
        let other = notes.clone();
        spawn_local(async move { other.note("ran") });
        advance(Duration::ZERO).await;
        notes.note("advanced");
        assert_eq!(start.elapsed(), Duration::ZERO);
    });
    assert_eq!(trace.take(), ["ran", "advanced"]);
}

#[test]
fn advance_dropped_on_the_way_leaves_the_clock_there() {
    World::paused().block_on(async {
        let start = Instant::now();
        assert!(timeout(SECOND, advance(SECOND * 10)).await.is_err());
        assert_eq!(start.elapsed(), SECOND);
        yields(100).await;
        assert_eq!(start.elapsed(), SECOND);
    });
}

#[test]
fn two_advances_at_a_time() {
    let trace = Trace::default();
    let notes = trace.clone();
    World::paused().block_on(async move {
        let start = Instant::now();
        let other = notes.clone();
        spawn_local(async move {
            advance(SECOND * 5).await;
            other.note(format!("other {}", start.elapsed().as_secs()));
        });
        advance(SECOND * 3).await;
        notes.note(format!("first {}", start.elapsed().as_secs()));
        sleep(SECOND * 4).await;
    });
    assert_eq!(trace.take(), ["first 3", "other 5"]);
}

#[test]
fn advance_from_outside_moves_in_one_step() {
    let world = World::paused();
    let flag = Flag::new();
    let start = world.drive(Instant::now);
    let mut sleep = world.drive(|| sleep(SECOND));
    assert!(world.drive(|| poll_with(&mut sleep, &flag.waker())).is_pending());
    world.enter(|| {
        let mut advance = pin!(advance(SECOND * 5));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(advance.as_mut().poll(&mut cx).is_pending());
        assert!(advance.as_mut().poll(&mut cx).is_ready());
    });
    assert_eq!(world.drive(Instant::now), start + SECOND * 5);
    world.turn(Wait::Block);
    assert!(flag.take());
}

#[test]
fn pause_in_the_midst_of_sleeping() {
    World::real().block_on(async {
        let start = Instant::now();
        let long = sleep(SECOND * 3600);
        pause();
        long.await;
        assert!(start.elapsed() >= SECOND * 3600);
        resume();
        let resumed = Instant::now();
        assert!(resumed >= start + SECOND * 3600);
        sleep(MS).await;
        assert!(resumed.elapsed() >= MS);
    });
}

#[test]
fn sleeping_in_order_without_advance() {
    World::paused().block_on(async {
        let start = Instant::now();
        let long = Rc::new(Cell::new(false));
        let done = long.clone();
        spawn_local(async move {
            sleep(SECOND * 86_400 * 365).await;
            done.set(true);
        });
        for n in 1..=100 {
            sleep(SECOND).await;
            assert_eq!(start.elapsed(), SECOND * n);
        }
        assert!(!long.get());
        sleep(SECOND * 86_400 * 365).await;
        assert!(long.get());
    });
}

#[test]
fn held_by_a_thread_of_somebody_else() {
    for mut builder in [crate::runtime::Builder::new_current_thread(), crate::runtime::Builder::new_multi_thread()] {
        assert!(Hold::current().is_none());
        let runtime = builder.start_paused(true).build().unwrap();
        runtime.block_on(async {
            let start = Instant::now();
            let done = Arc::new(AtomicBool::new(false));
            let hold = Hold::current().unwrap();
            let thread = std::thread::spawn({
                let done = done.clone();
                move || {
                    (0..1_000).for_each(|_| std::thread::yield_now());
                    done.store(true, Ordering::SeqCst);
                    drop(hold);
                }
            });
            sleep(SECOND).await;
            assert!(done.load(Ordering::SeqCst), "time went on before");
            assert_eq!(start.elapsed(), SECOND);
            thread.join().unwrap();
        });
    }
}
