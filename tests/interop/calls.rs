//! AMP.

use std::future::Future;

use rt::deferred::{gather_results, unhandled};
use rt::protocol::amp::{Amp, Remote, UnhandledCommand, UnknownRemoteError};
use rt::protocol::{TcpClientEndpoint, connect_protocol, listen_tcp};
use rt::{Deferred, Failure};

use crate::calls_commands::{
    Divide, Fail, Kinds, Later, Log, NotThere, Note, Raw, Sum, Switch, TooHard, ZeroDivision, server,
};
use crate::strings::port_of;
use crate::twisted::{Twisted, block_on};

/// Runs a client of `calls.py` with our server: what it told, and what the server did.
fn with_our_server(twisted: Twisted, script: &str) -> (Vec<String>, Vec<String>) {
    block_on(async {
        let log = Log::default();
        let (over, ended) = Deferred::new();
        let mut amp = Some(server(&log).on_connection_lost(move |_| _ = ended.callback(())));
        let port = listen_tcp("127.0.0.1:0", move |_: &_| amp.take().expect("one connection")).unwrap();
        let told = twisted.start("calls.py", [script, "connect", &port_of(&port)]).rest().await;
        over.await.unwrap();
        (told, log.take())
    })
}

/// Runs `client` with the server of `calls.py`: what that told.
fn with_twisted_server<F: Future<Output = Result<(), Failure>>>(
    twisted: Twisted,
    script: &str,
    client: impl FnOnce(Remote) -> F,
) -> Vec<String> {
    block_on(async {
        let mut server = twisted.start("calls.py", [script, "serve"]);
        let endpoint = TcpClientEndpoint::new(("127.0.0.1", server.port().await));
        let connection = connect_protocol(&endpoint, Amp::new()).await.unwrap();
        client(connection.with(|amp, _| amp.remote()).unwrap()).await.unwrap();
        // What it tells is read while it tells it, as a pipe holds no more than so much.
        let (closed, told) = rt::join!(connection.transport().closed().into_future(), server.rest());
        closed.unwrap();
        told
    })
}

/// What a server does while the script `commands` runs.
fn commands_done() -> Vec<String> {
    let mut done = vec!["sum 13 81".to_owned()];
    done.extend((0..100).map(|n| format!("sum {n} {n}")));
    done.extend(["divide 1 3", "divide 1 0", "note Grüße", "later first", "later second"].map(str::to_owned));
    done
}

#[test]
fn twisted_client_and_our_server() {
    let Some(twisted) = Twisted::find() else { return };
    let (told, mut done) = with_our_server(twisted, "commands");
    let mut expected = [
        "total 94",
        "totals 9900",
        "result 0.3333333333333333",
        "known error division by zero",
        "unhandled Unhandled Command: 'NotThere'",
        "order second first",
    ]
    .map(str::to_owned)
    .to_vec();
    expected.extend(Kinds::told());
    expected.push("lost ConnectionDone".to_owned());
    assert_eq!(told, expected);
    assert_eq!(done.pop().as_deref(), Some("the sample"));
    assert_eq!(done, commands_done());
}

#[test]
fn our_client_and_twisted_server() {
    let Some(twisted) = Twisted::find() else { return };
    let mut told = with_twisted_server(twisted, "commands", async |remote| {
        assert_eq!(remote.call_remote(Sum { a: 13, b: 81 }).await?.total, 94);
        let sums = gather_results((0..100).map(|n| remote.call_remote(Sum { a: n, b: n }))).await?;
        assert_eq!(sums.iter().map(|answer| answer.total).sum::<i64>(), 9900);
        let third = remote.call_remote(Divide { numerator: 1, denominator: 3 }).await?;
        assert_eq!(third.result, 1.0 / 3.0);
        let failure = remote.call_remote(Divide { numerator: 1, denominator: 0 }).await.map(drop).unwrap_err();
        assert_eq!(failure.trap::<ZeroDivision>()?.to_string(), "division by zero");
        let failure = remote.call_remote(NotThere).await.unwrap_err();
        assert_eq!(failure.trap::<UnhandledCommand>()?.description, "Unhandled Command: b'NotThere'");
        remote.call_remote_no_answer(Note { text: "Grüße".to_owned() })?;
        let order = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
        let names = ["first", "second"].map(|name| {
            let order = order.clone();
            remote
                .call_remote(Later { name: name.to_owned() })
                .add_callback(move |Later { name }| order.borrow_mut().push(name))
        });
        gather_results(names).await?;
        assert_eq!(*order.borrow(), ["second", "first"]);
        assert_eq!(remote.call_remote(Kinds::sample()).await?, Kinds::sample());
        remote.transport().expect("it is connected").lose_connection();
        Ok(())
    });
    assert_eq!(told.pop().as_deref(), Some("lost ConnectionDone"));
    let mut expected = commands_done();
    expected.extend(Kinds::told());
    assert_eq!(told, expected);
}

#[test]
fn twisted_client_and_an_error_that_ends_the_connection() {
    let Some(twisted) = Twisted::find() else { return };
    let (told, done) = with_our_server(twisted, "fatal");
    assert_eq!(told, ["fatal error minus one is too hard", "lost ConnectionDone"]);
    assert_eq!(done, ["divide 1 -1"]);
}

#[test]
fn our_client_and_an_error_that_ends_the_connection() {
    let Some(twisted) = Twisted::find() else { return };
    let told = with_twisted_server(twisted, "fatal", async |remote| {
        let failure = remote.call_remote(Divide { numerator: 1, denominator: -1 }).await.map(drop).unwrap_err();
        assert_eq!(failure.trap::<TooHard>()?.to_string(), "minus one is too hard");
        Ok(())
    });
    assert_eq!(told, ["divide 1 -1", "lost ConnectionDone"]);
}

#[test]
fn twisted_client_and_an_error_that_is_not_its_business() {
    let Some(twisted) = Twisted::find() else { return };
    let ((told, done), reported) = unhandled::capture(|| with_our_server(twisted, "unknown"));
    assert_eq!(told, ["unknown error Unknown Error", "lost ConnectionDone"]);
    assert_eq!(done, ["fail"]);
    assert_eq!(reported[0].failure.to_string(), "the dog ate it");
}

#[test]
fn our_client_and_an_error_that_is_not_its_business() {
    let Some(twisted) = Twisted::find() else { return };
    let told = with_twisted_server(twisted, "unknown", async |remote| {
        let failure = remote.call_remote(Fail).await.unwrap_err();
        assert_eq!(failure.trap::<UnknownRemoteError>()?.description, "Unknown Error");
        Ok(())
    });
    assert_eq!(told, ["fail", "lost ConnectionDone"]);
}

#[test]
fn twisted_client_switches_protocols() {
    let Some(twisted) = Twisted::find() else { return };
    let (told, done) = with_our_server(twisted, "switch");
    assert_eq!(told, ["switched", "raw HELLO", "raw lost ConnectionDone", "lost ConnectionDone"]);
    assert_eq!(done, ["switched", "raw hello", "raw lost, cleanly: true"]);
}

#[test]
fn our_client_switches_protocols() {
    let Some(twisted) = Twisted::find() else { return };
    let log = Log::default();
    let kept = log.clone();
    let told = with_twisted_server(twisted, "switch", async |remote| {
        let (over, done) = Deferred::new();
        let raw = Raw { is_server: false, log: kept, done: Some(done) };
        remote.call_remote_switch(Switch, || raw).await?;
        over.await
    });
    assert_eq!(told, ["switched", "raw hello", "raw lost ConnectionDone", "lost ConnectionDone"]);
    assert_eq!(log.take(), ["switched", "raw HELLO", "raw lost, cleanly: true"]);
}
