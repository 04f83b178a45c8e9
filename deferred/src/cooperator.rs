//! Twisted's `Cooperator`: long work in small pieces, between which others have their turn.

mod task;

pub use task::{CooperativeTask, SchedulerError};

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::reactor_time::TakeBack;
use crate::{Deferred, IntoOutcome, Reactor, ReactorTime};

use task::Task;

/// How long the work of one tick may take, unless somebody says otherwise.
const MAX_SLICE: Duration = Duration::from_millis(10);

/// What asks, after each piece of work, whether the tick is over.
type Terminator = Box<dyn FnMut() -> bool>;

/// Goes round several iterators and takes one item of each at a time, as long as the tick lasts; between two ticks
/// others have their turn.
///
/// An iterator is work in small pieces: each call of `next` does one. An item that is a Deferred or a future says that
/// the work has to wait; until then that iterator is passed over. Items may be `()`, `Result<(), E>`, `Deferred<()>`,
/// futures of these, or [`Outcome`](crate::Outcome) where one iterator has several kinds. An error ends the iterator.
///
/// Clones are the same cooperator. Dropping the handles does not stop it, unless it has never been started.
///
/// # Examples
///
/// ```
/// use std::cell::RefCell;
/// use std::rc::Rc;
/// use std::time::Duration;
///
/// use rt_deferred::{Clock, Cooperator};
///
/// let (clock, words) = (Clock::new(), Rc::new(RefCell::new(Vec::new())));
/// let cooperator = Cooperator::new().clock(&clock);
/// for name in ["a", "b"] {
///     let words = words.clone();
///     cooperator.cooperate((1..=2).map(move |n| words.borrow_mut().push(format!("{name}{n}"))));
/// }
/// clock.advance(Duration::from_secs(1));
/// assert_eq!(*words.borrow(), ["a1", "b1", "a2", "b2"]);
/// ```
///
/// Counterpart: `twisted.internet.task.Cooperator`.
#[derive(Clone)]
pub struct Cooperator {
    scheduler: Rc<Scheduler>,
    _starter: Rc<Starter>,
}

/// The handles of a cooperator: without them nobody can start it.
struct Starter(Rc<Scheduler>);

impl Drop for Starter {
    fn drop(&mut self) {
        if !self.0.is_started.get() {
            self.0.give_up();
        }
    }
}

/// A tick that is to come.
struct Tick(Option<Rc<Scheduler>>);

impl Tick {
    fn call(mut self) {
        if let Some(scheduler) = self.0.take() {
            scheduler.tick();
        }
    }
}

impl Drop for Tick {
    fn drop(&mut self) {
        // Its clock is gone, or somebody has taken the call out of it.
        if let Some(scheduler) = self.0.take() {
            scheduler.give_up();
        }
    }
}

struct Scheduler {
    clock: RefCell<Rc<dyn ReactorTime>>,
    /// Between two ticks.
    delay: Cell<Duration>,
    /// Makes a terminator for each tick.
    terminators: RefCell<Rc<dyn Fn() -> Terminator>>,
    tasks: RefCell<Vec<Rc<Task>>>,
    /// The task whose turn is next. It is a place and not a task: when one before it leaves, another is passed over.
    place: Cell<usize>,
    is_started: Cell<bool>,
    is_stopped: Cell<bool>,
    /// A tick was asked for before the start.
    is_wanted: Cell<bool>,
    /// What takes the next tick back.
    next: Cell<Option<TakeBack>>,
}

impl Cooperator {
    /// A cooperator that is started, whose ticks last about 10 milliseconds and follow each other at once, on
    /// [`Reactor`].
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() { rt::block_on(async {
    /// use rt::deferred::Cooperator;
    ///
    /// let cooperator = Cooperator::new();
    /// cooperator.coiterate((0..1_000).map(|_piece| ())).await.unwrap();
    /// # }) }
    /// ```
    #[expect(clippy::new_without_default, reason = "a cooperator has an identity; two defaults are not equal")]
    pub fn new() -> Self {
        let scheduler = Scheduler {
            clock: RefCell::new(Rc::new(Reactor)),
            delay: Cell::new(Duration::ZERO),
            terminators: RefCell::new(Rc::new(|| {
                let end = Instant::now() + MAX_SLICE;
                Box::new(move || Instant::now() >= end)
            })),
            tasks: RefCell::default(),
            place: Cell::new(0),
            is_started: Cell::new(true),
            is_stopped: Cell::new(false),
            is_wanted: Cell::new(false),
            next: Cell::new(None),
        };
        let scheduler = Rc::new(scheduler);
        Self { _starter: Rc::new(Starter(Rc::clone(&scheduler))), scheduler }
    }

    /// Has its next ticks come from this clock.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use rt_deferred::{Clock, Cooperator, State};
    ///
    /// let clock = Clock::new();
    /// let done = Cooperator::new().clock(&clock).coiterate([(); 3]);
    /// assert_eq!(done.state(), State::Pending);
    /// clock.advance(Duration::ZERO);
    /// assert_eq!(done.state(), State::Succeeded);
    /// ```
    #[must_use = "it is the cooperator, to be given work"]
    pub fn clock(self, clock: &dyn ReactorTime) -> Self {
        let former = self.scheduler.clock.replace(clock.weak());
        drop(former);
        self
    }

    /// Leaves so much time between two ticks.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{cell::Cell, rc::Rc, time::Duration};
    ///
    /// use rt_deferred::{Clock, Cooperator};
    ///
    /// let (clock, pieces) = (Clock::new(), Rc::new(Cell::new(0)));
    /// let done = pieces.clone();
    /// let one_a_tick = Cooperator::new().clock(&clock).delay(Duration::from_secs(1)).terminate(|| || true);
    /// one_a_tick.cooperate((0..100).map(move |_| done.set(done.get() + 1)));
    /// clock.pump([Duration::from_secs(1); 3]);
    /// assert_eq!(pieces.get(), 3);
    /// ```
    ///
    /// Counterpart: the argument `scheduler`.
    #[must_use = "it is the cooperator, to be given work"]
    pub fn delay(self, delay: Duration) -> Self {
        self.scheduler.delay.set(delay);
        self
    }

    /// Has each tick end as soon as a function says so, which is asked after each piece of work; `terminators` makes one
    /// for each tick.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::Cooperator;
    ///
    /// let five_pieces_a_tick = Cooperator::new().terminate(|| {
    ///     let mut left = 5;
    ///     move || {
    ///         left -= 1;
    ///         left == 0
    ///     }
    /// });
    /// # drop(five_pieces_a_tick);
    /// ```
    ///
    /// Counterpart: the argument `terminationPredicateFactory`.
    #[must_use = "it is the cooperator, to be given work"]
    pub fn terminate<F: FnMut() -> bool + 'static>(self, terminators: impl Fn() -> F + 'static) -> Self {
        let former = self.scheduler.terminators.replace(Rc::new(move || Box::new(terminators())));
        drop(former);
        self
    }

    /// Leaves it to [`start`](Self::start) to begin.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use rt_deferred::{Clock, Cooperator, State};
    ///
    /// let clock = Clock::new();
    /// let cooperator = Cooperator::new().clock(&clock).not_started();
    /// let done = cooperator.coiterate([(); 3]);
    /// clock.advance(Duration::from_secs(1));
    /// assert_eq!(done.state(), State::Pending);
    /// cooperator.start();
    /// clock.advance(Duration::from_secs(1));
    /// assert_eq!(done.state(), State::Succeeded);
    /// ```
    ///
    /// Counterpart: the argument `started`.
    #[must_use = "it is the cooperator, to be given work"]
    pub fn not_started(self) -> Self {
        self.scheduler.is_started.set(false);
        self
    }

    /// Adds work, and hands back a handle to pause, resume and stop it.
    ///
    /// # Panics
    ///
    /// If it runs on [`Reactor`] and no runtime drives this thread.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use rt_deferred::{Clock, Cooperator, SchedulerError};
    ///
    /// let clock = Clock::new();
    /// let endless = Cooperator::new().clock(&clock).terminate(|| || true).delay(Duration::from_secs(1));
    /// let task = endless.cooperate(std::iter::repeat_with(|| println!("a piece")));
    /// clock.pump([Duration::from_secs(1); 3]);
    /// task.stop()?;
    /// assert_eq!(task.pause(), Err(SchedulerError::TaskStopped));
    /// # Ok::<(), SchedulerError>(())
    /// ```
    ///
    /// Counterpart: `Cooperator.cooperate`.
    pub fn cooperate<I, K>(&self, work: I) -> CooperativeTask
    where
        I: IntoIterator<IntoIter: 'static>,
        I::Item: IntoOutcome<(), K>,
    {
        let mut work = work.into_iter();
        let task = Task::new(&self.scheduler, Box::new(move || work.next().map(IntoOutcome::into_outcome)));
        self.scheduler.enter(&task);
        CooperativeTask::of(task)
    }

    /// Adds work, and hands back a Deferred that fires when it is done.
    ///
    /// # Panics
    ///
    /// If it runs on [`Reactor`] and no runtime drives this thread.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use rt_deferred::{Clock, Cooperator, Failure, failure_result_of};
    ///
    /// let clock = Clock::new();
    /// let lines = ["1", "2", "three"].map(|line| line.parse::<u32>().map(drop).map_err(Failure::from));
    /// let parsed = Cooperator::new().clock(&clock).coiterate(lines);
    /// clock.advance(Duration::from_secs(1));
    /// assert!(failure_result_of(parsed).check::<std::num::ParseIntError>());
    /// ```
    ///
    /// Counterpart: `Cooperator.coiterate`.
    #[track_caller]
    pub fn coiterate<I, K>(&self, work: I) -> Deferred<()>
    where
        I: IntoIterator<IntoIter: 'static>,
        I::Item: IntoOutcome<(), K>,
    {
        self.cooperate(work).when_done()
    }

    /// Begins, if it was made [not started](Self::not_started), or goes on after a [`stop`](Self::stop).
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{Clock, Cooperator};
    ///
    /// let clock = Clock::new();
    /// let cooperator = Cooperator::new().clock(&clock);
    /// cooperator.stop();
    /// assert!(!cooperator.is_running());
    /// cooperator.start();
    /// assert!(cooperator.is_running());
    /// ```
    ///
    /// Counterpart: `Cooperator.start`.
    pub fn start(&self) {
        let scheduler = &self.scheduler;
        scheduler.is_stopped.set(false);
        scheduler.is_started.set(true);
        if scheduler.is_wanted.take() {
            scheduler.schedule();
        }
    }

    /// Ends all work with [`SchedulerError::SchedulerStopped`], and what is added from now on at once; what is paused stays as
    /// it is.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{Clock, Cooperator, SchedulerError, failure_result_of};
    ///
    /// let clock = Clock::new();
    /// let cooperator = Cooperator::new().clock(&clock);
    /// let done = cooperator.coiterate(std::iter::repeat(()));
    /// cooperator.stop();
    /// let failure = failure_result_of(done);
    /// assert_eq!(failure.downcast_ref(), Some(&SchedulerError::SchedulerStopped));
    /// ```
    ///
    /// Counterpart: `Cooperator.stop`.
    pub fn stop(&self) {
        let scheduler = &self.scheduler;
        scheduler.is_stopped.set(true);
        scheduler.place.set(0);
        let tasks = scheduler.tasks.borrow().clone();
        tasks.iter().for_each(Task::scheduler_stopped);
        scheduler.place.set(0);
    }

    /// Whether work that is added will be done.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::Cooperator;
    ///
    /// let cooperator = Cooperator::new().not_started();
    /// assert!(!cooperator.is_running());
    /// cooperator.start();
    /// assert!(cooperator.is_running());
    /// ```
    ///
    /// Counterpart: `Cooperator.running`.
    pub fn is_running(&self) -> bool {
        self.scheduler.is_started.get() && !self.scheduler.is_stopped.get()
    }
}

impl Scheduler {
    fn enter(self: &Rc<Self>, task: &Rc<Task>) {
        self.tasks.borrow_mut().push(Rc::clone(task));
        if self.is_stopped.get() {
            Task::scheduler_stopped(task);
        } else {
            self.schedule();
        }
    }

    fn leave(&self, task: &Rc<Task>) {
        let is_last = {
            let mut tasks = self.tasks.borrow_mut();
            tasks.retain(|other| !Rc::ptr_eq(other, task));
            tasks.is_empty()
        };
        if is_last && let Some(take_back) = self.next.take() {
            take_back();
        }
    }

    /// Asks for a tick.
    fn schedule(self: &Rc<Self>) {
        if !self.is_started.get() {
            self.is_wanted.set(true);
            return;
        }
        let next = self.next.take();
        if next.is_some() || self.tasks.borrow().is_empty() {
            self.next.set(next);
            return;
        }
        let tick = Tick(Some(Rc::clone(self)));
        let clock = Rc::clone(&self.clock.borrow());
        self.next.set(Some(clock.call_later(self.delay.get(), Box::new(move || tick.call()))));
    }

    /// No tick will come: the work that waits for one is dropped, and who waits for it is abandoned.
    fn give_up(&self) {
        let tasks = self.tasks.take();
        drop(tasks);
    }

    fn tick(self: &Rc<Self>) {
        drop(self.next.take());
        let terminators = Rc::clone(&self.terminators.borrow());
        let mut is_over = terminators();
        while let Some(task) = self.next_task() {
            task.work();
            if is_over() {
                break;
            }
        }
        self.schedule();
    }

    fn next_task(&self) -> Option<Rc<Task>> {
        let tasks = self.tasks.borrow();
        let place = if self.place.get() < tasks.len() { self.place.get() } else { 0 };
        let task = tasks.get(place).cloned();
        self.place.set(if task.is_some() { place + 1 } else { place });
        task
    }
}

impl fmt::Debug for Cooperator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tasks = self.scheduler.tasks.borrow().len();
        f.debug_struct("Cooperator").field("is_running", &self.is_running()).field("tasks", &tasks).finish()
    }
}

thread_local! {
    /// The one of this thread.
    static COOPERATOR: Cooperator = Cooperator::new();
}

/// Adds work to the cooperator of this thread, which runs on [`Reactor`]. See [`Cooperator::cooperate`].
///
/// # Panics
///
/// If no runtime drives this thread.
///
/// # Examples
///
/// ```
/// # fn main() { rt::block_on(async {
/// use rt::deferred::cooperate;
///
/// let mut text = String::new();
/// let task = cooperate((0..1_000).map(move |n| text += &n.to_string())); // others have their turn meanwhile
/// task.when_done().await.unwrap();
/// # }) }
/// ```
///
/// Counterpart: `twisted.internet.task.cooperate`.
pub fn cooperate<I, K>(work: I) -> CooperativeTask
where
    I: IntoIterator<IntoIter: 'static>,
    I::Item: IntoOutcome<(), K>,
{
    COOPERATOR.with(Cooperator::clone).cooperate(work)
}

/// Adds work to the cooperator of this thread, and hands back a Deferred that fires when it is done. See [`cooperate`].
///
/// # Panics
///
/// If no runtime drives this thread.
///
/// # Examples
///
/// ```
/// # fn main() { rt::block_on(async {
/// use rt::deferred::coiterate;
/// use rt::time::{Duration, sleep};
///
/// let politely = (0..3).map(|_page| async { sleep(Duration::from_millis(1)).await }); // waits between two pages
/// coiterate(politely).await.unwrap();
/// # }) }
/// ```
///
/// Counterpart: `twisted.internet.task.coiterate`.
#[track_caller]
pub fn coiterate<I, K>(work: I) -> Deferred<()>
where
    I: IntoIterator<IntoIter: 'static>,
    I::Item: IntoOutcome<(), K>,
{
    cooperate(work).when_done()
}
