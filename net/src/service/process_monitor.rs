//! Child processes that are started again when they end.

mod event;
mod lines;
mod monitored;

pub use event::{OutputStream, ProcessEvent, ProcessExists};

use super::{Service, ServiceHandle};
use monitored::{Monitored, Rules};
use rt_deferred::{DeferredList, Failure, ReactorTime};
use rt_runtime::process::Command;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

/// Keeps child processes running: starts them when it is started, again when they end, and ends them when it is stopped.
///
/// A process that lived for the [`threshold`](ProcessMonitor::threshold) is started again at once. One that did not, or that could not
/// be started, is waited with for the [restart delay](ProcessMonitor::restart_delay), which doubles each time that happens in a row.
///
/// To be ended, a process is sent `SIGTERM`, and `SIGKILL` if it lives on after the [`kill_time`](ProcessMonitor::kill_time). Stopping is
/// over when none is left (Twisted's does not wait).
///
/// Counterpart: `twisted.runner.procmon.ProcessMonitor`.
///
/// ```
/// # fn main() { rt::block_on(async {
/// use rt::Deferred;
/// use rt::process::Command;
/// use rt::service::{ProcessEvent, ProcessMonitor, ServiceHandle};
/// use std::cell::Cell;
///
/// let (ended, resolver) = Deferred::new();
/// let monitor = ProcessMonitor::new().on_event(move |name, event| {
///     println!("{name}: {event}");
///     if let ProcessEvent::Exited { status, .. } = event {
///         let _ = resolver.callback(status.code());
///     }
/// });
/// let monitor = ServiceHandle::named("workers", monitor);
/// let mut command = Command::new("sh");
/// command.args(["-c", "exit 3"]);
/// monitor.add_process("worker", command).unwrap();
///
/// drop(monitor.start_service());
/// assert_eq!(ended.await.unwrap(), Some(3));
/// monitor.stop_service().await.unwrap();
/// # }) }
/// ```
pub struct ProcessMonitor {
    rules: Rc<Rules>,
    processes: RefCell<Vec<Rc<Monitored>>>,
    is_running: Cell<bool>,
}

impl ProcessMonitor {
    /// One without processes.
    #[expect(clippy::new_without_default, reason = "a monitor has an identity; two defaults are not equal")]
    pub fn new() -> Self {
        Self { rules: Rc::default(), processes: RefCell::default(), is_running: Cell::new(false) }
    }

    /// How long a process has to live for its end not to count as one of those that come too early: one second unless it is set.
    #[must_use = "it is the service, to be put in its place"]
    pub fn threshold(mut self, threshold: Duration) -> Self {
        self.rules().threshold = threshold;
        self
    }

    /// How long a process has to end after `SIGTERM`: five seconds unless it is set.
    #[must_use = "it is the service, to be put in its place"]
    pub fn kill_time(mut self, kill_time: Duration) -> Self {
        self.rules().kill_time = kill_time;
        self
    }

    /// The first and the longest delay before a process is started again that ended too early: one second and one hour unless they
    /// are set.
    ///
    /// Counterpart: `minRestartDelay`, `maxRestartDelay`.
    #[must_use = "it is the service, to be put in its place"]
    pub fn restart_delay(mut self, min: Duration, max: Duration) -> Self {
        (self.rules().min_restart_delay, self.rules().max_restart_delay) = (min, max);
        self
    }

    /// What it waits by. [`Reactor`](rt_deferred::Reactor) unless it is set.
    #[must_use = "it is the service, to be put in its place"]
    pub fn clock(mut self, clock: &dyn ReactorTime) -> Self {
        self.rules().clock = clock.weak();
        self
    }

    /// Who is told, with the process's name, that one has started or ended. Unless it is set that is `tracing` (with the feature of that
    /// name, where a subscriber is installed), else stderr.
    #[must_use = "it is the service, to be put in its place"]
    pub fn on_event(mut self, f: impl Fn(&str, &ProcessEvent) + 'static) -> Self {
        self.rules().on_event = Box::new(f);
        self
    }

    /// Who is given, with the process's name, the lines that processes write on standard output and error, without their ends. A line
    /// longer than 16 KiB comes in pieces.
    ///
    /// Unless it is set, their streams are those that their commands say: by default those of this process.
    #[must_use = "it is the service, to be put in its place"]
    pub fn on_line(mut self, f: impl Fn(&str, OutputStream, &[u8]) + 'static) -> Self {
        self.rules().on_line = Some(Rc::new(f));
        self
    }

    /// Adds a process, and starts it if the monitor runs.
    ///
    /// # Errors
    ///
    /// There is one of this name.
    ///
    /// Counterpart: `addProcess`.
    pub fn add_process(&self, name: &str, command: Command) -> Result<(), ProcessExists> {
        if self.process(name).is_some() {
            return Err(ProcessExists(name.to_owned()));
        }
        let process = Monitored::new(self.rules.clone(), name, command);
        self.processes.borrow_mut().push(process.clone());
        if self.is_running.get() {
            process.start();
        }
        Ok(())
    }

    /// Ends a process and forgets it. Whether there was one of this name.
    ///
    /// Counterpart: `removeProcess`.
    pub fn remove_process(&self, name: &str) -> bool {
        let Some(process) = self.process(name) else { return false };
        self.processes.borrow_mut().retain(|other| !Rc::ptr_eq(other, &process));
        drop(process.stop());
        true
    }

    /// Ends a process; as the monitor runs, it is started again. Whether there was one of this name.
    ///
    /// Counterpart: `stopProcess`.
    pub fn restart_process(&self, name: &str) -> bool {
        self.process(name).inspect(|process| process.end()).is_some()
    }

    /// Ends all processes; as the monitor runs, they are started again.
    ///
    /// Counterpart: `restartAll`.
    pub fn restart_all(&self) {
        let processes = self.processes.borrow().clone();
        processes.iter().for_each(|process| process.end());
    }

    /// The names of the processes, in the order in which they were added, and the process ids of those that live.
    pub fn processes(&self) -> Vec<(String, Option<u32>)> {
        self.processes.borrow().iter().map(|process| (process.name().to_owned(), process.id())).collect()
    }

    fn process(&self, name: &str) -> Option<Rc<Monitored>> {
        self.processes.borrow().iter().find(|process| process.name() == name).cloned()
    }

    fn rules(&mut self) -> &mut Rules {
        Rc::get_mut(&mut self.rules).expect("no process has been added yet: settings come first")
    }
}

impl Service for ProcessMonitor {
    async fn start_service(&self, _: &ServiceHandle<Self>) -> Result<(), Failure> {
        self.is_running.set(true);
        let processes = self.processes.borrow().clone();
        processes.iter().for_each(Monitored::start);
        Ok(())
    }

    async fn stop_service(&self, _: &ServiceHandle<Self>) -> Result<(), Failure> {
        self.is_running.set(false);
        let processes = self.processes.borrow().clone();
        DeferredList::new(processes.iter().map(|process| process.stop())).start().await.map(drop)
    }
}

impl fmt::Debug for ProcessMonitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessMonitor").field("processes", &self.processes()).finish_non_exhaustive()
    }
}
