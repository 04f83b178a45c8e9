//! Peers that do not take what is written, and peers that take it only while they are read.

#[path = "../../tests/support/flavor.rs"]
mod flavor;

use futures_util::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use rt::io::duplex;
use rt::net::{TcpListener, TcpStream};
use rt::protocol::{Protocol, Transport, WriteLimits, drive};
use rt::task::yield_now;
use std::cell::Cell;
use std::rc::Rc;

/// More than a connection in memory and all buffers hold.
const LONG: usize = 1024 * 1024;
/// The same, where the system has buffers, too.
const LONGER: usize = 8 * 1024 * 1024;

struct Echo;

impl Protocol for Echo {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write(b"?");
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data);
    }
}

/// Answers the greeting, and each message of so many bytes, by a message.
struct Conversing {
    length: usize,
    missing: usize,
    rounds: u32,
}

impl Protocol for Conversing {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        self.missing = self.missing.checked_sub(data.len()).expect("what comes is an echo");
        if self.missing > 0 {
            return;
        }
        match self.rounds {
            0 => transport.lose_connection(),
            _ => {
                self.rounds -= 1;
                self.missing = self.length;
                transport.write(&vec![b'x'; self.length]);
            }
        }
    }
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin + 'static>(near: S, far: S, length: usize) {
    let _server = drive(far, Echo);
    let client = drive(near, Conversing { length, missing: 1, rounds: 2 }).transport();
    assert!(client.closed().await.unwrap().is_clean());
}

#[test]
fn a_long_answer_is_echoed_while_it_is_sent_in_memory() {
    flavor::block_on(async {
        let (near, far) = duplex(8 * 1024);
        converse(near, far, LONG).await;
    });
}

#[test]
fn a_long_answer_is_echoed_while_it_is_sent_by_tcp() {
    flavor::block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let far = listener.accept().await.unwrap().0;
        converse(near, far, LONGER).await;
    });
}

/// Sends a long message unasked, and acknowledges all that comes.
struct Acknowledging(usize);

impl Protocol for Acknowledging {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write(&vec![b'x'; LONG]);
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        self.0 += data.len();
        if self.0 > LONG {
            transport.lose_connection();
        } else {
            transport.write(b".");
        }
    }
}

#[test]
fn short_answers_behind_a_long_message_do_not_hold_the_peer_back() {
    flavor::block_on(async {
        let (near, far) = duplex(8 * 1024);
        let _server = drive(far, Echo);
        let client = drive(near, Acknowledging(0)).transport();
        assert!(client.closed().await.unwrap().is_clean());
    });
}

/// Answers each byte by a megabyte.
struct Talkative(Rc<Cell<u32>>);

impl Protocol for Talkative {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        for _ in data {
            self.0.set(self.0.get() + 1);
            transport.write(&[b'x'; 1_000_000]);
        }
    }
}

#[test]
fn a_peer_that_asks_on_and_takes_no_answers_is_held_back_after_the_second() {
    flavor::block_on(async {
        let (mut near, far) = duplex(64);
        let asked = Rc::new(Cell::new(0));
        let transport = drive(far, Talkative(asked.clone())).transport();
        for _ in 0..10 {
            near.write_all(b"?").await.unwrap();
            for _ in 0..10 {
                yield_now().await;
            }
        }
        assert_eq!(asked.get(), 2);
        // All are answered when they are taken.
        let mut answers = vec![0; 10_000_000];
        near.read_exact(&mut answers).await.unwrap();
        assert_eq!((asked.get(), transport.unsent()), (10, 0));
    });
}

#[test]
fn a_peer_is_held_back_at_once_if_two_answers_are_more_than_the_cap() {
    flavor::block_on(async {
        let (mut near, far) = duplex(64);
        let asked = Rc::new(Cell::new(0));
        let transport = drive(far, Talkative(asked.clone())).transport();
        transport.set_write_limits(WriteLimits { cap: Some(1_500_000), ..WriteLimits::default() });
        for _ in 0..2 {
            near.write_all(b"?").await.unwrap();
            for _ in 0..10 {
                yield_now().await;
            }
        }
        assert_eq!(asked.get(), 1);
        let mut answers = vec![0; 2_000_000];
        near.read_exact(&mut answers).await.unwrap();
        assert!(transport.is_connected());
    });
}

#[test]
fn odd_limits_let_all_through() {
    let odd = [(0, 0, None), (100_000, 10, None), (0, 1, Some(100_000)), (usize::MAX, 0, None), (5, usize::MAX, None)];
    for (low, high, cap) in odd {
        flavor::block_on(async {
            let (mut near, far) = duplex(100);
            let transport = drive(far, Echo).transport();
            transport.set_write_limits(WriteLimits { low, high, cap });
            let (mut reader, mut writer) = futures_util::io::AsyncReadExt::split(&mut near);
            let write = async {
                writer.write_all(&[b'x'; 200_000]).await.unwrap();
                writer.close().await.unwrap();
            };
            let mut text = vec![0; 200_001];
            let ((), read) = rt::join!(write, reader.read_exact(&mut text));
            read.unwrap();
            assert_eq!(reader.read(&mut text).await.unwrap(), 0, "{low} {high} {cap:?}");
        });
    }
}

#[test]
fn a_peer_that_is_held_back_is_read_again_when_the_limits_are_raised() {
    flavor::block_on(async {
        let (mut near, far) = duplex(1024);
        let transport = drive(far, Echo).transport();
        transport.set_write_limits(WriteLimits { low: 0, high: 0, cap: None });
        let raise = async {
            for _ in 0..20 {
                yield_now().await;
            }
            transport.set_write_limits(WriteLimits { low: 0, high: usize::MAX, cap: None });
        };
        // Nobody reads.
        let (written, ()) = rt::join!(near.write_all(&[b'x'; 200_000]), raise);
        written.unwrap();
    });
}
