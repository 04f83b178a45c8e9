//! A service's place in a tree, whatever the service is.

use super::{Service, ServiceError, ServiceHandle, ServicesFailed, Stopped};
use rt_deferred::{Deferred, DeferredList, Failure, ListResult, ensure_deferred};
use std::any::{Any, type_name};
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

pub(super) struct Node {
    pub(super) name: RefCell<Option<Rc<str>>>,
    pub(super) is_running: Cell<bool>,
    pub(super) service: Rc<dyn Any>,
    parent: RefCell<Weak<Node>>,
    children: RefCell<Vec<Rc<Node>>>,
    /// How many of its methods have begun and not finished.
    unfinished: Cell<u32>,
    methods: Box<dyn Methods>,
    /// The service's type, for who has no name.
    kind: &'static str,
}

/// A method of [`Service`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    PrivilegedStart,
    Start,
    Stop,
    ServicesStopped,
    Reconfigure,
}

impl Node {
    pub(super) fn new<S: Service>(name: Option<Rc<str>>, service: &Rc<S>) -> Rc<Self> {
        Rc::new(Self {
            name: RefCell::new(name),
            is_running: Cell::new(false),
            service: service.clone(),
            parent: RefCell::default(),
            children: RefCell::default(),
            unfinished: Cell::new(0),
            methods: Box::new(MethodsOf(service.clone())),
            kind: type_name::<S>(),
        })
    }

    pub(super) fn parent(&self) -> Option<Rc<Node>> {
        self.parent.borrow().upgrade()
    }

    pub(super) fn children(&self) -> Vec<Rc<Node>> {
        self.children.borrow().clone()
    }

    pub(super) fn child_named(&self, name: &str) -> Option<Rc<Node>> {
        self.children.borrow().iter().find(|child| child.is_named(name)).cloned()
    }

    fn is_named(&self, name: &str) -> bool {
        self.name.borrow().as_deref() == Some(name)
    }

    /// Becomes the last below `parent`.
    pub(super) fn join(self: &Rc<Self>, parent: &Rc<Node>) -> Result<(), ServiceError> {
        if let Some(name) = self.name.borrow().as_deref()
            && parent.child_named(name).is_some()
        {
            return Err(ServiceError::NameTaken(name.into()));
        }
        // What its leaving has called may have put either of them elsewhere.
        if self.parent().is_some() {
            return Err(ServiceError::HasParent);
        }
        if parent.is_below_or_same(self) {
            return Err(ServiceError::BelowItself);
        }
        *self.parent.borrow_mut() = Rc::downgrade(parent);
        parent.children.borrow_mut().push(self.clone());
        if parent.is_running.get() {
            let mut members = Vec::new();
            self.call_all(Method::PrivilegedStart, &mut members);
            // It may have left again.
            if parent.is_running.get() && parent.is_parent_of(self) {
                self.call_all(Method::Start, &mut members);
            }
            // Nobody else looks at it: a failure is reported.
            drop(all_of(members));
        }
        Ok(())
    }

    /// Leaves its parent, and is stopped if that runs.
    pub(super) fn leave(self: &Rc<Self>) -> Deferred<Stopped> {
        let Some(parent) = self.parent() else { return Deferred::succeed(Stopped::default()) };
        *self.parent.borrow_mut() = Weak::new();
        parent.children.borrow_mut().retain(|child| !Rc::ptr_eq(child, self));
        if parent.is_running.get() { self.stop() } else { Deferred::succeed(Stopped::default()) }
    }

    /// Calls the method of this service and of all below it; fires when all have finished.
    pub(super) fn begin(self: &Rc<Self>, method: Method) -> Deferred<()> {
        let mut members = Vec::new();
        self.call_all(method, &mut members);
        all_of(members)
    }

    fn call_all(self: &Rc<Self>, method: Method, members: &mut Vec<(Rc<Node>, Deferred<()>)>) {
        if method == Method::Start {
            self.is_running.set(true);
        }
        let before = self.children();
        members.push((self.clone(), self.call(method)));
        // One that comes while this runs is started by its coming; before that it has to be called here.
        let children = if self.is_running.get() { before } else { self.children() };
        for child in children {
            // Who is stopped while it starts starts nobody any more.
            let goes_on = method != Method::Start || self.is_running.get();
            if goes_on && self.is_parent_of(&child) {
                child.call_all(method, members);
            }
        }
    }

    pub(super) fn stop(self: &Rc<Self>) -> Deferred<Stopped> {
        self.is_running.set(false);
        let children = self.children();
        let own = self.call(Method::Stop).add_callback(|()| Ok::<_, Failure>(Stopped::default()));
        // Who is sent away meanwhile finds that the parent does not run, and is stopped here; unless it runs elsewhere by now.
        let below = children.into_iter().rev().filter(|child| match child.parent() {
            Some(parent) if !Rc::ptr_eq(&parent, self) => child.is_running.get() && !parent.is_running.get(),
            Some(_) => true,
            None => child.is_running.get(),
        });
        let mut members: Vec<_> = below.map(|child| child.stop()).collect();
        members.push(own);
        let node = self.clone();
        DeferredList::new(members).consume_errors(true).start().add_callback(move |results| {
            let ListResult::All(mut results) = results else { unreachable!("it was not asked for the first") };
            let own = results.pop().expect("it was pushed last");
            results.iter().filter_map(|result| result.as_ref().err()).for_each(report);
            node.call(Method::ServicesStopped).add_both(move |last: Result<(), Failure>| match (own, last) {
                (Ok(_), Ok(())) => Ok(Stopped::new(results)),
                (Ok(_), Err(failure)) => Err(failure),
                (Err(failure), last) => {
                    last.err().iter().for_each(report);
                    Err(failure)
                }
            })
        })
    }

    fn is_parent_of(self: &Rc<Self>, child: &Node) -> bool {
        child.parent().is_some_and(|parent| Rc::ptr_eq(&parent, self))
    }

    fn call(self: &Rc<Self>, method: Method) -> Deferred<()> {
        self.unfinished.set(self.unfinished.get() + 1);
        let node = self.clone();
        self.methods.call(method, self).add_both(move |result: Result<(), Failure>| {
            node.unfinished.set(node.unfinished.get() - 1);
            result
        })
    }

    /// The paths of those, here and below, that have begun something and not finished.
    pub(super) fn unfinished(&self) -> Vec<String> {
        let own = (self.unfinished.get() > 0).then(|| self.path());
        own.into_iter().chain(self.children().iter().flat_map(|child| child.unfinished())).collect()
    }

    pub(super) fn path(&self) -> String {
        let parent = self.parent();
        let own = self.name.borrow().as_deref().map(str::to_owned).unwrap_or_else(|| {
            let kind = self.kind.split('<').next().unwrap_or_default().rsplit("::").next().unwrap_or_default();
            let siblings = parent.as_ref().map(|parent| parent.children()).unwrap_or_default();
            let place = siblings.iter().position(|sibling| std::ptr::eq(&**sibling, self));
            place.map_or_else(|| kind.to_owned(), |place| format!("{kind}#{place}"))
        });
        parent.map_or_else(|| own.clone(), |parent| format!("{}/{own}", parent.path()))
    }

    pub(super) fn is_below_or_same(self: &Rc<Self>, other: &Rc<Node>) -> bool {
        Rc::ptr_eq(self, other) || self.parent().is_some_and(|parent| parent.is_below_or_same(other))
    }
}

/// The methods of a service, whatever its type.
trait Methods {
    fn call(&self, method: Method, node: &Rc<Node>) -> Deferred<()>;
}

struct MethodsOf<S>(Rc<S>);

impl<S: Service> Methods for MethodsOf<S> {
    fn call(&self, method: Method, node: &Rc<Node>) -> Deferred<()> {
        let (service, this) = (self.0.clone(), ServiceHandle::of(node.clone(), self.0.clone()));
        match method {
            Method::PrivilegedStart => ensure_deferred(async move { service.privileged_start_service(&this).await }),
            Method::Start => ensure_deferred(async move { service.start_service(&this).await }),
            Method::Stop => ensure_deferred(async move { service.stop_service(&this).await }),
            Method::ServicesStopped => ensure_deferred(async move { service.services_stopped(&this).await }),
            Method::Reconfigure => ensure_deferred(async move { service.reconfigure(&this).await }),
        }
    }
}

/// Fires when all have finished, and fails with all that failed.
fn all_of(members: Vec<(Rc<Node>, Deferred<()>)>) -> Deferred<()> {
    let (nodes, members): (Vec<_>, Vec<_>) = members.into_iter().unzip();
    DeferredList::new(members).consume_errors(true).start().add_callback(move |results| {
        let ListResult::All(results) = results else { unreachable!("it was not asked for the first") };
        let failures = nodes.iter().zip(results);
        let failures: Vec<_> = failures.filter_map(|(node, result)| Some((node.path(), result.err()?))).collect();
        if failures.is_empty() { Ok(()) } else { Err(Failure::new(ServicesFailed { failures })) }
    })
}

/// Reports a failure that is nobody's result.
fn report(failure: &Failure) {
    drop(Deferred::<()>::fail(failure.clone()));
}
