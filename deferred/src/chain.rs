//! THE loop: the order of callbacks, pausing, chaining, cancelling. Untyped and iterative.
//!
//! A chain is what a [`Deferred`](crate::Deferred) and its [`Resolver`](crate::Resolver)s have in common. It follows
//! Twisted's `_runCallbacks` event for event, with three differences that owned handles bring:
//!
//! - A Deferred that a callback returned has no other owner, so its successor always stands after its last step: it is
//!   a field (`waiter`), and the loop goes on with it instead of keeping a stack.
//! - References make no circle that outlives its use: what a chain waits for holds it strongly, and it holds that
//!   strongly only as long as somebody up the line has a consumer handle (see [`Source`]). So what nobody can fire can
//!   still be cancelled, and what nobody can fire or cancel is freed.
//! - The value is moved into the running callback, so a Deferred that is returned while its own callbacks run is waited
//!   for (Twisted would take the input of the running callback).
//!
//! # Invariants
//!
//! - No borrow of a chain's cells is held while user code runs: not in callbacks, cancellers, hooks, nor drops of them.
//! - While RUNNING, the slot is empty and its content is with the loop.

mod graveyard;
mod nesting;
mod place;
mod pool;
mod steps;

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::rc::{Rc, Weak};

use crate::errors::{Abandoned, AlreadyCalled, Cancelled, ReturnedItself};
use crate::inline::Value;
use crate::unhandled::{self, Unhandled};
use crate::{Failure, Outcome, State};

use graveyard::Remains;
use place::SlotPlace;
pub(crate) use pool::ChainRef;
use steps::Steps;

/// What a chain carries at present.
pub(crate) enum Slot {
    /// Nothing yet, or it was handed on, or it is with the running callback.
    Empty,
    Ok(Value),
    Err(Failure),
    /// The result will come from that chain, which a callback returned.
    Waiting(Source),
    /// What a callback returned, until the loop has looked at it. Never in a chain.
    Returned(Consumer),
}

impl Slot {
    pub(crate) fn ok<T: 'static>(value: T) -> Self {
        Slot::Ok(Value::new(value))
    }

    /// What a panic with this payload leaves.
    pub(crate) fn panicked(payload: Box<dyn Any + Send>) -> Self {
        Slot::Err(Failure::from_panic(payload))
    }

    #[inline]
    pub(crate) fn take(&mut self) -> Slot {
        std::mem::replace(self, Slot::Empty)
    }

    /// The result, if there is one.
    #[inline]
    pub(crate) fn take_result<T: 'static>(&mut self) -> Option<Result<T, Failure>> {
        match self {
            Slot::Ok(value) => Some(Ok(value.take_out())),
            Slot::Err(_) => match self.take() {
                Slot::Err(failure) => Some(Err(failure)),
                _ => None,
            },
            _ => None,
        }
    }
}

/// What cancels a chain.
pub(crate) trait Canceller {
    /// May be called again if the chain has not been fired then.
    fn cancel(&mut self, chain: &Rc<Chain>, place: &'static Location<'static>);

    /// The chain has lost its consumer handle: hold its sources weakly from now on.
    fn let_go(&mut self) {}
}

impl<F: FnMut(&Rc<Chain>, &'static Location<'static>)> Canceller for F {
    fn cancel(&mut self, chain: &Rc<Chain>, place: &'static Location<'static>) {
        self(chain, place);
    }
}

/// A chain that another one, or an await, gets its result from, and whose consumer handle it has taken over.
pub(crate) struct Source {
    /// As long as its own chain has a consumer handle, or is itself held strongly.
    strong: Option<Rc<Chain>>,
    weak: Weak<Chain>,
}

impl Source {
    /// Holds it. Its consumer handle must be dropped after this.
    pub(crate) fn new(chain: Rc<Chain>) -> Self {
        chain.set(HELD);
        Self { weak: Rc::downgrade(&chain), strong: Some(chain) }
    }

    pub(crate) fn upgrade(&self) -> Option<Rc<Chain>> {
        self.weak.upgrade()
    }

    /// Holds it weakly from now on, and lets it do the same with its own sources.
    pub(crate) fn let_go(&mut self) {
        if let Some(chain) = self.strong.take() {
            chain.clear(HELD);
            if chain.may_have_sources() {
                graveyard::bury(Remains::LetGo(chain));
            }
        }
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.let_go();
    }
}

pub(crate) struct Chain {
    flags: Cell<u8>,
    paused: Cell<u32>,
    resolvers: Cell<u32>,
    slot: SlotPlace,
    steps: Steps,
    /// Who gets the result after the last step.
    waiter: Cell<Option<Rc<Chain>>>,
    canceller: Cell<Option<Box<dyn Canceller>>>,
    created: Cell<&'static Location<'static>>,
    fired: Cell<&'static Location<'static>>,
}

/// It has been fired.
const CALLED: u8 = 1;
/// Its callbacks run now.
const RUNNING: u8 = 1 << 1;
/// It was cancelled without a canceller: one late firing is ignored.
const SWALLOW: u8 = 1 << 2;
/// It came to its end with a failure that nobody has taken since.
const UNHANDLED: u8 = 1 << 3;
/// There is a handle that can add callbacks.
const CONSUMER: u8 = 1 << 4;
/// Dropping the last resolver leaves it pending.
const DETACHED: u8 = 1 << 5;
/// Cancelling asks the canceller and does nothing else, whatever that does.
const ONLY_CANCELLER: u8 = 1 << 6;
/// A `Source` holds it.
const HELD: u8 = 1 << 7;

/// Without handles, and without a place of its own yet.
impl Default for Chain {
    #[inline]
    fn default() -> Self {
        const NOWHERE: &Location<'static> = Location::caller();
        Self {
            flags: Cell::new(0),
            paused: Cell::new(0),
            resolvers: Cell::new(0),
            slot: SlotPlace::new(),
            steps: Steps::new(),
            waiter: Cell::new(None),
            canceller: Cell::new(None),
            created: Cell::new(NOWHERE),
            fired: Cell::new(NOWHERE),
        }
    }
}

impl Chain {
    /// A chain with a consumer and no resolver.
    #[inline]
    pub(crate) fn new(created: &'static Location<'static>) -> Rc<Self> {
        Self::with_flags(created, CONSUMER)
    }

    /// A chain with a consumer that has this value.
    #[inline]
    pub(crate) fn succeeded<T: 'static>(created: &'static Location<'static>, value: T) -> Rc<Self> {
        let chain = Self::with_flags(created, CONSUMER | CALLED);
        chain.slot.put(value);
        chain
    }

    /// A chain with a consumer, fired already.
    pub(crate) fn fired(created: &'static Location<'static>, slot: Slot) -> Rc<Self> {
        let unhandled = if matches!(slot, Slot::Err(_)) { UNHANDLED } else { 0 };
        let chain = Self::with_flags(created, CONSUMER | CALLED | unhandled);
        chain.slot.set(slot);
        chain
    }

    #[inline]
    fn with_flags(created: &'static Location<'static>, flags: u8) -> Rc<Self> {
        let chain = pool::take();
        chain.flags.set(flags);
        chain.created.set(created);
        chain.fired.set(created);
        chain
    }

    pub(crate) fn set_canceller(&self, canceller: Box<dyn Canceller>) {
        self.canceller.set(Some(canceller));
    }

    /// A canceller that alone decides what cancelling means, before and after the firing.
    pub(crate) fn set_only_canceller(&self, canceller: Box<dyn Canceller>) {
        self.set(ONLY_CANCELLER);
        self.set_canceller(canceller);
    }

    /// Gives it its result and runs its callbacks.
    pub(crate) fn fire(self: &Rc<Self>, slot: Slot, place: &'static Location<'static>) -> Result<(), AlreadyCalled> {
        if !self.begin_firing(place)? {
            return Ok(());
        }
        match slot {
            Slot::Returned(source) => match self.follow(source) {
                Some(slot) => self.slot.set(slot),
                None => return Ok(()),
            },
            slot => self.slot.set(slot),
        }
        self.run();
        Ok(())
    }

    /// As `fire`; the value is written where it will stand.
    #[inline]
    pub(crate) fn fire_value<T: 'static>(
        self: &Rc<Self>,
        value: T,
        place: &'static Location<'static>,
    ) -> Result<(), AlreadyCalled> {
        if self.begin_firing(place)? {
            // Without this look a value for an await would start the loop for nothing.
            if self.steps.is_empty() && !self.has_waiter() {
                self.slot.put(value);
            } else if self.paused.get() == 0 && nesting::is_shallow() {
                self.run_with(&mut Slot::ok(value));
            } else {
                self.slot.put(value);
                self.run();
            }
        }
        Ok(())
    }

    /// Whether this firing counts.
    #[inline]
    fn begin_firing(&self, place: &'static Location<'static>) -> Result<bool, AlreadyCalled> {
        if self.has(CALLED) {
            let is_late = self.has(SWALLOW);
            self.clear(SWALLOW);
            return if is_late { Ok(false) } else { Err(AlreadyCalled) };
        }
        self.set(CALLED);
        self.fired.set(place);
        drop(self.canceller.take());
        Ok(true)
    }

    /// Adds a step and runs it at once if the result is there.
    #[inline(always)]
    pub(crate) fn add(self: &Rc<Self>, step: impl FnOnce(&mut Slot) + 'static) {
        self.steps.push(step);
        if self.has(CALLED) {
            self.run();
        }
    }

    /// Whether what is added now would be called at once, with nothing before it: then it need not be stored.
    #[inline(always)]
    pub(crate) fn calls_at_once(&self) -> bool {
        self.has(CALLED) && self.is_settled() && nesting::is_shallow()
    }

    /// As adding and running a step that takes a value and lets a failure pass, where it is called at once.
    #[inline]
    pub(crate) fn call_at_once<T: 'static, U: 'static>(self: &Rc<Self>, call: impl FnOnce(T) -> Outcome<U>) {
        let Some(value) = self.slot.take_value::<T>() else { return };
        self.set(RUNNING);
        let outcome = nesting::one_deeper(|| catch_unwind(AssertUnwindSafe(|| call(value))));
        self.clear(RUNNING);
        match outcome {
            Ok(Outcome::Value(value)) if self.steps.is_empty() => self.slot.put(value),
            outcome => self.go_on(outcome.map_or_else(Slot::panicked, Outcome::into_slot)),
        }
        nesting::drain_if_outermost(Self::run_all);
    }

    /// The rest of a run whose first step has been called.
    #[inline(never)]
    fn go_on(self: &Rc<Self>, slot: Slot) {
        match slot {
            Slot::Returned(source) => match self.follow(source) {
                Some(slot) => self.slot.set(slot),
                None => {
                    self.clear(UNHANDLED);
                    return;
                }
            },
            slot => self.slot.set(slot),
        }
        nesting::enter(self, Self::run_all);
    }

    pub(crate) fn pause(&self) {
        self.paused.set(self.paused.get().saturating_add(1));
    }

    pub(crate) fn unpause(self: &Rc<Self>) {
        // An unpause too many is ignored: the count must not run below the pauses of chaining.
        let waiting = u32::from(self.is_waiting());
        let paused = self.paused.get();
        if paused > waiting {
            self.paused.set(paused - 1);
            if paused == 1 && self.has(CALLED) {
                self.run();
            }
        }
    }

    /// Asks for it to be cancelled; if it waits for a chain that a callback returned, asks that one.
    pub(crate) fn cancel(self: &Rc<Self>, place: &'static Location<'static>) {
        let mut current = self.clone();
        loop {
            if current.has(ONLY_CANCELLER) && (current.has(CALLED) || current.ask_canceller(place)) {
                return;
            }
            if !current.has(CALLED) {
                if !current.ask_canceller(place) {
                    current.set(SWALLOW);
                }
                if !current.has(CALLED) {
                    current.fail_pending(Failure::at(place, Cancelled::default()), place);
                }
                return;
            }
            let next = current.slot.with(|slot| match slot {
                Slot::Waiting(source) => Some(source.upgrade()),
                _ => None,
            });
            match next {
                None => return,
                Some(Some(source)) => current = source,
                // What it waited for is gone and will never answer (it was detached): the answer comes from here.
                Some(None) => {
                    current.slot.set(Slot::Err(Failure::at(place, Cancelled::default())));
                    current.paused.set(current.paused.get() - 1);
                    current.run();
                    return;
                }
            }
        }
    }

    /// Fails it, if it has not been fired.
    pub(crate) fn fail_pending(self: &Rc<Self>, failure: Failure, place: &'static Location<'static>) {
        if !self.has(CALLED) {
            let fired = self.fire(Slot::Err(failure), place);
            debug_assert!(fired.is_ok(), "it was not called a line ago");
        }
    }

    /// Calls the canceller, if there is one.
    fn ask_canceller(self: &Rc<Self>, place: &'static Location<'static>) -> bool {
        let Some(mut canceller) = self.canceller.take() else { return false };
        // A panic in it must not go through whoever cancels; it is the result instead.
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| canceller.cancel(self, place))) {
            self.fail_pending(Failure::from_panic(payload), place);
        }
        if self.has(ONLY_CANCELLER) && !self.has(CALLED) {
            if !self.has(CONSUMER | HELD) {
                canceller.let_go();
            }
            self.canceller.set(Some(canceller));
        }
        true
    }

    /// It counts as fired and waits for `source`, whose consumer is taken over.
    pub(crate) fn wait_for(self: &Rc<Self>, source: &Rc<Chain>) {
        self.set(CALLED);
        self.paused.set(self.paused.get() + 1);
        let mut held = Source::new(source.clone());
        if !self.has(CONSUMER | HELD) {
            held.let_go();
        }
        self.slot.set(Slot::Waiting(held));
        source.waiter.set(Some(self.clone()));
    }

    #[inline]
    fn may_have_sources(&self) -> bool {
        !self.has(CALLED) || self.paused.get() > 0
    }

    /// No handle is left that could look at its result or cancel it: what it waits for lives by itself from now on.
    fn let_go(&self) {
        if self.has(CALLED) {
            let mut slot = self.slot.take();
            if let Slot::Waiting(source) = &mut slot {
                source.let_go();
            }
            self.slot.set(slot);
        } else if let Some(mut canceller) = self.canceller.take() {
            canceller.let_go();
            self.canceller.set(Some(canceller));
        }
    }

    /// Takes the value, if that is the result and it is there for the taking.
    #[inline]
    pub(crate) fn take_value<T: 'static>(&self) -> Option<T> {
        if self.is_settled() { self.slot.take_value() } else { None }
    }

    /// Takes the result if it is there for the taking; it counts as handled then.
    pub(crate) fn take_result(&self) -> Option<Slot> {
        if !self.is_settled() {
            return None;
        }
        self.clear(UNHANDLED);
        Some(self.slot.take())
    }

    /// As `take_result`, for an await, which takes the result without being a step: as in Twisted, a failure counts as
    /// handled and stays in its place, where only a later unpause would find it.
    pub(crate) fn take_awaited(&self) -> Option<Slot> {
        let slot = self.take_result()?;
        if let Slot::Err(failure) = &slot {
            self.slot.set(Slot::Err(failure.clone()));
        }
        Some(slot)
    }

    /// Whether it has a result that is nobody's turn but the next consumer's.
    fn is_settled(&self) -> bool {
        self.has(CALLED) && !self.has(RUNNING) && self.paused.get() == 0 && self.steps.is_empty()
    }

    #[inline]
    fn has_waiter(&self) -> bool {
        let waiter = self.waiter.take();
        let is_there = waiter.is_some();
        self.waiter.set(waiter);
        is_there
    }

    fn is_waiting(&self) -> bool {
        self.slot.with(|slot| matches!(slot, Slot::Waiting(_)))
    }

    pub(crate) fn created(&self) -> &'static Location<'static> {
        self.created.get()
    }

    pub(crate) fn is_called(&self) -> bool {
        self.has(CALLED)
    }

    pub(crate) fn state(&self) -> State {
        if !self.has(CALLED) {
            return State::Pending;
        }
        if self.has(RUNNING) {
            return State::Running;
        }
        self.slot.with(|slot| match slot {
            Slot::Waiting(_) => State::Chained,
            _ if self.paused.get() > 0 => State::Paused,
            Slot::Err(_) => State::Failed,
            _ => State::Succeeded,
        })
    }

    // The loop.

    /// Runs what can run: its steps, then whoever waits for it.
    fn run(self: &Rc<Self>) {
        if self.has(RUNNING) || self.paused.get() > 0 {
            return;
        }
        nesting::enter(self, Self::run_all);
    }

    fn run_all(self: &Rc<Self>) {
        Self::run_on(self.run_steps());
    }

    /// Goes on with who has got a result, and with who waits for that one.
    fn run_on(mut next: Option<Rc<Chain>>) {
        while let Some(current) = next {
            if current.paused.get() > 0 {
                return;
            }
            next = current.run_steps();
        }
    }

    /// As `run`, with what would otherwise have to be taken out of its place again.
    #[inline(never)]
    fn run_with(self: &Rc<Self>, slot: &mut Slot) {
        nesting::one_deeper(|| {
            self.set(RUNNING);
            Self::run_on(self.run_slot(slot));
        });
        nesting::drain_if_outermost(Self::run_all);
    }

    /// Runs the steps of one chain to their end or to a Deferred that has to be waited for. Returns the chain that has
    /// got the result, if there is one.
    fn run_steps(self: &Rc<Self>) -> Option<Rc<Chain>> {
        // It may have started meanwhile, if this call stood in the list of `nesting`.
        if self.has(RUNNING) {
            return None;
        }
        self.set(RUNNING);
        let mut slot = self.slot.take();
        self.run_slot(&mut slot)
    }

    #[inline]
    fn run_slot(self: &Rc<Self>, slot: &mut Slot) -> Option<Rc<Chain>> {
        loop {
            // One guard for many steps: after a panic the loop goes on with the next.
            match catch_unwind(AssertUnwindSafe(|| self.call_steps(slot))) {
                Ok(()) => {}
                Err(payload) => *slot = Slot::panicked(payload),
            }
            if let Slot::Returned(_) = slot {
                let Slot::Returned(source) = slot.take() else { unreachable!() };
                match self.follow(source) {
                    Some(result) => *slot = result,
                    None => {
                        self.clear(RUNNING | UNHANDLED);
                        return None;
                    }
                }
            }
            if self.steps.is_empty() {
                break;
            }
        }
        self.finish(slot)
    }

    /// Calls steps until there are none, or one returns a Deferred.
    #[inline]
    fn call_steps(&self, slot: &mut Slot) {
        while self.steps.call_first(slot) {
            if let Slot::Returned(_) = slot {
                return;
            }
        }
    }

    /// All steps are done: the result goes to who waits for it, or stays.
    #[inline]
    fn finish(&self, slot: &mut Slot) -> Option<Rc<Chain>> {
        self.clear(RUNNING);
        if let Some(waiter) = self.waiter.take() {
            self.clear(UNHANDLED);
            waiter.slot.set(slot.take());
            waiter.paused.set(waiter.paused.get() - 1);
            return Some(waiter);
        }
        let failed = matches!(slot, Slot::Err(_));
        self.slot.fill(slot);
        if failed {
            self.set(UNHANDLED);
            self.report_if_orphaned();
        } else {
            self.clear(UNHANDLED);
        }
        None
    }

    /// Takes the result of what a callback returned, or begins to wait for it.
    fn follow(self: &Rc<Self>, source: Consumer) -> Option<Slot> {
        let source = &source.0;
        if Rc::ptr_eq(self, source) {
            return Some(Slot::Err(Failure::new(ReturnedItself)));
        }
        let result = source.take_result();
        if result.is_none() {
            self.wait_for(source);
        }
        result
    }

    // Handles.

    /// Reports its failure if it ended in one and no handle is left that could handle it.
    fn report_if_orphaned(&self) {
        if self.has(UNHANDLED) && !self.has(CONSUMER | RUNNING) && self.paused.get() == 0 {
            self.report();
        }
    }

    fn report(&self) {
        self.clear(UNHANDLED);
        if let Slot::Err(failure) = self.slot.take() {
            unhandled::report(Unhandled::of_deferred(failure, self.created.get(), self.fired.get()));
        }
    }

    pub(crate) fn resolver_made(&self) {
        self.resolvers.set(self.resolvers.get() + 1);
    }

    pub(crate) fn resolver_dropped(self: &Rc<Self>) {
        let left = self.resolvers.get() - 1;
        self.resolvers.set(left);
        if left == 0 && !self.has(CALLED | DETACHED) && self.is_wanted() {
            self.fail_pending(Failure::at(self.created.get(), Abandoned), self.created.get());
        }
    }

    /// Whether anybody would learn of its result.
    fn is_wanted(&self) -> bool {
        self.has(CONSUMER | HELD) || !self.steps.is_empty() || self.has_waiter()
    }

    pub(crate) fn detach(&self) {
        self.set(DETACHED);
    }

    // Flags.

    /// Whether one of `flags` is set.
    #[inline]
    fn has(&self, flags: u8) -> bool {
        self.flags.get() & flags != 0
    }

    #[inline]
    fn set(&self, flags: u8) {
        self.flags.set(self.flags.get() | flags);
    }

    #[inline]
    fn clear(&self, flags: u8) {
        self.flags.set(self.flags.get() & !flags);
    }
}

impl Chain {
    /// Lets go of all that it holds.
    #[inline]
    fn dissolve(&mut self) {
        if self.has(UNHANDLED) {
            self.report();
        }
        if self.waiter.get_mut().is_some() || !self.steps.is_empty() {
            let remains = Remains::Chain(std::mem::replace(&mut self.steps, Steps::new()), self.waiter.take());
            graveyard::bury(remains);
        }
    }

    /// Makes one that is dissolved as new.
    #[inline]
    fn renew(&mut self) {
        self.slot.clear();
        drop(self.canceller.take());
        *self.flags.get_mut() = 0;
        *self.paused.get_mut() = 0;
        *self.resolvers.get_mut() = 0;
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        self.dissolve();
    }
}

/// The right to add callbacks to a chain: there is one of it.
pub(crate) struct Consumer(pub(crate) ChainRef);

impl Consumer {
    #[inline]
    pub(crate) fn of(chain: Rc<Chain>) -> Self {
        Self(ChainRef::new(chain))
    }
}

impl Drop for Consumer {
    #[inline]
    fn drop(&mut self) {
        let chain = &self.0;
        chain.clear(CONSUMER);
        chain.report_if_orphaned();
        if !chain.has(HELD) && chain.may_have_sources() {
            chain.let_go();
        }
    }
}
