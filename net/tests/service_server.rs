//! Servers and timers as services.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use rt::deferred::{Clock, assert_no_result, failure_result_of, success_result_of, unhandled};
use rt::protocol::{Address, Factory, Listening, Port, Protocol, StreamServerEndpoint, Transport};
use rt::service::{MultiService, ServiceHandle, StreamServerEndpointService, TimerService};
use rt::{Deferred, Failure, Resolver};

struct Silent;
impl Protocol for Silent {
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

/// Listens when the test says so, and closes when the test says so.
#[derive(Clone, Default)]
struct ByHand {
    listening: Rc<RefCell<Vec<Resolver<Port>>>>,
    closing: Rc<RefCell<Vec<Resolver<()>>>>,
}

impl StreamServerEndpoint for ByHand {
    fn listen<F: Factory>(&self, _: F) -> Deferred<Port> {
        let (deferred, resolver) = Deferred::new();
        self.listening.borrow_mut().push(resolver);
        deferred
    }
}

impl Listening for ByHand {
    fn host(&self) -> Address {
        Address::Memory
    }

    fn stop_listening(&self) -> Deferred<()> {
        let (deferred, resolver) = Deferred::new();
        self.closing.borrow_mut().push(resolver);
        deferred
    }
}

type Server = ServiceHandle<StreamServerEndpointService<ByHand, fn(&Address) -> Silent>>;

fn server() -> (ByHand, Server) {
    let endpoint = ByHand::default();
    let factory: fn(&Address) -> Silent = |_| Silent;
    (endpoint.clone(), ServiceHandle::named("server", StreamServerEndpointService::new(endpoint, factory)))
}

#[test]
fn privileged_start_listens_and_stop_closes() {
    let (endpoint, server) = server();
    assert!(server.when_listening().is_none());
    let privileged = server.privileged_start_service();
    success_result_of(server.start_service());
    assert_eq!(endpoint.listening.borrow().len(), 1, "the start finds it done");
    assert_no_result(&privileged);
    endpoint.listening.borrow()[0].callback(Port::new(Rc::new(endpoint.clone()))).unwrap();
    success_result_of(privileged);
    assert_eq!(success_result_of(server.when_listening().unwrap()).host(), Address::Memory);

    let stopped = server.stop_service();
    assert_no_result(&stopped);
    endpoint.closing.borrow()[0].callback(()).unwrap();
    success_result_of(stopped);

    // And once more.
    let up = server.start_service();
    endpoint.listening.borrow()[1].callback(Port::new(Rc::new(endpoint.clone()))).unwrap();
    success_result_of(up);
}

#[test]
fn stop_while_it_begins_to_listen() {
    let (endpoint, server) = server();
    let up = server.start_service();
    success_result_of(server.stop_service());
    assert!(failure_result_of(up).to_string().starts_with("server: "));
    assert!(endpoint.listening.borrow()[0].is_called(), "it was cancelled");
    assert!(endpoint.closing.borrow().is_empty());
}

#[test]
fn failure_to_listen_is_that_of_the_tree_and_told_once() {
    let (endpoint, server) = server();
    let program = MultiService::named("program");
    server.set_service_parent(&program).unwrap();
    let ((), reported) = unhandled::capture(|| {
        let privileged = program.privileged_start_service();
        endpoint.listening.borrow()[0].errback("port 80 is taken").unwrap();
        assert_eq!(failure_result_of(privileged).to_string(), "program/server: port 80 is taken");
        success_result_of(program.start_service());
        success_result_of(program.stop_service());
    });
    assert!(reported.is_empty());
}

#[test]
fn timer_whose_call_takes_long_is_waited_for() {
    let (clock, slow) = (Clock::new(), Rc::new(RefCell::new(None)));
    let calls = slow.clone();
    let timer = TimerService::new(Duration::from_secs(1), move || {
        let (deferred, resolver) = Deferred::<()>::new();
        *calls.borrow_mut() = Some(resolver);
        deferred
    });
    let timer = ServiceHandle::new(timer.clock(&clock));
    success_result_of(timer.start_service());
    let stopped = timer.stop_service();
    assert_no_result(&stopped);
    assert!(failure_result_of(timer.start_service()).to_string().starts_with("TimerService: "));
    slow.take().unwrap().callback(()).unwrap();
    success_result_of(stopped);
    success_result_of(timer.start_service());
    slow.take().unwrap().callback(()).unwrap();
    success_result_of(timer.stop_service());
}

#[test]
fn timer_whose_function_fails_is_reported_and_can_be_started_again() {
    let (clock, count) = (Clock::new(), Rc::new(Cell::new(0)));
    let calls = count.clone();
    let timer = TimerService::new(Duration::from_secs(1), move || {
        calls.set(calls.get() + 1);
        if calls.get() == 2 { Err(Failure::new("no paper")) } else { Ok(()) }
    });
    let timer = ServiceHandle::new(timer.clock(&clock));
    let ((), reported) = unhandled::capture(|| {
        success_result_of(timer.start_service());
        clock.advance(Duration::from_secs(1));
        assert!(clock.delayed_calls().is_empty());
        success_result_of(timer.stop_service());
    });
    assert_eq!((reported.len(), count.get()), (1, 2));
    success_result_of(timer.start_service());
    assert_eq!(count.get(), 3);
    success_result_of(timer.stop_service());
    assert!(clock.delayed_calls().is_empty());
}
