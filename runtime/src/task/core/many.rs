//! What a core does with `Shared` tasks.
#![allow(unsafe_code)]

use std::ptr::{self, NonNull};
use std::task::Context;

use super::{BUDGET, Core};
use crate::task::cell::Header;
use crate::task::home::Home;
use crate::task::lost::note_unfinished;
use crate::task::scheduler::Scheduler;
use crate::task::seat::SeatOwner;
use crate::task::waker::borrowed_shared_waker;

/// What a thread that leaves its core in the middle of a poll takes along, to go on with when it is back.
pub(crate) struct Interrupted {
    running: *const Header,
    woke_itself: bool,
    budget: u8,
    locals: *const Home,
}

impl Core {
    /// The seat among many.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[inline(always)]
    pub(crate) fn seat(&self) -> &SeatOwner {
        self.seat.as_ref().expect("a core of a multi-thread runtime has a seat")
    }

    /// The seat, if it is one of `scheduler` and takes tasks.
    #[inline(always)]
    pub(in crate::task) fn seat_of(&self, scheduler: *const Scheduler) -> Option<&SeatOwner> {
        self.seat.as_ref().filter(|seat| ptr::eq(scheduler, self.scheduler_id) && !seat.is_closing())
    }

    /// If `cell` is the task that runs now: notes that it is to run again.
    #[inline(always)]
    pub(in crate::task) fn wakes_itself(&self, cell: NonNull<Header>) -> bool {
        let itself = ptr::eq(self.running.get(), cell.as_ptr());
        if itself {
            self.woke_itself.set(true);
        }
        itself
    }

    /// Runs the task that comes next; `false` if there is none.
    ///
    /// `Local` and `Shared` tasks have queues of their own. So that neither kind waits for more than what was ready before it, the
    /// local ones that are ready have their turn together, after the `Shared` ones that were ready with them.
    #[inline]
    pub(crate) fn run_among(&self) -> bool {
        let seat = self.seat();
        if self.has_local_tasks() && (!self.turn.is_empty() || seat.is_local_turn_now()) {
            return self.run_local();
        }
        match seat.pop() {
            Some(cell) => {
                self.run_shared_task(cell);
                true
            }
            None => self.run_local(),
        }
    }

    #[cold]
    fn run_local(&self) -> bool {
        if self.turn.is_empty() {
            self.turn.append(&self.queue);
            self.seat().begin_local_turn();
        }
        let Some(cell) = self.turn.pop() else { return false };
        self.run(cell);
        true
    }

    #[inline]
    fn run_shared_task(&self, cell: NonNull<Header>) {
        // SAFETY: ACTIVE and not DONE, so alive (S2), and we are responsible for it until it is queued, rests or has ended.
        let header = unsafe { cell.as_ref() };
        let poll = header.life().begin();
        self.running.set(header);
        self.woke_itself.set(false);
        self.budget.set(BUDGET);
        self.note(header);
        // SAFETY: not DONE, so the future is there, and nobody else is responsible for the task.
        let ended = unsafe {
            if poll {
                let waker = borrowed_shared_waker(cell);
                Header::poll(cell, &mut Context::from_waker(&waker))
            } else {
                Header::cancel(cell);
                true
            }
        };
        self.running.set(ptr::null());
        if ended {
            self.seat().end(cell, &self.pool);
        } else if self.woke_itself.get() || !header.life().rest() {
            // SAFETY: still our responsibility.
            unsafe { self.seat().push(cell) };
        }
    }

    /// Moves tasks from the injection queue to this seat; whether there were any.
    #[inline]
    pub(crate) fn take_injected(&self) -> bool {
        self.seat().take_injected() > 0
    }

    /// Frees what has ended elsewhere.
    #[inline]
    pub(crate) fn receive_returned(&self) {
        self.seat().receive_returned(&self.pool);
    }

    /// Takes half of the tasks that wait in the ring of another seat; whether there were any.
    pub(crate) fn steal(&self, victim: usize) -> bool {
        self.take(self.seat().steal(victim))
    }

    /// Takes the task that was to run next there, because its owner is stuck.
    pub(crate) fn steal_next(&self, victim: usize) -> bool {
        self.take(self.seat().steal_next(victim))
    }

    fn take(&self, cell: Option<NonNull<Header>>) -> bool {
        // SAFETY: taken, so our responsibility (S2).
        cell.is_some_and(|cell| unsafe {
            self.seat().push_woken(cell);
            true
        })
    }

    /// The thread that drives the core leaves it in the middle of a poll, and takes its locals along.
    pub(crate) fn interrupt(&self) -> Interrupted {
        let locals = self.locals.get();
        // SAFETY: borrowed by `with_locals` for as long as the pointer is set.
        if let Some(locals) = unsafe { locals.as_ref() } {
            self.leave(locals);
        }
        Interrupted {
            running: self.running.replace(ptr::null()),
            woke_itself: self.woke_itself.replace(false),
            budget: self.budget.get(),
            locals,
        }
    }

    /// It is back.
    pub(crate) fn resume(&self, interrupted: &Interrupted) {
        // SAFETY: the `with_locals` that had set it has not returned.
        if let Some(locals) = unsafe { interrupted.locals.as_ref() } {
            self.attach(locals);
        }
        self.running.set(interrupted.running);
        self.woke_itself.set(interrupted.woke_itself);
        self.budget.set(interrupted.budget);
    }

    /// Asks all tasks of this seat to end, and ends those that nobody else is running or about to queue. What is spawned here
    /// from now on is cancelled at once.
    pub(crate) fn cancel_seat(&self) {
        self.drive(|| {
            self.seat().cancel_all(|cell| self.end_unrun(cell));
            self.end_waiting();
        });
    }

    /// The same until no task of this seat is left. For who drives no other seat of the runtime, when nobody else does either.
    pub(crate) fn is_seat_empty(&self) -> bool {
        self.seat().is_empty()
    }

    /// Ends what waits at this seat and in the injection queue, and frees what has ended elsewhere.
    pub(crate) fn end_waiting(&self) {
        self.drive(|| {
            loop {
                while let Some(cell) = self.seat().pop() {
                    self.end_unrun(cell);
                }
                self.receive_returned();
                if !self.take_injected() {
                    return;
                }
            }
        });
    }

    /// Closes the injection queue, whose last tasks are ended here. When all seats are empty.
    pub(crate) fn close_injection(&self) {
        self.drive(|| {
            let left = self.seat().scheduler().injection.close();
            while let Some(cell) = left.pop() {
                self.end_unrun(cell);
            }
        });
    }

    /// Cancels a task that we are responsible for.
    fn end_unrun(&self, cell: NonNull<Header>) {
        self.running.set(cell.as_ptr());
        // SAFETY: ACTIVE, so alive (S2).
        note_unfinished(unsafe { cell.as_ref() }.spawned_at());
        // SAFETY: ACTIVE and not DONE (S2).
        unsafe { Header::cancel(cell) };
        self.running.set(ptr::null());
        self.seat().end(cell, &self.pool);
    }
}
