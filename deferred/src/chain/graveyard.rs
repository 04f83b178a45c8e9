//! Dropping what was never fired, in constant stack.
//!
//! The callbacks of a dropped chain may own further chains, and those may own further ones, a million times. So a chain
//! puts what it leaves on a list, and the outermost drop works it off.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use super::Chain;
use super::steps::Steps;

/// What is left to drop. What is in it is for its destructor alone.
pub(super) enum Remains {
    /// What a chain had when it was dropped.
    Chain(
        #[expect(dead_code, reason = "held to be dropped")] Steps,
        #[expect(dead_code, reason = "held to be dropped")] Option<Rc<Chain>>,
    ),
    /// A source that has lost who held it.
    LetGo(Rc<Chain>),
}

impl Remains {
    fn dissolve(self) {
        if let Remains::LetGo(chain) = &self {
            chain.let_go();
        }
    }
}

thread_local! {
    static OPEN: Cell<bool> = const { Cell::new(false) };
    static GRAVES: RefCell<VecDeque<Remains>> = const { RefCell::new(VecDeque::new()) };
}

pub(super) fn bury(remains: Remains) {
    let mut remains = Some(remains);
    // If the thread ends and there is no list any more, they are dropped right here.
    let listed = GRAVES.try_with(|graves| graves.borrow_mut().extend(remains.take())).is_ok();
    if let Some(remains) = remains {
        remains.dissolve();
    }
    if listed && !OPEN.replace(true) {
        let _open = Open;
        while let Ok(Some(remains)) = GRAVES.try_with(|graves| graves.borrow_mut().pop_front()) {
            remains.dissolve();
        }
    }
}

struct Open;

impl Drop for Open {
    fn drop(&mut self) {
        OPEN.set(false);
    }
}
