//! A tree of services with a name and options.

use super::notice::{self, Notice, NoticeKind};
use super::triggers::{Phase, SystemEvent, TriggerId, Triggers};
use crate::service::{MultiService, ServiceHandle};
use rt_deferred::{Deferred, IntoOutcome, OneShotObservers};
use rt_runtime::runtime::Builder;
use std::fmt;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

/// A tree of services with a name and options, for [`run`](crate::app::run).
///
/// Counterpart: `twisted.application.service.Application`.
///
/// ```no_run
/// use rt::app::Application;
/// use rt::service::{ServiceHandle, TimerService};
/// use rt::time::Duration;
/// use std::process::ExitCode;
///
/// fn main() -> ExitCode {
///     let application = Application::new("clock").deadline(Duration::from_secs(10));
///     let clock = TimerService::new(Duration::from_secs(1), || println!("tick"));
///     ServiceHandle::named("ticks", clock).set_service_parent(application.services()).unwrap();
///     rt::app::run(application)
/// }
/// ```
pub struct Application {
    pub(super) handle: ApplicationHandle,
    pub(super) deadline: Duration,
    pub(super) pid_file: Option<PathBuf>,
    pub(super) reap_orphans: Option<bool>,
    pub(super) orphan_grace: Duration,
    pub(super) runtime: Builder,
    pub(super) tell: Box<dyn Fn(&Notice)>,
}

impl Application {
    /// One without services. The name is that of the service at the top, with which all paths begin.
    pub fn new(name: &str) -> Self {
        let shared = Shared {
            services: MultiService::named(name),
            triggers: Triggers::default(),
            stop: OneShotObservers::new(),
        };
        Self {
            handle: ApplicationHandle(Rc::new(shared)),
            deadline: Duration::from_secs(30),
            pid_file: None,
            reap_orphans: None,
            orphan_grace: Duration::from_secs(5),
            runtime: Builder::new_multi_thread(),
            tell: Box::new(notice::print),
        }
    }

    /// The top of the tree: the parent of the application's services.
    pub fn services(&self) -> &ServiceHandle<MultiService> {
        &self.handle.0.services
    }

    /// What services and triggers may ask of it, also while it runs.
    pub fn handle(&self) -> ApplicationHandle {
        self.handle.clone()
    }

    /// How long stopping may take: 30 seconds unless it is set. What supervises the application should have more patience than that;
    /// systemd has 90 seconds, Docker 10.
    #[must_use = "it is the application, to be run"]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Writes its process id to this file, and removes the file at the end. It does not start if a process that lives has the file, nor if
    /// there is a file with something else in it.
    ///
    /// Counterpart: `twistd --pidfile`.
    #[must_use = "it is the application, to be run"]
    pub fn pid_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.pid_file = Some(path.into());
        self
    }

    /// Whether it waits for children that are not its own: those whose parent has ended. Without it they stay in the table of
    /// processes as zombies.
    ///
    /// Unless it is set, an application does so that is process 1, as in a container. If it is set, one that is not process 1
    /// becomes the new parent of such children below it (Linux's "child subreaper").
    ///
    /// Children that were started by `rt::process` are left to their handles. Those that were started by other means can not be told
    /// from orphans, and are left to whoever waits for them for five seconds after their end.
    ///
    /// On Linux only; elsewhere it does nothing.
    #[must_use = "it is the application, to be run"]
    pub fn reap_orphans(mut self, yes: bool) -> Self {
        self.reap_orphans = Some(yes);
        self
    }

    /// How long a child that has ended is left to who may still wait for it: five seconds unless it is set. See
    /// [`reap_orphans`](Application::reap_orphans).
    #[must_use = "it is the application, to be run"]
    pub fn orphan_grace(mut self, grace: Duration) -> Self {
        self.orphan_grace = grace;
        self
    }

    /// The runtime that [`run`](crate::app::run) makes; one of many threads unless it is set. Services live on the thread that calls
    /// `run` in any case.
    #[must_use = "it is the application, to be run"]
    pub fn runtime(mut self, runtime: Builder) -> Self {
        self.runtime = runtime;
        self
    }

    /// Who is told what goes on. Unless it is set that is `tracing` (with the feature of that name, where a subscriber is installed), else
    /// stderr.
    #[must_use = "it is the application, to be run"]
    pub fn on_notice(mut self, f: impl Fn(&Notice) + 'static) -> Self {
        self.tell = Box::new(f);
        self
    }

    pub(super) fn say(&self, kind: NoticeKind, text: impl fmt::Display) {
        let name = self.services().path();
        (self.tell)(&Notice::new(kind, format!("{name}: {text}")));
    }
}

impl fmt::Debug for Application {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.services().path();
        f.debug_struct("Application").field("name", &name).field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

/// An application, for those that run in it. A cheap handle, of one thread.
///
/// Counterpart: `reactor`, as far as it starts and stops.
///
/// ```
/// use rt::app::{Application, Exit, Phase, SystemEvent, run_here};
///
/// # fn main() {
/// let application = Application::new("short").on_notice(|notice| println!("{notice}"));
/// let handle = application.handle();
/// handle.add_system_event_trigger(Phase::After, SystemEvent::Shutdown, || println!("the last one turns off the light"));
/// let stopping = handle.clone();
/// handle.add_system_event_trigger(Phase::After, SystemEvent::Startup, move || stopping.stop());
/// assert_eq!(rt::block_on(run_here(application)), Exit::Stopped);
/// # }
/// ```
#[derive(Clone)]
pub struct ApplicationHandle(pub(super) Rc<Shared>);

pub(super) struct Shared {
    pub(super) services: ServiceHandle<MultiService>,
    pub(super) triggers: Triggers,
    pub(super) stop: OneShotObservers<()>,
}

impl ApplicationHandle {
    /// Stops the application, as `SIGTERM` does. At the second call it does nothing.
    ///
    /// Counterpart: `reactor.stop`.
    pub fn stop(&self) {
        // It was called before.
        let _ = self.0.stop.fire(());
    }

    /// The top of the tree of services.
    pub fn services(&self) -> &ServiceHandle<MultiService> {
        &self.0.services
    }

    /// Has `f` called when the application starts or stops. It may return nothing, a `Result`, a Deferred or a future, which the phase
    /// waits for. What fails is reported as a failure of nobody's, and stops nothing.
    ///
    /// One that is added for a phase that is over is never called.
    ///
    /// Counterpart: `reactor.addSystemEventTrigger`, which waits for Deferreds of the first phase only.
    #[track_caller]
    pub fn add_system_event_trigger<R, K>(
        &self,
        phase: Phase,
        event: SystemEvent,
        f: impl FnOnce() -> R + 'static,
    ) -> TriggerId
    where
        R: IntoOutcome<(), K>,
    {
        self.0.triggers.add(phase, event, f)
    }

    /// Takes a trigger back. Whether it was there: one that was called is not.
    ///
    /// Counterpart: `reactor.removeSystemEventTrigger`.
    pub fn remove_system_event_trigger(&self, id: TriggerId) -> bool {
        self.0.triggers.remove(id)
    }

    /// Who has begun to start or to stop and has not finished: services by their paths, triggers by the place in the code where they
    /// were added.
    pub fn unfinished(&self) -> Vec<String> {
        let mut unfinished = self.0.services.unfinished();
        unfinished.extend(self.0.triggers.unfinished());
        unfinished
    }

    pub(super) fn when_stopped(&self) -> Deferred<()> {
        self.0.stop.when_fired()
    }
}

impl fmt::Debug for ApplicationHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ApplicationHandle").field(&self.0.services.path()).finish()
    }
}
