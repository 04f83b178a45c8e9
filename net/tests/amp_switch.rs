//! AMP connections that go over to another protocol.

#[path = "support/amp.rs"]
mod amp;

use std::cell::RefCell;
use std::rc::Rc;

use amp::{Link, Sum, Total, remote, written};
use rt::Deferred;
use rt::Failure;
use rt::deferred::{assert_no_result, failure_result_of, success_result_of, unhandled};
use rt::protocol::amp::{Amp, CallError, Command, CommandError, UnhandledCommand};
use rt::protocol::{ConnectionLost, Protocol, Transport};

#[derive(Command)]
#[amp(errors(Busy = "BUSY"))]
struct Switch;

#[derive(Debug)]
struct Busy;

impl std::fmt::Display for Busy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("busy")
    }
}

impl std::error::Error for Busy {}

impl CommandError for Busy {
    fn from_description(_: String) -> Self {
        Busy
    }
}

type Log = Rc<RefCell<Vec<String>>>;

/// Says hello, and writes down what happens to it.
struct Logger(&'static str, Log);

impl Protocol for Logger {
    fn connection_made(&mut self, transport: &Transport) {
        self.1.borrow_mut().push(format!("{} made", self.0));
        transport.write(format!("hello from {}", self.0).as_bytes());
    }

    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        self.1.borrow_mut().push(format!("{} got {}", self.0, data.escape_ascii()));
    }

    fn connection_lost(&mut self, _: &Transport, _: &ConnectionLost) {
        self.1.borrow_mut().push(format!("{} lost", self.0));
    }
}

fn resume<P: Protocol>(side: &rt::testing::StringTransportWithDisconnection<P>) {
    assert!(!side.handle().transport().is_paused());
    side.handle().with(|amp, transport| amp.reading_resumed(transport)).unwrap();
}

#[test]
fn both_sides_switch() {
    let log = Log::default();
    let (near, far) = (log.clone(), log.clone());
    let server = Amp::new()
        .switch_responder(move |Switch| Ok::<_, Failure>(Box::new(Logger("server", far.clone())) as Box<dyn Protocol>));
    let link = Link::new(Amp::new(), server);
    let done = log.clone();
    let switched = link
        .remote()
        .call_remote_switch(Switch, || Logger("client", near))
        .add_callback(move |()| done.borrow_mut().push("switched".to_owned()));
    link.pump();
    success_result_of(switched);
    link.client.lose(ConnectionLost::Done);
    assert_eq!(
        *log.borrow(),
        [
            "server made",
            // Its greeting came in one piece with the answer.
            "client made",
            "switched",
            "client got hello from server",
            "server got hello from client",
            "client lost",
        ]
    );
}

#[test]
fn switch_that_takes_its_time() {
    let log = Log::default();
    let (switching, decide) = Deferred::<Box<dyn Protocol>>::new();
    let mut switching = Some(switching);
    let server = Amp::new().switch_responder(move |Switch| switching.take().expect("one question"));
    let link = Link::new(Amp::new(), server);
    let near = log.clone();
    let switched = link.remote().call_remote_switch(Switch, || Logger("client", near));
    // Somebody cannot wait.
    let mut question = written(&link.client);
    question.extend(b"raw");
    link.server.data_received(&question);
    assert!(link.server.handle().transport().is_paused());
    assert!(log.borrow().is_empty());
    decide.callback(Box::new(Logger("server", log.clone()))).unwrap();
    resume(&link.server);
    assert_eq!(*log.borrow(), ["server made", "server got raw"]);
    link.pump();
    success_result_of(switched);
    assert_eq!(log.borrow()[2..], ["client made", "client got hello from server", "server got hello from client"]);
}

#[test]
fn no_amp_while_a_switch_is_asked_for() {
    let log = Log::default();
    let server = Amp::new().switch_responder(|Switch| Err::<Box<dyn Protocol>, _>(Busy));
    let client = Amp::new().responder(|Sum { a, b }| Total { total: a + b });
    let link = Link::new(client, server);
    let switched = link.remote().call_remote_switch(Switch, || Logger("client", log));
    let meanwhile = failure_result_of(link.remote().call_remote(Sum { a: 1, b: 1 }));
    assert_eq!(meanwhile.downcast_ref(), Some(&CallError::Switched));
    // An answer to a question that crosses it is not sent, as a byte of it might be taken for the new protocol's.
    let crossing = remote(&link.server).call_remote(Sum { a: 1, b: 1 });
    link.client.data_received(&written(&link.server));
    link.pump();
    assert!(failure_result_of(switched).check::<Busy>());
    assert_no_result(&crossing);
    // Refused: AMP goes on.
    let after = remote(&link.server).call_remote(Sum { a: 2, b: 2 });
    link.pump();
    assert_eq!(success_result_of(after).total, 4);
    let ((), lost) = unhandled::capture(|| {
        link.server.lose(ConnectionLost::Done);
        drop(crossing);
    });
    assert_eq!(lost.len(), 1);
}

#[test]
fn peer_that_knows_no_switch() {
    let link = Link::new(Amp::new(), Amp::new().responder(|Sum { a, b }| Total { total: a + b }));
    let switched = link.remote().call_remote_switch(Switch, || Logger("client", Log::default()));
    link.pump();
    assert!(failure_result_of(switched).check::<UnhandledCommand>());
    let answer = link.remote().call_remote(Sum { a: 1, b: 1 });
    link.pump();
    assert_eq!(success_result_of(answer).total, 2);
}

#[test]
fn connection_goes_while_a_switch_is_undecided() {
    let (switching, decide) = Deferred::<Box<dyn Protocol>>::new();
    let mut switching = Some(switching);
    let server = Amp::new().switch_responder(move |Switch| switching.take().expect("one question"));
    let link = Link::new(Amp::new(), server);
    let log = Log::default();
    let switched = link.remote().call_remote_switch(Switch, || Logger("client", Log::default()));
    link.pump();
    link.server.lose(ConnectionLost::Done);
    link.client.lose(ConnectionLost::Done);
    assert!(failure_result_of(switched).check::<ConnectionLost>());
    decide.callback(Box::new(Logger("server", log.clone()))).unwrap();
    assert!(log.borrow().is_empty());
}

#[test]
fn calls_that_wait_when_the_protocol_changes() {
    let log = Log::default();
    let far = log.clone();
    let server = Amp::new()
        .responder(|_: Sum| Deferred::<Total>::from_callback(rt::Resolver::detach))
        .switch_responder(move |Switch| Ok::<_, Failure>(Box::new(Logger("server", far.clone())) as Box<dyn Protocol>));
    let link = Link::new(Amp::new(), server);
    let waiting = link.remote().call_remote(Sum { a: 1, b: 1 });
    let near = log.clone();
    success_result_of({
        let switched = link.remote().call_remote_switch(Switch, || Logger("client", near));
        link.pump();
        switched
    });
    assert_no_result(&waiting);
    link.client.lose(ConnectionLost::Done);
    assert!(failure_result_of(waiting).check::<ConnectionLost>());
    assert_eq!(log.borrow().last().unwrap(), "client lost");
}
