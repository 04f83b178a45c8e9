//! Chains that are done with, kept for the next: most live shortly, and one after the other.

use std::cell::RefCell;
use std::ops::Deref;
use std::rc::Rc;

use super::Chain;

/// How many a thread keeps: a quarter of a megabyte at most.
const KEPT: usize = 1024;

thread_local! {
    static POOL: RefCell<Vec<Rc<Chain>>> = const { RefCell::new(Vec::new()) };
}

/// A chain as new.
#[inline]
pub(super) fn take() -> Rc<Chain> {
    let kept = POOL.try_with(|pool| pool.borrow_mut().pop()).ok().flatten();
    kept.unwrap_or_default()
}

#[inline]
fn put(chain: Rc<Chain>) {
    let mut chain = Some(chain);
    let _ = POOL.try_with(|pool| {
        let mut pool = pool.borrow_mut();
        if pool.len() < KEPT {
            pool.extend(chain.take());
        }
    });
    // If there is no room or the thread ends, it is freed outside of the borrow.
}

/// A handle's reference to its chain. The last one keeps what is left of the chain for the next.
pub(crate) struct ChainRef(Option<Rc<Chain>>);

impl ChainRef {
    #[inline]
    pub(crate) fn new(chain: Rc<Chain>) -> Self {
        Self(Some(chain))
    }
}

impl Deref for ChainRef {
    type Target = Rc<Chain>;

    #[inline(always)]
    fn deref(&self) -> &Rc<Chain> {
        self.0.as_ref().expect("it is there until it is dropped")
    }
}

impl Drop for ChainRef {
    #[inline]
    fn drop(&mut self) {
        if let Some(mut chain) = self.0.take()
            && let Some(last) = Rc::get_mut(&mut chain)
        {
            last.dissolve();
            last.renew();
            put(chain);
        }
    }
}
