//! Configuration of a runtime.

use std::fmt;
use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::{Failures, Leftovers, OBSERVER, Runtime, Stall, Stalls, UnhandledFailure, stall};
use rt_deferred::unhandled::set_observer;

use crate::deferred;
use crate::executor::blocking::{BlockingPool, Config, Hold};
use crate::executor::crew::{Crew, SeatBell, Threads};
use crate::executor::idle::Idle;
use crate::executor::post::Post;
use crate::executor::worker::{Intervals, Worker};
use crate::handle::{Handle, Shared, Tasks};
use crate::reactor::{Reactor, Together};
use crate::task::{Bell, Home, Scheduler};
use crate::tokio_context::TokioContext;

type Hook = Arc<dyn Fn() + Send + Sync>;

/// Makes a [`Runtime`] to measure.
///
/// Counterpart: `tokio::runtime::Builder`. There is nothing to enable: what is not used costs nothing.
///
/// # Examples
///
/// ```
/// use rt::runtime::Builder;
///
/// # fn main() -> std::io::Result<()> {
/// let runtime = Builder::new_current_thread()
///     .thread_name("converter")
///     .max_blocking_threads(4)
///     .build()?;
/// let name = runtime.block_on(runtime.spawn_blocking(|| std::thread::current().name().map(str::to_owned)))?;
/// assert_eq!(name.as_deref(), Some("converter"));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Builder {
    flavor: Flavor,
    thread_name: Option<String>,
    thread_stack_size: Option<usize>,
    max_blocking_threads: usize,
    thread_keep_alive: Duration,
    event_interval: u32,
    global_queue_interval: u32,
    start_paused: bool,
    stall_threshold: Option<Duration>,
    on_stall: Stalls,
    unhandled_failure: UnhandledFailure,
    collects_failures: bool,
    collects_leftovers: bool,
    tokio_context: bool,
    on_thread_start: Option<Hook>,
    on_thread_stop: Option<Hook>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Flavor {
    CurrentThread,
    /// With so many workers; `None`: as many as there are processors.
    MultiThread(Option<usize>),
}

/// More workers than this are a mistake.
const MOST_WORKERS: usize = 1024;

/// Says how many workers a runtime has whose builder does not.
const WORKER_THREADS: &str = "RT_WORKER_THREADS";

impl Builder {
    /// A runtime whose tasks run on the thread that is in [`Runtime::block_on`].
    pub fn new_current_thread() -> Self {
        Self::new(Flavor::CurrentThread)
    }

    /// A runtime whose tasks run on several workers, as many as [`worker_threads`](Self::worker_threads) says. A thread in
    /// [`Runtime::block_on`] is one of them.
    pub fn new_multi_thread() -> Self {
        Self::new(Flavor::MultiThread(None))
    }

    fn new(flavor: Flavor) -> Self {
        Self {
            flavor,
            thread_name: None,
            thread_stack_size: None,
            max_blocking_threads: 512,
            thread_keep_alive: Duration::from_secs(10),
            event_interval: 61,
            global_queue_interval: 61,
            start_paused: false,
            stall_threshold: cfg!(debug_assertions).then_some(Duration::from_millis(100)),
            on_stall: Arc::new(stall::print),
            unhandled_failure: UnhandledFailure::Log,
            collects_failures: false,
            collects_leftovers: false,
            tokio_context: false,
            on_thread_start: None,
            on_thread_stop: None,
        }
    }

    /// How many workers a multi-thread runtime has: 1 to 1024. Unless told otherwise, what the environment variable
    /// `RT_WORKER_THREADS` says, else as many as there are processors. In that variable 0 stands for a runtime of the
    /// current-thread flavor.
    ///
    /// A thread in [`Runtime::block_on`] is one of them, so at most one thread less is started while there is one.
    pub fn worker_threads(&mut self, count: usize) -> &mut Self {
        if let Flavor::MultiThread(workers) = &mut self.flavor {
            *workers = Some(count);
        }
        self
    }

    /// The name of the threads that the runtime starts. Unless told otherwise those for blocking calls are called
    /// `rt-blocking` and the workers `rt-worker-0` and so on, by their places. It must not contain a NUL.
    pub fn thread_name(&mut self, name: impl Into<String>) -> &mut Self {
        self.thread_name = Some(name.into());
        self
    }

    /// The stack size of the threads that the runtime starts, in bytes: std's default unless told otherwise, and not 0.
    pub fn thread_stack_size(&mut self, bytes: usize) -> &mut Self {
        self.thread_stack_size = Some(bytes);
        self
    }

    /// How many blocking calls may run at once: 512 unless told otherwise, and at least 1. More wait their turn.
    pub fn max_blocking_threads(&mut self, count: usize) -> &mut Self {
        self.max_blocking_threads = count;
        self
    }

    /// How long a thread for blocking calls stays when it has nothing to do: 10 seconds unless told otherwise.
    pub fn thread_keep_alive(&mut self, duration: Duration) -> &mut Self {
        self.thread_keep_alive = duration;
        self
    }

    /// After how many tasks the worker looks at events, deadlines and what other threads ask for, if tasks are always ready:
    /// 61 unless told otherwise, and at least 1. Less makes I/O prompter, more makes tasks cheaper.
    pub fn event_interval(&mut self, tasks: u32) -> &mut Self {
        self.event_interval = tasks;
        self
    }

    /// After how many tasks a worker of a multi-thread runtime looks at what other threads have spawned and woken, if tasks of its
    /// own are always ready: 61 unless told otherwise, and at least 1.
    pub fn global_queue_interval(&mut self, tasks: u32) -> &mut Self {
        self.global_queue_interval = tasks;
        self
    }

    /// A poll that lasts this long or longer is reported, once: by another worker while it lasts if one is idle, else when it is
    /// over. 100 ms in a build with debug assertions; in others polls are not watched unless this is called.
    pub fn stall_threshold(&mut self, threshold: Duration) -> &mut Self {
        self.stall_threshold = Some(threshold);
        self
    }

    /// Told of each poll that was too long, instead of printing it to standard error. A panic in it is caught.
    pub fn on_stall(&mut self, f: impl Fn(&Stall) + Send + Sync + 'static) -> &mut Self {
        self.on_stall = Arc::new(f);
        self
    }

    /// What happens when a failure goes unhandled on a thread of the runtime, besides its being reported: that of a Deferred
    /// whose last handle is dropped, or the panic or error of a task or blocking call whose
    /// [`JoinHandle`](crate::JoinHandle) is. Nothing, unless told otherwise.
    ///
    /// # Examples
    ///
    /// ```should_panic
    /// use rt::runtime::{Builder, UnhandledFailure};
    ///
    /// let runtime = Builder::new_current_thread().unhandled_failure(UnhandledFailure::ShutdownRuntime).build().unwrap();
    /// runtime.block_on(async {
    ///     drop(rt::spawn(async { Err::<(), _>("nobody will look at this") }));
    ///     std::future::pending::<()>().await
    /// });
    /// ```
    ///
    /// Counterpart: `tokio::runtime::Builder::unhandled_panic`.
    pub fn unhandled_failure(&mut self, policy: UnhandledFailure) -> &mut Self {
        self.unhandled_failure = policy;
        self
    }

    /// What `#[rt::test]` asks for.
    #[doc(hidden)]
    pub fn __collect_failures(&mut self, yes: bool) -> &mut Self {
        self.collects_failures = yes;
        self
    }

    /// What `#[rt::test(leftovers = "fail")]` asks for.
    #[doc(hidden)]
    pub fn __collect_leftovers(&mut self, yes: bool) -> &mut Self {
        self.collects_leftovers = yes;
        self
    }

    /// Whether crates that need tokio's runtime work here: unless told otherwise, no.
    ///
    /// With it, every thread that drives this runtime, has [entered](Handle::enter) it or runs its blocking calls is in the context
    /// of a runtime of tokio, so that `tokio::spawn`, tokio's sockets and tokio's timers do what they should within rt's tasks:
    /// futures of such crates are polled by rt's workers, unwrapped. A thread enters once, so polls cost nothing more. What they
    /// `tokio::spawn` runs on tokio's runtime, which has one thread, `rt-tokio`, that also waits for their events and timers. It is
    /// started with the first thread that enters; it ends with this runtime, which does not wait for it.
    ///
    /// tokio's timers do not follow [virtual time](Self::start_paused).
    ///
    /// Counterpart: the crate async-compat, which wraps each future and enters in each poll.
    ///
    /// # Panics
    ///
    /// The first thread that enters, if the system refuses tokio a thread or a descriptor.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// let runtime = rt::runtime::Builder::new_current_thread().tokio_context(true).build()?;
    /// runtime.block_on(async {
    ///     // Would panic without: "there is no reactor running".
    ///     tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    ///     let task = rt::spawn(async { tokio::spawn(async { 6 * 7 }).await });
    ///     assert_eq!(task.await.unwrap().unwrap(), 42);
    /// });
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "tokio-context")]
    pub fn tokio_context(&mut self, yes: bool) -> &mut Self {
        self.tokio_context = yes;
        self
    }

    fn beside(&self) -> TokioContext {
        TokioContext::new(self.tokio_context)
    }

    fn leftovers(&self) -> Option<Leftovers> {
        self.collects_leftovers.then(Leftovers::new)
    }

    fn failures(&self) -> Failures {
        Failures::new(self.unhandled_failure, self.collects_failures)
    }

    /// Whether the clock stands at first and moves only when there is nothing else to do: for tests. See
    /// [`time::pause`](crate::time::pause).
    pub fn start_paused(&mut self, paused: bool) -> &mut Self {
        self.start_paused = paused;
        self
    }

    /// Called on each thread that the runtime starts, before anything else runs there.
    pub fn on_thread_start(&mut self, f: impl Fn() + Send + Sync + 'static) -> &mut Self {
        self.on_thread_start = Some(Arc::new(f));
        self
    }

    /// Called on each thread that the runtime started, after everything else.
    pub fn on_thread_stop(&mut self, f: impl Fn() + Send + Sync + 'static) -> &mut Self {
        self.on_thread_stop = Some(Arc::new(f));
        self
    }

    /// Makes the runtime. The builder can be used again.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if a value makes no sense, with a sentence that says which and what is
    /// allowed; and what the system says if it has no descriptors left.
    pub fn build(&mut self) -> io::Result<Runtime> {
        let refuse = |complaint| io::Error::new(io::ErrorKind::InvalidInput, complaint);
        self.validate().map_err(|complaint| refuse(complaint.to_owned()))?;
        deferred::introduce();
        set_observer(OBSERVER);
        match self.flavor {
            Flavor::CurrentThread => Ok(self.build_over(Reactor::with_system_driver(self.start_paused)?)),
            Flavor::MultiThread(workers) => match workers.map_or_else(default_workers, Ok).map_err(refuse)? {
                0 => Ok(self.build_over(Reactor::with_system_driver(self.start_paused)?)),
                workers => self.build_many(workers),
            },
        }
    }

    /// Makes a runtime that waits with this reactor.
    pub(crate) fn build_over(&self, reactor: Reactor) -> Runtime {
        let home = Home::new(Arc::clone(reactor.handle()) as Arc<dyn Bell>);
        let shared = Arc::new_cyclic(|shared| {
            let blocking = self.blocking(shared, Arc::clone(reactor.handle()) as _);
            let tasks = Tasks::Here(Arc::clone(home.shared()), Arc::clone(reactor.handle()));
            Shared::new(tasks, blocking, Arc::clone(&self.on_stall), self.failures(), self.leftovers(), self.beside())
        });
        Runtime::current_thread(Worker::new(home, reactor, shared, self.event_interval, self.stall_threshold))
    }

    fn build_many(&self, workers: usize) -> io::Result<Runtime> {
        let (reactors, _) = Together::new(workers, self.start_paused)?;
        let handles = reactors.iter().map(|reactor| Arc::clone(reactor.handle()));
        let bells: Vec<_> = handles.enumerate().map(|(seat, handle)| Arc::new(SeatBell::new(seat, handle))).collect();
        let idle = Arc::new(Idle::new(bells.iter().map(|bell| Arc::clone(bell) as Arc<dyn Bell>).collect()));
        let scheduler = Arc::new(Scheduler::new(workers, Arc::clone(&idle) as _));
        let stations = reactors.iter().map(|reactor| Arc::clone(reactor.station())).collect();
        let crew = Arc::new(Crew::new(scheduler, idle, stations, self.threads()));
        bells.iter().for_each(|bell| bell.set_crew(&crew));
        let shared = Arc::new_cyclic(|shared| {
            let blocking = self.blocking(shared, Arc::clone(&crew) as _);
            Shared::new(
                Tasks::Among(Arc::clone(&crew)),
                blocking,
                Arc::clone(&self.on_stall),
                self.failures(),
                self.leftovers(),
                self.beside(),
            )
        });
        let intervals = Intervals {
            event: self.event_interval,
            injection: self.global_queue_interval,
            stall: self.stall_threshold,
        };
        let posts = reactors.into_iter().enumerate().map(|(seat, reactor)| {
            let home = Home::new(Arc::clone(reactor.handle()) as Arc<dyn Bell>);
            Post::new(Worker::at_seat(home, reactor, Arc::clone(&shared), Arc::clone(&crew), seat, intervals))
        });
        crew.begin(Arc::downgrade(&shared), posts);
        Ok(Runtime::multi_thread(Handle::from_shared(shared), crew))
    }

    fn threads(&self) -> Threads {
        let name = self.thread_name.clone();
        Threads {
            name: Arc::new(move |seat| name.clone().unwrap_or_else(|| format!("rt-worker-{seat}"))),
            stack_size: self.thread_stack_size,
            on_start: self.on_thread_start.clone(),
            on_stop: self.on_thread_stop.clone(),
        }
    }

    /// The pool for blocking calls.
    fn blocking(&self, shared: &Weak<Shared>, hold: Arc<dyn Hold>) -> BlockingPool {
        let mut config = Config::new(hold);
        config.max_threads = self.max_blocking_threads;
        config.keep_alive = self.thread_keep_alive;
        config.keeps_count = self.collects_leftovers;
        config.stack_size = self.thread_stack_size;
        config.on_thread_start = self.on_thread_start.clone();
        config.on_thread_stop = self.on_thread_stop.clone();
        let name = self.thread_name.clone().unwrap_or_else(|| "rt-blocking".to_owned());
        config.thread_name = Arc::new(move || name.clone());
        let shared = shared.clone();
        config.inherit = Arc::new(move |life| match shared.upgrade() {
            Some(shared) => Handle::from_shared(shared).enter_quietly(life),
            None => life(),
        });
        BlockingPool::new(config)
    }

    fn validate(&self) -> Result<(), &'static str> {
        if let Flavor::MultiThread(Some(workers)) = self.flavor
            && !(1..=MOST_WORKERS).contains(&workers)
        {
            return Err("worker_threads takes 1 to 1024: one for each processor is a good number");
        }
        if self.thread_name.as_ref().is_some_and(|name| name.contains('\0')) {
            return Err("thread_name contains a NUL character: the system takes names without it");
        }
        if self.thread_stack_size == Some(0) {
            return Err("thread_stack_size is 0: give the bytes that a thread needs, or leave the default");
        }
        if self.max_blocking_threads == 0 {
            return Err("max_blocking_threads is 0: blocking calls would never run, so at least 1 is needed");
        }
        if self.event_interval == 0 {
            return Err("event_interval is 0: at least 1 task must run between two looks at events");
        }
        if self.global_queue_interval == 0 {
            return Err("global_queue_interval is 0: at least 1 task must run between two looks at the common queue");
        }
        Ok(())
    }
}

/// What the environment says, or the number of processors; 0 stands for the current-thread flavor.
fn default_workers() -> Result<usize, String> {
    let Some(text) = std::env::var_os(WORKER_THREADS) else {
        return Ok(std::thread::available_parallelism().map_or(1, usize::from).min(MOST_WORKERS));
    };
    let count = text.to_str().and_then(|text| text.trim().parse().ok()).filter(|count| *count <= MOST_WORKERS);
    count.ok_or_else(|| format!("{WORKER_THREADS} is {text:?}: it takes a number from 0 to {MOST_WORKERS}"))
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("flavor", &self.flavor)
            .field("thread_name", &self.thread_name)
            .field("thread_stack_size", &self.thread_stack_size)
            .field("max_blocking_threads", &self.max_blocking_threads)
            .field("thread_keep_alive", &self.thread_keep_alive)
            .field("event_interval", &self.event_interval)
            .field("global_queue_interval", &self.global_queue_interval)
            .field("start_paused", &self.start_paused)
            .field("stall_threshold", &self.stall_threshold)
            .finish_non_exhaustive()
    }
}
