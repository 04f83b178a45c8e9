//! Trees of services: order, waiting, failures, and children that come and go.

use std::cell::RefCell;
use std::rc::Rc;

use rt::deferred::{Cancelled, assert_no_result, failure_result_of, success_result_of, unhandled};
use rt::service::{MultiService, Service, ServiceError, ServiceHandle, ServicesFailed};
use rt::{Deferred, Failure, Resolver};

type Trace = Rc<RefCell<Vec<String>>>;

/// Notes what is done to it, and waits for what the test fires.
struct Noted {
    name: &'static str,
    trace: Trace,
    /// By method: what it waits for.
    waits: RefCell<Vec<(&'static str, Deferred<()>)>>,
}

impl Noted {
    async fn note(&self, method: &'static str) -> Result<(), Failure> {
        self.trace.borrow_mut().push(format!("{method} {}", self.name));
        let found = self.waits.borrow().iter().position(|(of, _)| *of == method);
        match found {
            Some(place) => {
                let (_, wait) = self.waits.borrow_mut().remove(place);
                wait.await
            }
            None => Ok(()),
        }
    }

    fn wait(&self, method: &'static str) -> Resolver<()> {
        let (deferred, resolver) = Deferred::new();
        self.waits.borrow_mut().push((method, deferred));
        resolver
    }
}

impl Service for Noted {
    async fn privileged_start_service(&self, _: &ServiceHandle<Self>) -> Result<(), Failure> {
        self.note("privileged").await
    }
    async fn start_service(&self, _: &ServiceHandle<Self>) -> Result<(), Failure> {
        self.note("start").await
    }
    async fn stop_service(&self, _: &ServiceHandle<Self>) -> Result<(), Failure> {
        self.note("stop").await
    }
    async fn services_stopped(&self, _: &ServiceHandle<Self>) -> Result<(), Failure> {
        self.note("stopped").await
    }
    async fn reconfigure(&self, _: &ServiceHandle<Self>) -> Result<(), Failure> {
        self.note("reconfigure").await
    }
}

fn noted(name: &'static str, trace: &Trace) -> ServiceHandle<Noted> {
    ServiceHandle::named(name, Noted { name, trace: trace.clone(), waits: RefCell::default() })
}

/// `top` with `a` and `b` below it.
fn family() -> (Trace, [ServiceHandle<Noted>; 3]) {
    let trace = Trace::default();
    let [top, a, b] = ["top", "a", "b"].map(|name| noted(name, &trace));
    a.set_service_parent(&top).unwrap();
    b.set_service_parent(&top).unwrap();
    (trace, [top, a, b])
}

#[test]
fn started_in_order_and_stopped_in_reverse() {
    let (trace, [top, ..]) = family();
    success_result_of(top.privileged_start_service());
    assert!(!top.is_running());
    success_result_of(top.start_service());
    success_result_of(top.reconfigure());
    assert!(success_result_of(top.stop_service()).is_clean());
    let expected = [
        ["privileged top", "privileged a", "privileged b"],
        ["start top", "start a", "start b"],
        ["reconfigure top", "reconfigure a", "reconfigure b"],
        // What those below were using goes last.
        ["stop top", "stop b", "stopped b"],
    ];
    assert_eq!(trace.borrow()[..12], expected.concat());
    assert_eq!(trace.borrow()[12..], ["stop a", "stopped a", "stopped top"]);
}

#[test]
fn nobody_waits_for_anybody_but_the_whole_for_all() {
    let (trace, [top, a, b]) = family();
    let (a_up, b_down) = (a.wait("start"), b.wait("stop"));
    let up = top.start_service();
    assert_no_result(&up);
    assert_eq!(top.unfinished(), ["top/a"]);
    assert_eq!(trace.borrow().last().unwrap(), "start b");
    a_up.callback(()).unwrap();
    success_result_of(up);

    let down = top.stop_service();
    assert!(!a.is_running() && !b.is_running());
    assert_eq!(top.unfinished(), ["top/b"]);
    assert_no_result(&down);
    b_down.callback(()).unwrap();
    success_result_of(down);
    assert_eq!(trace.borrow().last().unwrap(), "stopped top");
    assert!(top.unfinished().is_empty());
}

#[test]
fn all_are_started_though_some_fail_and_all_that_failed_are_named() {
    let (trace, [top, a, b]) = family();
    a.wait("start").errback("no paper").unwrap();
    b.wait("start").errback("no ink").unwrap();
    let failure = failure_result_of(top.start_service());
    assert_eq!(failure.to_string(), "top/a: no paper; top/b: no ink");
    assert_eq!(failure.downcast_ref::<ServicesFailed>().unwrap().failures.len(), 2);
    assert_eq!(*trace.borrow(), ["start top", "start a", "start b"]);
    assert!(a.is_running(), "so that stopping it frees what it has");
}

#[test]
fn failure_to_stop_is_in_the_result_and_reported_and_stops_nobody_else() {
    let (trace, [top, _, b]) = family();
    success_result_of(top.start_service());
    b.wait("stop").errback("jammed").unwrap();
    let (stopped, reported) = unhandled::capture(|| success_result_of(top.stop_service()));
    assert!(!stopped.is_clean());
    let results = stopped.services();
    assert_eq!(results[0].as_ref().unwrap_err().to_string(), "jammed");
    assert!(results[1].is_ok());
    assert_eq!(reported.len(), 1);
    assert_eq!(trace.borrow()[3..], ["stop top", "stop b", "stopped b", "stop a", "stopped a", "stopped top"]);
}

#[test]
fn own_failure_to_stop_waits_for_those_below() {
    let (_trace, [top, a, _]) = family();
    success_result_of(top.start_service());
    top.wait("stop").errback("jammed").unwrap();
    let a_down = a.wait("stop");
    let down = top.stop_service();
    assert_no_result(&down);
    a_down.callback(()).unwrap();
    assert_eq!(failure_result_of(down).to_string(), "jammed");
}

#[test]
fn method_that_panics_is_a_failure() {
    struct Panics;
    impl Service for Panics {
        async fn start_service(&self, _: &ServiceHandle<Self>) -> Result<(), Failure> {
            panic!("out of ink")
        }
    }
    let failure = failure_result_of(ServiceHandle::new(Panics).start_service());
    assert_eq!(failure.to_string(), "Panics: panicked: out of ink");
}

#[test]
fn cancelled_stop_cancels_what_the_methods_wait_for() {
    let (_trace, [top, a, _]) = family();
    success_result_of(top.start_service());
    let (own, below) = (top.wait("stop"), a.wait("stop"));
    let (failure, reported) = unhandled::capture(|| {
        let down = top.stop_service();
        down.cancel();
        failure_result_of(down)
    });
    assert!(failure.check::<Cancelled>());
    assert_eq!(reported.len(), 1, "that of `a`");
    assert!(own.is_called() && below.is_called());
}

#[test]
fn child_of_what_runs_is_started_and_stopped() {
    let (trace, [top, a, _]) = family();
    success_result_of(top.start_service());
    trace.borrow_mut().clear();
    let late = noted("late", &trace);
    late.set_service_parent(&top).unwrap();
    assert!(late.is_running());
    let a_down = a.wait("stop");
    let left = a.disown_service_parent();
    assert_no_result(&left);
    assert!(a.parent().is_none() && top.service_named("a").is_none());
    a_down.callback(()).unwrap();
    success_result_of(left);
    assert_eq!(*trace.borrow(), ["privileged late", "start late", "stop a", "stopped a"]);
    success_result_of(a.disown_service_parent());
    assert_eq!(trace.borrow().len(), 4, "without a parent it does nothing");
}

#[test]
fn service_that_adds_another_while_it_starts() {
    struct Adds(Trace);
    impl Service for Adds {
        async fn start_service(&self, this: &ServiceHandle<Self>) -> Result<(), Failure> {
            noted("added", &self.0).set_service_parent(this)?;
            Ok(())
        }
    }
    let trace = Trace::default();
    let adds = ServiceHandle::new(Adds(trace.clone()));
    success_result_of(adds.start_service());
    // Once, by its coming: not again as one that was there.
    assert_eq!(*trace.borrow(), ["privileged added", "start added"]);
    assert!(adds.service_named("added").unwrap().is_running());
}

#[test]
fn names_and_paths() {
    let (_, [top, a, b]) = family();
    assert_eq!(a.set_name("other"), Err(ServiceError::HasParent));
    drop(b.disown_service_parent());
    b.set_name("a").unwrap();
    assert_eq!(b.set_service_parent(&top), Err(ServiceError::NameTaken("a".to_owned())));
    b.set_name(None).unwrap();
    b.set_service_parent(&top).unwrap();
    assert_eq!((a.path(), b.path()), ("top/a".to_owned(), "top/Noted#1".to_owned()));
    assert_eq!(top.set_service_parent(&a), Err(ServiceError::BelowItself));
    assert_eq!(top.set_service_parent(&top), Err(ServiceError::BelowItself));
    assert!(top.service_named("a").unwrap().is_same(&a));
    assert!(a.any().downcast::<MultiService>().is_none());
    assert_eq!(a.parent().unwrap().downcast::<Noted>().unwrap().name, "top");
}

#[test]
fn move_from_one_parent_to_another() {
    let (trace, [top, a, _]) = family();
    success_result_of(top.start_service());
    trace.borrow_mut().clear();
    let other = MultiService::named("other");
    a.set_service_parent(&other).unwrap();
    assert_eq!(*trace.borrow(), ["stop a", "stopped a"]);
    assert!(!a.is_running());
    success_result_of(other.start_service());
    assert_eq!(trace.borrow().last().unwrap(), "start a");
}

/// Does in its methods what the test says.
struct Acts {
    trace: Trace,
    act: RefCell<Option<Act>>,
}

/// What is done in which method.
type Act = (&'static str, Box<dyn FnOnce()>);

impl Acts {
    fn named(name: &str, trace: &Trace) -> ServiceHandle<Acts> {
        ServiceHandle::named(name, Acts { trace: trace.clone(), act: RefCell::default() })
    }

    fn on(&self, method: &'static str, act: impl FnOnce() + 'static) {
        *self.act.borrow_mut() = Some((method, Box::new(act)));
    }

    fn note(&self, method: &str, this: &ServiceHandle<Self>) {
        self.trace.borrow_mut().push(format!("{method} {}", this.name().unwrap()));
        let act = self.act.borrow_mut().take_if(|(of, _)| *of == method);
        if let Some((_, act)) = act {
            act();
        }
    }
}

impl Service for Acts {
    async fn privileged_start_service(&self, this: &ServiceHandle<Self>) -> Result<(), Failure> {
        self.note("privileged", this);
        Ok(())
    }
    async fn start_service(&self, this: &ServiceHandle<Self>) -> Result<(), Failure> {
        self.note("start", this);
        Ok(())
    }
    async fn stop_service(&self, this: &ServiceHandle<Self>) -> Result<(), Failure> {
        self.note("stop", this);
        Ok(())
    }
}

/// `top` with `a` and `b` below it.
fn acting_family() -> (Trace, [ServiceHandle<Acts>; 3]) {
    let trace = Trace::default();
    let [top, a, b] = ["top", "a", "b"].map(|name| Acts::named(name, &trace));
    a.set_service_parent(&top).unwrap();
    b.set_service_parent(&top).unwrap();
    (trace, [top, a, b])
}

#[test]
fn service_that_stops_the_tree_while_it_starts() {
    for stopping in ["top", "a"] {
        let (trace, [top, a, b]) = acting_family();
        let whole = top.clone();
        let one = if stopping == "top" { &top } else { &a };
        one.on("start", move || drop(success_result_of(whole.stop_service())));
        success_result_of(top.start_service());
        assert!(!top.is_running() && !a.is_running() && !b.is_running(), "{stopping}: {trace:?}");
    }
}

#[test]
fn service_that_is_sent_away_while_the_tree_stops_is_stopped() {
    for sending in ["top", "b"] {
        let (trace, [top, a, b]) = acting_family();
        success_result_of(top.start_service());
        trace.borrow_mut().clear();
        let away = a.clone();
        let one = if sending == "top" { &top } else { &b };
        one.on("stop", move || drop(success_result_of(away.disown_service_parent())));
        success_result_of(top.stop_service());
        assert_eq!(*trace.borrow(), ["stop top", "stop b", "stop a"], "{sending}");
        assert!(!a.is_running() && a.parent().is_none());
    }
}

#[test]
fn service_that_moves_to_a_running_tree_while_its_own_stops() {
    let (trace, [top, a, b]) = acting_family();
    let other = MultiService::named("other");
    success_result_of(other.start_service());
    success_result_of(top.start_service());
    trace.borrow_mut().clear();
    let (moving, to) = (a.clone(), other.clone());
    b.on("stop", move || moving.set_service_parent(&to).unwrap());
    success_result_of(top.stop_service());
    assert!(a.is_running() && a.parent().unwrap().is_same(&other));
    assert_eq!(trace.borrow().last().unwrap(), "start a", "{trace:?}");
    drop(success_result_of(other.stop_service()));
    assert!(!a.is_running());
}

#[test]
fn service_that_leaves_before_it_starts() {
    let (trace, [top, ..]) = acting_family();
    success_result_of(top.start_service());
    trace.borrow_mut().clear();
    let shy = Acts::named("shy", &trace);
    let leaving = shy.clone();
    shy.on("privileged", move || drop(success_result_of(leaving.disown_service_parent())));
    shy.set_service_parent(&top).unwrap();
    assert_eq!(*trace.borrow(), ["privileged shy", "stop shy"]);
    assert!(!shy.is_running());
}

#[test]
fn service_that_finds_another_parent_while_it_moves() {
    let (_trace, [top, a, b]) = acting_family();
    success_result_of(top.start_service());
    let (moving, other) = (a.clone(), MultiService::named("other"));
    let found = other.clone();
    a.on("stop", move || moving.set_service_parent(&found).unwrap());
    assert_eq!(a.set_service_parent(&b), Err(ServiceError::HasParent));
    assert!(a.parent().unwrap().is_same(&other) && b.services().is_empty());

    // And one whose new parent moves below it meanwhile.
    let (c, d) = (Acts::named("c", &_trace), Acts::named("d", &_trace));
    c.set_service_parent(&top).unwrap();
    let (above, below) = (c.clone(), d.clone());
    c.on("stop", move || below.set_service_parent(&above).unwrap());
    assert_eq!(c.set_service_parent(&d), Err(ServiceError::BelowItself));
    assert!(c.parent().is_none() && d.parent().unwrap().is_same(&c));
}
