//! Intervals.

use super::*;

#[test]
fn ticks_at_once_and_then_every_period() {
    World::paused().block_on(async {
        let start = Instant::now();
        let mut interval = interval(SECOND);
        assert_eq!(interval.period(), SECOND);
        for n in 0..5 {
            assert_eq!(interval.tick().await, start + SECOND * n);
            assert_eq!(start.elapsed(), SECOND * n);
        }
    });
}

#[test]
fn starts_later() {
    World::paused().block_on(async {
        let start = Instant::now();
        let mut interval = interval_at(start + SECOND * 3, SECOND);
        assert_eq!(interval.tick().await, start + SECOND * 3);
        assert_eq!(interval.tick().await, start + SECOND * 4);
    });
}

/// The ticks at 0, then those after 2.5 periods during which nobody asked: (due, given), in tenths of a period.
fn missed(behavior: MissedTickBehavior) -> Vec<(u128, u128)> {
    World::paused().block_on(async move {
        let start = Instant::now();
        let tenths = |time: Instant| (time - start).as_millis() / 10;
        let mut interval = interval(Duration::from_millis(100));
        interval.set_missed_tick_behavior(behavior);
        assert_eq!(interval.missed_tick_behavior(), behavior);
        interval.tick().await;
        sleep(Duration::from_millis(350)).await;
        let mut ticks = Vec::new();
        for _ in 0..5 {
            let due = interval.tick().await;
            ticks.push((tenths(due), tenths(Instant::now())));
        }
        ticks
    })
}

#[test]
fn missed_ticks_come_in_a_burst() {
    let ticks = missed(MissedTickBehavior::Burst);
    assert_eq!(ticks, [(10, 35), (20, 35), (30, 35), (40, 40), (50, 50)]);
}

#[test]
fn missed_ticks_delay_the_rest() {
    let ticks = missed(MissedTickBehavior::Delay);
    assert_eq!(ticks, [(10, 35), (45, 45), (55, 55), (65, 65), (75, 75)]);
}

#[test]
fn missed_ticks_are_skipped() {
    let ticks = missed(MissedTickBehavior::Skip);
    assert_eq!(ticks, [(10, 35), (40, 40), (50, 50), (60, 60), (70, 70)]);
}

#[test]
fn a_little_late_is_not_missed() {
    World::paused().block_on(async {
        let start = Instant::now();
        let mut interval = interval(MS * 100);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        interval.tick().await;
        sleep(MS * 105).await;
        interval.tick().await;
        assert_eq!(interval.tick().await, start + MS * 200);
    });
}

#[test]
fn resets() {
    World::paused().block_on(async {
        let start = Instant::now();
        let mut interval = interval(SECOND * 10);
        interval.tick().await;
        sleep(SECOND).await;
        interval.reset();
        assert_eq!(interval.tick().await, start + SECOND * 11);
        interval.reset_immediately();
        assert_eq!(interval.tick().await, start + SECOND * 11);
        interval.reset_after(SECOND);
        assert_eq!(interval.tick().await, start + SECOND * 12);
        interval.reset_at(start + SECOND * 15);
        assert_eq!(interval.tick().await, start + SECOND * 15);
        assert_eq!(interval.tick().await, start + SECOND * 25);
    });
}

#[test]
fn a_cancelled_tick_is_not_lost() {
    World::paused().block_on(async {
        let start = Instant::now();
        let mut interval = interval_at(start + SECOND * 2, SECOND);
        assert!(timeout(SECOND, interval.tick()).await.is_err());
        assert_eq!(interval.tick().await, start + SECOND * 2);
    });
}

#[test]
fn is_a_stream_without_end() {
    World::paused().block_on(async {
        let start = Instant::now();
        let mut interval = interval(SECOND);
        assert_eq!(interval.size_hint(), (usize::MAX, None));
        for n in 0..3 {
            let tick = poll_fn(|cx| Pin::new(&mut interval).poll_next(cx)).await;
            assert_eq!(tick, Some(start + SECOND * n));
        }
    });
}

#[test]
fn a_period_of_zero_is_refused() {
    let world = World::paused();
    assert!(panic_text(|| world.drive(|| interval(Duration::ZERO))).contains("longer than zero"));
}

#[test]
fn the_longest_period() {
    World::paused().block_on(async {
        let start = Instant::now();
        let mut interval = interval(Duration::MAX);
        assert_eq!(interval.tick().await, start);
        interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let next = interval.tick().await;
        assert!(next > start + SECOND * 86_400 * 365 * 29);
    });
}
