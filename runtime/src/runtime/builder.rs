//! Configuration of a runtime.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::Runtime;
use crate::executor::blocking::{BlockingPool, Config};
use crate::executor::worker::Worker;
use crate::handle::{Handle, Shared};
use crate::reactor::Reactor;
use crate::task::{Bell, Home};

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
    thread_name: String,
    thread_stack_size: Option<usize>,
    max_blocking_threads: usize,
    thread_keep_alive: Duration,
    event_interval: u32,
    start_paused: bool,
    on_thread_start: Option<Hook>,
    on_thread_stop: Option<Hook>,
}

impl Builder {
    /// A runtime whose tasks run on the thread that is in [`Runtime::block_on`].
    pub fn new_current_thread() -> Self {
        Self {
            thread_name: "rt-blocking".to_owned(),
            thread_stack_size: None,
            max_blocking_threads: 512,
            thread_keep_alive: Duration::from_secs(10),
            event_interval: 61,
            start_paused: false,
            on_thread_start: None,
            on_thread_stop: None,
        }
    }

    /// The name of the threads that the runtime starts, which are those for blocking calls: `rt-blocking` unless told
    /// otherwise. It must not contain a NUL.
    pub fn thread_name(&mut self, name: impl Into<String>) -> &mut Self {
        self.thread_name = name.into();
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
        self.validate().map_err(|complaint| io::Error::new(io::ErrorKind::InvalidInput, complaint))?;
        Ok(self.build_over(Reactor::with_system_driver(self.start_paused)?))
    }

    /// Makes a runtime that waits with this reactor.
    pub(crate) fn build_over(&self, reactor: Reactor) -> Runtime {
        let bell = Arc::clone(reactor.handle()) as Arc<dyn Bell>;
        let home = Home::new(bell);
        let shared = Arc::new_cyclic(|shared| {
            let mut config = Config::new(Arc::clone(reactor.handle()) as _);
            config.max_threads = self.max_blocking_threads;
            config.keep_alive = self.thread_keep_alive;
            config.stack_size = self.thread_stack_size;
            config.on_thread_start = self.on_thread_start.clone();
            config.on_thread_stop = self.on_thread_stop.clone();
            let name = self.thread_name.clone();
            config.thread_name = Arc::new(move || name.clone());
            let shared = shared.clone();
            config.inherit = Arc::new(move |life| match shared.upgrade() {
                Some(shared) => Handle::from_shared(shared).enter_quietly(life),
                None => life(),
            });
            Shared::new(Arc::clone(home.shared()), Arc::clone(reactor.handle()), BlockingPool::new(config))
        });
        Runtime::from_worker(Worker::new(home, reactor, shared, self.event_interval))
    }

    fn validate(&self) -> Result<(), &'static str> {
        if self.thread_name.contains('\0') {
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
        Ok(())
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("thread_name", &self.thread_name)
            .field("thread_stack_size", &self.thread_stack_size)
            .field("max_blocking_threads", &self.max_blocking_threads)
            .field("thread_keep_alive", &self.thread_keep_alive)
            .field("event_interval", &self.event_interval)
            .field("start_paused", &self.start_paused)
            .finish_non_exhaustive()
    }
}
