//! AMP on connections that are driven: both sides on the ends of a stream in memory.

#[path = "support/amp.rs"]
mod amp;

use std::cell::RefCell;
use std::rc::Rc;

use amp::{Sum, Total};
use futures_util::io::{AsyncReadExt, AsyncWriteExt};
use rt::deferred::gather_results;
use rt::io::duplex;
use rt::protocol::amp::{Amp, Command, Remote};
use rt::protocol::{ConnectionLost, Protocol, ProtocolHandle, Transport, drive};
use rt::{Deferred, Failure, Resolver};

fn connect(client: Amp, server: Amp) -> (Remote, ProtocolHandle<Amp>) {
    let (near, far) = duplex(256);
    let server = drive(far, server);
    (drive(near, client).with(|amp, _| amp.remote()).expect("it is connected"), server)
}

fn adder() -> Amp {
    Amp::new().responder(|Sum { a, b }| Total { total: a + b })
}

#[rt::test]
async fn many_calls_at_once_over_a_narrow_pipe() {
    let (remote, _server) = connect(Amp::new(), adder());
    let answers = gather_results((0..500).map(|n| remote.call_remote(Sum { a: n, b: 1 }))).await.unwrap();
    let totals: Vec<i64> = answers.iter().map(|answer| answer.total).collect();
    assert_eq!(totals, (1..=500).collect::<Vec<_>>());
}

#[rt::test]
async fn commands_beyond_the_limit_wait_for_those_before() {
    let asked: Rc<RefCell<Vec<Resolver<Total>>>> = Rc::default();
    let (kept, most) = (asked.clone(), Rc::new(RefCell::new(0)));
    let seen = most.clone();
    let server = Amp::new().max_commands(3).responder(move |_: Sum| {
        let (answer, resolver) = Deferred::new();
        kept.borrow_mut().push(resolver);
        let waiting = kept.borrow().len();
        seen.replace_with(|most| waiting.max(*most));
        answer
    });
    let (remote, _server) = connect(Amp::new(), server);
    let answers = gather_results((0..20).map(|n| remote.call_remote(Sum { a: n, b: 0 })));
    let answering = rt::spawn_local(async move {
        for total in 0..20 {
            while asked.borrow().is_empty() {
                rt::task::yield_now().await;
            }
            let oldest = asked.borrow_mut().remove(0);
            oldest.callback(Total { total }).unwrap();
        }
    });
    let totals: Vec<i64> = answers.await.unwrap().iter().map(|answer| answer.total).collect();
    answering.await.unwrap();
    assert_eq!(totals, (0..20).collect::<Vec<_>>());
    assert_eq!(*most.borrow(), 3);
}

#[rt::test]
async fn peer_hangs_up_before_the_answer() {
    let server = Amp::new();
    let client = server.remote();
    let server = server.responder(move |_: Sum| {
        client.transport().expect("it was asked over it").lose_connection();
        Deferred::<Total>::from_callback(Resolver::detach)
    });
    let (remote, _server) = connect(Amp::new(), server);
    let answer = remote.call_remote(Sum { a: 1, b: 1 });
    let failure = answer.await.unwrap_err();
    assert!(failure.downcast_ref::<ConnectionLost>().unwrap().is_clean());
}

#[rt::test]
async fn peer_that_is_no_amp() {
    let (near, mut far) = duplex(256);
    let client = drive(near, Amp::new());
    let answer = client.with(|amp, _| amp.call_remote(Sum { a: 1, b: 1 })).unwrap();
    far.write_all(b"220 mail ready\r\n").await.unwrap();
    let expected = "the connection was lost: a key of 12850 bytes: an AMP box has keys of 1 to 255";
    assert_eq!(answer.await.unwrap_err().to_string(), expected);
    assert_eq!(client.transport().closed().await.unwrap().to_string(), expected);
}

#[derive(Command)]
struct Switch;

struct Upper;

impl Protocol for Upper {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write(b"ready ");
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(&data.to_ascii_uppercase());
    }
}

/// Keeps what comes, and says when it is all there.
struct Collect(Vec<u8>, Option<Resolver<Vec<u8>>>);

impl Protocol for Collect {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write(b"hello");
        transport.lose_write_connection();
    }

    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        self.0.extend(data);
    }

    fn connection_lost(&mut self, _: &Transport, _: &ConnectionLost) {
        let all = self.1.take().expect("one loss");
        let _ = all.callback(std::mem::take(&mut self.0));
    }
}

#[rt::test]
async fn another_protocol_takes_the_connection_over() {
    for decides_later in [false, true] {
        let server = adder().switch_responder(move |Switch| {
            let (protocol, decide) = Deferred::<Box<dyn Protocol>>::new();
            if decides_later {
                rt::spawn_local(async move {
                    rt::task::yield_now().await;
                    decide.callback(Box::new(Upper)).unwrap();
                });
            } else {
                decide.callback(Box::new(Upper)).unwrap();
            }
            protocol
        });
        let (remote, _server) = connect(Amp::new(), server);
        assert_eq!(remote.call_remote(Sum { a: 1, b: 2 }).await.unwrap().total, 3);
        let (all, resolver) = Deferred::new();
        remote.call_remote_switch(Switch, move || Collect(Vec::new(), Some(resolver))).await.unwrap();
        assert_eq!(all.await.unwrap(), b"ready HELLO");
    }
}

#[rt::test]
async fn responder_that_is_a_future() {
    let server = Amp::new().responder(|Sum { a, b }| async move {
        rt::task::yield_now().await;
        if a < 0 {
            return Err(Failure::new("negative"));
        }
        Ok(Total { total: a + b })
    });
    let (remote, _server) = connect(Amp::new(), server);
    assert_eq!(remote.call_remote(Sum { a: 1, b: 2 }).await.unwrap().total, 3);
}

#[rt::test]
async fn future_that_calls_is_dropped_after_each_poll() {
    use std::future::{Future, poll_fn};
    use std::pin::pin;
    use std::task::Poll;

    let begun = Rc::new(RefCell::new(0));
    let count = begun.clone();
    let server = Amp::new().responder(move |Sum { a, b }| {
        *count.borrow_mut() += 1;
        async move {
            rt::task::yield_now().await;
            Total { total: a + b }
        }
    });
    let (remote, _server) = connect(Amp::new(), server);
    for polls in 0..4 {
        let call = remote.call_remote(Sum { a: 1, b: 1 });
        let mut call = pin!(call.into_future());
        let mut left = polls;
        poll_fn(|cx| {
            if left == 0 {
                return Poll::Ready(());
            }
            left -= 1;
            if call.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
    // Each was sent once, and those that came after them have their own answers.
    assert_eq!(remote.call_remote(Sum { a: 20, b: 22 }).await.unwrap().total, 42);
    assert_eq!(*begun.borrow(), 5);
}

#[rt::test]
async fn answers_under_way_are_sent_before_the_goodbye() {
    let (mut near, far) = duplex(64);
    let server = drive(far, adder());
    let mut question = amp::boxed([("_ask", "1"), ("_command", "Sum"), ("a", "1"), ("b", "2")]).serialize();
    question.extend(question.clone());
    near.write_all(&question).await.unwrap();
    near.close().await.unwrap();
    let mut answers = Vec::new();
    near.read_to_end(&mut answers).await.unwrap();
    assert_eq!(answers, b"\0\x07_answer\0\x011\0\x05total\0\x013\0\0".repeat(2));
    assert!(server.transport().closed().await.unwrap().is_clean());
}
