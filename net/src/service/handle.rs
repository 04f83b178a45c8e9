//! A service in its place.

use super::node::{Method, Node};
use super::{Service, ServiceError, Stopped};
use rt_deferred::Deferred;
use std::any::Any;
use std::fmt;
use std::ops::Deref;
use std::rc::Rc;

/// A service with a name and a place in a tree. A cheap handle, of one thread.
///
/// `ServiceHandle<MyService>` dereferences to the service, so that its own methods can be called. `ServiceHandle` without a type is a
/// service of any type, such as a tree gives: [`downcast`](ServiceHandle::downcast) has it back.
///
/// A tree keeps its services: who needs no handle may drop it. A handle does not keep those above it.
///
/// Counterpart: an object that provides `IService` and `IServiceCollection`.
///
/// ```
/// use rt::service::{MultiService, Service, ServiceHandle};
///
/// struct Greeter { word: &'static str }
/// impl Greeter {
///     fn greet(&self, whom: &str) -> String {
///         format!("{}, {whom}", self.word)
///     }
/// }
/// impl Service for Greeter {}
///
/// let program = MultiService::new();
/// let greeter = ServiceHandle::named("greeter", Greeter { word: "hello" });
/// greeter.set_service_parent(&program).unwrap();
/// assert_eq!(greeter.greet("you"), "hello, you");
///
/// let found = program.service_named("greeter").unwrap().downcast::<Greeter>().unwrap();
/// assert_eq!(found.greet("you"), "hello, you");
/// ```
pub struct ServiceHandle<S: ?Sized = dyn Any> {
    node: Rc<Node>,
    service: Rc<S>,
}

impl<S: Service> ServiceHandle<S> {
    /// A place for `service`: without a name, without a parent, not running.
    pub fn new(service: S) -> Self {
        Self::with_name(None, service)
    }

    /// As [`new`](ServiceHandle::new), with a name.
    pub fn named(name: &str, service: S) -> Self {
        Self::with_name(Some(name.into()), service)
    }

    fn with_name(name: Option<Rc<str>>, service: S) -> Self {
        let service = Rc::new(service);
        Self::of(Node::new(name, &service), service)
    }

    /// The same, as one of any type.
    pub fn any(&self) -> ServiceHandle {
        ServiceHandle::of_node(self.node.clone())
    }
}

impl ServiceHandle {
    /// The same, if it is of this type.
    pub fn downcast<S: Service>(&self) -> Option<ServiceHandle<S>> {
        let service = self.service.clone().downcast().ok()?;
        Some(ServiceHandle::of(self.node.clone(), service))
    }

    fn of_node(node: Rc<Node>) -> Self {
        let service = node.service.clone();
        Self { node, service }
    }
}

impl<S: ?Sized> ServiceHandle<S> {
    pub(super) fn of(node: Rc<Node>, service: Rc<S>) -> Self {
        Self { node, service }
    }

    /// Its name.
    pub fn name(&self) -> Option<Rc<str>> {
        self.node.name.borrow().clone()
    }

    /// Names it; `None` takes the name away.
    ///
    /// # Errors
    ///
    /// [`HasParent`](ServiceError::HasParent).
    ///
    /// Counterpart: `setName`.
    pub fn set_name<'a>(&self, name: impl Into<Option<&'a str>>) -> Result<(), ServiceError> {
        if self.node.parent().is_some() {
            return Err(ServiceError::HasParent);
        }
        *self.node.name.borrow_mut() = name.into().map(Rc::from);
        Ok(())
    }

    /// The names from the top of the tree down to this one, with `/` between them. Who has no name is called by its type and its
    /// place among those below its parent, counted from 0: `program/TimerService#2`.
    pub fn path(&self) -> String {
        self.node.path()
    }

    /// Whether it was started and not stopped since.
    pub fn is_running(&self) -> bool {
        self.node.is_running.get()
    }

    /// Which service it is below of.
    pub fn parent(&self) -> Option<ServiceHandle> {
        self.node.parent().map(ServiceHandle::of_node)
    }

    /// Puts it below another one, behind those that are there. If that runs, this one is started; what fails in that is reported as
    /// a failure of nobody's. A parent that it has is left first, as by
    /// [`disown_service_parent`](ServiceHandle::disown_service_parent).
    ///
    /// # Errors
    ///
    /// [`BelowItself`](ServiceError::BelowItself). [`NameTaken`](ServiceError::NameTaken): then it has no parent any more.
    /// [`HasParent`](ServiceError::HasParent) if its leaving has called something that gave it another parent.
    ///
    /// Counterpart: `setServiceParent`.
    pub fn set_service_parent<P: ?Sized>(&self, parent: &ServiceHandle<P>) -> Result<(), ServiceError> {
        if parent.node.is_below_or_same(&self.node) {
            return Err(ServiceError::BelowItself);
        }
        drop(self.node.leave());
        self.node.join(&parent.node)
    }

    /// Leaves its parent. If that runs, this one is stopped, and the Deferred is that of
    /// [`stop_service`](ServiceHandle::stop_service); else it has fired. Without a parent it does nothing.
    ///
    /// Counterpart: `disownServiceParent`.
    pub fn disown_service_parent(&self) -> Deferred<Stopped> {
        self.node.leave()
    }

    /// Those right below it, in order.
    ///
    /// Counterpart: iterating over an `IServiceCollection`.
    pub fn services(&self) -> Vec<ServiceHandle> {
        self.node.children().into_iter().map(ServiceHandle::of_node).collect()
    }

    /// The one of this name right below it.
    ///
    /// Counterpart: `getServiceNamed`.
    pub fn service_named(&self, name: &str) -> Option<ServiceHandle> {
        self.node.child_named(name).map(ServiceHandle::of_node)
    }

    /// Calls [`Service::privileged_start_service`] of this one, then of all below it in order. Fires when all have finished, and
    /// fails with [`ServicesFailed`](crate::service::ServicesFailed) if some failed; the others were called all the same.
    pub fn privileged_start_service(&self) -> Deferred<()> {
        self.node.begin(Method::PrivilegedStart)
    }

    /// Starts this one, then all below it in order. Nobody waits for anybody.
    ///
    /// Fires when all have come up, and fails with [`ServicesFailed`](crate::service::ServicesFailed) if some did not. Those that
    /// failed count as running, so that stopping them frees what they have. Starting what runs calls the methods again.
    pub fn start_service(&self) -> Deferred<()> {
        self.node.begin(Method::Start)
    }

    /// Stops this one, then those below it in reverse order. Nobody waits for anybody.
    ///
    /// Fires when all have stopped. It fails if this one did; the failures of those below it are in [`Stopped`], and reported.
    /// Cancelling the Deferred cancels what the methods wait for.
    pub fn stop_service(&self) -> Deferred<Stopped> {
        self.node.stop()
    }

    /// Calls [`Service::reconfigure`] of this one, then of all below it in order. Fires when all have finished, and fails with
    /// [`ServicesFailed`](crate::service::ServicesFailed) if some failed; the others were called all the same.
    pub fn reconfigure(&self) -> Deferred<()> {
        self.node.begin(Method::Reconfigure)
    }

    /// The paths of those that have begun to start, to stop or to configure themselves and have not finished: this one and those
    /// below it.
    pub fn unfinished(&self) -> Vec<String> {
        self.node.unfinished()
    }

    /// Whether the two are the same service.
    pub fn is_same<O: ?Sized>(&self, other: &ServiceHandle<O>) -> bool {
        Rc::ptr_eq(&self.node, &other.node)
    }
}

impl<S: ?Sized> Deref for ServiceHandle<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.service
    }
}

impl<S: ?Sized> Clone for ServiceHandle<S> {
    fn clone(&self) -> Self {
        Self { node: self.node.clone(), service: self.service.clone() }
    }
}

impl<S: ?Sized> fmt::Debug for ServiceHandle<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, is_running) = (self.path(), self.is_running());
        f.debug_struct("ServiceHandle").field("path", &path).field("is_running", &is_running).finish_non_exhaustive()
    }
}
