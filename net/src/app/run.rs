//! A run, from the first line to the exit code.

use super::notice::NoticeKind::{Failed, Late, Progress};
use super::notify::Notifier;
use super::orphans::Reaping;
use super::pid_file::PidFile;
use super::signals::Signals;
use super::{Application, ApplicationHandle, Exit, Phase, SystemEvent};
use rt_deferred::{Failure, LoopingCall, OneShotObservers, ensure_deferred};
use rt_runtime::runtime::Builder;
use rt_runtime::select;
use rt_runtime::signal::unix::SignalKind;
use rt_runtime::time::sleep;
use std::future::IntoFuture;
use std::mem;
use std::pin::pin;
use std::process::ExitCode;

/// Runs an application on a runtime of its own until it has stopped: what `main` of a daemon does. See the [module](crate::app) for
/// what it reacts to, and [`Exit`] for the codes.
///
/// # Panics
///
/// If this thread drives a runtime already: there it is [`run_here`].
///
/// Counterpart: `twistd`, in the foreground.
pub fn run(mut application: Application) -> ExitCode {
    match mem::replace(&mut application.runtime, Builder::new_current_thread()).build() {
        Ok(runtime) => {
            let exit = runtime.block_on(run_here(application));
            // A blocking call that does not end does not hold up the exit.
            runtime.shutdown_background();
            exit.into()
        }
        Err(error) => {
            application.say(Failed, format_args!("could not start: {error}"));
            Exit::StartFailed.into()
        }
    }
}

/// Runs an application until it has stopped, within the runtime that drives this thread.
///
/// # Cancel safety
///
/// Dropping the future cancels a start that is under way and leaves the services as they are, without stopping them; the pid file is
/// removed.
pub async fn run_here(application: Application) -> Exit {
    let name = application.services().path();
    let _forgotten = Forgotten(application.handle());
    application.say(Progress, format_args!("starting, process {}", std::process::id()));
    let prepared = Signals::listen().and_then(|signals| {
        Ok((signals, application.pid_file.as_deref().map(PidFile::create).transpose()?, Reaping::start(&application)?))
    });
    let (mut signals, pid_file, reaping) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => {
            application.say(Failed, format_args!("could not start: {error}"));
            return Exit::StartFailed;
        }
    };
    let mut run = Run { application: &application, notifier: Notifier::from_env(), watchdog: None };
    let exit = select! {
        exit = run.conduct(&mut signals) => exit,
        never = reaping.reap(&application) => match never {},
    };
    drop(pid_file);
    (application.tell)(&super::Notice::new(Progress, format!("{name}: {}", last_words(exit))));
    exit
}

/// Drops the triggers when the run is over, also when its future is dropped.
struct Forgotten(ApplicationHandle);

impl Drop for Forgotten {
    fn drop(&mut self) {
        self.0.0.triggers.clear();
    }
}

/// Stops what runs; whether all was well.
async fn stop(handle: ApplicationHandle) -> bool {
    // Who waits for that waits no longer.
    handle.stop();
    let triggers = &handle.0.triggers;
    let services = handle.services().stop_service();
    let mut is_clean = triggers.fire(Phase::Before, SystemEvent::Shutdown).await;
    is_clean &= services.await.is_ok_and(|stopped| stopped.is_clean());
    is_clean &= triggers.fire(Phase::During, SystemEvent::Shutdown).await;
    is_clean &= triggers.fire(Phase::After, SystemEvent::Shutdown).await;
    is_clean
}

fn last_words(exit: Exit) -> String {
    match exit {
        Exit::Stopped => "stopped".to_owned(),
        Exit::StartFailed => "stopped, after it could not start".to_owned(),
        Exit::StopFailed => "stopped, not in good order".to_owned(),
        Exit::Late => "ended at the deadline".to_owned(),
        Exit::Interrupted(signal) => format!("ended by {signal:?}"),
    }
}

struct Run<'a> {
    application: &'a Application,
    notifier: Notifier,
    watchdog: Option<LoopingCall>,
}

/// Why it stops.
enum Cause {
    Asked,
    Signal(SignalKind),
    Failure(Failure),
}

impl Run<'_> {
    async fn conduct(&mut self, signals: &mut Signals) -> Exit {
        let cause = match self.start(signals).await {
            Some(cause) => cause,
            None => self.serve(signals).await,
        };
        self.notifier.stopping();
        match &cause {
            Cause::Asked => self.say(Progress, "stopping, as it was asked to"),
            Cause::Signal(kind) => self.say(Progress, format_args!("{kind:?}: stopping")),
            Cause::Failure(failure) => self.say(Failed, format_args!("could not start: {failure}")),
        }
        let exit = self.stop(signals).await;
        if let Some(watchdog) = self.watchdog.take() {
            // It runs.
            let _ = watchdog.stop();
        }
        match cause {
            Cause::Failure(_) if matches!(exit, Exit::Stopped | Exit::StopFailed) => Exit::StartFailed,
            _ => exit,
        }
    }

    /// Starts the services; what ends that early is the cause to stop.
    async fn start(&self, signals: &mut Signals) -> Option<Cause> {
        let handle = &self.application.handle;
        let starting = async {
            let (triggers, services) = (&handle.0.triggers, handle.services());
            triggers.fire(Phase::Before, SystemEvent::Startup).await;
            services.privileged_start_service().await?;
            services.start_service().await?;
            triggers.fire(Phase::During, SystemEvent::Startup).await;
            triggers.fire(Phase::After, SystemEvent::Startup).await;
            Ok(())
        };
        select! {
            biased;
            started = starting => started.err().map(Cause::Failure),
            kind = signals.next_end() => Some(Cause::Signal(kind)),
            _ = handle.when_stopped() => Some(Cause::Asked),
        }
    }

    /// Lets it run until there is a cause to stop.
    async fn serve(&mut self, signals: &mut Signals) -> Cause {
        self.watchdog = self.watch();
        self.notifier.ready();
        self.say(Progress, "started");
        let mut stopped = pin!(IntoFuture::into_future(self.application.handle.when_stopped()));
        loop {
            select! {
                _ = &mut stopped => return Cause::Asked,
                kind = signals.next() => {
                    if kind != SignalKind::hangup() {
                        return Cause::Signal(kind);
                    }
                    select! {
                        () = self.reconfigure() => {}
                        kind = signals.next_end() => return Cause::Signal(kind),
                        _ = &mut stopped => return Cause::Asked,
                    }
                }
            }
        }
    }

    async fn reconfigure(&self) {
        self.notifier.reloading();
        self.say(Progress, "SIGHUP: reading the configuration again");
        match self.application.services().reconfigure().await {
            Ok(()) => self.say(Progress, "reconfigured"),
            Err(failure) => self.say(Failed, format_args!("could not reconfigure: {failure}")),
        }
        self.notifier.ready();
    }

    async fn stop(&self, signals: &mut Signals) -> Exit {
        let deadline = self.application.deadline;
        let patience = async {
            sleep(deadline / 2).await;
            self.say_who_is_late(&format!("still stopping after {:?}", deadline / 2));
            sleep(deadline - deadline / 2).await;
        };
        // Not to be dropped with the wait for it: that would cancel what the services do about their end.
        let stopped = OneShotObservers::from_deferred(ensure_deferred(stop(self.application.handle.clone())));
        select! {
            biased;
            is_clean = stopped.when_fired() => match is_clean {
                Ok(true) => Exit::Stopped,
                _ => Exit::StopFailed,
            },
            kind = signals.next_end() => {
                self.say_who_is_late(&format!("{kind:?}: ending now"));
                Exit::Interrupted(kind)
            }
            () = patience => {
                self.say_who_is_late(&format!("not stopped within {deadline:?}"));
                Exit::Late
            }
        }
    }

    fn say_who_is_late(&self, what: &str) {
        let late = self.application.handle.unfinished();
        let late = if late.is_empty() { "nobody".to_owned() } else { late.join(", ") };
        self.say(Late, format_args!("{what}; late: {late}"));
    }

    /// Tells the supervisor that it is alive, for as long as its thread turns.
    fn watch(&self) -> Option<LoopingCall> {
        let interval = self.notifier.watchdog_interval()?;
        let notifier = Notifier::from_env();
        let watchdog = LoopingCall::new(move || notifier.alive());
        drop(watchdog.start(interval, true).ok()?);
        Some(watchdog)
    }

    fn say(&self, kind: super::NoticeKind, text: impl std::fmt::Display) {
        self.application.say(kind, text);
    }
}
