//! Runs a program that is made of services: start, signals, reload, and an end in good order.
//!
//! An [`Application`] is a tree of [services](crate::service) with a name and options. [`run`] starts it, waits until it is asked to
//! stop, and stops it:
//!
//! | what comes | what happens |
//! |---|---|
//! | `SIGINT` (Ctrl-C), `SIGTERM`, [`ApplicationHandle::stop`] | it stops, in the phases of [`SystemEvent::Shutdown`] |
//! | a second `SIGINT` or `SIGTERM`, or one after [`ApplicationHandle::stop`] | it ends now, and tells who was late |
//! | the [deadline](Application::deadline) after the first | it ends, and tells who was late |
//! | `SIGHUP` | [`Service::reconfigure`](crate::service::Service::reconfigure) of all services |
//! | `SIGCHLD`, as process 1 | children that nobody waits for are reaped: see [`Application::reap_orphans`] |
//!
//! Under systemd (`Type=notify`, or `notify-reload`) it tells when it is ready, reloads and stops, and keeps the watchdog quiet for as
//! long as its thread turns. Sockets that systemd has opened are in [`AdoptedSockets`](crate::AdoptedSockets).
//!
//! How a run ended is an [`Exit`], and that an exit code.
//!
//! Counterpart: `twistd`, `twist`; `reactor.run`.

mod application;
mod run;
mod exit;
mod triggers;
mod notice;
mod signals;
mod notify;
mod pid_file;
mod orphans;

pub use application::{Application, ApplicationHandle};
pub use exit::Exit;
pub use notice::{Notice, NoticeKind};
pub use run::{run, run_here};
pub use triggers::{Phase, SystemEvent, TriggerId};
