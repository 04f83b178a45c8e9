//! Words that several parts of a test write down, in the order in which they do.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

/// Words that several parts of a test write down, in the order in which they do. A cheap handle; clones write the same list.
///
/// Counterpart: the list that such tests append to in Twisted.
///
/// ```
/// use rt::deferred::Deferred;
/// use rt::testing::Trace;
///
/// let trace = Trace::new();
/// let (number, resolver) = Deferred::<u32>::new();
/// let callback = trace.clone();
/// let _number = number.add_callback(move |number| callback.push(format!("got {number}")));
///
/// trace.push("before");
/// resolver.callback(4).unwrap();
/// assert_eq!(trace.take(), ["before", "got 4"]);
/// ```
#[derive(Clone, Default)]
pub struct Trace {
    words: Rc<RefCell<Vec<String>>>,
}

impl Trace {
    /// Nothing is written down.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes `word` down.
    pub fn push(&self, word: impl Into<String>) {
        self.words.borrow_mut().push(word.into());
    }

    /// What was written down since the last call of this.
    pub fn take(&self) -> Vec<String> {
        self.words.take()
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&*self.words.borrow()).finish()
    }
}
