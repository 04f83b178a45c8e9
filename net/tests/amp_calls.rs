//! Commands of AMP: called, answered, refused, and left without an answer.

#[path = "support/amp.rs"]
mod amp;

use std::cell::RefCell;
use std::rc::Rc;

use amp::{Divide, Link, Quotient, Sum, TooHard, Total, ZeroDivision, boxed, remote, written};
use rt::deferred::{Cancelled, assert_no_result, failure_result_of, success_result_of, unhandled};
use rt::protocol::amp::{
    Amp, AmpBox, ArgumentError, BoxError, BoxLimits, CallError, Command, ProtocolViolation, RemoteAmpError,
    UnhandledCommand, UnknownRemoteError,
};
use rt::protocol::{ConnectionLost, Protocol};
use rt::testing::{Request, StringTransportWithDisconnection};
use rt::{Deferred, Failure, Resolver};

fn calculator() -> Amp {
    Amp::new().responder(|Sum { a, b }| Total { total: a + b }).responder(|Divide { numerator, denominator }| {
        match denominator {
            0 => Err(Failure::from(ZeroDivision)),
            -1 => Err(TooHard("minus one is too hard".to_owned()).into()),
            _ => Ok(Quotient { result: numerator as f64 / denominator as f64 }),
        }
    })
}

/// Answers when the test says so.
fn patient() -> (Amp, Rc<RefCell<Vec<Resolver<Total>>>>) {
    let asked = Rc::new(RefCell::new(Vec::new()));
    let kept = asked.clone();
    let amp = Amp::new().responder(move |_: Sum| {
        let (answer, resolver) = Deferred::new();
        kept.borrow_mut().push(resolver);
        answer
    });
    (amp, asked)
}

fn last_request(side: &StringTransportWithDisconnection<Amp>) -> Option<Request> {
    side.string_transport().take_requests().pop()
}

#[track_caller]
fn is_hung_up_on(side: &StringTransportWithDisconnection<Amp>) -> Failure {
    match last_request(side) {
        Some(Request::AbortConnection(ConnectionLost::Lost(failure))) => failure,
        other => panic!("no abort: {other:?}"),
    }
}

#[test]
fn question_and_answer_on_the_wire() {
    let link = Link::new(Amp::new(), calculator());
    let answer = link.remote().call_remote(Sum { a: 13, b: 81 });
    let question = written(&link.client);
    assert_eq!(question, b"\0\x04_ask\0\x011\0\x08_command\0\x03Sum\0\x01a\0\x0213\0\x01b\0\x0281\0\0");
    link.server.data_received(&question);
    let answered = written(&link.server);
    assert_eq!(answered, b"\0\x07_answer\0\x011\0\x05total\0\x0294\0\0");
    assert_no_result(&answer);
    link.client.data_received(&answered);
    assert_eq!(success_result_of(answer), Total { total: 94 });
}

#[test]
fn tags_count_in_hexadecimal() {
    let client = StringTransportWithDisconnection::new(Amp::new());
    let calls: Vec<_> = (0..17).map(|n| remote(&client).call_remote(Sum { a: n, b: 0 })).collect();
    let questions = AmpBox::parse(&written(&client)).unwrap();
    let tags: Vec<_> = questions.iter().map(|question| question.get("_ask").unwrap()).collect();
    assert_eq!((tags[8], tags[9], tags[15]), (&b"9"[..], &b"a"[..], &b"10"[..]));
    drop(unhandled::capture(|| {
        client.lose(ConnectionLost::Done);
        drop(calls);
    }));
}

#[test]
fn both_sides_ask() {
    let link = Link::new(calculator(), calculator());
    let to_server = link.remote().call_remote(Sum { a: 1, b: 2 });
    let to_client = remote(&link.server).call_remote(Sum { a: 3, b: 4 });
    link.pump();
    assert_eq!((success_result_of(to_server).total, success_result_of(to_client).total), (3, 7));
}

#[test]
fn bytes_one_by_one() {
    let link = Link::new(Amp::new(), calculator());
    let answers: Vec<_> = (0..3).map(|n| link.remote().call_remote(Sum { a: n, b: n })).collect();
    for byte in written(&link.client) {
        link.server.data_received(&[byte]);
    }
    for byte in written(&link.server) {
        link.client.data_received(&[byte]);
    }
    assert_eq!(answers.into_iter().map(|answer| success_result_of(answer).total).collect::<Vec<_>>(), [0, 2, 4]);
}

#[test]
fn answers_in_another_order() {
    let (server, asked) = patient();
    let link = Link::new(Amp::new(), server);
    let (first, second) =
        (link.remote().call_remote(Sum { a: 0, b: 0 }), link.remote().call_remote(Sum { a: 0, b: 0 }));
    link.pump();
    asked.borrow()[1].callback(Total { total: 2 }).unwrap();
    link.pump();
    assert_no_result(&first);
    assert_eq!(success_result_of(second).total, 2);
    asked.borrow()[0].callback(Total { total: 1 }).unwrap();
    link.pump();
    assert_eq!(success_result_of(first).total, 1);
}

#[test]
fn responders_of_every_kind() {
    let kinds: [Amp; 4] = [
        Amp::new().responder(|Sum { a, b }| Total { total: a + b }),
        Amp::new().responder(|Sum { a, b }| Ok::<_, std::num::ParseIntError>(Total { total: a + b })),
        Amp::new().responder(|Sum { a, b }| Deferred::succeed(Total { total: a + b })),
        Amp::new().responder(|Sum { a, b }| async move { Ok::<_, Failure>(Total { total: a + b }) }),
    ];
    for server in kinds {
        let link = Link::new(Amp::new(), server);
        let answer = link.remote().call_remote(Sum { a: 1, b: 1 });
        link.pump();
        assert_eq!(success_result_of(answer).total, 2);
    }
}

#[test]
fn responder_that_calls_back() {
    let server = Amp::new();
    let client = server.remote();
    let server = server.responder(move |Sum { a, b }| {
        client
            .call_remote(Divide { numerator: a, denominator: b })
            .add_callback(|quotient: Quotient| Total { total: quotient.result as i64 })
    });
    let link = Link::new(calculator(), server);
    let answer = link.remote().call_remote(Sum { a: 42, b: 6 });
    link.pump();
    assert_eq!(success_result_of(answer).total, 7);
}

#[test]
fn callback_that_calls_on() {
    let link = Link::new(Amp::new(), calculator());
    let remote = link.remote();
    let answer = remote
        .clone()
        .call_remote(Sum { a: 1, b: 2 })
        .add_callback(move |Total { total }: Total| remote.call_remote(Sum { a: total, b: total }));
    link.pump();
    assert_eq!(success_result_of(answer).total, 6);
}

#[test]
fn responder_with_a_state() {
    let mut sum = 0;
    let link = Link::new(
        Amp::new(),
        Amp::new().responder(move |Sum { a, b }| {
            sum += a + b;
            Total { total: sum }
        }),
    );
    let answers: Vec<_> = (1..=3).map(|n| link.remote().call_remote(Sum { a: n, b: 0 })).collect();
    link.pump();
    assert_eq!(answers.into_iter().map(|answer| success_result_of(answer).total).collect::<Vec<_>>(), [1, 3, 6]);
}

#[test]
fn asks_as_soon_as_there_is_a_connection() {
    let answer = Rc::new(RefCell::new(None));
    let kept = answer.clone();
    let client = Amp::new().on_connection_made(move |server| {
        *kept.borrow_mut() = Some(server.call_remote(Sum { a: 2, b: 2 }));
    });
    let link = Link::new(client, calculator());
    link.pump();
    assert_eq!(success_result_of(answer.take().unwrap()).total, 4);
}

#[test]
fn error_that_the_command_knows() {
    let link = Link::new(Amp::new(), calculator());
    let answer = link.remote().call_remote(Divide { numerator: 1, denominator: 0 });
    link.server.data_received(&written(&link.client));
    let [error] = &AmpBox::parse(&link.server.string_transport().value()).unwrap()[..] else { panic!("one box") };
    let expected =
        boxed([("_error", "1"), ("_error_code", "ZERO_DIVISION"), ("_error_description", "division by zero")]);
    assert_eq!(*error, expected);
    link.pump();
    assert!(failure_result_of(answer).check::<ZeroDivision>());
    assert!(!link.server.handle().transport().is_disconnecting());
}

#[test]
fn fatal_error() {
    let link = Link::new(Amp::new(), calculator());
    let answer = link.remote().call_remote(Divide { numerator: 1, denominator: -1 });
    let after_it = link.remote().call_remote(Sum { a: 1, b: 1 });
    link.pump();
    let failure = failure_result_of(answer);
    assert_eq!(failure.downcast_ref::<TooHard>().unwrap().0, "minus one is too hard");
    assert!(matches!(last_request(&link.server), Some(Request::LoseConnection)));
    // What came behind it is not begun.
    assert_no_result(&after_it);
    link.client.lose(ConnectionLost::Done);
    assert!(failure_result_of(after_it).check::<ConnectionLost>());
}

#[test]
fn error_that_the_command_does_not_know() {
    let server = Amp::new().responder(|_: Sum| Err::<Total, Failure>("the dog ate it".into()));
    let link = Link::new(Amp::new(), server);
    let answer = link.remote().call_remote(Sum { a: 1, b: 1 });
    let ((), reported) = unhandled::capture(|| link.pump());
    let failure = failure_result_of(answer);
    let error: &UnknownRemoteError = failure.downcast_ref().unwrap();
    assert_eq!((&*error.code, &*error.description), (&b"UNKNOWN"[..], "Unknown Error"));
    assert_eq!(reported[0].failure.to_string(), "the dog ate it");
    assert!(matches!(last_request(&link.server), Some(Request::LoseConnection)));
}

#[test]
fn responder_that_panics() {
    let link = Link::new(Amp::new(), Amp::new().responder(|_: Sum| -> Total { panic!("out of ink") }));
    let answer = link.remote().call_remote(Sum { a: 1, b: 1 });
    let ((), reported) = unhandled::capture(|| link.pump());
    assert!(failure_result_of(answer).check::<UnknownRemoteError>());
    assert_eq!(reported[0].failure.panic_message(), Some("out of ink"));
}

#[test]
fn command_without_a_responder() {
    let link = Link::new(Amp::new(), Amp::new());
    let answer = link.remote().call_remote(Sum { a: 1, b: 1 });
    link.pump();
    let failure = failure_result_of(answer);
    assert_eq!(failure.downcast_ref::<UnhandledCommand>().unwrap().description, "Unhandled Command: 'Sum'");
    assert!(!link.server.handle().transport().is_disconnecting());
}

#[test]
fn arguments_that_cannot_be_read() {
    let link = Link::new(Amp::new(), calculator());
    let answer = link.remote().call_remote_string("Sum", boxed([("a", "1"), ("b", "two")]));
    let ((), reported) = unhandled::capture(|| link.pump());
    assert_eq!(failure_result_of(answer).downcast_ref::<RemoteAmpError>().unwrap().code, b"UNKNOWN");
    assert!(reported[0].failure.check::<ArgumentError>());
    assert!(link.server.handle().transport().is_disconnecting());
}

#[test]
fn response_that_cannot_be_read() {
    let server = Amp::new().string_responder("Sum", |_| boxed([("total", "much")]));
    let link = Link::new(Amp::new(), server);
    let answer = link.remote().call_remote(Sum { a: 1, b: 1 });
    link.pump();
    let failure = failure_result_of(answer);
    assert_eq!(failure.to_string(), "the argument total should be a whole number that fits i64, and is much");
    assert!(!link.client.handle().transport().is_disconnecting());
}

#[test]
fn arguments_and_responses_that_are_too_long() {
    #[derive(Command)]
    #[amp(response = Repeat)]
    struct Repeat {
        text: String,
        times: usize,
    }

    let server = Amp::new().responder(|Repeat { text, times }| Repeat { text: text.repeat(times), times });
    let link = Link::new(Amp::new(), server);
    let answer = link.remote().call_remote(Repeat { text: "x".repeat(65_536), times: 1 });
    assert!(failure_result_of(answer).check::<ArgumentError>());
    assert!(written(&link.client).is_empty());

    let answer = link.remote().call_remote(Repeat { text: "x".to_owned(), times: 65_536 });
    let ((), reported) = unhandled::capture(|| link.pump());
    assert!(failure_result_of(answer).check::<UnknownRemoteError>());
    assert!(reported[0].failure.check::<ArgumentError>());
}

#[test]
fn by_name_with_boxes() {
    let server = Amp::new().string_responder("echo", |fields: AmpBox| match fields.is_empty() {
        false => Ok(fields),
        true => Err(RemoteAmpError::new("EMPTY", "nothing to echo")),
    });
    let link = Link::new(Amp::new(), server);
    let full = link.remote().call_remote_string("echo", boxed([("key", "value")]));
    let empty = link.remote().call_remote_string("echo", AmpBox::new());
    link.pump();
    assert_eq!(success_result_of(full), boxed([("key", "value")]));
    assert_eq!(failure_result_of(empty).to_string(), "EMPTY: nothing to echo");
}

#[test]
fn without_an_answer() {
    let sums = Rc::new(RefCell::new(Vec::new()));
    let kept = sums.clone();
    let link = Link::new(
        Amp::new(),
        Amp::new().responder(move |Sum { a, b }| {
            kept.borrow_mut().push(a + b);
            Total { total: 0 }
        }),
    );
    link.remote().call_remote_no_answer(Sum { a: 1, b: 2 }).unwrap();
    let question = written(&link.client);
    assert_eq!(question, b"\0\x08_command\0\x03Sum\0\x01a\0\x011\0\x01b\0\x012\0\0");
    link.server.data_received(&question);
    assert_eq!(*sums.borrow(), [3]);
    assert!(written(&link.server).is_empty());
}

#[test]
fn without_an_answer_and_it_fails() {
    let link = Link::new(Amp::new(), calculator());
    link.remote().call_remote_no_answer(Divide { numerator: 1, denominator: 0 }).unwrap();
    let ((), reported) = unhandled::capture(|| link.pump());
    assert_eq!(reported.len(), 1);
    assert!(matches!(last_request(&link.server), Some(Request::LoseConnection)));
}

#[test]
fn connection_goes_before_the_answer() {
    let (server, asked) = patient();
    let link = Link::new(Amp::new(), server);
    let order = Rc::new(RefCell::new(Vec::new()));
    for n in 0..3 {
        let (order, remote) = (order.clone(), link.remote());
        drop(link.remote().call_remote(Sum { a: n, b: 0 }).add_errback(move |failure: Failure| {
            assert!(matches!(failure.downcast_ref(), Some(ConnectionLost::TimedOut)));
            // A call from within fails, too, and waits for nothing.
            assert!(failure_result_of(remote.call_remote(Sum { a: 0, b: 0 })).check::<ConnectionLost>());
            order.borrow_mut().push(n);
            Total { total: 0 }
        }));
    }
    link.pump();
    link.client.lose(ConnectionLost::TimedOut);
    assert_eq!(*order.borrow(), [0, 1, 2]);
    // The other side has answers that nobody can be sent any more.
    link.server.lose(ConnectionLost::Done);
    for resolver in asked.take() {
        resolver.callback(Total { total: 0 }).unwrap();
    }
    assert!(written(&link.server).is_empty());
}

#[test]
fn before_and_after_the_connection() {
    let amp = Amp::new().on_connection_lost(|reason| assert!(reason.is_clean()));
    let remote = amp.remote();
    let early = failure_result_of(remote.call_remote(Sum { a: 0, b: 0 }));
    assert_eq!(early.downcast_ref(), Some(&CallError::NotConnected));
    assert!(remote.call_remote_no_answer(Sum { a: 0, b: 0 }).is_err());
    let side = StringTransportWithDisconnection::new(amp);
    assert!(remote.transport().is_some());
    side.lose(ConnectionLost::Done);
    assert!(remote.transport().is_none());
    assert!(failure_result_of(remote.call_remote(Sum { a: 0, b: 0 })).check::<ConnectionLost>());
    assert!(remote.call_remote_no_answer(Sum { a: 0, b: 0 }).unwrap_err().check::<ConnectionLost>());
}

#[test]
fn cancelled_call_and_its_answer() {
    let link = Link::new(Amp::new(), calculator());
    let answer = link.remote().call_remote(Sum { a: 1, b: 1 });
    answer.cancel();
    assert!(failure_result_of(answer).check::<Cancelled>());
    link.pump();
    assert!(!link.client.handle().transport().is_disconnecting());
}

#[test]
fn as_many_calls_as_allowed_and_one_more() {
    let link = Link::new(Amp::new().max_calls(2), calculator());
    let allowed = [0, 1].map(|n| link.remote().call_remote(Sum { a: n, b: 0 }));
    let refused = failure_result_of(link.remote().call_remote(Sum { a: 0, b: 0 }));
    assert_eq!(refused.downcast_ref(), Some(&CallError::TooManyCalls { limit: 2 }));
    link.pump();
    assert_eq!(allowed.map(|answer| success_result_of(answer).total), [0, 1]);
    let again = link.remote().call_remote(Sum { a: 5, b: 0 });
    link.pump();
    assert_eq!(success_result_of(again).total, 5);
}

#[test]
fn as_many_commands_as_allowed_and_more() {
    let (server, asked) = patient();
    let link = Link::new(Amp::new(), server.max_commands(2));
    let answers: Vec<_> = (0..5).map(|n| link.remote().call_remote(Sum { a: n, b: 0 })).collect();
    link.pump();
    assert_eq!(asked.borrow().len(), 2);
    assert!(link.server.handle().transport().is_paused());
    for total in 0..5 {
        let oldest = asked.borrow_mut().remove(0);
        oldest.callback(Total { total }).unwrap();
        assert!(!link.server.handle().transport().is_paused());
        // What a connection does when reading goes on.
        link.server.handle().with(Protocol::reading_resumed).unwrap();
        let left = usize::try_from(4 - total).unwrap();
        assert_eq!(asked.borrow().len(), left.min(2));
    }
    link.pump();
    assert_eq!(answers.into_iter().map(|answer| success_result_of(answer).total).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
}

#[test]
fn paused_by_somebody_else() {
    let link = Link::new(Amp::new(), calculator());
    let answer = link.remote().call_remote(Sum { a: 1, b: 2 });
    let question = written(&link.client);
    let (one, two) = question.split_at(7);
    link.server.handle().transport().pause_producing();
    link.server.data_received(one);
    link.server.data_received(two);
    assert!(written(&link.server).is_empty());
    link.server.handle().transport().resume_producing();
    link.server.handle().with(Protocol::reading_resumed).unwrap();
    link.pump();
    assert_eq!(success_result_of(answer).total, 3);
}

#[test]
fn boxes_without_meaning() {
    for (boxes, expected) in [
        (boxed([]), ProtocolViolation::NoMeaning),
        (boxed([("key", "value")]), ProtocolViolation::NoMeaning),
        (boxed([("_answer", "1")]), ProtocolViolation::NotAsked { tag: b"1".to_vec() }),
        (boxed([("_error", "x"), ("_error_code", "C")]), ProtocolViolation::Incomplete),
        (
            boxed([("_error", "x"), ("_error_code", "C"), ("_error_description", "")]),
            ProtocolViolation::NotAsked { tag: b"x".to_vec() },
        ),
    ] {
        let side = StringTransportWithDisconnection::new(calculator());
        side.data_received(&boxes.serialize());
        assert_eq!(is_hung_up_on(&side).downcast_ref(), Some(&expected));
    }
}

#[test]
fn answers_that_are_not_quite_to_the_question() {
    for tag in ["01", "+1", "1 ", "", "A", "ffffffffffffffffff"] {
        let side = StringTransportWithDisconnection::new(Amp::new());
        let answer = remote(&side).call_remote(Sum { a: 0, b: 0 });
        side.data_received(&boxed([("_answer", tag), ("total", "0")]).serialize());
        let tag = tag.as_bytes().to_vec();
        assert_eq!(is_hung_up_on(&side).downcast_ref(), Some(&ProtocolViolation::NotAsked { tag }));
        side.lose(ConnectionLost::Aborted);
        assert!(failure_result_of(answer).check::<ConnectionLost>());
    }
}

#[test]
fn error_without_a_code() {
    let side = StringTransportWithDisconnection::new(Amp::new());
    let answer = remote(&side).call_remote(Sum { a: 0, b: 0 });
    side.data_received(&boxed([("_error", "1"), ("_error_description", "?")]).serialize());
    let reason = is_hung_up_on(&side);
    assert_eq!(reason.downcast_ref(), Some(&ProtocolViolation::Incomplete));
    side.lose(ConnectionLost::Lost(reason));
    assert_eq!(
        failure_result_of(answer).to_string(),
        "the connection was lost: an AMP error without a code or a description"
    );
}

#[test]
fn what_is_no_amp() {
    let side = StringTransportWithDisconnection::new(calculator());
    side.data_received(b"GET / HTTP/1.1\r\n\r\n");
    assert_eq!(is_hung_up_on(&side).downcast_ref(), Some(&BoxError::KeyTooLong { length: 0x4745 }));
}

#[test]
fn box_beyond_its_limits() {
    let limits = BoxLimits { keys: 3, ..BoxLimits::default() };
    let side = StringTransportWithDisconnection::new(calculator().box_limits(limits));
    side.data_received(&boxed([("_ask", "1"), ("_command", "Sum"), ("a", "1"), ("b", "2")]).serialize());
    assert_eq!(is_hung_up_on(&side).downcast_ref(), Some(&BoxError::TooManyKeys { limit: 3 }));
    // All that comes after it is thrown away.
    side.data_received(&boxed([("_ask", "1"), ("_command", "x")]).serialize());
    assert!(written(&side).is_empty());
}

#[test]
fn tag_and_description_as_long_as_they_can_be() {
    let server =
        Amp::new().string_responder("fail", |_| Err::<AmpBox, _>(RemoteAmpError::new("C", "x".repeat(70_000))));
    let side = StringTransportWithDisconnection::new(server);
    let tag = "t".repeat(65_535);
    side.data_received(&boxed([("_ask", &tag), ("_command", "fail")]).serialize());
    let [error] = &AmpBox::parse(&written(&side)).unwrap()[..] else { panic!("one box") };
    assert_eq!(error.get("_error").unwrap(), tag.as_bytes());
    assert_eq!(error.get("_error_description").unwrap().len(), 65_535);
}
