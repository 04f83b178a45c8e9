//! A service that is nothing but those below it.

use super::{Service, ServiceHandle};

/// A service that is nothing but those below it.
///
/// ```
/// use rt::service::MultiService;
///
/// let program = MultiService::named("program");
/// let workers = MultiService::named("workers");
/// workers.set_service_parent(&program).unwrap();
/// assert_eq!(program.service_named("workers").unwrap().path(), "program/workers");
/// ```
///
/// Counterpart: `twisted.application.service.MultiService`.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct MultiService;

impl MultiService {
    /// One without a name.
    pub fn new() -> ServiceHandle<MultiService> {
        ServiceHandle::new(MultiService)
    }

    /// One with this name.
    pub fn named(name: &str) -> ServiceHandle<MultiService> {
        ServiceHandle::named(name, MultiService)
    }
}

impl Service for MultiService {}
