//! Netstrings and strings behind their length, however they come.

use rt::io::{AsyncReadExt, AsyncWriteExt, duplex};
use rt::protocol::{
    Int8StringReceiver, Int16StringReceiver, Int32StringReceiver, NetstringReceiver, Protocol, StringHandler,
    StringTooLong, Strings, drive, send_int8_string, send_int16_string, send_int32_string, send_netstring,
};
use rt::testing::{StringTransport, StringTransportWithDisconnection as Connection};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// What was received. It does what strings say: `pause`, `stop`, `quit`, `take`.
#[derive(Clone, Default)]
struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    fn take(&self) -> Vec<String> {
        self.0.take()
    }
}

impl StringHandler for Log {
    fn string_received(&mut self, strings: &mut Strings<'_>, string: &[u8]) {
        self.0.borrow_mut().push(string.escape_ascii().to_string());
        match string {
            b"pause" => strings.pause_producing(),
            b"stop" => strings.stop_producing(),
            b"quit" => strings.lose_connection(),
            b"take" => {
                let taken = strings.take_received();
                self.0.borrow_mut().push(format!("taken {}", taken.escape_ascii()));
            }
            _ => {}
        }
    }

    fn length_limit_exceeded(&mut self, strings: &mut Strings<'_>, length: usize) {
        self.0.borrow_mut().push(format!("{length} bytes announced"));
        strings.lose_connection();
    }
}

/// What comes of these pieces; each pause is ended at once.
fn received<P: Protocol>(log: &Log, receiver: P, pieces: &[&[u8]]) -> Vec<String> {
    let connection = Connection::new(receiver);
    for piece in pieces {
        let transport = connection.handle().transport();
        if !transport.is_disconnecting() {
            connection.data_received(piece);
        }
        while transport.is_paused() {
            transport.resume_producing();
            connection.handle().with(|receiver, transport| receiver.reading_resumed(transport)).unwrap();
        }
    }
    log.take()
}

fn every_cut_gives_the_same<P: Protocol>(build: impl Fn(Log) -> P, stream: &[u8], expected: &[&str]) {
    let log = Log::default();
    for first in 0..=stream.len() {
        for second in first..=stream.len() {
            let pieces = [&stream[..first], &stream[first..second], &stream[second..]];
            assert_eq!(received(&log, build(log.clone()), &pieces), expected, "{pieces:?}");
        }
    }
}

#[test]
fn every_cut_of_netstrings() {
    let words = ["one", "", "pause", "pause", "1:a,", "twelve bytes"];
    every_cut_gives_the_same(
        |log| NetstringReceiver::new(log).max_length(12),
        b"3:one,0:,5:pause,5:pause,4:1:a,,12:twelve bytes,13:",
        &words,
    );
    every_cut_gives_the_same(NetstringReceiver::new, b"3:one,03:two,", &["one"]);
    every_cut_gives_the_same(NetstringReceiver::new, b"3:one,3:two.", &["one"]);
    every_cut_gives_the_same(NetstringReceiver::new, b"3:one,x", &["one"]);
    every_cut_gives_the_same(NetstringReceiver::new, b"3:one,:", &["one"]);
}

#[test]
fn every_cut_of_strings_behind_their_length() {
    let words = ["one", "", "pause", "pause", "twelve bytes", "13 bytes announced"];
    let stream = |zeros: &str| -> Vec<u8> {
        let strings = ["3one", "0", "5pause", "5pause", "ctwelve bytes", "dmore"];
        let strings = strings.map(|string| match string.as_bytes() {
            [digit @ b'0'..=b'9', rest @ ..] => [zeros.as_bytes(), &[digit - b'0'], rest].concat(),
            [digit, rest @ ..] => [zeros.as_bytes(), &[digit - b'a' + 10], rest].concat(),
            [] => unreachable!("none is empty"),
        });
        strings.concat()
    };
    every_cut_gives_the_same(|log| Int8StringReceiver::new(log).max_length(12), &stream(""), &words);
    every_cut_gives_the_same(|log| Int16StringReceiver::new(log).max_length(12), &stream("\0"), &words);
    every_cut_gives_the_same(|log| Int32StringReceiver::new(log).max_length(12), &stream("\0\0\0"), &words);
}

#[test]
fn strings_behind_one_that_closes_still_come() {
    let log = Log::default();
    Connection::new(NetstringReceiver::new(log.clone())).data_received(b"4:quit,3:two,");
    assert_eq!(log.take(), ["quit", "two"]);
}

#[test]
fn stop_within_a_string() {
    let log = Log::default();
    let connection = Connection::new(Int8StringReceiver::new(log.clone()));
    connection.data_received(b"\x04stop\x03two");
    connection.data_received(b"\x01x");
    assert_eq!(log.take(), ["stop"]);
    assert!(connection.handle().transport().is_disconnecting());
}

#[test]
fn what_was_not_delivered_is_taken() {
    let log = Log::default();
    let connection = Connection::new(Int8StringReceiver::new(log.clone()));
    connection.data_received(b"\x04take\x03two\x05");
    connection.data_received(b"\x04ta");
    connection.data_received(b"ke!!");
    assert_eq!(log.take(), ["take", "taken \\x03two\\x05", "take", "taken !!"]);
    connection.data_received(b"\x05half");
    let taken = connection.handle().with(|receiver, _| receiver.take_received()).unwrap();
    assert_eq!(taken, b"\x05half");
}

#[test]
fn broken_peer_is_refused_again() {
    let log = Log::default();
    let connection = Connection::new(NetstringReceiver::new(log.clone()));
    connection.data_received(b"1:a,!");
    connection.string_transport().take_requests();
    connection.data_received(b"1:b,");
    assert_eq!(connection.string_transport().take_requests().len(), 1);
    assert!(connection.handle().with(|receiver, _| receiver.is_broken_peer()).unwrap());
    assert_eq!(log.take(), ["a"]);
}

/// Goes on whatever is announced.
struct Deaf(usize);

impl StringHandler for Deaf {
    fn string_received(&mut self, _: &mut Strings<'_>, _: &[u8]) {
        self.0 += 1;
    }

    fn length_limit_exceeded(&mut self, _: &mut Strings<'_>, _: usize) {}
}

#[test]
fn nothing_comes_after_a_length_that_is_ignored() {
    let connection = Connection::new(Int8StringReceiver::new(Deaf(0)).max_length(3));
    connection.data_received(b"\x01a\x04long\x01b");
    connection.data_received(b"\x01c");
    assert_eq!(
        connection.handle().with(|receiver, _| (receiver.handler().0, receiver.take_received())),
        Ok((1, vec![]))
    );
}

#[test]
fn sending_with_a_transport_only() {
    let double = StringTransport::new();
    let transport = double.transport();
    send_netstring(&transport, b"");
    send_int8_string(&transport, &[b'x'; 2]).unwrap();
    send_int16_string(&transport, b"y").unwrap();
    send_int32_string(&transport, b"z").unwrap();
    assert_eq!(double.value(), b"0:,\x02xx\0\x01y\0\0\0\x01z");
}

#[test]
fn sending_what_the_prefix_cannot_say() {
    let double = StringTransport::new();
    let transport = double.transport();
    assert_eq!(send_int8_string(&transport, &[0; 255]), Ok(()));
    assert_eq!(send_int16_string(&transport, &[0; 65535]), Ok(()));
    double.clear();
    assert_eq!(send_int8_string(&transport, &[0; 256]), Err(StringTooLong { length: 256, max: 255 }));
    assert_eq!(send_int16_string(&transport, &[0; 65536]), Err(StringTooLong { length: 65536, max: 65535 }));
    assert_eq!(double.value(), b"");
}

#[test]
fn receivers_are_small() {
    assert!(size_of::<Int32StringReceiver<()>>() <= 48, "{}", size_of::<Int32StringReceiver<()>>());
}

#[rt::test(start_paused = true)]
async fn pause_within_a_string_and_resume_from_outside() {
    let (near, mut far) = duplex(1024);
    let log = Log::default();
    let transport = drive(near, Int16StringReceiver::new(log.clone())).transport();
    far.write_all(b"\0\x05pause\0\x03one\0\x05pau").await.unwrap();
    rt::time::advance(Duration::from_secs(1)).await;
    assert_eq!(log.take(), ["pause"]);
    far.write_all(b"se\0\x03two").await.unwrap();
    transport.resume_producing();
    rt::time::advance(Duration::from_secs(1)).await;
    assert_eq!(log.take(), ["one", "pause"]);
    transport.resume_producing();
    rt::time::advance(Duration::from_secs(1)).await;
    assert_eq!(log.take(), ["two"]);
}

#[test]
fn taken_as_a_stream_with_strings_that_have_come_already() {
    struct Takes(Log);
    impl StringHandler for Takes {
        fn string_received(&mut self, strings: &mut Strings<'_>, string: &[u8]) {
            self.0.0.borrow_mut().push(string.escape_ascii().to_string());
            if string == b"take" {
                let (log, mut stream) = (self.0.clone(), strings.take_stream(b"un").unwrap());
                rt::spawn_local(async move {
                    let mut body = [0; 6];
                    stream.read_exact(&mut body).await?;
                    log.0.borrow_mut().push(format!("stream {}", body.escape_ascii()));
                    stream.give_back(b"1:");
                    std::io::Result::Ok(())
                });
            }
        }
    }
    let all = b"4:take,1:a,b,1:c,";
    for cut in 0..=all.len() {
        rt::block_on(async {
            let (log, (mut near, far)) = (Log::default(), duplex(64));
            let handle = drive(far, NetstringReceiver::new(Takes(log.clone())));
            near.write_all(&all[..cut]).await.unwrap();
            rt::task::yield_now().await;
            near.write_all(&all[cut..]).await.unwrap();
            near.close().await.unwrap();
            handle.transport().closed().await.unwrap();
            assert_eq!(log.take(), ["take", "stream un1:a,", "b", "c"], "cut at {cut}");
        });
    }
}
