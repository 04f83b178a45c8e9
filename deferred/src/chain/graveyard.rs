//! Dropping what was never fired, in constant stack.
//!
//! The callbacks of a dropped chain may own further chains, and those may own further ones, a million times. So a chain
//! puts what it leaves on a list, and the outermost drop works it off.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use super::Chain;
use super::steps::Steps;

type Remains = (Steps, Option<Rc<Chain>>);

thread_local! {
    static OPEN: Cell<bool> = const { Cell::new(false) };
    static GRAVES: RefCell<VecDeque<Remains>> = const { RefCell::new(VecDeque::new()) };
}

pub(super) fn bury(steps: Steps, waiter: Option<Rc<Chain>>) {
    let mut remains = Some((steps, waiter));
    // If the thread ends and there is no list any more, they are dropped right here.
    let listed = GRAVES.try_with(|graves| graves.borrow_mut().extend(remains.take())).is_ok();
    if listed && !OPEN.replace(true) {
        let _open = Open;
        while let Ok(Some(remains)) = GRAVES.try_with(|graves| graves.borrow_mut().pop_front()) {
            drop(remains);
        }
    }
}

struct Open;

impl Drop for Open {
    fn drop(&mut self) {
        OPEN.set(false);
    }
}
