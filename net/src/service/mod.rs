//! What a program is made of, started and stopped in order.
//!
//! A [`Service`] is a part of a program that runs for a while: a server, a connection that is kept up, a pool, a timer. A
//! [`ServiceHandle`] puts it into a tree: who is started starts those below in the order in which they came, who is stopped stops them
//! in the reverse order and is done when all are. [`app::run`](crate::app::run) starts a tree, waits for a signal, and stops it.
//!
//! | what | runs |
//! |---|---|
//! | [`MultiService`] | nothing but what is below it |
//! | [`StreamServerEndpointService`] | a server |
//! | [`ClientService`] | one connection, made again whenever it is lost |
//! | [`TimerService`] | a function, again and again |
//! | [`CooperatorService`] | long work in pieces |
//! | `ProcessMonitor` (Unix) | child processes, started again when they end |
//!
//! Counterpart: `twisted.application.service`, `twisted.application.internet`.

mod handle;
mod multi;
mod error;
mod stopped;

mod server;
mod client;
mod timer;
mod cooperator;
#[cfg(unix)]
mod process_monitor;

mod node;
mod factory;

pub use error::{ServiceError, ServicesFailed};
pub use handle::ServiceHandle;
pub use multi::MultiService;
pub use stopped::Stopped;

pub use client::{ClientService, backoff_policy, default_backoff_policy};
pub use cooperator::CooperatorService;
#[cfg(unix)]
pub use process_monitor::{OutputStream, ProcessEvent, ProcessExists, ProcessMonitor};
pub use server::StreamServerEndpointService;
pub use timer::TimerService;

use rt_deferred::Failure;
use std::future::Future;

/// A part of a program that is started and stopped.
///
/// It is put into a [`ServiceHandle`], which knows its name, whether it runs, and its place in a tree, and which calls the methods here.
/// All of them have a default that does nothing. There is no base method to call: the handle keeps the books.
///
/// The methods are called on a shared reference, because callbacks come back into a service at any time: what changes is kept in a
/// `Cell` or `RefCell`, as an object of Twisted keeps it in its attributes. They run at once, up to their first `await`, within the
/// call that starts or stops the tree; while they wait, the others go on. `this` is the service's own handle, for callbacks that
/// outlive the call.
///
/// A [`Deferred`](rt_deferred::Deferred) is awaited, as any future is. The error and the panic of a method are its failure.
///
/// Counterpart: `twisted.application.service.Service`. A subclass of `MultiService` is a service, too: any may have others below it.
///
/// ```
/// use rt::Failure;
/// use rt::service::{MultiService, Service, ServiceHandle};
/// use std::cell::RefCell;
///
/// #[derive(Default)]
/// struct Journal {
///     lines: RefCell<Option<Vec<String>>>,
/// }
///
/// impl Journal {
///     fn write(&self, line: &str) {
///         self.lines.borrow_mut().as_mut().expect("it runs").push(line.to_owned());
///     }
/// }
///
/// impl Service for Journal {
///     async fn start_service(&self, _this: &ServiceHandle<Self>) -> Result<(), Failure> {
///         *self.lines.borrow_mut() = Some(Vec::new());
///         Ok(())
///     }
///
///     async fn stop_service(&self, _this: &ServiceHandle<Self>) -> Result<(), Failure> {
///         self.lines.take();
///         Ok(())
///     }
/// }
///
/// let program = MultiService::named("program");
/// let journal = ServiceHandle::named("journal", Journal::default());
/// journal.set_service_parent(&program).unwrap();
///
/// let up = program.start_service();
/// assert!(up.state().has_result() && journal.is_running());
/// journal.write("hello");
/// # drop(program.stop_service());
/// ```
pub trait Service: Sized + 'static {
    /// Does what has to be done with the rights that a program begins with and gives up later: opening a port below 1024, say. Called
    /// before [`start_service`](Service::start_service), for the whole tree first.
    ///
    /// # Errors
    ///
    /// It cannot be started; the failure is that of the handle's
    /// [`privileged_start_service`](ServiceHandle::privileged_start_service).
    ///
    /// Counterpart: `privilegedStartService`.
    fn privileged_start_service(&self, this: &ServiceHandle<Self>) -> impl Future<Output = Result<(), Failure>> {
        let _ = this;
        async { Ok(()) }
    }

    /// Starts. Those below are started right after, without waiting for this one to have finished.
    ///
    /// # Errors
    ///
    /// It cannot be started; the failure is that of the handle's [`start_service`](ServiceHandle::start_service).
    ///
    /// Counterpart: `startService`.
    fn start_service(&self, this: &ServiceHandle<Self>) -> impl Future<Output = Result<(), Failure>> {
        let _ = this;
        async { Ok(()) }
    }

    /// Stops. Those below are stopped right after, without waiting for this one to have finished.
    ///
    /// # Errors
    ///
    /// It did not stop in good order; the failure is that of the handle's [`stop_service`](ServiceHandle::stop_service).
    ///
    /// Counterpart: `stopService`.
    fn stop_service(&self, this: &ServiceHandle<Self>) -> impl Future<Output = Result<(), Failure>> {
        let _ = this;
        async { Ok(()) }
    }

    /// It and all below it have stopped, in good order or not: what those below were using can go.
    ///
    /// # Errors
    ///
    /// As [`stop_service`](Service::stop_service).
    ///
    /// Counterpart: what a subclass adds to the Deferred of `MultiService.stopService`.
    fn services_stopped(&self, this: &ServiceHandle<Self>) -> impl Future<Output = Result<(), Failure>> {
        let _ = this;
        async { Ok(()) }
    }

    /// Reads its configuration again, while it runs; `SIGHUP` asks for it, under [`app::run`](crate::app::run).
    ///
    /// # Errors
    ///
    /// It could not; the failure is that of the handle's [`reconfigure`](ServiceHandle::reconfigure).
    ///
    /// Counterpart: Buildbot's `ReconfigurableServiceMixin`.
    fn reconfigure(&self, this: &ServiceHandle<Self>) -> impl Future<Output = Result<(), Failure>> {
        let _ = this;
        async { Ok(()) }
    }
}
