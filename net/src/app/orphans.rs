//! Children that nobody waits for: those of processes that have ended, which the system gives to this one.

#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux;

use super::Application;
use std::convert::Infallible;
use std::future::pending;
use std::io;

#[cfg(any(target_os = "linux", target_os = "android"))]
use {
    super::NoticeKind,
    linux::Orphans,
    rt_runtime::select,
    rt_runtime::signal::unix::{Signal, SignalKind, signal},
    rt_runtime::time::sleep,
    std::time::Duration,
};

/// The work of an application that reaps orphans; of others, too, which have none.
pub(super) struct Reaping {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    orphans: Option<(Orphans, Signal)>,
}

#[cfg(any(target_os = "linux", target_os = "android"))]
impl Reaping {
    pub(super) fn start(application: &Application) -> io::Result<Self> {
        if !application.reap_orphans.unwrap_or_else(linux::is_process_1) {
            return Ok(Self { orphans: None });
        }
        let changes = signal(SignalKind::child())?;
        Ok(Self { orphans: Some((Orphans::adopt(application.orphan_grace)?, changes)) })
    }

    pub(super) async fn reap(self, application: &Application) -> Infallible {
        let Some((mut orphans, mut changes)) = self.orphans else { return pending().await };
        loop {
            let (reaped, again) = orphans.reap();
            for id in reaped {
                application.say(NoticeKind::Reaped, format_args!("process {id} has ended, an orphan"));
            }
            select! {
                _ = changes.recv() => {}
                () = sleep(again.unwrap_or(Duration::MAX)) => {}
            }
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
impl Reaping {
    pub(super) fn start(application: &Application) -> io::Result<Self> {
        // Not known here how to tell orphans.
        let _ = (application.reap_orphans, application.orphan_grace);
        Ok(Self {})
    }

    pub(super) async fn reap(self, _: &Application) -> Infallible {
        pending().await
    }
}
