//! What a cell calls home: an inbox that anybody may fill, and the list of the cells that could still call on it.
//!
//! # Invariants
//!
//! - **H1** A cell is in its home's list exactly while it is biased (a cell that another thread made: from the moment its home
//!   has taken it out of the inbox).
//! - **H2** A home does not move, because the first cell's `list_back` points into it; it lies in an `Rc` that nobody clones,
//!   because a `Box` that is moved claims that no such pointer exists. And it is not dropped before
//!   [`Core::close`](super::Core::close) has emptied it.
#![allow(unsafe_code)]

use std::ptr::{self, NonNull};
use std::rc::Rc;
use std::sync::Arc;

use super::cell::Header;
use crate::primitives::Cell;
use crate::queue::{Fifo, Inbox};

/// Wakes whoever sleeps over an inbox.
pub(crate) trait Bell: Send + Sync {
    /// Ends the sleep of the thread that drives the core now, or the next sleep if it is awake.
    fn ring(&self);
}

/// The half of a home that any thread may touch.
pub(crate) struct HomeShared {
    pub(super) inbox: Inbox<Header>,
    bell: Arc<dyn Bell>,
}

impl HomeShared {
    /// Wakes the core without giving it a cell.
    pub(crate) fn ring(&self) {
        self.bell.ring();
    }
}

/// The half of a home that only the thread which drives it touches. In an `Rc`, see H2.
pub(crate) struct Home {
    pub(super) shared: Arc<HomeShared>,
    cells: List,
    /// Woken cells that wait for somebody to drive the home again.
    pub(super) parked: Fifo<Header>,
    pub(super) closing: Cell<bool>,
}

/// Cells, newest first, linked through `list_next` and `list_back`.
pub(super) struct List(Cell<*const Header>);

impl Home {
    pub(crate) fn new(bell: Arc<dyn Bell>) -> Rc<Self> {
        Rc::new(Self {
            shared: Arc::new(HomeShared { inbox: Inbox::new(), bell }),
            cells: List::new(),
            parked: Fifo::new(),
            closing: Cell::new(false),
        })
    }

    /// The half for other threads.
    pub(crate) fn shared(&self) -> &Arc<HomeShared> {
        &self.shared
    }

    /// A new home at the address of one that was closed.
    #[cfg(test)]
    pub(super) fn at_the_place_of(shared: Arc<HomeShared>) -> Rc<Self> {
        shared.inbox.reopen();
        Rc::new(Self { shared, cells: List::new(), parked: Fifo::new(), closing: Cell::new(false) })
    }

    #[cfg(test)]
    pub(super) fn cells_in_list(&self) -> usize {
        self.cells.iter().count()
    }

    pub(super) fn id(&self) -> *const HomeShared {
        Arc::as_ptr(&self.shared)
    }

    pub(super) fn cells(&self) -> &List {
        &self.cells
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        debug_assert!(self.cells.is_empty() || std::thread::panicking(), "a home is dropped before it is closed (H2)");
    }
}

impl List {
    pub(super) fn new() -> Self {
        Self(Cell::new(ptr::null()))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.get().is_null()
    }

    pub(super) fn first(&self) -> Option<NonNull<Header>> {
        NonNull::new(self.0.get().cast_mut())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Header> {
        // SAFETY: what is in the list is alive (H1), and nothing leaves it while the caller counts.
        std::iter::successors(unsafe { self.0.get().as_ref() }, |cell| unsafe { cell.list_next.get().as_ref() })
    }

    /// Adds a cell that is in no list.
    ///
    /// # Safety
    ///
    /// - H1: the cell is alive, and leaves the list before it is freed.
    #[inline]
    pub(super) unsafe fn insert(&self, cell: NonNull<Header>) {
        let next = self.0.get();
        // SAFETY: the caller's promise; and what is in the list is alive (H1).
        unsafe {
            cell.as_ref().list_next.set(next);
            cell.as_ref().list_back.set(&self.0);
            if let Some(next) = next.as_ref() {
                next.list_back.set(&cell.as_ref().list_next);
            }
        }
        self.0.set(cell.as_ptr());
    }
}

/// Whether the cell is in a list.
pub(super) fn is_listed(cell: &Header) -> bool {
    !cell.list_back.get().is_null()
}

/// Takes the cell out of the list that it is in.
///
/// # Safety
///
/// - H1, H2: it is in a list.
#[inline]
pub(super) unsafe fn unlist(cell: NonNull<Header>) {
    // SAFETY: the caller's promise; `back` is the link of the cell before, which is in the list and alive (H1), or the list's
    // own (H2); so is the next one.
    unsafe {
        let next = cell.as_ref().list_next.get();
        let back = cell.as_ref().list_back.replace(ptr::null());
        (*back).set(next);
        if let Some(next) = next.as_ref() {
            next.list_back.set(back);
        }
    }
}
