//! What a test leaves behind: `#[rt::test(leftovers = "fail")]`.
//!
//! Tasks show when the runtime ends and they have to be dropped unfinished. Sources, timers and blocking calls are counted before that, when
//! everybody has had time to finish.

use std::panic::Location;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::{Flavor, Runtime};
use crate::context;
use crate::deferred;
use crate::handle::{Shared, Tasks};
use crate::task;
use crate::yield_now;

/// How often everything that is ready on this thread runs once more before leftovers are counted.
const ROUNDS: usize = 64;
/// How long other threads may take to finish what they are at.
const PATIENCE: Duration = Duration::from_millis(100);
/// How long other threads may take to drop their local tasks.
const LONG_PATIENCE: Duration = Duration::from_secs(5);

/// What is left of one runtime, if somebody wants to know.
#[derive(Default)]
pub(crate) struct Leftovers {
    /// Where the tasks were spawned that had to be dropped.
    tasks: Mutex<Vec<&'static Location<'static>>>,
    /// How many threads have local tasks, or may have.
    threads: Mutex<usize>,
    all_closed: Condvar,
}

impl Leftovers {
    pub(super) fn new() -> Self {
        task::UNFINISHED.get_or_init(|| note_task);
        Self::default()
    }

    /// A thread may have local tasks from now on.
    pub(crate) fn thread_opened(&self) {
        *self.threads.lock() += 1;
    }

    /// It has dropped them.
    pub(crate) fn thread_closed(&self) {
        let mut threads = self.threads.lock();
        *threads -= 1;
        if *threads == 0 {
            self.all_closed.notify_all();
        }
    }

    /// The tasks that were dropped, when the runtime has ended.
    pub(super) fn take_tasks(&self) -> Vec<String> {
        let deadline = Instant::now() + LONG_PATIENCE;
        let mut threads = self.threads.lock();
        while *threads > 0 && !self.all_closed.wait_until(&mut threads, deadline).timed_out() {}
        drop(threads);
        let mut tasks = std::mem::take(&mut *self.tasks.lock());
        tasks.sort_by_key(|place| (place.file(), place.line(), place.column()));
        tasks.iter().map(|place| format!("a task or delayed call, made at {place}")).collect()
    }
}

/// A task is dropped unfinished, since its runtime ends.
fn note_task(spawned_at: &'static Location<'static>) {
    if let Some(handle) = context::handle()
        && let Some(leftovers) = handle.shared().leftovers()
        && !deferred::is_own_task(spawned_at)
    {
        leftovers.tasks.lock().push(spawned_at);
    }
}

impl Runtime {
    /// What there is besides tasks, once everything that is ready has run.
    pub(super) fn leftovers_but_tasks(&self) -> Vec<String> {
        for _ in 0..2 {
            self.block_on(async {
                for _ in 0..ROUNDS {
                    yield_now().await;
                }
            });
            self.wait_for_other_threads();
        }
        let shared = self.handle.shared();
        let sources = shared.descriptors().into_iter().map(|number| format!("a source of events, {}", name_of(number)));
        let timers = match self.timers() {
            0 => None,
            1 => Some("a timer".to_owned()),
            count => Some(format!("{count} timers")),
        };
        let calls = shared.blocking().calls().into_iter().map(|place| format!("a blocking call, made at {place}"));
        sources.chain(timers).chain(calls).collect()
    }

    fn wait_for_other_threads(&self) {
        let deadline = Instant::now() + PATIENCE;
        let shared = self.handle.shared();
        while !(shared.is_at_rest() && shared.blocking().calls().is_empty()) && Instant::now() < deadline {
            thread::sleep(Duration::from_micros(100));
        }
    }

    fn timers(&self) -> usize {
        match (&self.flavor, self.handle.shared().tasks()) {
            (Flavor::CurrentThread(one), _) => one.timers(),
            (Flavor::MultiThread(_), Tasks::Among(crew)) => crew.stations.iter().map(|station| station.timers()).sum(),
            (Flavor::MultiThread(_), Tasks::Here(..)) => 0,
        }
    }
}

impl Shared {
    /// The descriptors of the sources that are watched; -1 for those that are not known.
    fn descriptors(&self) -> Vec<i32> {
        match self.tasks() {
            Tasks::Here(_, reactor) => reactor.driver().descriptors(),
            Tasks::Among(crew) => {
                crew.stations.iter().flat_map(|station| station.handle().driver().descriptors()).collect()
            }
        }
    }

    /// Whether no worker has anything to do.
    fn is_at_rest(&self) -> bool {
        match self.tasks() {
            Tasks::Here(..) => true,
            Tasks::Among(crew) => crew.idle.all_rest() && !crew.scheduler.has_injected(),
        }
    }
}

/// A descriptor, with what the system calls it where it tells.
fn name_of(descriptor: i32) -> String {
    if descriptor < 0 {
        return "whose descriptor is not known".to_owned();
    }
    match std::fs::read_link(format!("/proc/self/fd/{descriptor}")) {
        Ok(name) => format!("descriptor {descriptor} ({})", name.display()),
        Err(_) => format!("descriptor {descriptor}"),
    }
}
