//! The seam to an executor: the thread that a Deferred belongs to.
//!
//! Chains need none. A coroutine that waits for something other than a Deferred does: whoever wakes it may be inside a
//! lock of its own or on another thread, so it must go on later, here. A runtime says how to [find](set_finder) its
//! own; other executors [install] one.

use std::cell::RefCell;
use std::error::Error;
use std::fmt;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};

use crate::{ReactorTime, eventual, thread};

/// What can be run once, on the home's thread.
///
/// # Examples
///
/// ```
/// use std::{cell::Cell, rc::Rc};
///
/// use rt_deferred::home::Job;
///
/// let is_done = Rc::new(Cell::new(false));
/// let done = is_done.clone();
/// let job: Job = Box::new(move || done.set(true));
/// job();
/// assert!(is_done.get());
/// ```
pub type Job = Box<dyn FnOnce()>;

/// What can be run once, on another thread's home.
///
/// # Examples
///
/// ```
/// use rt_deferred::home::SendJob;
///
/// let (sender, receiver) = std::sync::mpsc::channel();
/// let job: SendJob = Box::new(move || sender.send("over there").unwrap());
/// std::thread::spawn(job).join().unwrap();
/// assert_eq!(receiver.recv(), Ok("over there"));
/// ```
pub type SendJob = Box<dyn FnOnce() + Send>;

/// A thread that runs jobs: the side of that thread.
///
/// # Examples
///
/// ```
/// use std::cell::RefCell;
/// use std::{rc::Rc, sync::Arc, task::Poll};
///
/// use rt_deferred::home::{self, Home, Job, Remote, SendJob};
/// use rt_deferred::{assert_no_result, ensure_deferred, success_result_of};
///
/// /// Runs its jobs when it is told to.
/// #[derive(Default)]
/// struct ByHand(RefCell<Vec<Job>>);
///
/// impl Home for ByHand {
///     fn schedule(&self, job: Job) {
///         self.0.borrow_mut().push(job);
///     }
///
///     fn remote(&self) -> Arc<dyn Remote> {
///         Arc::new(NoWay)
///     }
/// }
///
/// /// Other threads cannot reach it.
/// struct NoWay;
///
/// impl Remote for NoWay {
///     fn post(&self, job: SendJob) -> Result<(), SendJob> {
///         Err(job)
///     }
/// }
///
/// let hand = Rc::new(ByHand::default());
/// let _installed = home::install(hand.clone());
///
/// let mut polls = 0;
/// let third = ensure_deferred(std::future::poll_fn(move |cx| {
///     polls += 1;
///     if polls == 3 {
///         return Poll::Ready(polls);
///     }
///     cx.waker().wake_by_ref(); // it goes on as a job
///     Poll::Pending
/// }));
/// assert_no_result(&third);
/// while !hand.0.borrow().is_empty() {
///     hand.0.take().into_iter().for_each(|job| job());
/// }
/// assert_eq!(success_result_of(third), 3);
/// ```
pub trait Home {
    /// Runs `job` soon, on this thread, and not before this has returned. Jobs that are left when the home ends are
    /// dropped; what matters in them is kept elsewhere, for the next home.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() { rt::block_on(async {
    /// use rt::deferred::{Deferred, home};
    ///
    /// let (deferred, resolver) = Deferred::new();
    /// home::current().unwrap().schedule(Box::new(move || resolver.callback("soon").unwrap()));
    /// assert_eq!(deferred.await.unwrap(), "soon");
    /// # }) }
    /// ```
    fn schedule(&self, job: Job);

    /// The side of the other threads.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() { rt::block_on(async {
    /// use rt::deferred::{Deferred, home};
    ///
    /// let (deferred, resolver) = Deferred::new();
    /// let (resolver, remote) = (resolver.into_send(), home::current().unwrap().remote());
    /// std::thread::spawn(move || {
    ///     let job = Box::new(move || resolver.callback("back here").unwrap());
    ///     assert!(remote.post(job).is_ok());
    /// });
    /// assert_eq!(deferred.await.unwrap(), "back here");
    /// # }) }
    /// ```
    fn remote(&self) -> Arc<dyn Remote>;

    /// Runs `job` on another thread, which may block.
    ///
    /// A runtime has a pool for that; unless a home says otherwise, it is a thread of its own.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() { rt::block_on(async {
    /// use rt::deferred::{Deferred, home};
    ///
    /// let (deferred, resolver) = Deferred::new();
    /// let (resolver, here) = (resolver.into_send(), std::thread::current().id());
    /// home::current().unwrap().call_in_thread(Box::new(move || {
    ///     resolver.callback(std::thread::current().id()).unwrap();
    /// }));
    /// assert_ne!(deferred.await.unwrap(), here);
    /// # }) }
    /// ```
    fn call_in_thread(&self, job: SendJob) {
        std::thread::spawn(job);
    }

    /// Its timers, if it has any.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() { rt::block_on(async {
    /// use rt::deferred::{defer_later, home};
    /// use rt::time::Duration;
    ///
    /// let home = home::current().unwrap();
    /// let timers = home.time().expect("rt has timers");
    /// assert_eq!(defer_later(timers, Duration::from_millis(1), || "later").await.unwrap(), "later");
    /// # }) }
    /// ```
    fn time(&self) -> Option<&dyn ReactorTime> {
        None
    }
}

/// A thread that runs jobs: the side of all others.
///
/// # Examples
///
/// ```
/// use std::sync::mpsc::{SyncSender, sync_channel};
///
/// use rt_deferred::home::{Remote, SendJob};
///
/// /// The thread at the other end runs what it receives.
/// struct Sender(SyncSender<SendJob>);
///
/// impl Remote for Sender {
///     fn post(&self, job: SendJob) -> Result<(), SendJob> {
///         self.0.send(job).map_err(|gone| gone.0)
///     }
/// }
///
/// let (sender, jobs) = sync_channel(100);
/// let remote = Sender(sender);
/// let thread = std::thread::spawn(move || jobs.recv().map(|job| job()));
/// assert!(remote.post(Box::new(|| println!("over there"))).is_ok());
/// thread.join().unwrap().unwrap();
/// assert!(remote.post(Box::new(|| ())).is_err(), "nothing runs there any more");
/// ```
pub trait Remote: Send + Sync {
    /// Runs `job` soon, on the home's thread.
    ///
    /// # Errors
    ///
    /// The job, if that thread runs none any more.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::home;
    ///
    /// let remote = rt::block_on(async { home::current().unwrap().remote() });
    /// let job = remote.post(Box::new(|| println!("nobody is left to run it there"))).err();
    /// assert!(job.is_some());
    /// ```
    fn post(&self, job: SendJob) -> Result<(), SendJob>;
}

/// How a runtime tells whether it drives this thread.
///
/// # Examples
///
/// ```
/// use rt_deferred::home::Finder;
///
/// let nowhere: Finder = || None;
/// assert!(nowhere().is_none());
/// ```
pub type Finder = fn() -> Option<Rc<dyn Home>>;

static FINDER: OnceLock<Finder> = OnceLock::new();

thread_local! {
    static HOME: RefCell<Option<Rc<dyn Home>>> = const { RefCell::new(None) };
}

/// Makes `find` what finds the home of a thread where none is installed. The first one of a process stays.
///
/// # Examples
///
/// ```
/// use std::cell::RefCell;
/// use std::rc::Rc;
///
/// use rt_deferred::home::{self, Home};
///
/// thread_local! {
///     /// Set while the runtime drives this thread.
///     static DRIVEN: RefCell<Option<Rc<dyn Home>>> = const { RefCell::new(None) };
/// }
///
/// home::set_finder(|| DRIVEN.with_borrow(Clone::clone));
/// assert!(home::current().is_none(), "it does not yet");
/// ```
pub fn set_finder(find: Finder) {
    // A second copy of a runtime in the same process installs homes itself.
    let _ = FINDER.set(find);
}

/// Makes `home` the home of this thread until the guard is dropped, which puts the former one back.
///
/// # Examples
///
/// ```
/// use std::{rc::Rc, sync::Arc};
///
/// use rt_deferred::home::{self, Home, Job, Remote, SendJob};
///
/// /// Runs nothing.
/// struct Idle;
///
/// impl Home for Idle {
///     fn schedule(&self, _job: Job) {}
/// #
/// #     fn remote(&self) -> Arc<dyn Remote> {
/// #         Arc::new(Nowhere)
/// #     }
/// }
/// #
/// # struct Nowhere;
/// #
/// # impl Remote for Nowhere {
/// #     fn post(&self, job: SendJob) -> Result<(), SendJob> {
/// #         Err(job)
/// #     }
/// # }
///
/// let installed = home::install(Rc::new(Idle));
/// assert!(home::current().is_some());
/// drop(installed);
/// assert!(home::current().is_none());
/// ```
pub fn install(home: Rc<dyn Home>) -> Installed {
    let installed = Installed { former: HOME.replace(Some(home)), _local: std::marker::PhantomData };
    started();
    installed
}

/// The home of this thread.
///
/// # Examples
///
/// ```
/// use rt_deferred::home;
///
/// assert!(home::current().is_none(), "nothing drives this thread");
/// rt::block_on(async { assert!(home::current().is_some()) });
/// ```
pub fn current() -> Option<Rc<dyn Home>> {
    let installed = HOME.try_with(|home| home.borrow().clone()).ok().flatten();
    installed.or_else(|| FINDER.get().and_then(|find| find()))
}

/// What a runtime calls whenever it begins to drive a thread, once [`current`] finds it; [`install`] calls it itself.
///
/// Handles that were sent to other threads lead here from now on, and what waits for a runtime
/// ([`eventually`](crate::eventually), [`call_when_running`](crate::call_when_running)) is scheduled. It costs two looks
/// at thread-locals if there is nothing to do.
///
/// # Examples
///
/// ```
/// # use std::sync::Arc;
/// # use rt_deferred::home::{Home, Job, Remote, SendJob};
/// use std::cell::RefCell;
/// use std::rc::Rc;
///
/// use rt_deferred::{eventually, home};
///
/// #
/// # struct Loop;
/// # impl Home for Loop {
/// #     fn schedule(&self, job: Job) {
/// #         JOBS.with_borrow_mut(|jobs| jobs.push(job));
/// #     }
/// #     fn remote(&self) -> Arc<dyn Remote> {
/// #         Arc::new(NoWay)
/// #     }
/// # }
/// # struct NoWay;
/// # impl Remote for NoWay {
/// #     fn post(&self, job: SendJob) -> Result<(), SendJob> {
/// #         Err(job)
/// #     }
/// # }
/// thread_local! {
///     static DRIVEN: RefCell<Option<Rc<dyn Home>>> = const { RefCell::new(None) };
///     static JOBS: RefCell<Vec<Job>> = const { RefCell::new(Vec::new()) };
/// }
///
/// home::set_finder(|| DRIVEN.with_borrow(Clone::clone));
/// eventually(|| println!("as soon as something runs here"));
/// assert_eq!(JOBS.with_borrow(Vec::len), 0);
/// DRIVEN.set(Some(Rc::new(Loop)));
/// home::started();
/// assert_eq!(JOBS.with_borrow(Vec::len), 1);
/// ```
#[inline]
pub fn started() {
    thread::started();
    eventual::home_started();
}

/// Keeps a home installed. See [`install`].
///
/// # Examples
///
/// ```
/// use std::rc::Rc;
///
/// use rt_deferred::home::{self, Home, Installed};
///
/// /// An event loop, which is a home as long as it runs.
/// struct EventLoop {
///     _installed: Installed,
/// }
///
/// fn run(home: Rc<dyn Home>) -> EventLoop {
///     EventLoop { _installed: home::install(home) }
/// }
/// # let home = rt::block_on(async { home::current().unwrap() });
/// # let event_loop = run(home);
/// # assert!(home::current().is_some());
/// # drop(event_loop);
/// # assert!(home::current().is_none());
/// ```
#[must_use = "the home is taken away when this is dropped"]
pub struct Installed {
    former: Option<Rc<dyn Home>>,
    _local: std::marker::PhantomData<Rc<()>>,
}

impl Drop for Installed {
    fn drop(&mut self) {
        let former = self.former.take();
        // If the thread ends there is nothing to put back. The one taken away is dropped outside of the borrow.
        let _ours = HOME.try_with(|home| home.replace(former));
        // Other threads find the former one again.
        started();
    }
}

impl fmt::Debug for Installed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Installed")
    }
}

/// A coroutine waits for something that is not a Deferred, and its thread has no executor that could resume it.
///
/// Start it inside a runtime, or let it await Deferreds only.
///
/// # Examples
///
/// ```
/// use rt_deferred::home::NoHome;
/// use rt_deferred::{ensure_deferred, failure_result_of};
///
/// let waiting = ensure_deferred(std::future::pending::<u8>());
/// assert!(failure_result_of(waiting).check::<NoHome>());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoHome;

impl fmt::Display for NoHome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "this coroutine waits for something that is not a Deferred, and its thread runs no runtime that could \
             resume it; start it inside a runtime, or await Deferreds only",
        )
    }
}

impl Error for NoHome {}
