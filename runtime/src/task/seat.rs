//! A seat: the place of one worker among many. Its queue can be robbed, by who is idle or finds its owner stuck.
//!
//! # Invariants
//!
//! - **T1** One thread at a time drives a seat: it holds the [`SeatOwner`], of which there is one per seat.
//! - **T2** A `Shared` cell is in the list of one seat from when it is adopted (made by this seat's owner, or first taken from the
//!   injection queue by it) until it has ended; its header says in which. Only that seat's owner takes it out: who ends it
//!   elsewhere sends it back.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::future::Future;
use std::panic::Location;
use std::ptr::{self, NonNull};
use std::rc::Rc;
use std::sync::Arc;

use super::cell::{self, Birth, Header, Meta, Unborn};
use super::home::{self, List};
use super::life::{Ended, Life};
use super::pool::Pool;
use super::reference::Spawned;
use super::scheduler::Scheduler;
use crate::primitives::atomic::{AtomicPtr, AtomicUsize, Ordering};
use crate::queue::ring::CAPACITY;
use crate::queue::{Fifo, Inbox, Ring};

/// So often in a row the woken-next slot comes before the ring.
const NEXT_IN_A_ROW: u8 = 3;

/// So many tasks at most are taken out of the injection queue at once.
const INJECTED_AT_ONCE: usize = if cfg!(loom) { CAPACITY / 2 } else { 128 };

/// After so many cells that have ended here were sent home, the home is told: it may be asleep, and they take memory.
const PATIENCE: u32 = 256;

/// What others see of a seat. On cache lines of its own.
#[repr(align(128))]
pub(crate) struct Seat {
    /// The task that was woken first since the slot was empty: it runs next.
    next: AtomicPtr<Header>,
    ring: Ring<Header>,
    /// Cells of this seat's list that have ended elsewhere.
    returned: Inbox<Header>,
    /// How many polls its owner has begun.
    polls: AtomicUsize,
    /// Where the task that runs was spawned, if anybody wants to know.
    running: AtomicPtr<Location<'static>>,
    /// The poll whose stall was reported last.
    reported: AtomicUsize,
}

impl Seat {
    pub(super) fn new() -> Self {
        Self {
            next: AtomicPtr::new(ptr::null_mut()),
            ring: Ring::new(),
            returned: Inbox::new(),
            polls: AtomicUsize::new(0),
            running: AtomicPtr::new(ptr::null_mut()),
            reported: AtomicUsize::new(0),
        }
    }

    /// How many polls were begun here.
    pub(crate) fn polls(&self) -> usize {
        self.polls.load(Ordering::Relaxed)
    }

    /// How many tasks wait in the ring. A hint.
    pub(crate) fn queued(&self) -> usize {
        self.ring.len()
    }

    /// Whether a task waits anywhere here. A hint.
    pub(crate) fn has_tasks(&self) -> bool {
        !self.ring.is_empty() || !self.next.load(Ordering::Relaxed).is_null()
    }

    /// Where the task that runs now was spawned, if polls are watched.
    pub(crate) fn running(&self) -> Option<&'static Location<'static>> {
        // SAFETY: null, or made from a `&'static`.
        unsafe { self.running.load(Ordering::Relaxed).as_ref() }
    }

    /// Where it was spawned.
    pub(super) fn set_running(&self, spawned_at: Option<&'static Location<'static>>) {
        let place = spawned_at.map_or(ptr::null(), ptr::from_ref);
        self.running.store(place.cast_mut(), Ordering::Relaxed);
    }

    /// Whether the caller is the first to report that this poll lasts too long.
    pub(crate) fn claim_stall_report(&self, polls: usize) -> bool {
        self.reported.swap(polls, Ordering::Relaxed) != polls
    }
}

/// The owner's side of a seat.
pub(crate) struct SeatOwner {
    scheduler: Arc<Scheduler>,
    index: usize,
    /// In an `Rc` that nobody clones: the cells point at it, and a `Box` that is moved claims that nobody does.
    cells: Rc<List>,
    closing: Cell<bool>,
    sent_home: Cell<u32>,
    /// How often in a row the slot came before the ring.
    next_in_a_row: Cell<u8>,
    /// Local tasks wait, and have their turn when everything before this place of the ring has gone.
    local_turn: Cell<Option<usize>>,
}

impl SeatOwner {
    /// The owner's side of one seat: to be made once for each (T1).
    pub(crate) fn new(scheduler: &Arc<Scheduler>, index: usize) -> Self {
        Self {
            scheduler: Arc::clone(scheduler),
            index,
            cells: Rc::new(List::new()),
            closing: Cell::new(false),
            sent_home: Cell::new(0),
            next_in_a_row: Cell::new(0),
            local_turn: Cell::new(None),
        }
    }

    pub(crate) fn scheduler(&self) -> &Arc<Scheduler> {
        &self.scheduler
    }

    #[inline(always)]
    pub(crate) fn seat(&self) -> &Seat {
        &self.scheduler.seats()[self.index]
    }

    /// A poll begins.
    #[inline(always)]
    pub(crate) fn begin_poll(&self) {
        let polls = &self.seat().polls;
        polls.store(polls.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    /// Makes a task.
    #[inline(always)]
    pub(super) fn spawn<F: Future>(&self, future: Unborn<F>, meta: Meta) -> Spawned<F::Output> {
        let cell = future.be_born(Birth::Shared, meta, Arc::as_ptr(&self.scheduler).cast());
        self.adopt_newborn(cell);
        // SAFETY: the word of a newborn counts the join handle.
        unsafe { Spawned::from_raw(cell) }
    }

    fn adopt_newborn(&self, cell: NonNull<Header>) {
        // SAFETY: fresh, ACTIVE, known to nobody else (S2).
        unsafe {
            if self.closing.get() {
                Header::orphan_shared(cell);
            } else {
                self.adopt(cell);
                self.push(cell);
            }
        }
    }

    /// Lists the cell here.
    ///
    /// # Safety
    ///
    /// - T2: the caller is responsible for the task, and it is in no list.
    unsafe fn adopt(&self, cell: NonNull<Header>) {
        // SAFETY: the caller's promise; it leaves the list when it has ended, before it is freed (T2).
        unsafe {
            cell.as_ref().owner.set_seat(self.index);
            self.cells.insert(cell);
        }
    }

    /// Appends a task to the ring, and makes room if it is full.
    ///
    /// # Safety
    ///
    /// - S2: the caller is responsible for the task, and is not any more afterwards.
    #[inline]
    pub(super) unsafe fn push(&self, cell: NonNull<Header>) {
        if let Err(cell) = self.seat().ring.push(cell) {
            // SAFETY: as above.
            unsafe { self.overflow(cell) };
        }
    }

    /// Moves half of the ring, and `cell` behind it, to the injection queue.
    #[cold]
    unsafe fn overflow(&self, cell: NonNull<Header>) {
        let batch = Fifo::new();
        // SAFETY: what is taken out of the ring is ours, and in no other queue (S2).
        let half = self.seat().ring.take_half(|cell| unsafe { batch.push(cell) });
        // SAFETY: the caller is responsible for it.
        unsafe { batch.push(cell) };
        // SAFETY: ACTIVE, and ours. Nobody need be rung, because we are awake, and the queue is open while a worker has tasks.
        let pushed = unsafe { self.scheduler.injection.push_batch(batch, half + 1, || ()) };
        assert!(pushed.is_ok(), "the injection queue closes when every task has ended");
    }

    /// Queues a task that was woken here: it runs next, unless another does already.
    ///
    /// # Safety
    ///
    /// - S2: the caller is responsible for the task, and is not any more afterwards.
    #[inline]
    pub(super) unsafe fn push_woken(&self, cell: NonNull<Header>) {
        let next = &self.seat().next;
        // Others only ever empty it: if it is empty, it stays so until we fill it.
        if next.load(Ordering::Relaxed).is_null() {
            // Release publishes the task to who takes it over.
            next.store(cell.as_ptr(), Ordering::Release);
        } else {
            // SAFETY: the caller's promise.
            unsafe { self.push(cell) };
        }
    }

    /// Local tasks are ready: whether it is their turn, because what was ready when this was asked first has gone.
    #[inline]
    pub(super) fn is_local_turn_now(&self) -> bool {
        let ring = &self.seat().ring;
        match self.local_turn.get() {
            Some(end) => ring.has_passed(end),
            None => {
                self.local_turn.set(Some(ring.end()));
                false
            }
        }
    }

    /// The local tasks have their turn.
    pub(super) fn begin_local_turn(&self) {
        self.local_turn.set(None);
    }

    /// Takes the task that is to run now.
    #[inline]
    pub(super) fn pop(&self) -> Option<NonNull<Header>> {
        if self.next_in_a_row.get() < NEXT_IN_A_ROW
            && let Some(cell) = self.take_next()
        {
            self.next_in_a_row.set(self.next_in_a_row.get() + 1);
            return Some(cell);
        }
        self.next_in_a_row.set(0);
        self.seat().ring.pop().or_else(|| self.take_next())
    }

    #[inline]
    fn take_next(&self) -> Option<NonNull<Header>> {
        take_next(self.seat())
    }

    /// Moves tasks from the injection queue into the ring; how many.
    pub(super) fn take_injected(&self) -> usize {
        if !self.scheduler.has_injected() {
            return 0;
        }
        let most = self.seat().ring.free().min(INJECTED_AT_ONCE);
        self.scheduler.injection.pop_batch(most, |cell| {
            // SAFETY: taken, so ours (S2); there is room.
            unsafe {
                if cell.as_ref().owner.seat().is_none() {
                    self.adopt(cell);
                }
            }
            assert!(self.seat().ring.push(cell).is_ok(), "only its owner fills a ring");
        })
    }

    /// Takes half of what waits in the ring of another seat; one of them is to run now.
    pub(super) fn steal(&self, victim: usize) -> Option<NonNull<Header>> {
        self.scheduler.seats()[victim].ring.steal_into(&self.seat().ring)
    }

    /// Takes the task that was to run next at another seat, whose owner is stuck.
    pub(super) fn steal_next(&self, victim: usize) -> Option<NonNull<Header>> {
        take_next(&self.scheduler.seats()[victim])
    }

    /// The future of `cell` is gone: publishes the output, tells the joiner, and sends the cell home.
    pub(super) fn end(&self, cell: NonNull<Header>, pool: &Pool) {
        // SAFETY: the list's reference keeps it alive until it is given back below.
        let header = unsafe { cell.as_ref() };
        let life = Life::of(&header.word);
        let seat = header.owner.seat();
        let unlisted = seat.is_none_or(|seat| seat == self.index);
        if seat == Some(self.index) {
            // SAFETY: it is in our list (T2).
            unsafe { home::unlist(cell) };
        }
        // SAFETY: nobody wants the output, so it is ours.
        let ended = life.end(unlisted, || unsafe { Header::drop_output(cell) });
        match ended {
            Ended::Released => {}
            // SAFETY: that was the last reference.
            Ended::Free => unsafe { cell::free(cell, Some(pool)) },
            Ended::Kept { joiner } => {
                // SAFETY: the slot is the completer's, which is here.
                if joiner && let Some(joiner) = unsafe { header.take_local_joiner() } {
                    super::core::wake_quietly(joiner);
                }
                if !unlisted {
                    self.send_home(cell, seat.expect("only a listed cell is not unlisted"));
                } else if life.release() {
                    // SAFETY: as above.
                    unsafe { cell::free(cell, Some(pool)) };
                }
            }
        }
    }

    fn send_home(&self, cell: NonNull<Header>, seat: usize) {
        let returned = &self.scheduler.seats()[seat].returned;
        // SAFETY: it is in no inbox, and the list's reference, which goes with it, keeps it alive; the scheduler outlives us.
        let pushed = unsafe { returned.push(cell, || ()) };
        assert!(pushed.is_ok(), "it is never closed");
        let sent = self.sent_home.get().wrapping_add(1);
        self.sent_home.set(sent);
        if sent.is_multiple_of(PATIENCE) {
            self.scheduler.lookout.rouse(seat);
        }
    }

    /// Takes the cells that have ended elsewhere out of the list.
    pub(super) fn receive_returned(&self, pool: &Pool) {
        let returned = &self.seat().returned;
        if returned.seems_empty() {
            return;
        }
        for cell in returned.take() {
            // SAFETY: it is in our list, whose reference came with it (T2).
            unsafe {
                home::unlist(cell);
                if Life::of(&cell.as_ref().word).release() {
                    cell::free(cell, Some(pool));
                }
            }
        }
    }

    /// From now on what is spawned here is cancelled at once. Asks every task of the list to end; those that nobody was
    /// responsible for go to `ours`, whose responsibility is the caller's.
    pub(super) fn cancel_all(&self, mut ours: impl FnMut(NonNull<Header>)) {
        self.closing.set(true);
        let seen = List::new();
        while let Some(cell) = self.cells.first() {
            // SAFETY: in the list, so alive (T2).
            unsafe {
                home::unlist(cell);
                seen.insert(cell);
                if Life::of(&cell.as_ref().word).cancel() {
                    ours(cell);
                }
            }
        }
        while let Some(cell) = seen.first() {
            // SAFETY: as above.
            unsafe {
                home::unlist(cell);
                self.cells.insert(cell);
            }
        }
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.get()
    }

    /// Whether no cell of this seat is left.
    pub(super) fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }
}

/// Empties the slot of a seat.
#[inline]
fn take_next(seat: &Seat) -> Option<NonNull<Header>> {
    if seat.next.load(Ordering::Relaxed).is_null() {
        return None;
    }
    // Acquire pairs with the Release in `push_woken`. An exchange, because two may want it.
    NonNull::new(seat.next.swap(ptr::null_mut(), Ordering::AcqRel))
}
