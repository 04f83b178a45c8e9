//! Work under way for several callers, which is cancelled when none of them wants it any more.

use std::cell::Cell;
use std::rc::Rc;

use super::{Common, OneShotObservers};
use crate::{Control, Deferred};

/// The callers of one piece of work; clones are the same one.
pub(crate) struct Flight<T> {
    callers: OneShotObservers<T>,
    stage: Rc<Cell<Stage>>,
}

enum Stage {
    /// The work has not begun.
    Planned,
    Running(Control),
    /// All callers have cancelled.
    Forsaken,
}

impl<T: Clone + 'static> Flight<T> {
    /// Work that has not begun. `on_forsaken` is called when all who joined have cancelled, before the work is.
    pub(crate) fn new(on_forsaken: impl FnOnce() + 'static) -> Self {
        let stage = Rc::new(Cell::new(Stage::Planned));
        let own = stage.clone();
        let callers = OneShotObservers::with_canceller(move || {
            on_forsaken();
            if let Stage::Running(control) = own.replace(Stage::Forsaken) {
                control.cancel();
            }
        });
        Self { callers, stage }
    }

    #[track_caller]
    pub(crate) fn join(&self) -> Deferred<T> {
        self.callers.when_fired()
    }

    /// The work has begun. `first` sees the result before the callers do.
    pub(crate) fn begin(&self, work: Deferred<T>, first: impl FnOnce(&Common<T>) + 'static) {
        match self.stage.replace(Stage::Running(work.control())) {
            Stage::Forsaken => work.cancel(),
            Stage::Planned | Stage::Running(_) => {}
        }
        self.callers.follow(work, first);
    }

    pub(crate) fn callers(&self) -> &OneShotObservers<T> {
        &self.callers
    }
}

impl<T> Clone for Flight<T> {
    fn clone(&self) -> Self {
        Self { callers: self.callers.clone(), stage: self.stage.clone() }
    }
}
