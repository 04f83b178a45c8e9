//! The allocation of a task: a header that everybody knows, then the future, later its output, in the same place.
//!
//! # Invariants
//!
//! - **C1** A `NonNull<Header>` points at the header of a `TaskCell<F>` that is alive, and `vtable` is that of this `F`. A cell is
//!   kept alive by its home until it is retired, and by every counted reference.
//! - **C2** The owner half, the run link, the list links, `local_join` and the future are touched only by a thread that drives
//!   the cell's home while the cell is not merged, or by who made the cell before anybody else knew it. After the merge nobody
//!   writes the owner half.
//! - **C3** `stage` and what it speaks of belong to the owner until `done` is set (Release); then to who holds the join handle;
//!   if that went before `done`, to the owner for ever.
//! - **C4** A future that is not `Send` lives in a home that never changes threads; an output that is not `Send` has a join
//!   handle that is not `Send`. So whoever C2 and C3 name may touch them.
//! - **C5** No borrow of a cell's interior is held across a call that leaves the cell (a poll, a waker's clone, wake or drop, a
//!   destructor): all of them can come back.
#![allow(unsafe_code)]

use std::future::Future;
use std::marker::PhantomData;
use std::mem::{self, ManuallyDrop};
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::ptr::{self, NonNull};
use std::task::{Context, Poll, Waker};

use super::home::HomeShared;
use super::life::Life;
use super::lost::{drop_unseen, may_be_error};
use super::owner::OwnerHalf;
use super::pool::{BlockKind, Pool};
use super::scheduler::Scheduler;
use super::shared::SharedWord;
use super::waker_slot::WakerSlot;
use super::{Id, JoinFailure};
use crate::panics::quietly;
use crate::primitives::alloc::Layout;
use crate::primitives::atomic::{AtomicU8, Ordering};
use crate::primitives::{Cell, UnsafeCell};
use crate::queue::{Linked, Queued};

/// What is known of a task before its future is.
#[derive(Clone, Copy)]
pub(crate) struct Meta {
    pub(crate) id: Id,
    pub(crate) spawned_at: &'static Location<'static>,
}

/// What the future holds now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
enum Stage {
    Future,
    Output,
    Empty,
}

/// The part of a cell that does not depend on the future: 14 words. The last nine, and the content behind them, are what a task
/// that meets no other thread touches after its birth.
#[repr(C)]
pub(crate) struct Header {
    inbox_link: Cell<*const Header>,
    remote_join_waker: UnsafeCell<Option<Waker>>,
    meta: Meta,
    /// The next cell of the home's list, and the place that points at this cell: null while the cell is in no list.
    pub(super) list_next: Cell<*const Header>,
    pub(super) list_back: Cell<*const Cell<*const Header>>,
    vtable: &'static Vtable,
    /// Followed only by the owner side, or by who has just set QUEUED.
    pub(super) home: *const HomeShared,
    pub(super) word: SharedWord,
    pub(super) owner: OwnerHalf,
    stage: Cell<Stage>,
    /// Any worker of its runtime may run the task: `word` is a [`Life`], and `home` the scheduler.
    is_shared: bool,
    done: AtomicU8,
    remote_join_state: AtomicU8,
    run_link: Cell<*const Header>,
    local_join: UnsafeCell<Option<Waker>>,
    /// Lets loom see who touches the content, which lies outside of the header.
    #[cfg(loom)]
    content_access: UnsafeCell<()>,
}

#[cfg(all(not(loom), target_pointer_width = "64"))]
const _: () = assert!(size_of::<Header>() == 14 * 8);

struct Vtable {
    /// Polls the future. When it is ready (or panicked): drops it, keeps or drops the output, and answers `true`.
    poll: unsafe fn(NonNull<Header>, &mut Context<'_>) -> bool,
    /// Drops the future; the output is "cancelled".
    cancel: unsafe fn(NonNull<Header>),
    drop_output: unsafe fn(NonNull<Header>),
    /// Where the content begins, from the start of the header.
    content: usize,
    kind: BlockKind,
}

#[repr(C)]
struct TaskCell<F: Future> {
    header: Header,
    content: Content<F>,
}

/// What lies behind the header, first one, then the other; reached through [`content`].
#[expect(dead_code, reason = "it is there for its size and alignment")]
union Content<F: Future> {
    future: ManuallyDrop<F>,
    output: ManuallyDrop<Result<F::Output, JoinFailure>>,
}

// SAFETY: the link is a field that only the run queue writes.
unsafe impl Linked for Header {
    #[inline]
    fn link(&self) -> &Cell<*const Self> {
        &self.run_link
    }
}

// SAFETY: the link is a field that only the inbox writes, and not the one above.
unsafe impl Queued for Header {
    fn link(&self) -> &Cell<*const Self> {
        &self.inbox_link
    }
}

/// Where a new cell begins.
pub(super) enum Birth {
    /// Made by its owner, who appends it to the run queue.
    Owned,
    /// Made by its owner, who leaves it until it is woken.
    Idle,
    /// Made by another thread, which pushes it on the inbox.
    Remote,
    /// A task that any worker may run: whoever has made it queues it.
    Shared,
}

/// A future in its place, not yet a task: nobody knows it, and it has no home.
///
/// This half of the making is generic and has nothing in it that could hold on to the future's address, so that the compiler
/// builds the future where it will stay. The rest is the same for all.
pub(crate) struct Unborn<F: Future + 'static> {
    cell: NonNull<Header>,
    future: PhantomData<F>,
}

impl<F: Future + 'static> Unborn<F> {
    const VTABLE: &'static Vtable = &Vtable {
        poll: poll::<F>,
        cancel: cancel::<F>,
        drop_output: drop_output::<F::Output>,
        content: mem::offset_of!(TaskCell<F>, content),
        kind: BlockKind::of(Layout::new::<TaskCell<F>>()),
    };

    /// Moves `future` into a block, from `pool` if there is one.
    #[inline(always)]
    pub(crate) fn new(future: F, pool: Option<&Pool>) -> Self {
        let block = Pool::allocate(pool, Self::VTABLE.kind);
        let this = Self { cell: block.cast(), future: PhantomData };
        // SAFETY: the block is fresh and large enough.
        unsafe { this.place().write(future) };
        this
    }

    /// Makes it a task with one reference, the join handle's.
    #[inline(always)]
    pub(super) fn be_born(self, birth: Birth, meta: Meta, home: *const HomeShared) -> NonNull<Header> {
        let (word, owner) = match birth {
            Birth::Owned => (SharedWord::new(), OwnerHalf::new_scheduled()),
            Birth::Idle => (SharedWord::new(), OwnerHalf::new_idle()),
            Birth::Remote => (SharedWord::new_queued(), OwnerHalf::new_remote()),
            Birth::Shared => (Life::new_word(), OwnerHalf::new_merged()),
        };
        let header = Header {
            inbox_link: Cell::new(ptr::null()),
            remote_join_waker: UnsafeCell::new(None),
            meta,
            list_next: Cell::new(ptr::null()),
            list_back: Cell::new(ptr::null()),
            vtable: Self::VTABLE,
            home,
            word,
            owner,
            is_shared: matches!(birth, Birth::Shared),
            stage: Cell::new(Stage::Future),
            done: AtomicU8::new(0),
            remote_join_state: AtomicU8::new(0),
            run_link: Cell::new(ptr::null()),
            local_join: UnsafeCell::new(None),
            #[cfg(loom)]
            content_access: UnsafeCell::new(()),
        };
        let cell = ManuallyDrop::new(self).cell;
        // SAFETY: the block has this layout, and nobody else knows it.
        unsafe { cell.write(header) };
        cell
    }

    fn place(&self) -> NonNull<F> {
        // SAFETY: within the block.
        unsafe { self.cell.byte_add(Self::VTABLE.content) }.cast()
    }
}

impl<F: Future + 'static> Drop for Unborn<F> {
    fn drop(&mut self) {
        // SAFETY: nobody else knows the future and the block.
        unsafe {
            self.place().drop_in_place();
            Pool::release(None, self.cell.cast(), Self::VTABLE.kind);
        }
    }
}

/// Gives the memory back. The wakers that are still in the join slots are dropped last, when the cell is gone.
///
/// # Safety
///
/// - C1; nobody else knows the cell any more, and its content is empty.
#[inline]
pub(super) unsafe fn free(cell: NonNull<Header>, pool: Option<&Pool>) {
    // SAFETY: alive, and ours alone.
    let header = unsafe { cell.as_ref() };
    if cfg!(any(debug_assertions, loom)) {
        assert!(header.stage.get() == Stage::Empty, "a cell is freed with its future or its output");
    }
    if header.has_waker() {
        return free_with_wakers(cell, pool);
    }
    header.word.end();
    let kind = header.vtable.kind;
    // SAFETY: the content is empty (C3: whoever it belonged to has taken or dropped it) and the header ours; the block was
    // allocated as this kind.
    unsafe {
        cell.drop_in_place();
        Pool::release(pool, cell.cast(), kind);
    }
}

/// The same where a waker is left in a join slot: dropped last, when the cell is gone.
#[cold]
fn free_with_wakers(cell: NonNull<Header>, pool: Option<&Pool>) {
    // SAFETY: as in `free`.
    let wakers = unsafe {
        let header = cell.as_ref();
        let local = header.take_local_joiner();
        (local, header.remote_join_waker.with_mut(|waker| (*waker).take()))
    };
    // SAFETY: as in `free`.
    unsafe { free(cell, pool) };
    quietly(|| drop(wakers));
}

impl Header {
    pub(crate) fn id(&self) -> Id {
        self.meta.id
    }

    pub(crate) fn spawned_at(&self) -> &'static Location<'static> {
        self.meta.spawned_at
    }

    /// Whether the output may be read; if so, it belongs to the join handle now (C3).
    #[inline]
    pub(super) fn is_output_ready(&self) -> bool {
        // Acquire pairs with the Release in `publish_output`.
        self.done.load(Ordering::Acquire) != 0
    }

    #[inline]
    pub(super) fn publish_output(&self) {
        // Release: the joiner that sees it may read the output and the stage.
        self.done.store(1, Ordering::Release);
    }

    /// Whether a waker is left in a join slot. For who alone knows the cell.
    #[inline]
    fn has_waker(&self) -> bool {
        // SAFETY: nobody else touches the slots any more.
        self.local_join.with(|waker| unsafe { (*waker).is_some() })
            || self.remote_join_waker.with(|waker| unsafe { (*waker).is_some() })
    }

    /// Leaves the waker of a joiner on the owner's side.
    ///
    /// # Safety
    ///
    /// - C2: the caller is the owner.
    #[inline]
    pub(super) unsafe fn set_local_joiner(&self, waker: &Waker) {
        // SAFETY: C2, and nothing foreign runs during the look.
        let kept = self.local_join.with(|place| unsafe { (*place).as_ref().is_some_and(|old| old.will_wake(waker)) });
        if !kept {
            let new = waker.clone();
            // SAFETY: C2; the clone has returned, and the old one is dropped after the swap (C5).
            let old = self.local_join.with_mut(|place| unsafe { (*place).replace(new) });
            drop(old);
        }
    }

    /// Takes the waker of the joiner on the owner's side.
    ///
    /// # Safety
    ///
    /// - C2: the caller is the owner.
    #[inline(always)]
    pub(super) unsafe fn take_local_joiner(&self) -> Option<Waker> {
        // SAFETY: C2.
        self.local_join.with_mut(|place| unsafe { (*place).take() })
    }

    /// The slot in which a joiner on another thread waits.
    pub(super) fn remote_join(&self) -> WakerSlot<'_> {
        WakerSlot::new(&self.remote_join_state, &self.remote_join_waker)
    }

    /// Polls the future; `true` when the task has come to its end.
    ///
    /// # Safety
    ///
    /// - C1, C2: the caller drives the home; the future is there.
    #[inline]
    pub(super) unsafe fn poll(this: NonNull<Self>, cx: &mut Context<'_>) -> bool {
        // SAFETY: the caller's promise; the vtable fits (C1).
        unsafe { (this.as_ref().vtable.poll)(this, cx) }
    }

    /// Drops the future; the joiner will hear that the task was cancelled.
    ///
    /// # Safety
    ///
    /// - C1, C2: the caller drives the home; the future is there.
    pub(super) unsafe fn cancel(this: NonNull<Self>) {
        // SAFETY: as above.
        unsafe { (this.as_ref().vtable.cancel)(this) }
    }

    /// Cancels a task whose home does not take it any more: it is born merged.
    ///
    /// # Safety
    ///
    /// - C1; nobody else knows the cell, and its future is there.
    pub(super) unsafe fn orphan(this: NonNull<Self>) {
        // SAFETY: the caller's promise: whoever knows the cell alone is its owner.
        unsafe {
            Self::cancel(this);
            let header = this.as_ref();
            header.owner.orphan();
            header.word.orphan();
            header.publish_output();
        }
    }

    /// The same for a `Shared` task that nobody has queued.
    ///
    /// # Safety
    ///
    /// - C1; nobody else knows the cell, and its future is there.
    pub(super) unsafe fn orphan_shared(this: NonNull<Self>) {
        // SAFETY: the caller's promise.
        unsafe {
            Self::cancel(this);
            this.as_ref().life().orphan();
        }
    }

    /// Whether any worker of its runtime may run the task.
    #[inline]
    pub(super) fn is_shared(&self) -> bool {
        self.is_shared
    }

    /// The state of a `Shared` task.
    #[inline]
    pub(super) fn life(&self) -> Life<'_> {
        debug_assert!(self.is_shared);
        Life::of(&self.word)
    }

    /// The scheduler of a `Shared` task. Followed only by who is responsible for the task.
    #[inline]
    pub(super) fn scheduler(&self) -> *const Scheduler {
        debug_assert!(self.is_shared);
        self.home.cast()
    }

    /// Moves the output out, if it was not taken before.
    ///
    /// # Safety
    ///
    /// - C1, C3: the output is ready and the caller holds the join handle; `T` is the output of the cell's future.
    #[inline]
    pub(super) unsafe fn take_output<T>(this: NonNull<Self>) -> Option<Result<T, JoinFailure>> {
        // SAFETY: the caller's promise.
        unsafe {
            if this.as_ref().stage.get() != Stage::Output {
                return None;
            }
            this.as_ref().stage.set(Stage::Empty);
            Some(content::<Result<T, JoinFailure>>(this).read())
        }
    }

    /// Drops the output, if it is there.
    ///
    /// # Safety
    ///
    /// - C1, C3: the output belongs to the caller.
    #[inline]
    pub(super) unsafe fn drop_output(this: NonNull<Self>) {
        // SAFETY: the caller's promise.
        unsafe {
            if this.as_ref().stage.get() == Stage::Output {
                (this.as_ref().vtable.drop_output)(this);
            }
        }
    }
}

/// Where the future, or later the output, is.
///
/// # Safety
///
/// - C1, and the content belongs to the caller (C2, C3).
#[inline(always)]
unsafe fn content<T>(header: NonNull<Header>) -> NonNull<T> {
    // SAFETY: C1; the vtable's offset is that of the content in this allocation.
    unsafe {
        #[cfg(loom)]
        header.as_ref().content_access.with_mut(|_| ());
        header.byte_add(header.as_ref().vtable.content).cast()
    }
}

/// # Safety
///
/// - C1, C2: the caller drives the home; the future is there.
unsafe fn poll<F: Future + 'static>(header: NonNull<Header>, cx: &mut Context<'_>) -> bool {
    // SAFETY: the stage is Future and the owner polls (C2); the future is dropped where it lies, so it is pinned.
    let future = || unsafe { Pin::new_unchecked(content::<F>(header).as_mut()) };
    let output = match catch_unwind(AssertUnwindSafe(|| future().poll(cx))) {
        Ok(Poll::Pending) => return false,
        Ok(Poll::Ready(output)) => Ok(output),
        Err(payload) => Err(JoinFailure::Panicked(payload)),
    };
    // SAFETY: as above; the future is not touched again.
    unsafe { finish::<F>(header, output) };
    true
}

/// # Safety
///
/// - C1, C2: the caller drives the home; the future is there.
unsafe fn cancel<F: Future + 'static>(header: NonNull<Header>) {
    // SAFETY: the caller's promise.
    unsafe { finish::<F>(header, Err(JoinFailure::Cancelled)) };
}

/// Drops the future, then stores the output if somebody will want it.
///
/// # Safety
///
/// - C1, C2: the caller drives the home; the future is there.
#[inline(always)]
unsafe fn finish<F: Future + 'static>(cell: NonNull<Header>, mut output: Result<F::Output, JoinFailure>) {
    // SAFETY: C1.
    let header = unsafe { cell.as_ref() };
    debug_assert_eq!(header.stage.get(), Stage::Future);
    header.stage.set(Stage::Empty);
    if mem::needs_drop::<F>() {
        // SAFETY: it was there, and the stage says now that it is not (C5: the destructor may come back).
        let drop_future = || unsafe { content::<F>(cell).drop_in_place() };
        if let Err(payload) = catch_unwind(AssertUnwindSafe(drop_future)) {
            match &output {
                Err(JoinFailure::Panicked(_)) => {
                    quietly(|| drop(payload));
                }
                _ => {
                    let unwanted = mem::replace(&mut output, Err(JoinFailure::Panicked(payload)));
                    quietly(|| drop(unwanted));
                }
            }
        }
    }
    if header.owner.has_join_interest() {
        // SAFETY: the content is empty and the owner's until `done` (C3).
        unsafe { content(cell).write(output) };
        header.stage.set(Stage::Output);
    } else if mem::needs_drop::<F::Output>() || output.is_err() || may_be_error::<F::Output>() {
        quietly(|| drop_unseen(output, header.spawned_at()));
    }
}

/// # Safety
///
/// - C1, C3: the output is there, a `T`, and the caller's.
unsafe fn drop_output<T: 'static>(header: NonNull<Header>) {
    // SAFETY: the caller's promise.
    let (output, spawned_at) = unsafe { (Header::take_output::<T>(header), header.as_ref().spawned_at()) };
    quietly(|| output.map(|output| drop_unseen(output, spawned_at)));
}
