//! Free blocks of one core, by size class: making and freeing a task costs a few instructions instead of a trip through the
//! allocator, whose fast bins end below the size of a task.
//!
//! Classes are 32 bytes apart and eight less than a multiple of it, which is what the C library's allocator uses up without a
//! remainder. Every block is an ordinary allocation with its class's layout, so any thread may give it to the allocator.
//!
//! # Invariants
//!
//! - **B1** A block in a list is allocated with its class's layout, used by nobody, and starts with the pointer to the next.
#![allow(unsafe_code)]

use std::ptr::{self, NonNull};

use crate::primitives::Cell;
use crate::primitives::alloc::{Layout, alloc, dealloc, handle_alloc_error};

const STEP: usize = 32;
const ODD: usize = 8;
const ALIGN: usize = 16;
const CLASSES: usize = 16;
/// Blocks that a class keeps at most.
const CAPACITY: u32 = if cfg!(loom) { 1 } else { 2048 };

/// The class of a block that is too large or too aligned to be kept.
const NO_CLASS: u8 = u8::MAX;

/// How a block is allocated, and to which class it belongs.
#[derive(Clone, Copy)]
pub(super) struct BlockKind {
    class: u8,
    layout: Layout,
}

/// The free lists.
pub(crate) struct Pool {
    classes: [Class; CLASSES],
}

struct Class {
    first: Cell<*mut u8>,
    length: Cell<u32>,
    /// The shortest the list was since the last trim: so many blocks nobody needed.
    low: Cell<u32>,
}

impl Pool {
    pub(crate) fn new() -> Self {
        let class = |_| Class { first: Cell::new(ptr::null_mut()), length: Cell::new(0), low: Cell::new(0) };
        Self { classes: std::array::from_fn(class) }
    }

    /// A block for `kind`, from `pool` if it has one.
    #[inline]
    pub(super) fn allocate(pool: Option<&Self>, kind: BlockKind) -> NonNull<u8> {
        let kept = pool.and_then(|pool| pool.classes.get(kind.class as usize)).and_then(|class| class.pop(kind.layout));
        kept.unwrap_or_else(|| allocate_fresh(kind.layout.size(), kind.layout.align()))
    }

    /// Takes a block back, into `pool` if there is one and it is not full.
    ///
    /// # Safety
    ///
    /// - The block was allocated here for this kind, and nobody uses it any more.
    #[inline]
    pub(super) unsafe fn release(pool: Option<&Self>, block: NonNull<u8>, kind: BlockKind) {
        if let Some(class) = pool.and_then(|pool| pool.classes.get(kind.class as usize))
            && class.length.get() < CAPACITY
        {
            // SAFETY: B1 by the caller's promise.
            unsafe { class.push(block, kind.layout) };
        } else {
            // SAFETY: allocated with this layout, see `allocate`.
            unsafe { dealloc(block.as_ptr(), kind.layout) };
        }
    }

    /// Gives back half of what was not needed since the last call: after a burst the lists shrink to what is used.
    pub(crate) fn trim(&self) {
        for (index, class) in self.classes.iter().enumerate() {
            let low = class.low.get();
            if low > 0 {
                class.shrink(low.div_ceil(2), class_layout(index));
            }
            class.low.set(class.length.get());
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        for (index, class) in self.classes.iter().enumerate() {
            class.shrink(class.length.get(), class_layout(index));
        }
    }
}

impl Class {
    #[inline]
    fn pop(&self, layout: Layout) -> Option<NonNull<u8>> {
        let block = NonNull::new(self.first.get())?;
        poison::lift(block.as_ptr(), layout.size());
        // SAFETY: B1.
        self.first.set(unsafe { block.cast::<*mut u8>().read() });
        let length = self.length.get() - 1;
        self.length.set(length);
        if length < self.low.get() {
            self.low.set(length);
        }
        Some(block)
    }

    /// Keeps the block.
    #[inline]
    unsafe fn push(&self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: ours, large enough and aligned for a pointer.
        unsafe { block.cast::<*mut u8>().write(self.first.get()) };
        poison::put(block.as_ptr(), layout.size());
        self.first.set(block.as_ptr());
        self.length.set(self.length.get() + 1);
    }

    fn shrink(&self, count: u32, layout: Layout) {
        for _ in 0..count {
            let Some(block) = self.pop(layout) else { return };
            // SAFETY: allocated with its class's layout (B1).
            unsafe { dealloc(block.as_ptr(), layout) };
        }
    }
}

impl BlockKind {
    /// What a value of this layout is allocated as.
    pub(super) const fn of(layout: Layout) -> Self {
        let class = (layout.size() + ODD).div_ceil(STEP) - 1;
        if class < CLASSES && layout.align() <= ALIGN {
            Self { class: class as u8, layout: class_layout(class) }
        } else {
            Self { class: NO_CLASS, layout }
        }
    }
}

const fn class_layout(index: usize) -> Layout {
    // SAFETY: the alignment is a power of two and the size far from overflowing.
    unsafe { Layout::from_size_align_unchecked((index + 1) * STEP - ODD, ALIGN) }
}

// Not Rust's ABI: a call that cannot unwind leaves the caller nothing to clean up, so that the future which is about to be stored
// need not have an address yet.
#[cold]
extern "C" fn allocate_fresh(size: usize, align: usize) -> NonNull<u8> {
    // SAFETY: from a layout.
    let layout = unsafe { Layout::from_size_align_unchecked(size, align) };
    // SAFETY: the layout is that of a cell or a class, never of size zero.
    let block = unsafe { alloc(layout) };
    NonNull::new(block).unwrap_or_else(|| handle_alloc_error(layout))
}

/// Tells AddressSanitizer which blocks nobody may touch; compiled in by `--cfg rt_asan`.
mod poison {
    #[cfg(rt_asan)]
    unsafe extern "C" {
        fn __asan_poison_memory_region(address: *const u8, size: usize);
        fn __asan_unpoison_memory_region(address: *const u8, size: usize);
    }

    #[inline(always)]
    pub(super) fn put(_block: *const u8, _size: usize) {
        // SAFETY: the region is one whole block.
        #[cfg(rt_asan)]
        unsafe {
            __asan_poison_memory_region(_block, _size)
        };
    }

    #[inline(always)]
    pub(super) fn lift(_block: *const u8, _size: usize) {
        // SAFETY: the region is one whole block.
        #[cfg(rt_asan)]
        unsafe {
            __asan_unpoison_memory_region(_block, _size)
        };
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn length(pool: &Pool) -> u32 {
        pool.classes.iter().map(|class| class.length.get()).sum()
    }

    fn take(pool: &Pool, layout: Layout, count: usize) -> Vec<NonNull<u8>> {
        (0..count).map(|_| Pool::allocate(Some(pool), BlockKind::of(layout))).collect()
    }

    fn give(pool: &Pool, layout: Layout, blocks: Vec<NonNull<u8>>) {
        for block in blocks {
            // SAFETY: allocated with this layout by `take`.
            unsafe { Pool::release(Some(pool), block, BlockKind::of(layout)) };
        }
    }

    #[test]
    fn a_block_is_used_again_within_its_class() {
        let pool = Pool::new();
        let first = take(&pool, Layout::from_size_align(170, 8).unwrap(), 1);
        let address = first[0];
        give(&pool, Layout::from_size_align(170, 8).unwrap(), first);
        let second = take(&pool, Layout::from_size_align(184, 8).unwrap(), 1);
        assert_eq!(second[0], address);
        let third = take(&pool, Layout::from_size_align(185, 8).unwrap(), 1);
        assert_ne!(third[0], address);
        give(&pool, Layout::from_size_align(184, 8).unwrap(), second);
        give(&pool, Layout::from_size_align(185, 8).unwrap(), third);
        assert_eq!(length(&pool), 2);
    }

    #[test]
    fn large_and_aligned_blocks_are_not_kept() {
        let pool = Pool::new();
        for layout in [Layout::from_size_align(4096, 8).unwrap(), Layout::from_size_align(128, 64).unwrap()] {
            let blocks = take(&pool, layout, 3);
            assert!(blocks.iter().all(|block| block.as_ptr().addr() % layout.align() == 0));
            give(&pool, layout, blocks);
        }
        assert_eq!(length(&pool), 0);
    }

    #[test]
    fn a_class_keeps_no_more_than_its_capacity() {
        let pool = Pool::new();
        let layout = Layout::from_size_align(120, 8).unwrap();
        let blocks = take(&pool, layout, CAPACITY as usize + 10);
        give(&pool, layout, blocks);
        assert_eq!(length(&pool), CAPACITY);
    }

    #[test]
    fn trimming_after_a_burst_keeps_what_is_used() {
        let pool = Pool::new();
        let layout = Layout::from_size_align(120, 8).unwrap();
        give(&pool, layout, take(&pool, layout, 1000));
        pool.trim();
        for _ in 0..20 {
            give(&pool, layout, take(&pool, layout, 10));
            pool.trim();
        }
        assert_eq!(length(&pool), 10);
    }
}
