//! What can be wrong with a tree of services, and what went wrong in one.

use rt_deferred::Failure;
use std::error::Error;
use std::fmt;

/// A request that a [`ServiceHandle`](crate::service::ServiceHandle) refused; nothing was changed by it, except as
/// [`set_service_parent`](crate::service::ServiceHandle::set_service_parent) says.
///
/// Counterpart: the `RuntimeError`s of `twisted.application.service`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServiceError {
    /// There is a service of this name below the same parent.
    NameTaken(String),
    /// It has a parent, which knows it by its name.
    HasParent,
    /// The parent would be the service itself, or one below it.
    BelowItself,
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ServiceError::NameTaken(name) => write!(f, "the parent has a service named {name:?} already"),
            ServiceError::HasParent => f.write_str("the service has a parent: name it before, or disown it first"),
            ServiceError::BelowItself => f.write_str("a service cannot be below itself"),
        }
    }
}

impl Error for ServiceError {}

/// Some of the services of a tree failed to do what they were asked to.
///
/// ```
/// use rt::Failure;
/// use rt::deferred::failure_result_of;
/// use rt::service::{Service, ServiceHandle, ServicesFailed};
///
/// struct Broken;
/// impl Service for Broken {
///     async fn start_service(&self, _: &ServiceHandle<Self>) -> Result<(), Failure> {
///         Err("no paper".into())
///     }
/// }
///
/// let failure = failure_result_of(ServiceHandle::named("printer", Broken).start_service());
/// assert_eq!(failure.to_string(), "printer: no paper");
/// assert_eq!(failure.downcast_ref::<ServicesFailed>().unwrap().failures[0].0, "printer");
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServicesFailed {
    /// The path of each that failed, as [`ServiceHandle::path`](crate::service::ServiceHandle::path) has it, and what it failed with.
    pub failures: Vec<(String, Failure)>,
}

impl fmt::Display for ServicesFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (path, failure) in &self.failures {
            write!(f, "{separator}{path}: {failure:#}")?;
            separator = "; ";
        }
        Ok(())
    }
}

/// Its text has the sources.
impl Error for ServicesFailed {}
