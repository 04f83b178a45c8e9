//! What a worker with nothing to do of its own finds out about the others: who is stuck, and whose tasks wait too long.
//!
//! Nobody tells it: workers only count the polls that they begin. Two looks at the counts, some time apart, show who is in one
//! long poll and how long a task at the end of a queue will wait.

use std::time::{Duration, Instant};

use super::idle::Status;
use crate::task::Scheduler;

/// Tasks that wait less than this are left where they are: what one worker does alone in that time costs two of them more.
const WORTH_SHARING: Duration = Duration::from_micros(100);

/// So are short tasks, which cost more to move than to run, unless they wait for much longer.
const SHORT: Duration = Duration::from_micros(5);
const WORTH_SHARING_SHORT: Duration = Duration::from_millis(1);

/// A poll that lasts longer is one that holds up others.
const STUCK: Duration = Duration::from_micros(400);

/// The first look after work is soon, since somebody has just begun to work; then each waits twice as long, up to the last.
const FIRST_PAUSE: Duration = Duration::from_micros(50);
const LAST_PAUSE: Duration = Duration::from_micros(500);

/// The same where there is one processor: a look takes time from who works.
const LAST_PAUSE_ALONE: Duration = Duration::from_micros(800);

/// The sentry goes to sleep when nothing has moved for so long.
const QUIET: Duration = Duration::from_millis(100);

/// What one worker has seen of the others.
pub(crate) struct Watch {
    me: usize,
    seen: Vec<Seen>,
    statuses: Vec<(Status, u32)>,
    /// There is a processor that could run what is taken over.
    shares: bool,
    pause: Duration,
    /// When something moved last.
    moved: Instant,
    /// How many tasks had been taken out of the injection queue, and when that was looked at, if there were some left.
    injection: Option<(usize, Instant)>,
}

#[derive(Clone, Copy)]
struct Seen {
    polls: usize,
    /// How often it had gone to rest.
    rests: u32,
    at: Instant,
    /// Since when it has been the same poll, as far as we know.
    since: Instant,
    was_awake: bool,
}

/// Somebody needs help.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Help {
    /// Tasks wait in the injection queue for too long.
    Injected,
    /// Half of the tasks that wait there should be run here.
    Share(usize),
    /// It is in one poll for too long: nothing there gets on without us.
    TakeOver(usize),
}

/// A poll that goes on for too long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LongPoll {
    pub(crate) seat: usize,
    /// Which poll of that seat.
    pub(crate) polls: usize,
    pub(crate) duration: Duration,
}

impl Watch {
    pub(crate) fn new(me: usize, seats: usize, now: Instant) -> Self {
        let seen = Seen { polls: 0, rests: 0, at: now, since: now, was_awake: false };
        let shares = std::thread::available_parallelism().is_ok_and(|processors| processors.get() > 1);
        Self {
            me,
            seen: vec![seen; seats],
            statuses: Vec::with_capacity(seats),
            shares,
            pause: FIRST_PAUSE,
            moved: now,
            injection: None,
        }
    }

    /// Where to put what everybody is, before a look.
    pub(crate) fn statuses(&mut self) -> &mut Vec<(Status, u32)> {
        &mut self.statuses
    }

    /// Looks at all others; whom to help first, if anybody needs it.
    pub(crate) fn look(&mut self, scheduler: &Scheduler, now: Instant) -> Option<Help> {
        let mut help = self.injected_too_long(scheduler, now).then_some(Help::Injected);
        for (index, seat) in scheduler.seats().iter().enumerate() {
            let (status, rests) = self.statuses[index];
            let seen = &mut self.seen[index];
            let awake = status == Status::Awake;
            let was_awake = std::mem::replace(&mut seen.was_awake, awake);
            if index == self.me || status == Status::Vacant && !seat.has_tasks() {
                continue;
            }
            let polls = seat.polls();
            let needs = if polls != seen.polls {
                self.moved = now;
                let done = polls.wrapping_sub(seen.polls);
                // If it has rested meanwhile, the time says nothing about how long its polls take.
                let shares = self.shares && rests == seen.rests;
                let needs = shares && waits_too_long(seat.queued(), done, now - seen.at);
                *seen = Seen { polls, rests, at: now, since: now, was_awake: awake };
                needs.then_some(Help::Share(index))
            } else {
                seen.at = now;
                if awake && (!was_awake || rests != seen.rests) {
                    // It has rested meanwhile, and not begun another poll yet: the time in which it slept is no part of one.
                    (seen.rests, seen.since) = (rests, now);
                }
                let duration = now - seen.since;
                if awake {
                    self.moved = now;
                }
                match () {
                    () if awake && duration >= STUCK => Some(Help::TakeOver(index)),
                    // It sleeps with tasks in its queue only while it falls asleep or wakes up, or if nobody sits there.
                    () if seat.queued() > 0 && duration >= FIRST_PAUSE => Some(Help::Share(index)),
                    () => None,
                }
            };
            help = help.or(needs);
        }
        help
    }

    fn injected_too_long(&mut self, scheduler: &Scheduler, now: Instant) -> bool {
        let (waiting, taken) = scheduler.injected_and_taken();
        let now_seen = (waiting > 0).then_some((taken, now));
        let Some((before, at)) = std::mem::replace(&mut self.injection, now_seen) else { return false };
        let done = taken.wrapping_sub(before);
        let time = now - at;
        match done {
            0 if time < FIRST_PAUSE => {
                // Too early to tell.
                self.injection = now_seen.map(|_| (before, at));
                false
            }
            0 => waiting > 0,
            _ => self.shares && waits_too_long(waiting, done, time),
        }
    }

    /// Polls that have gone on for `threshold` or longer.
    pub(crate) fn long_polls(&self, threshold: Duration, mut report: impl FnMut(LongPoll)) {
        for (index, seen) in self.seen.iter().enumerate() {
            let duration = seen.at - seen.since;
            let busy = self.statuses.get(index).is_some_and(|(status, _)| *status == Status::Awake);
            if index != self.me && busy && duration >= threshold {
                report(LongPoll { seat: index, polls: seen.polls, duration });
            }
        }
    }

    /// How long to wait before the next look.
    pub(crate) fn pause(&mut self) -> Duration {
        let pause = self.pause;
        self.pause = (pause * 2).min(if self.shares { LAST_PAUSE } else { LAST_PAUSE_ALONE });
        pause
    }

    /// Somebody was helped, or begins to work.
    pub(crate) fn hurry(&mut self, now: Instant) {
        self.pause = FIRST_PAUSE;
        self.moved = now;
    }

    /// Whether nothing has moved for so long that nobody needs to watch.
    pub(crate) fn is_quiet(&self, now: Instant) -> bool {
        now - self.moved >= QUIET
    }
}

/// Whether the last of `queued` tasks waits longer than it is worth, where `done` took `time`.
fn waits_too_long(queued: usize, done: usize, time: Duration) -> bool {
    let each = time.as_nanos() / done.max(1) as u128;
    let wait = each * queued as u128;
    let worth = if each < SHORT.as_nanos() { WORTH_SHARING_SHORT } else { WORTH_SHARING };
    wait > worth.as_nanos()
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::executor::idle::Idle;

    /// The one who watches is at seat 0; what it found at these times, in microseconds, when seat 1 was seen so. No poll begins.
    fn looks<const N: usize>(seen: [(u64, Status, u32); N]) -> [Option<Duration>; N] {
        let start = Instant::now();
        let scheduler = Scheduler::new(2, Arc::new(Idle::new(Box::new([]))));
        let mut watch = Watch::new(0, 2, start);
        seen.map(|(at, status, rests)| {
            *watch.statuses() = vec![(Status::Sentry, 0), (status, rests)];
            watch.look(&scheduler, start + Duration::from_micros(at));
            let mut long = None;
            watch.long_polls(STUCK, |poll| long = Some(poll.duration));
            long
        })
    }

    #[test]
    fn one_poll_goes_on_for_long() {
        let found = looks([(0, Status::Awake, 1), (300, Status::Awake, 1), (600, Status::Awake, 1)]);
        assert_eq!(found, [None, None, Some(Duration::from_micros(600))]);
    }

    #[test]
    fn it_has_slept_and_not_begun_a_poll_yet() {
        let found = looks([
            (0, Status::Asleep, 1),
            (900, Status::Awake, 1),
            (1000, Status::Awake, 1),
            (1400, Status::Awake, 1),
        ]);
        assert_eq!(found, [None, None, None, Some(Duration::from_micros(500))]);
    }

    #[test]
    fn it_has_slept_between_two_looks() {
        let found = looks([(0, Status::Awake, 1), (900, Status::Awake, 2), (1000, Status::Awake, 2)]);
        assert_eq!(found, [None, None, None]);
    }
}
