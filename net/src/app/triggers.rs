//! What is called before, during and after the start and the end.

use rt_deferred::{Deferred, DeferredList, Failure, IntoOutcome, ListResult, maybe_deferred};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::Location;
use std::rc::Rc;

/// What happens to an application.
///
/// Counterpart: the event types of `reactor.addSystemEventTrigger`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SystemEvent {
    /// It starts. The services are started after the triggers of [`Phase::Before`], and those of [`Phase::During`] come when all services
    /// are up.
    Startup,
    /// It stops. The services are stopped in [`Phase::Before`], with the triggers of that phase.
    Shutdown,
}

/// When a trigger is called. A phase begins when all that the one before it has begun has finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// First: everything is still there.
    Before,
    /// Then.
    During,
    /// Last: what others were using can go.
    After,
}

/// Names a trigger, to take it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TriggerId(u64);

#[derive(Default)]
pub(super) struct Triggers {
    waiting: RefCell<Vec<Trigger>>,
    /// Those that have begun and not finished.
    unfinished: Rc<RefCell<Vec<(TriggerId, String)>>>,
    next: Cell<u64>,
}

struct Trigger {
    id: TriggerId,
    when: (SystemEvent, Phase),
    place: &'static Location<'static>,
    call: Box<dyn FnOnce() -> Deferred<()>>,
}

impl Triggers {
    #[track_caller]
    pub(super) fn add<R, K>(&self, phase: Phase, event: SystemEvent, f: impl FnOnce() -> R + 'static) -> TriggerId
    where
        R: IntoOutcome<(), K>,
    {
        let id = TriggerId(self.next.replace(self.next.get() + 1));
        let call = Box::new(move || maybe_deferred(f));
        self.waiting.borrow_mut().push(Trigger { id, when: (event, phase), place: Location::caller(), call });
        id
    }

    pub(super) fn remove(&self, id: TriggerId) -> bool {
        let mut waiting = self.waiting.borrow_mut();
        let place = waiting.iter().position(|trigger| trigger.id == id);
        let removed = place.map(|place| waiting.remove(place));
        drop(waiting);
        removed.is_some()
    }

    /// Calls those of a phase, in the order in which they were added; also those that are added meanwhile. Returns whether all
    /// were well; what was not is reported as a failure of nobody's.
    pub(super) async fn fire(&self, phase: Phase, event: SystemEvent) -> bool {
        let mut are_well = true;
        loop {
            let due: Vec<Trigger> = {
                let mut waiting = self.waiting.borrow_mut();
                waiting.extract_if(.., |trigger| trigger.when == (event, phase)).collect()
            };
            if due.is_empty() {
                return are_well;
            }
            let begun: Vec<_> = due.iter().map(|trigger| (trigger.id, trigger.to_string())).collect();
            self.unfinished.borrow_mut().extend(begun);
            let calls = due.into_iter().map(|Trigger { id, call, .. }| {
                let unfinished = self.unfinished.clone();
                call().add_both(move |result: Result<(), Failure>| {
                    unfinished.borrow_mut().retain(|(other, _)| *other != id);
                    result
                })
            });
            let calls: Vec<_> = calls.collect();
            // One that is cancelled, because the application stops while it starts, is nothing to report.
            let finished = DeferredList::new(calls).consume_errors(true).start().await;
            if let Ok(ListResult::All(results)) = finished {
                for failure in results.into_iter().filter_map(Result::err) {
                    are_well = false;
                    drop(Deferred::<()>::fail(failure));
                }
            }
        }
    }

    /// Drops those that were not called: they may keep what keeps them.
    pub(super) fn clear(&self) {
        drop(self.waiting.take());
    }

    pub(super) fn unfinished(&self) -> Vec<String> {
        self.unfinished.borrow().iter().map(|(_, name)| name.clone()).collect()
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (event, phase) = self.when;
        let (event, phase) = (format!("{event:?}").to_lowercase(), format!("{phase:?}").to_lowercase());
        write!(f, "the trigger {phase} {event} of {}", self.place)
    }
}
