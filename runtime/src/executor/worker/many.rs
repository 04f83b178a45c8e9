//! The loop of one worker among many.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::Worker;
use crate::context;
use crate::coop;
use crate::executor::crew::{Crew, Sitter};
use crate::executor::idle::Status;
use crate::executor::watch::{Help, LongPoll, Watch};
use crate::handle::Shared;
use crate::reactor::{Reactor, Wait};
use crate::task::{Core, Home, SeatOwner};

/// What a worker shares with the others of its runtime.
pub(super) struct Among {
    pub(super) crew: Arc<Crew>,
    pub(super) seat: usize,
    watch: RefCell<Watch>,
    /// Tasks that run before the injection queue is looked at, if there are so many.
    injection_interval: u32,
    until_injection: Cell<u32>,
}

/// How often a worker looks where else than into its own queue.
#[derive(Clone, Copy)]
pub(crate) struct Intervals {
    pub(crate) event: u32,
    pub(crate) injection: u32,
    pub(crate) stall: Option<Duration>,
}

impl Worker {
    /// A worker at one of the seats of `crew`.
    pub(crate) fn at_seat(
        home: Rc<Home>,
        reactor: Reactor,
        shared: Arc<Shared>,
        crew: Arc<Crew>,
        seat: usize,
        intervals: Intervals,
    ) -> Self {
        let core = Core::at_seat(home, SeatOwner::new(&crew.scheduler, seat));
        let watch = Watch::new(seat, crew.scheduler.seats().len(), Instant::now());
        let among = Among {
            crew,
            seat,
            watch: RefCell::new(watch),
            injection_interval: intervals.injection,
            until_injection: Cell::new(intervals.injection),
        };
        Self::with(core, reactor, shared, intervals.event, intervals.stall, Some(among))
    }

    fn among(&self) -> &Among {
        self.among.as_ref().expect("one worker among many")
    }

    /// Drives everything until the seat is wanted by others, or the runtime closes. For a thread that was started for it; whether it
    /// leaves with local tasks that are to go on.
    pub(crate) fn serve(&self, locals: &Home) -> bool {
        let among = self.among();
        self.drive(|| {
            self.with_locals(locals, || {
                self.reactor.station().set_driven(true);
                let watches = among.crew.idle.occupy(among.seat);
                self.run(Sitter::Thread, watches, || None::<std::convert::Infallible>);
                among.crew.idle.vacate(among.seat);
                self.reactor.station().set_driven(false);
                if among.crew.is_closing() {
                    self.core.cancel_seat();
                }
                self.core.keeps_locals() && !among.crew.is_closing()
            })
        })
    }

    /// Drives everything until `future` is ready; gives it back if the seat is wanted by others before.
    pub(crate) fn block_on_among<F: Future + Unpin>(
        &self,
        locals: &Home,
        mut future: F,
        called_at: &'static Location<'static>,
    ) -> Result<F::Output, F> {
        struct Vacate<'a>(&'a Among);
        impl Drop for Vacate<'_> {
            fn drop(&mut self) {
                self.0.crew.idle.vacate(self.0.seat);
                self.0.crew.stations[self.0.seat].set_driven(false);
            }
        }
        let among = self.among();
        self.drive(|| {
            self.with_locals(locals, || {
                self.reactor.station().set_driven(true);
                among.crew.idle.rise(among.seat);
                let _vacate = Vacate(among);
                let (waker, _root) = self.root(called_at);
                let mut cx = Context::from_waker(&waker);
                let output = self.run(Sitter::Caller, false, || {
                    if !self.root_woken.take() {
                        return None;
                    }
                    self.core.seat().begin_poll();
                    let poll = || coop::with_full_budget(|| Pin::new(&mut future).poll(&mut cx));
                    match self.watched(Some(called_at), poll) {
                        Poll::Ready(output) => Some(output),
                        Poll::Pending => None,
                    }
                });
                output.ok_or(future)
            })
        })
    }

    /// The loop, until `root` gives something, or `None` when the seat is to be left.
    fn run<T>(&self, sitter: Sitter, starts_resting: bool, mut root: impl FnMut() -> Option<T>) -> Option<T> {
        let mut until_turn = self.until_turn.get();
        self.core.receive();
        self.core.take_injected();
        if starts_resting && !self.rest(sitter) {
            return None;
        }
        loop {
            if let Some(output) = root() {
                self.until_turn.set(until_turn);
                return Some(output);
            }
            if until_turn == 0 {
                if self.must_leave(sitter) {
                    return None;
                }
                self.read_mail();
                self.core.receive();
                self.core.receive_returned();
                self.reactor.turn(Wait::Poll);
                until_turn = self.event_interval;
            }
            if self.run_next() {
                until_turn -= 1;
                continue;
            }
            until_turn = self.event_interval;
            self.core.receive_returned();
            if self.read_mail() || self.core.take_injected() || self.help_others(Instant::now()) {
                continue;
            }
            if self.must_leave(sitter) || !self.fall_asleep(sitter) {
                return None;
            }
        }
    }

    #[inline]
    fn must_leave(&self, sitter: Sitter) -> bool {
        let among = self.among();
        among.crew.must_leave(among.seat, sitter, || self.core.keeps_locals())
    }

    /// Runs the task that comes next; what other threads have injected joins the queue once in a while.
    #[inline]
    fn run_next(&self) -> bool {
        let among = self.among();
        let left = among.until_injection.get() - 1;
        among.until_injection.set(left);
        if left == 0 {
            among.until_injection.set(among.injection_interval);
            self.core.take_injected();
        }
        self.core.seat().begin_poll();
        self.watched(None, || self.core.run_among())
    }

    /// Nothing is left to do here: waits. `false` if the seat is to be left.
    #[cold]
    fn fall_asleep(&self, sitter: Sitter) -> bool {
        let among = self.among();
        let rest = among.crew.idle.rest(among.seat);
        // In this order: who injects a task from here on finds that we rest.
        let awake = among.crew.scheduler.has_injected_before_now() || !self.core.sleep();
        let awake = awake || rest.last && self.reactor.step_time();
        if awake {
            self.core.receive();
            among.crew.idle.rise(among.seat);
            return true;
        }
        among.watch.borrow_mut().hurry(Instant::now());
        self.rest(sitter)
    }

    /// Waits until there is something to do, looking after the others if that is our duty. `false` if the seat is to be left.
    fn rest(&self, sitter: Sitter) -> bool {
        let among = self.among();
        let (idle, seat) = (&among.crew.idle, among.seat);
        loop {
            let watches = idle.status(seat) == Status::Sentry;
            self.reactor.turn(if watches { Wait::AtMost(among.watch.borrow_mut().pause()) } else { Wait::Block });
            self.core.receive();
            self.core.receive_returned();
            if self.must_leave(sitter) {
                return false;
            }
            let status = idle.status(seat);
            if status == Status::Awake || self.has_tasks() || among.crew.has_mail(seat) {
                break;
            }
            if status == Status::Sentry {
                let now = Instant::now();
                if self.help_others(now) {
                    return true;
                }
                if among.watch.borrow().is_quiet(now) {
                    idle.stand_down(seat);
                }
            }
            if !self.core.sleep() {
                self.core.receive();
                break;
            }
        }
        idle.rise(seat);
        true
    }

    /// Does what was sent to this seat; whether there was anything.
    #[inline]
    fn read_mail(&self) -> bool {
        let among = self.among();
        let has_mail = among.crew.has_mail(among.seat);
        if has_mail {
            among.crew.deliver(among.seat);
        }
        has_mail
    }

    /// Whether there is anything to run here.
    fn has_tasks(&self) -> bool {
        self.core.has_local_tasks() || self.core.seat().seat().has_tasks()
    }

    /// Takes over what waits too long elsewhere; whether there was anything. Whoever helps is awake afterwards.
    fn help_others(&self, now: Instant) -> bool {
        let among = self.among();
        if among.crew.scheduler.seats().len() == 1 {
            return false;
        }
        let help = {
            let mut watch = among.watch.borrow_mut();
            among.crew.idle.survey(watch.statuses());
            let help = watch.look(&among.crew.scheduler, now);
            if let Some(threshold) = self.stall_threshold {
                watch.long_polls(threshold, |poll| self.report_stall_at(poll));
            }
            help
        };
        match help {
            None => return false,
            Some(Help::Injected) => {
                among.crew.idle.rise(among.seat);
                self.core.take_injected();
            }
            Some(Help::Share(seat)) => {
                among.crew.idle.rise(among.seat);
                self.core.steal(seat);
            }
            Some(Help::TakeOver(seat)) => {
                // It may be stuck for reasons that leave nothing to do.
                let station = &among.crew.stations[seat];
                let stolen = self.core.steal_next(seat) | self.core.steal(seat);
                if station.serve() == 0 && !stolen {
                    return false;
                }
                among.crew.idle.rise(among.seat);
            }
        }
        among.watch.borrow_mut().hurry(now);
        true
    }

    /// Ends the tasks of a seat at which nobody sits.
    pub(crate) fn end_tasks(&self) {
        context::driving(self, || self.core.cancel_seat());
    }

    /// Whether no task of this seat is left.
    pub(crate) fn has_no_tasks(&self) -> bool {
        self.core.is_seat_empty()
    }

    /// A worker elsewhere has been in one poll for too long; told once, by who sees it first.
    fn report_stall_at(&self, poll: LongPoll) {
        let seat = &self.among().crew.scheduler.seats()[poll.seat];
        if seat.claim_stall_report(poll.polls) {
            self.shared.report_stall(poll.duration, seat.running());
        }
    }

    /// Nobody can inject anything any more.
    pub(crate) fn close_injection(&self) {
        context::driving(self, || self.core.close_injection());
    }
}
