//! What one thread drives: the run queue, the home of its tasks, and the owner's side of every operation on them.
//!
//! # Invariants
//!
//! - **O1** `CURRENT` names the core that this thread drives now, and no other thread drives it: a core is not `Sync`, and is
//!   handed from thread to thread by moving it. Cells of a thread's locals never move: their home is attached to a core only
//!   on their own thread.
//! - **O2** In the run queue are only cells of the homes that this core owns now, SCHEDULED, not DONE, so not retired: they are
//!   alive (C1).
#![allow(unsafe_code)]

use std::future::Future;
use std::panic::Location;
use std::ptr::{self, NonNull};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Waker};

use super::cell::{self, Birth, Header, Meta, Unborn};
use super::home::{self, Home, HomeShared, List};
use super::lost::note_unfinished;
use super::owner::Excess;
use super::pool::Pool;
use super::reference::Spawned;
use super::scheduler::{Scheduler, no_scheduler};
use super::seat::SeatOwner;
use super::shared::Owed;
use super::waker::borrowed_waker;
use crate::panics::quietly;
use crate::primitives::Cell;
use crate::queue::{Fifo, PushError};
use crate::scoped::scoped_thread_local;

/// What a task may do in one poll before the leaf futures make it give way.
pub(crate) const BUDGET: u8 = 128;
/// The budget of code that is exempt.
pub(crate) const UNCONSTRAINED: u8 = u8::MAX;

mod many;

pub(crate) use self::many::Interrupted;

scoped_thread_local!(
    /// The core that this thread drives now (O1).
    pub(super) static CURRENT: Core
);

/// The owner's side.
pub(crate) struct Core {
    home: Rc<Home>,
    home_id: *const HomeShared,
    locals: Cell<*const Home>,
    locals_id: Cell<*const HomeShared>,
    queue: Fifo<Header>,
    /// What of the queue has its turn now, at a seat among many.
    turn: Fifo<Header>,
    running: Cell<*const Header>,
    /// The `Shared` task that runs has woken itself.
    woke_itself: Cell<bool>,
    budget: Cell<u8>,
    pool: Pool,
    /// The seat among many, where `Shared` tasks come from.
    seat: Option<SeatOwner>,
    /// Somebody wants to know what runs.
    watched: Cell<bool>,
    /// Where the last task that ran was spawned, if so.
    ran: Cell<Option<&'static Location<'static>>>,
    scheduler_id: *const Scheduler,
}

// SAFETY: what the main home holds is `Send` (`spawn` asks for it), a thread's locals are attached only during `with_locals`, which borrows
// the core, and everything else is plain data that moves along (O1).
unsafe impl Send for Core {}

impl Core {
    pub(crate) fn new(home: Rc<Home>) -> Self {
        Self::with(home, None)
    }

    /// A core at a seat among many.
    pub(crate) fn at_seat(home: Rc<Home>, seat: SeatOwner) -> Self {
        Self::with(home, Some(seat))
    }

    fn with(home: Rc<Home>, seat: Option<SeatOwner>) -> Self {
        Self {
            home_id: home.id(),
            home,
            locals: Cell::new(ptr::null()),
            locals_id: Cell::new(ptr::null()),
            queue: Fifo::new(),
            turn: Fifo::new(),
            running: Cell::new(ptr::null()),
            woke_itself: Cell::new(false),
            budget: Cell::new(UNCONSTRAINED),
            pool: Pool::new(),
            scheduler_id: seat.as_ref().map_or(no_scheduler(), |seat| Arc::as_ptr(seat.scheduler())),
            seat,
            watched: Cell::new(false),
            ran: Cell::new(None),
        }
    }

    #[cfg(test)]
    pub(crate) fn home(&self) -> &Home {
        &self.home
    }

    /// Calls `f` while this thread drives the core.
    pub(crate) fn drive<R>(&self, f: impl FnOnce() -> R) -> R {
        CURRENT.scope(self, f)
    }

    /// Calls `f` with the core that this thread drives.
    #[inline(always)]
    pub(crate) fn with_current<R>(f: impl FnOnce(Option<&Self>) -> R) -> R {
        CURRENT.with(f)
    }

    /// Calls `f` while the cells of `locals` belong to this core, too; what is woken and has not run afterwards waits with
    /// them.
    pub(crate) fn with_locals<R>(&self, locals: &Home, f: impl FnOnce() -> R) -> R {
        struct Leave<'a>(&'a Core, &'a Home);
        impl Drop for Leave<'_> {
            fn drop(&mut self) {
                self.0.leave(self.1);
            }
        }
        self.attach(locals);
        let _leave = Leave(self, locals);
        f()
    }

    /// Calls `f` as if this thread drove no core: others drive this one meanwhile.
    pub(crate) fn apart<R>(f: impl FnOnce() -> R) -> R {
        CURRENT.apart(f)
    }

    fn attach(&self, locals: &Home) {
        assert!(self.locals.get().is_null(), "a core serves one thread's locals at a time");
        self.locals.set(locals);
        self.locals_id.set(locals.id());
        self.queue.append(&locals.parked);
    }

    fn leave(&self, locals: &Home) {
        let queue = Fifo::new();
        queue.append(&self.turn);
        queue.append(&self.queue);
        while let Some(cell) = queue.pop() {
            // SAFETY: alive (O2), and out of the other queue.
            unsafe {
                let home = cell.as_ref().home;
                if home == locals.id() { &locals.parked } else { &self.queue }.push(cell);
            }
        }
        self.locals.set(ptr::null());
        self.locals_id.set(ptr::null());
    }

    /// Whether this thread is the owner of `cell`, given that it drives this core.
    #[inline(always)]
    pub(super) fn owns(&self, cell: &Header) -> bool {
        (ptr::eq(cell.home, self.home_id) || ptr::eq(cell.home, self.locals_id.get())) && !cell.owner.is_merged_here()
    }

    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Makes a task of the runtime: at a seat among many a `Shared` one, else one of the main home.
    #[inline(always)]
    pub(crate) fn spawn<F>(&self, future: Unborn<F>, meta: Meta) -> Spawned<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        match &self.seat {
            None => self.spawn_at(&self.home, Birth::Owned, future, meta),
            Some(seat) => seat.spawn(future, meta),
        }
    }

    /// Makes a task of this thread that runs only when it is woken; `None` if the core serves no thread's locals.
    pub(crate) fn spawn_local_idle<F>(&self, future: Unborn<F>, meta: Meta) -> Option<Spawned<F::Output>>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        // SAFETY: `with_locals` keeps the borrow for as long as the pointer is set.
        let locals = unsafe { self.locals.get().as_ref() }?;
        Some(self.spawn_at(locals, Birth::Idle, future, meta))
    }

    /// Makes a task of this thread, which never leaves it; `None` if the core serves no thread's locals.
    #[inline(always)]
    pub(crate) fn spawn_local<F>(&self, future: Unborn<F>, meta: Meta) -> Option<Spawned<F::Output>>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        // SAFETY: `with_locals` keeps the borrow for as long as the pointer is set.
        let locals = unsafe { self.locals.get().as_ref() }?;
        Some(self.spawn_at(locals, Birth::Owned, future, meta))
    }

    #[inline(always)]
    fn spawn_at<F: Future>(&self, home: &Home, birth: Birth, future: Unborn<F>, meta: Meta) -> Spawned<F::Output> {
        let scheduled = matches!(birth, Birth::Owned);
        let cell = future.be_born(birth, meta, home.id());
        // SAFETY: fresh, known to nobody else, with one reference that `Spawned` takes; alive until it has run (C1).
        unsafe {
            if home.closing.get() {
                Header::orphan(cell);
            } else {
                home.cells().insert(cell);
                if scheduled {
                    self.queue.push(cell);
                }
            }
            Spawned::from_raw(cell)
        }
    }

    /// Runs the oldest task that is ready; `false` if there is none.
    #[inline]
    pub(crate) fn run_one(&self) -> bool {
        let Some(cell) = self.queue.pop() else { return false };
        self.run(cell);
        true
    }

    #[inline]
    fn run(&self, cell: NonNull<Header>) {
        // SAFETY: alive (O2) until `retire`.
        let header = unsafe { cell.as_ref() };
        let poll = header.owner.begin();
        self.running.set(header);
        self.budget.set(BUDGET);
        self.note(header);
        // SAFETY: not DONE (O2), so the future is there, and this thread is the owner (C2).
        let ended = unsafe {
            if poll {
                let waker = borrowed_waker(cell);
                Header::poll(cell, &mut Context::from_waker(&waker))
            } else {
                Header::cancel(cell);
                true
            }
        };
        self.running.set(ptr::null());
        if ended {
            self.retire(cell, false);
        } else if header.owner.pause() {
            // SAFETY: alive, not DONE, and not queued while it ran.
            unsafe { self.queue.push(cell) };
        }
    }

    /// Makes it visible what runs, if anybody wants to know.
    #[inline(always)]
    fn note(&self, header: &Header) {
        if self.watched.get() {
            self.begin_watched(Some(header.spawned_at()));
        }
    }

    /// From now on [`watched`](Self::watched) tells what runs.
    pub(crate) fn set_watched(&self, watched: bool) {
        self.watched.set(watched);
    }

    /// What is spawned or called here runs, if it is known yet.
    pub(crate) fn begin_watched(&self, place: Option<&'static Location<'static>>) {
        self.ran.set(place);
        if let Some(seat) = &self.seat {
            seat.seat().set_running(place);
        }
    }

    /// Where the last task that ran was spawned.
    pub(crate) fn watched(&self) -> Option<&'static Location<'static>> {
        self.ran.get()
    }

    /// Whether nobody else has reported how long the last poll took.
    pub(crate) fn claim_stall_report(&self) -> bool {
        self.seat.as_ref().is_none_or(|seat| seat.seat().claim_stall_report(seat.seat().polls()))
    }

    /// Whether the locals that this core serves have tasks, ready or not.
    pub(crate) fn keeps_locals(&self) -> bool {
        // SAFETY: borrowed by `with_locals` for as long as the pointer is set.
        unsafe { self.locals.get().as_ref() }.is_some_and(|locals| !locals.cells().is_empty())
    }

    /// Whether local tasks are ready.
    pub(crate) fn has_local_tasks(&self) -> bool {
        !self.queue.is_empty() || !self.turn.is_empty()
    }

    /// The future is gone: publishes the output and tells the joiner.
    #[inline]
    fn retire(&self, cell: NonNull<Header>, closing: bool) {
        // SAFETY: not retired yet, so alive (C1); this thread is the owner.
        let header = unsafe { cell.as_ref() };
        header.owner.finish();
        header.publish_output();
        // SAFETY: as above.
        if let Some(joiner) = unsafe { header.take_local_joiner() } {
            wake_quietly(joiner);
        }
        if header.owner.joiner_is_remote()
            && let Some(joiner) = header.remote_join().take()
        {
            wake_quietly(joiner);
        }
        if header.owner.retire() || closing {
            self.settle(cell, closing);
        }
    }

    /// Appends a woken cell of ours to the run queue.
    ///
    /// # Safety
    ///
    /// - C1, C2: this core owns the cell.
    #[inline(always)]
    pub(super) unsafe fn wake(&self, cell: NonNull<Header>) {
        // SAFETY: the caller's promise; if it was not SCHEDULED, it is not queued, and if not DONE, it is alive (O2).
        unsafe {
            if cell.as_ref().owner.wake() {
                self.queue.push(cell);
            }
        }
    }

    /// Gives a reference to a cell of ours back.
    ///
    /// # Safety
    ///
    /// - C1, C2: this core owns the cell; the reference is counted, and gone afterwards.
    #[inline]
    pub(super) unsafe fn drop_reference(&self, cell: NonNull<Header>) {
        // SAFETY: the reference that is given back keeps it alive until here.
        let header = unsafe { cell.as_ref() };
        if header.owner.decrement() {
            if header.owner.is_overdrawn() {
                let Excess(excess) = header.owner.add(header.word.take_references());
                header.word.give_back(excess);
            }
            if header.owner.is_retired() {
                self.settle(cell, false);
            }
        }
    }

    /// Frees or merges a retired cell, if the references say so.
    #[inline]
    fn settle(&self, cell: NonNull<Header>, closing: bool) {
        // SAFETY: a biased cell is freed by its owner only, which is here.
        let header = unsafe { cell.as_ref() };
        if header.owner.count() == 0 && header.word.references_if_quiet() == Some(0) {
            // SAFETY: listed (H1); no reference is left on either side, so nobody knows the cell but we (see `shared`).
            unsafe {
                home::unlist(cell);
                cell::free(cell, Some(&self.pool));
            }
        } else {
            self.settle_shared(cell, closing);
        }
    }

    /// The same where others know the cell, too.
    #[cold]
    fn settle_shared(&self, cell: NonNull<Header>, closing: bool) {
        // SAFETY: a biased cell is freed by its owner only, which is here; it is listed (H1).
        unsafe {
            let header = cell.as_ref();
            loop {
                let Some(remote) = header.word.references_if_quiet() else {
                    // It is on its way to the inbox, and will be settled when it is taken out.
                    return;
                };
                let owned = header.owner.count();
                if remote + owned == 0 {
                    home::unlist(cell);
                    return cell::free(cell, Some(&self.pool));
                }
                if owned > 0 && !closing {
                    // If the last reference goes remotely, the word gets negative and the cell comes by the inbox.
                    return;
                }
                let list = self.home_of(header).cells();
                home::unlist(cell);
                header.owner.merge_here();
                if header.word.merge(remote, owned) {
                    // Not ours any more, perhaps freed already.
                    return;
                }
                header.owner.undo_merge_here();
                list.insert(cell);
            }
        }
    }

    fn home_of(&self, header: &Header) -> &Home {
        if ptr::eq(header.home, self.home_id) {
            &self.home
        } else {
            // SAFETY: we own the cell, so its home is that of the locals, borrowed by `with_locals`.
            unsafe { &*self.locals.get() }
        }
    }

    /// Serves what other threads asked for, oldest first; ends the sleep that [`sleep`](Self::sleep) began.
    pub(crate) fn receive(&self) {
        self.receive_at(&self.home);
        // SAFETY: borrowed by `with_locals` for as long as the pointer is set.
        if let Some(locals) = unsafe { self.locals.get().as_ref() } {
            self.receive_at(locals);
        }
    }

    #[inline]
    fn receive_at(&self, home: &Home) {
        if !home.shared.inbox.seems_empty() {
            for cell in home.shared.inbox.take() {
                self.accept(home, cell);
            }
        }
    }

    /// Obeys the requests of one cell from the inbox.
    fn accept(&self, home: &Home, cell: NonNull<Header>) {
        // SAFETY: nobody frees a queued cell before the swap in `take`. Afterwards a cell that is not retired is alive by its
        // home (C1); one that is would be settled by any owner-side drop that the foreign code below makes, so it hides that
        // it is retired until the end.
        let header = unsafe { cell.as_ref() };
        let retired = header.owner.hide_retired();
        let taken = header.word.take();
        let Excess(excess) = header.owner.add(taken.references());
        header.word.give_back(excess);
        if !home::is_listed(header) {
            // SAFETY: alive until it has run (C1).
            unsafe { home.cells().insert(cell) };
        }
        if taken.join_gone() {
            header.owner.end_join_interest();
            if retired {
                // SAFETY: the join handle went before `done`, so the output is the owner's (C3).
                unsafe { Header::drop_output(cell) };
            }
        }
        if taken.join_wait() {
            header.owner.set_joiner_is_remote();
            if retired && let Some(joiner) = header.remote_join().take() {
                wake_quietly(joiner);
            }
        }
        let closing = home.closing.get();
        if retired {
            if header.owner.retire() || closing {
                self.settle(cell, closing);
            }
        } else if closing {
            self.end(cell);
        } else {
            if taken.abort() {
                header.owner.cancel();
            }
            if taken.abort() || taken.wake() {
                // SAFETY: this core owns what comes out of its inbox.
                unsafe { self.wake(cell) };
            }
        }
    }

    /// Announces to other threads that this one is about to sleep; `false` if there is something to do first.
    pub(crate) fn sleep(&self) -> bool {
        // SAFETY: borrowed by `with_locals` for as long as the pointer is set.
        let locals = unsafe { self.locals.get().as_ref() };
        // If the second refuses, the first stays announced until `receive`: at worst a ring too many.
        let asleep = !self.has_local_tasks()
            && self.home.shared.inbox.sleep()
            && locals.is_none_or(|locals| locals.shared.inbox.sleep());
        if asleep {
            self.pool.trim();
        }
        asleep
    }

    /// The task that runs now.
    pub(crate) fn running(&self) -> Option<super::Id> {
        // SAFETY: set only while the cell runs, so not retired.
        unsafe { self.running.get().as_ref() }.map(Header::id)
    }

    pub(crate) fn budget(&self) -> &Cell<u8> {
        &self.budget
    }

    /// Ends every task of the main home and gives the home up: afterwards no cell will ever look at it. Runs on the thread
    /// where the futures may be dropped; destructors may wake, spawn (what they spawn is cancelled) and drop.
    pub(crate) fn close(&self) {
        self.drive(|| self.close_home(&self.home));
    }

    /// The same for the locals of a thread, which no core serves now.
    pub(crate) fn close_locals(locals: &Home) {
        struct Silent;
        impl super::Bell for Silent {
            fn ring(&self) {}
        }
        let visitor = Self::new(Home::new(Arc::new(Silent)));
        visitor.drive(|| visitor.with_locals(locals, || visitor.close_home(locals)));
        visitor.close();
    }

    fn close_home(&self, home: &Home) {
        home.closing.set(true);
        // From now on nothing is queued: neither what is in the queue now, whose SCHEDULED stays set, nor what destructors wake.
        while self.turn.pop().or_else(|| self.queue.pop()).is_some() {}
        home.cells().iter().for_each(|cell| cell.owner.block_wakes());
        // Whatever has not ended is cancelled; then each cell is freed or merged, unless it is on its way to the inbox.
        let arriving = List::new();
        while let Some(cell) = home.cells().first() {
            // SAFETY: in the list, so alive and ours (H1).
            let ended = unsafe {
                home::unlist(cell);
                arriving.insert(cell);
                cell.as_ref().owner.is_done()
            };
            if ended { self.settle(cell, true) } else { self.end(cell) }
        }
        // Those arrive, each is settled as it does; what is spawned remotely meanwhile, too. Then the inbox closes.
        while !(home.cells().is_empty() && arriving.is_empty() && home.shared.inbox.close()) {
            if home.shared.inbox.seems_empty() {
                crate::primitives::thread::yield_now();
            }
            self.receive_at(home);
        }
    }

    /// Cancels a task that has not ended, and settles it for good: its home is closing.
    fn end(&self, cell: NonNull<Header>) {
        // SAFETY: not ended, so alive and ours (C1).
        let header = unsafe { cell.as_ref() };
        header.owner.block_wakes();
        if header.owner.begin() {
            // Nobody had aborted it.
            note_unfinished(header.spawned_at());
        }
        self.running.set(header);
        // SAFETY: not DONE, so the future is there, and this thread is the owner.
        unsafe { Header::cancel(cell) };
        self.running.set(ptr::null());
        self.retire(cell, true);
    }
}

/// A core that was not closed (its worker was lost to a panic) closes now: cells must not outlive their home unmerged (H2).
impl Drop for Core {
    fn drop(&mut self) {
        // In a model that has failed, nothing can be asked any more.
        let failed = cfg!(loom) && std::thread::panicking();
        if !failed && !self.home.closing.get() {
            self.close();
        }
    }
}

/// Makes a task of a home from a thread that does not drive it.
pub(crate) fn spawn_remote<F>(home: &Arc<HomeShared>, future: Unborn<F>, meta: Meta) -> Spawned<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let cell = future.be_born(Birth::Remote, meta, Arc::as_ptr(home));
    // SAFETY: fresh, and alive until the owner has taken it out; we hold a handle to the home.
    match unsafe { home.inbox.push(cell, || ()) } {
        Ok(ring) => {
            if ring.is_some() {
                home.ring();
            }
            // SAFETY: the word of a remote cell counts one reference.
            unsafe { Spawned::from_raw(cell) }
        }
        // SAFETY: it was not pushed: nobody else knows it.
        Err(PushError) => unsafe {
            Header::orphan(cell);
            Spawned::from_raw(cell)
        },
    }
}

/// Does what a remote step left to do.
pub(super) fn pay(owed: Owed, cell: NonNull<Header>) {
    match owed {
        Owed::Nothing => {}
        // SAFETY: this thread has just set QUEUED: the cell and its home live until the push (C1, and H2: a home is not given up
        // while a cell is queued).
        Owed::Push => unsafe {
            let home = cell.as_ref().home;
            let bell = || {
                Arc::increment_strong_count(home);
                Arc::from_raw(home)
            };
            match (*home).inbox.push(cell, bell) {
                Ok(Some(home)) => home.ring(),
                Ok(None) => {}
                Err(PushError) => unreachable!("a home closes only when none of its cells is queued"),
            }
        },
        // SAFETY: merged, and this was the last reference.
        Owed::Free => CURRENT.with(|core| unsafe { cell::free(cell, core.map(Core::pool)) }),
    }
}

/// Wakes a joiner; a panic of a foreign waker is its own affair.
pub(super) fn wake_quietly(joiner: Waker) {
    quietly(|| joiner.wake());
}
