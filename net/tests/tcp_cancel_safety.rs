//! Every async function of TCP, dropped after each of its polls: no byte and no connection is lost, and none comes twice.
//!
//! Nothing here is polled until it is ready but by [`insist`], which makes a new future for each poll. Between two polls others run,
//! so that events arrive while nobody waits for them.

#[path = "../../tests/support/flavor.rs"]
mod flavor;

use futures_util::future::{join, poll_fn};
use futures_util::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use rt::io::Interest;
use rt::net::{TcpListener, TcpStream};
use rt::task::yield_now;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::task::Poll;

/// Enough to fill the sockets' buffers several times.
const LENGTH: usize = 6 << 20;

/// Makes a future, polls it once and drops it, until one is ready in its first poll.
async fn insist<T>(mut future: impl AsyncFnMut() -> T) -> T {
    loop {
        {
            let mut future = pin!(future());
            if let Poll::Ready(output) = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await {
                return output;
            }
        }
        yield_now().await;
    }
}

/// The byte at this place of the stream.
fn byte(place: usize) -> u8 {
    (place * 31 % 251) as u8
}

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (near, listener.accept().await.unwrap().0)
}

/// Writes all of the pattern with futures of one poll each, then ends writing.
async fn send(mut writer: impl AsyncWrite + Unpin) {
    let mut sent = 0;
    while sent < LENGTH {
        let end = LENGTH.min(sent + 70_000);
        let chunk: Vec<u8> = (sent..end).map(byte).collect();
        sent += insist(async || writer.write(&chunk).await).await.unwrap();
    }
    insist(async || writer.close().await).await.unwrap();
}

/// Reads up to the end with futures of one poll each.
async fn receive(mut reader: impl AsyncRead + Unpin) {
    let mut received = 0;
    let mut buf = vec![0; 50_000];
    loop {
        let count = insist(async || reader.read(&mut buf).await).await.unwrap();
        if count == 0 {
            assert_eq!(received, LENGTH);
            return;
        }
        for (place, &got) in buf[..count].iter().enumerate() {
            assert_eq!(got, byte(received + place), "at {}", received + place);
        }
        received += count;
    }
}

#[test]
fn reading_and_writing_streams() {
    flavor::block_on(async {
        let (near, far) = pair().await;
        join(send(near), receive(far)).await;
    });
}

#[test]
fn reading_and_writing_halves_both_ways() {
    flavor::block_on(async {
        let (near, far) = pair().await;
        let ((near_reader, near_writer), (far_reader, far_writer)) = (near.into_split(), far.into_split());
        join(join(send(near_writer), receive(far_reader)), join(send(far_writer), receive(near_reader))).await;
    });
}

#[test]
fn operations_of_the_users_own() {
    flavor::block_on(async {
        let (near, far) = pair().await;
        let near = &near;
        let writing = async {
            let mut sent = 0;
            while sent < LENGTH {
                let chunk: Vec<u8> = (sent..LENGTH.min(sent + 70_000)).map(byte).collect();
                let chunk = &chunk;
                sent +=
                    insist(async || near.async_io(Interest::WRITABLE, || send_to(near, chunk)).await).await.unwrap();
            }
            // The shutting down is what it is for: it completes in its first poll.
            socket2::SockRef::from(near).shutdown(std::net::Shutdown::Write).unwrap();
        };
        join(writing, receive(far)).await;
    });
}

fn send_to(stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    socket2::SockRef::from(stream).send(bytes)
}

#[test]
fn waiting_for_readiness_and_peeking() {
    flavor::block_on(async {
        let (mut near, mut far) = pair().await;
        for round in 0..50_u8 {
            let waiting = async {
                insist(async || far.readable().await).await.unwrap();
                assert!(insist(async || far.ready(Interest::READABLE).await).await.unwrap().is_readable());
                let mut seen = [0];
                assert_eq!(insist(async || far.peek(&mut [0; 1]).await).await.unwrap(), 1);
                insist(async || far.writable().await).await.unwrap();
                // Waiting and peeking have taken nothing.
                while far.try_read(&mut seen).is_err() {
                    yield_now().await;
                }
                assert_eq!(seen[0], round);
            };
            let writing = async {
                yield_now().await;
                near.write_all(&[round]).await.unwrap();
            };
            join(waiting, writing).await;
        }
        near.close().await.unwrap();
        assert_eq!(far.read(&mut [0]).await.unwrap(), 0);
    });
}

#[test]
fn accepting() {
    flavor::block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepting = async {
            let mut numbers = Vec::new();
            for _ in 0..100 {
                let (mut stream, _) = insist(async || listener.accept().await).await.unwrap();
                let mut number = [0];
                stream.read_exact(&mut number).await.unwrap();
                numbers.push(number[0]);
            }
            numbers.sort_unstable();
            assert_eq!(numbers, (0..100).collect::<Vec<u8>>());
        };
        let connecting = async {
            for number in 0..100_u8 {
                let mut stream = TcpStream::connect(address).await.unwrap();
                stream.write_all(&[number]).await.unwrap();
            }
        };
        join(accepting, connecting).await;
    });
}

#[test]
fn connecting_leaves_no_descriptor() {
    flavor::block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        for _ in 0..20 {
            let mut connecting = Box::pin(TcpStream::connect(address));
            let at_once = poll_fn(|cx| Poll::Ready(connecting.as_mut().poll(cx).is_ready())).await;
            drop(connecting);
            // The other side sees a connection that is closed, if any.
            let (mut stream, _) = listener.accept().await.unwrap();
            let end = stream.read(&mut [0]).await;
            assert!(matches!(end, Ok(0)) || end.is_err(), "{at_once}: {end:?}");
        }
    });
}
