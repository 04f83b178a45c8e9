//! Several Deferreds into one.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::rc::{Rc, Weak};

use crate::chain::{Canceller, Chain, Slot, Source};
use crate::{Deferred, Failure, FailureGroup, FirstError, IntoOutcome, Resolver};

/// Waits for several Deferreds and collects their results, good and bad.
///
/// It takes the Deferreds as they are now, with the callbacks that they have; when it is cancelled before it has fired,
/// it cancels them all, in order, and fires as they do.
///
/// # Examples
///
/// ```
/// use rt_deferred::{Deferred, DeferredList, ListResult, success_result_of};
///
/// let answers = DeferredList::new([Deferred::succeed(1), Deferred::fail("no answer")]).consume_errors(true).start();
/// let ListResult::All(answers) = success_result_of(answers) else { unreachable!() };
/// assert_eq!(answers[0].as_ref().unwrap(), &1);
/// assert_eq!(answers[1].as_ref().unwrap_err().to_string(), "no answer");
/// ```
///
/// Counterpart: `twisted.internet.defer.DeferredList`.
#[must_use = "it does nothing before `start` or `gather`"]
#[derive(Debug)]
pub struct DeferredList<T> {
    members: Vec<Deferred<T>>,
    fire_on_one_callback: bool,
    fire_on_one_errback: bool,
    consume_errors: bool,
}

/// What a [`DeferredList`] fires with.
///
/// # Examples
///
/// ```
/// use rt_deferred::{Deferred, DeferredList, ListResult, success_result_of};
///
/// let all = DeferredList::new([Deferred::succeed(1), Deferred::succeed(2)]).start();
/// let values = match success_result_of(all) {
///     ListResult::All(results) => results.into_iter().filter_map(Result::ok).collect(),
///     ListResult::First { value, .. } => vec![value],
/// };
/// assert_eq!(values, [1, 2]);
/// ```
#[derive(Debug, Clone)]
pub enum ListResult<T> {
    /// The result of each, in the order in which they were given.
    All(Vec<Result<T, Failure>>),
    /// The first value, with [`fire_on_one_callback`](DeferredList::fire_on_one_callback).
    First {
        /// Which of them, counted from 0.
        index: usize,
        /// Its value.
        value: T,
    },
}

impl<T: 'static> DeferredList<T> {
    /// A list of these, with all options off.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{Deferred, DeferredList, ListResult, success_result_of};
    ///
    /// let list = DeferredList::new((1..=3).map(Deferred::succeed));
    /// assert!(matches!(success_result_of(list.start()), ListResult::All(results) if results.len() == 3));
    /// ```
    pub fn new(members: impl IntoIterator<Item = Deferred<T>>) -> Self {
        Self {
            members: members.into_iter().collect(),
            fire_on_one_callback: false,
            fire_on_one_errback: false,
            consume_errors: false,
        }
    }

    /// Fires with the first value, as [`ListResult::First`]. An empty list never fires then.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{Deferred, DeferredList, ListResult, success_result_of};
    ///
    /// let (slow, _resolver) = Deferred::new();
    /// let first = DeferredList::new([slow, Deferred::succeed("fast")]).fire_on_one_callback(true).start();
    /// assert!(matches!(success_result_of(first), ListResult::First { index: 1, value: "fast" }));
    /// ```
    pub fn fire_on_one_callback(mut self, yes: bool) -> Self {
        self.fire_on_one_callback = yes;
        self
    }

    /// Fails with the first failure, as [`FirstError`].
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{Deferred, DeferredList, FirstError, failure_result_of};
    ///
    /// let (slow, _resolver) = Deferred::<u8>::new();
    /// let all = DeferredList::new([slow, Deferred::fail("no paper")]).consume_errors(true);
    /// let failure = failure_result_of(all.fire_on_one_errback(true).start());
    /// assert_eq!(failure.downcast_ref::<FirstError>().unwrap().failure.to_string(), "no paper");
    /// ```
    pub fn fire_on_one_errback(mut self, yes: bool) -> Self {
        self.fire_on_one_errback = yes;
        self
    }

    /// Counts the failures of the members as handled. Otherwise each is reported as unhandled besides being in the
    /// result.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{Deferred, DeferredList, unhandled};
    ///
    /// let ask = |consume| DeferredList::new([Deferred::<u8>::fail("no answer")]).consume_errors(consume).start();
    /// let (_results, lost) = unhandled::capture(|| ask(false));
    /// assert_eq!(lost.len(), 1);
    /// let (_results, lost) = unhandled::capture(|| ask(true));
    /// assert!(lost.is_empty());
    /// ```
    pub fn consume_errors(mut self, yes: bool) -> Self {
        self.consume_errors = yes;
        self
    }

    /// The Deferred of the results.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{Deferred, DeferredList, State};
    ///
    /// let (late, resolver) = Deferred::new();
    /// let both = DeferredList::new([Deferred::succeed("a"), late]).start();
    /// assert_eq!(both.state(), State::Pending);
    /// resolver.callback("b").unwrap();
    /// assert_eq!(both.state(), State::Succeeded);
    /// ```
    #[track_caller]
    pub fn start(self) -> Deferred<ListResult<T>> {
        let chain = Chain::new(Location::caller());
        let whole = Deferred::of(chain.clone());
        let resolver: Resolver<ListResult<T>> = silent_resolver(chain.clone());
        chain.set_only_canceller(Box::new(Members::of(&self.members)));
        if self.members.is_empty() && !self.fire_on_one_callback {
            let _ = resolver.callback(ListResult::All(Vec::new()));
        }

        let list = Rc::new(List::<T> {
            results: RefCell::new(self.members.iter().map(|_| None).collect()),
            missing: Cell::new(self.members.len()),
            whole: resolver,
            fire_on_one_callback: self.fire_on_one_callback,
            fire_on_one_errback: self.fire_on_one_errback,
            consume_errors: self.consume_errors,
        });
        for (index, member) in self.members.into_iter().enumerate() {
            let list = list.clone();
            drop(member.step::<()>(move |slot| list.arrive(index, slot)));
        }
        whole
    }

    /// The Deferred of the values alone; it fails with the first failure, as [`FirstError`].
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{Deferred, DeferredList, FirstError, failure_result_of};
    ///
    /// let both = DeferredList::new([Deferred::succeed(1), Deferred::fail("no answer")]).consume_errors(true).gather();
    /// let failure = failure_result_of(both);
    /// assert_eq!(failure.downcast_ref::<FirstError>().unwrap().index, 1);
    /// ```
    ///
    /// Counterpart: `twisted.internet.defer.gatherResults`.
    #[track_caller]
    pub fn gather(self) -> Deferred<Vec<T>> {
        self.fire_on_one_callback(false).fire_on_one_errback(true).start().add_callback(|results| match results {
            // There are no failures among them: the first would have been the result.
            ListResult::All(results) => results.into_iter().collect::<Result<Vec<T>, Failure>>(),
            ListResult::First { value, .. } => Ok(vec![value]),
        })
    }
}

struct List<T> {
    results: RefCell<Vec<Option<Result<T, Failure>>>>,
    missing: Cell<usize>,
    whole: Resolver<ListResult<T>>,
    fire_on_one_callback: bool,
    fire_on_one_errback: bool,
    consume_errors: bool,
}

impl<T: 'static> List<T> {
    /// The step of a member.
    fn arrive(&self, index: usize, slot: &mut Slot) {
        let Some(result) = slot.take_result::<T>() else { return };
        // The value goes into the list: nobody can ask the member for it any more.
        *slot = match &result {
            Err(failure) if !self.consume_errors => Slot::Err(failure.clone()),
            _ => Slot::ok(()),
        };
        self.missing.set(self.missing.get() - 1);
        if self.whole.is_called() {
            return;
        }
        // Errors of the firing cannot be: it was not called a line ago.
        let _ = match result {
            Ok(value) if self.fire_on_one_callback => self.whole.callback(ListResult::First { index, value }),
            Err(failure) if self.fire_on_one_errback => {
                self.whole.resolve_by_itself(Err(FirstError::new(index, failure).into()))
            }
            result => {
                self.results.borrow_mut()[index] = Some(result);
                if self.missing.get() > 0 {
                    return;
                }
                let results = self.results.take().into_iter().flatten().collect();
                self.whole.callback(ListResult::All(results))
            }
        };
    }
}

/// The values of all, in order, or the first failure, as [`FirstError`].
///
/// The other failures are reported as unhandled; [`DeferredList::gather`] can consume them. Cancelling it cancels all.
///
/// # Examples
///
/// ```
/// use rt_deferred::{Deferred, gather_results, success_result_of};
///
/// let (late, resolver) = Deferred::new();
/// let both = gather_results([Deferred::succeed("a"), late]);
/// resolver.callback("b").unwrap();
/// assert_eq!(success_result_of(both), ["a", "b"]);
/// ```
///
/// Counterpart: `twisted.internet.defer.gatherResults`.
#[track_caller]
pub fn gather_results<T: 'static>(members: impl IntoIterator<Item = Deferred<T>>) -> Deferred<Vec<T>> {
    DeferredList::new(members).gather()
}

/// The first value and whose it is; the others are cancelled. If all fail, it fails with [`FailureGroup`].
///
/// Failures of the members count as handled. Of no members at all it never fires. Cancelling it cancels all.
///
/// # Examples
///
/// ```
/// use rt_deferred::{Deferred, race, success_result_of};
///
/// let (slow, _resolver) = Deferred::new();
/// assert_eq!(success_result_of(race([slow, Deferred::succeed("fast")])), (1, "fast"));
/// ```
///
/// Counterpart: `twisted.internet.defer.race`.
#[track_caller]
pub fn race<T: 'static>(members: impl IntoIterator<Item = Deferred<T>>) -> Deferred<(usize, T)> {
    let members: Vec<Deferred<T>> = members.into_iter().collect();
    let chain = Chain::new(Location::caller());
    let whole = Deferred::of(chain.clone());
    let chains: Vec<Weak<Chain>> = members.iter().map(|member| Rc::downgrade(member.chain())).collect();
    chain.set_canceller(Box::new(Members::of(&members)));

    let race = Rc::new(Race::<T> {
        members: chains,
        has_winner: Cell::new(false),
        failures: RefCell::new(members.iter().map(|_| None).collect()),
        missing: Cell::new(members.len()),
        whole: silent_resolver(chain),
    });
    for (index, member) in members.into_iter().enumerate() {
        let race = race.clone();
        drop(member.step::<()>(move |slot| race.arrive(index, slot)));
    }
    whole
}

struct Race<T> {
    members: Vec<Weak<Chain>>,
    has_winner: Cell<bool>,
    failures: RefCell<Vec<Option<Failure>>>,
    missing: Cell<usize>,
    whole: Resolver<(usize, T)>,
}

impl<T: 'static> Race<T> {
    /// The step of a member.
    fn arrive(&self, index: usize, slot: &mut Slot) {
        let Some(result) = slot.take_result::<T>() else { return };
        *slot = Slot::ok(());
        match result {
            Ok(value) if !self.has_winner.replace(true) => {
                let others = self.members.iter().enumerate().filter(|(other, _)| *other != index);
                others.filter_map(|(_, other)| other.upgrade()).for_each(|other| other.cancel(self.whole_place()));
                if let Err(error) = self.whole.callback((index, value)) {
                    *slot = Slot::Err(error.into());
                }
            }
            Err(failure) => {
                self.failures.borrow_mut()[index] = Some(failure);
                self.missing.set(self.missing.get() - 1);
                if self.missing.get() == 0 {
                    let failures = self.failures.take().into_iter().flatten().collect();
                    if let Err(error) = self.whole.resolve_by_itself(Err(FailureGroup::new(failures).into())) {
                        *slot = Slot::Err(error.into());
                    }
                }
            }
            // A later one: there is a winner.
            Ok(_) => {}
        }
    }

    fn whole_place(&self) -> &'static Location<'static> {
        self.whole.chain().created()
    }
}

/// Cancels them all, in order.
struct Members(Vec<Source>);

impl Members {
    fn of<T: 'static>(members: &[Deferred<T>]) -> Self {
        Self(members.iter().map(|member| Source::new(member.chain().clone())).collect())
    }
}

impl Canceller for Members {
    fn cancel(&mut self, _chain: &Rc<Chain>, place: &'static Location<'static>) {
        self.0.iter().filter_map(Source::upgrade).for_each(|member| member.cancel(place));
    }

    fn let_go(&mut self) {
        self.0.iter_mut().for_each(Source::let_go);
    }
}

/// A resolver that the members' steps hold. They go unused only if the members were detached, so that is what the whole
/// is then.
fn silent_resolver<T>(chain: Rc<Chain>) -> Resolver<T> {
    chain.detach();
    Resolver::of(chain)
}

/// Calls a function now and makes a Deferred of what it returns; of a panic, too.
///
/// # Examples
///
/// ```
/// use rt_deferred::{Failure, failure_result_of, maybe_deferred, success_result_of};
///
/// assert_eq!(success_result_of(maybe_deferred(|| 1)), 1);
/// let odd = maybe_deferred(|| if 3 % 2 == 0 { Ok("even") } else { Err(Failure::new("odd")) });
/// assert_eq!(failure_result_of(odd).to_string(), "odd");
/// ```
///
/// Counterpart: `twisted.internet.defer.maybeDeferred`.
#[track_caller]
pub fn maybe_deferred<T: 'static, K, R: IntoOutcome<T, K>>(function: impl FnOnce() -> R) -> Deferred<T> {
    match catch_unwind(AssertUnwindSafe(|| function().into_outcome())) {
        Ok(outcome) => outcome.into_deferred(),
        Err(payload) => Deferred::fail(Failure::from_panic(payload)),
    }
}

/// Calls a function now and makes a Deferred that has its result.
///
/// # Examples
///
/// ```
/// use rt_deferred::{execute, success_result_of};
///
/// assert_eq!(success_result_of(execute(|| Ok(2))), 2);
/// ```
///
/// Counterpart: `twisted.internet.defer.execute`.
#[track_caller]
pub fn execute<T: 'static>(function: impl FnOnce() -> Result<T, Failure>) -> Deferred<T> {
    maybe_deferred(function)
}
