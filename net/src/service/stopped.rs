//! How a tree of services stopped.

use rt_deferred::Failure;

/// How those below a service stopped, which has stopped itself.
///
/// The failures in it have been reported as nobody's: there is nothing to handle.
///
/// ```
/// use rt::deferred::success_result_of;
/// use rt::service::MultiService;
///
/// let (all, part) = (MultiService::new(), MultiService::new());
/// part.set_service_parent(&all).unwrap();
/// drop(all.start_service());
/// let stopped = success_result_of(all.stop_service());
/// assert!(stopped.is_clean());
/// assert_eq!(stopped.services().len(), 1);
/// ```
///
/// Counterpart: the result of `MultiService.stopService`, a list of pairs.
#[derive(Clone, Debug, Default)]
pub struct Stopped {
    services: Vec<Result<Stopped, Failure>>,
}

impl Stopped {
    pub(super) fn new(services: Vec<Result<Stopped, Failure>>) -> Self {
        Self { services }
    }

    /// How each of those right below stopped, in the order in which they were stopped: the last one first.
    pub fn services(&self) -> &[Result<Stopped, Failure>] {
        &self.services
    }

    /// Whether none failed, at any depth.
    pub fn is_clean(&self) -> bool {
        self.services.iter().all(|service| service.as_ref().is_ok_and(Stopped::is_clean))
    }
}
