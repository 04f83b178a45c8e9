//! How deep firings may nest.
//!
//! A callback that fires another Deferred by hand runs that one's callbacks before it goes on, as in Twisted. Down to
//! [`DEPTH`] of them; what would go deeper waits in a list that the outermost firing drains, so that no input from
//! outside can overflow the stack.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use super::Chain;

const DEPTH: u32 = 128;

thread_local! {
    static NESTED: Cell<u32> = const { Cell::new(0) };
    /// How many wait in `LATER`; apart from it, so that the usual look needs no destructor's registration.
    static COUNT: Cell<usize> = const { Cell::new(0) };
    static LATER: RefCell<VecDeque<Rc<Chain>>> = const { RefCell::new(VecDeque::new()) };
}

/// Runs `chain` one level deeper, or puts it on the list.
#[inline]
pub(super) fn enter(chain: &Rc<Chain>, run: fn(&Rc<Chain>)) {
    let depth = NESTED.get();
    if depth >= DEPTH && put_off(chain) {
        return;
    }
    let _level = Level(depth);
    NESTED.set(depth + 1);
    run(chain);
    if depth == 0 && COUNT.get() > 0 {
        drain(run);
    }
}

/// Whether one level more is allowed.
#[inline]
pub(super) fn is_shallow() -> bool {
    NESTED.get() < DEPTH
}

/// Calls something one level deeper.
#[inline]
pub(super) fn one_deeper<R>(call: impl FnOnce() -> R) -> R {
    let depth = NESTED.get();
    let _level = Level(depth);
    NESTED.set(depth + 1);
    call()
}

/// What a level at the bottom does at its end.
#[inline]
pub(super) fn drain_if_outermost(run: fn(&Rc<Chain>)) {
    if NESTED.get() == 0 && COUNT.get() > 0 {
        one_deeper(|| drain(run));
    }
}

/// False if the thread ends and there is no list any more.
#[cold]
fn put_off(chain: &Rc<Chain>) -> bool {
    LATER
        .try_with(|later| {
            later.borrow_mut().push_back(chain.clone());
            COUNT.set(COUNT.get() + 1);
        })
        .is_ok()
}

#[cold]
fn drain(run: fn(&Rc<Chain>)) {
    while let Ok(Some(chain)) = LATER.try_with(|later| later.borrow_mut().pop_front()) {
        COUNT.set(COUNT.get() - 1);
        if chain.paused.get() == 0 {
            run(&chain);
        }
    }
}

/// Restores the depth, also when a panic comes through (from the hook of unhandled failures).
struct Level(u32);

impl Drop for Level {
    fn drop(&mut self) {
        NESTED.set(self.0);
    }
}
