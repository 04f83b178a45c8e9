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
use std::mem::{self, ManuallyDrop, MaybeUninit};
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::ptr::{self, NonNull};
use std::task::{Context, Poll, Waker};

use super::home::HomeShared;
use super::owner::OwnerHalf;
use super::pool::{BlockKind, Pool};
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

/// The part of a cell that does not depend on the future: 14 words, what is used most in the first eight.
#[repr(C)]
pub(crate) struct Header {
    vtable: &'static Vtable,
    /// Followed only by the owner side, or by who has just set QUEUED.
    pub(super) home: *const HomeShared,
    pub(super) word: SharedWord,
    pub(super) owner: OwnerHalf,
    stage: Cell<Stage>,
    done: AtomicU8,
    remote_join_state: AtomicU8,
    run_link: Cell<*const Header>,
    local_join: UnsafeCell<Option<Waker>>,
    /// The next cell of the home's list, and the place that points at this cell: null while the cell is in no list.
    pub(super) list_next: Cell<*const Header>,
    pub(super) list_back: Cell<*const Cell<*const Header>>,
    meta: Meta,
    inbox_link: Cell<*const Header>,
    remote_join_waker: UnsafeCell<Option<Waker>>,
}

#[cfg(all(not(loom), target_pointer_width = "64"))]
const _: () = assert!(size_of::<Header>() == 14 * 8);

struct Vtable {
    /// Polls the future. When it is ready (or panicked): drops it, keeps or drops the output, and answers `true`.
    poll: unsafe fn(NonNull<Header>, &mut Context<'_>) -> bool,
    /// Drops the future; the output is "cancelled".
    cancel: unsafe fn(NonNull<Header>),
    /// Moves the output to the place behind the pointer, a `Result<F::Output, JoinFailure>`.
    take_output: unsafe fn(NonNull<Header>, *mut ()),
    drop_output: unsafe fn(NonNull<Header>),
    kind: BlockKind,
}

#[repr(C)]
struct TaskCell<F: Future> {
    header: Header,
    content: UnsafeCell<Content<F>>,
}

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
}

/// Makes a cell with one reference, the join handle's.
pub(super) fn allocate<F: Future>(
    future: F,
    meta: Meta,
    home: *const HomeShared,
    birth: Birth,
    pool: Option<&Pool>,
) -> NonNull<Header> {
    let block = Pool::allocate(pool, const { BlockKind::of(Layout::new::<TaskCell<F>>()) }).cast::<TaskCell<F>>();
    let (word, owner) = match birth {
        Birth::Owned => (SharedWord::new(), OwnerHalf::new_scheduled()),
        Birth::Idle => (SharedWord::new(), OwnerHalf::new_idle()),
        Birth::Remote => (SharedWord::new_queued(), OwnerHalf::new_remote()),
    };
    let cell = TaskCell::<F> {
        header: Header {
            vtable: const {
                &Vtable {
                    poll: poll::<F>,
                    cancel: cancel::<F>,
                    take_output: take_output::<F>,
                    drop_output: drop_output::<F>,
                    kind: BlockKind::of(Layout::new::<TaskCell<F>>()),
                }
            },
            home,
            word,
            owner,
            stage: Cell::new(Stage::Future),
            done: AtomicU8::new(0),
            remote_join_state: AtomicU8::new(0),
            remote_join_waker: UnsafeCell::new(None),
            local_join: UnsafeCell::new(None),
            run_link: Cell::new(ptr::null()),
            inbox_link: Cell::new(ptr::null()),
            list_next: Cell::new(ptr::null()),
            list_back: Cell::new(ptr::null()),
            meta,
        },
        content: UnsafeCell::new(Content { future: ManuallyDrop::new(future) }),
    };
    // SAFETY: the block is fresh and has this layout.
    unsafe { block.write(cell) };
    block.cast()
}

/// Gives the memory back. The wakers that are still in the join slots are dropped last, when the cell is gone.
///
/// # Safety
///
/// - C1; nobody else knows the cell any more, and its content is empty.
pub(super) unsafe fn free(header: NonNull<Header>, pool: Option<&Pool>) {
    // SAFETY: alive, and ours alone.
    let (kind, wakers) = unsafe {
        let header = header.as_ref();
        if cfg!(any(debug_assertions, loom)) {
            assert_eq!(header.stage.get(), Stage::Empty, "a cell is freed with its content");
        }
        header.word.end();
        let local = header.local_join.with_mut(|waker| (*waker).take());
        let remote = header.remote_join_waker.with_mut(|waker| (*waker).take());
        (header.vtable.kind, (local, remote))
    };
    // SAFETY: the content is empty (C3: whoever it belonged to has taken or dropped it) and the header ours; the block was
    // allocated with this layout.
    unsafe {
        header.drop_in_place();
        Pool::release(pool, header.cast(), kind);
    }
    if let (None, None) = wakers {
        return;
    }
    quietly(|| drop(wakers));
}

impl Header {
    pub(crate) fn id(&self) -> Id {
        self.meta.id
    }

    #[cfg_attr(not(test), expect(dead_code, reason = "for dumps and reports of what is left over"))]
    pub(crate) fn spawned_at(&self) -> &'static Location<'static> {
        self.meta.spawned_at
    }

    /// Whether the output may be read; if so, it belongs to the join handle now (C3).
    pub(super) fn is_output_ready(&self) -> bool {
        // Acquire pairs with the Release in `publish_output`.
        self.done.load(Ordering::Acquire) != 0
    }

    pub(super) fn publish_output(&self) {
        // Release: the joiner that sees it may read the output and the stage.
        self.done.store(1, Ordering::Release);
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
    #[inline]
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

    /// Moves the output out, if it was not taken before.
    ///
    /// # Safety
    ///
    /// - C1, C3: the output is ready and the caller holds the join handle; `T` is the output of the cell's future.
    #[inline]
    pub(super) unsafe fn take_output<T>(this: NonNull<Self>) -> Option<Result<T, JoinFailure>> {
        let mut place = MaybeUninit::<Result<T, JoinFailure>>::uninit();
        // SAFETY: the caller's promise; `place` is what the vtable's function asks for, and it fills it.
        unsafe {
            if this.as_ref().stage.get() != Stage::Output {
                return None;
            }
            (this.as_ref().vtable.take_output)(this, place.as_mut_ptr().cast());
            Some(place.assume_init())
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

unsafe fn poll<F: Future>(header: NonNull<Header>, cx: &mut Context<'_>) -> bool {
    // SAFETY: C1.
    let cell = unsafe { header.cast::<TaskCell<F>>().as_ref() };
    let polled = catch_unwind(AssertUnwindSafe(|| {
        cell.content.with_mut(|content| {
            // SAFETY: the stage is Future and the owner polls (C2); the future is dropped where it lies, so it is pinned.
            unsafe { Pin::new_unchecked(&mut *(*content).future).poll(cx) }
        })
    }));
    let output = match polled {
        Ok(Poll::Pending) => return false,
        Ok(Poll::Ready(output)) => Ok(output),
        Err(payload) => Err(JoinFailure::Panicked(payload)),
    };
    // SAFETY: as above; the future is not touched again.
    unsafe { finish(cell, output) };
    true
}

unsafe fn cancel<F: Future>(header: NonNull<Header>) {
    // SAFETY: C1, C2.
    unsafe { finish(header.cast::<TaskCell<F>>().as_ref(), Err(JoinFailure::Cancelled)) };
}

/// Drops the future, then stores the output if somebody will want it.
///
/// # Safety
///
/// - C2: the caller is the owner, and the stage is Future.
unsafe fn finish<F: Future>(cell: &TaskCell<F>, mut output: Result<F::Output, JoinFailure>) {
    let header = &cell.header;
    debug_assert_eq!(header.stage.get(), Stage::Future);
    header.stage.set(Stage::Empty);
    // SAFETY: it was there, and the stage says now that it is not (C5: the destructor may come back).
    let drop_future = || cell.content.with_mut(|content| unsafe { ManuallyDrop::drop(&mut (*content).future) });
    if mem::needs_drop::<F>()
        && let Err(payload) = catch_unwind(AssertUnwindSafe(drop_future))
    {
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
    if header.owner.has_join_interest() {
        // SAFETY: the content is empty and the owner's until `done` (C3).
        cell.content.with_mut(|content| unsafe { (*content).output = ManuallyDrop::new(output) });
        header.stage.set(Stage::Output);
    } else {
        quietly(|| drop(output));
    }
}

/// # Safety
///
/// - C1, C3: the output is there and the caller's; `place` is a `Result<F::Output, JoinFailure>`.
unsafe fn take_output<F: Future>(header: NonNull<Header>, place: *mut ()) {
    // SAFETY: C1.
    let cell = unsafe { header.cast::<TaskCell<F>>().as_ref() };
    cell.header.stage.set(Stage::Empty);
    // SAFETY: it was there and is the caller's (C3); the stage says that it is gone; the place is what it must be.
    unsafe {
        let output = cell.content.with_mut(|content| ManuallyDrop::take(&mut (*content).output));
        place.cast::<Result<F::Output, JoinFailure>>().write(output);
    }
}

/// # Safety
///
/// - C1, C3: the output is there and the caller's.
unsafe fn drop_output<F: Future>(header: NonNull<Header>) {
    let mut place = MaybeUninit::<Result<F::Output, JoinFailure>>::uninit();
    // SAFETY: the caller's promise; the place is filled.
    let output = unsafe {
        take_output::<F>(header, place.as_mut_ptr().cast());
        place.assume_init()
    };
    quietly(|| drop(output));
}
