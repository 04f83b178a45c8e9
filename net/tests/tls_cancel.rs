//! Futures that are dropped after each of their polls: what is lost, and what is not.

#[path = "support/certificates.rs"]
mod certificates;
#[path = "../../tests/support/flavor.rs"]
mod flavor;
#[path = "support/pairs.rs"]
mod pairs;
#[path = "support/pipe.rs"]
mod pipe;

use certificates::Authority;
use futures_util::future::join;
use futures_util::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use pairs::{VERSIONS, poll_once, shake};
use pipe::{End, pipe};
use rt_net::tls::TlsStream;
use rt_net::tls::rustls::version;
use std::io;
use std::task::Poll;

#[test]
fn reads_dropped_at_every_poll_lose_nothing() {
    flavor::block_on(async {
        for version in VERSIONS {
            for step in [1, 7, 5000] {
                let (mut near, mut far) = stuttering(version, step).await;
                let text = text(3000);
                let writing = async {
                    near.write_all(&text).await.unwrap();
                    near.close().await.unwrap();
                };
                let reading = async {
                    let mut received: Vec<u8> = Vec::new();
                    loop {
                        let mut buf = [0; 100];
                        // One poll, then the future is gone.
                        match poll_once(Box::pin(far.read(&mut buf)).as_mut()).await {
                            Poll::Ready(Ok(0)) => return received,
                            Poll::Ready(count) => received.extend(&buf[..count.unwrap()]),
                            Poll::Pending => rt::task::yield_now().await,
                        }
                    }
                };
                let ((), received) = join(writing, reading).await;
                assert_eq!(received, text);
            }
        }
    });
}

#[test]
fn lines_dropped_at_every_poll_lose_nothing() {
    flavor::block_on(async {
        let (mut near, mut far) = stuttering(&version::TLS13, 3).await;
        let writing = async {
            for line in 0..100 {
                near.write_all(format!("line {line}\n").as_bytes()).await.unwrap();
            }
            near.close().await.unwrap();
        };
        let reading = async {
            let mut received = Vec::new();
            loop {
                match poll_once(Box::pin(far.fill_buf()).as_mut()).await {
                    Poll::Ready(chunk) => {
                        let chunk = chunk.unwrap();
                        if chunk.is_empty() {
                            return received;
                        }
                        let count = chunk.len().min(5);
                        received.extend(&chunk[..count]);
                        far.consume_unpin(count);
                    }
                    Poll::Pending => rt::task::yield_now().await,
                }
            }
        };
        let ((), received) = join(writing, reading).await;
        let expected: String = (0..100).map(|line| format!("line {line}\n")).collect();
        assert_eq!(String::from_utf8(received).unwrap(), expected);
    });
}

#[test]
fn writes_dropped_at_every_poll_have_written_what_they_said() {
    flavor::block_on(async {
        for version in VERSIONS {
            for step in [1, 7, 5000] {
                let (mut near, mut far) = stuttering(version, step).await;
                let text = text(3000);
                let writing = async {
                    let mut rest = &text[..];
                    while !rest.is_empty() {
                        match poll_once(Box::pin(near.write(&rest[..rest.len().min(100)])).as_mut()).await {
                            Poll::Ready(count) => rest = &rest[count.unwrap()..],
                            Poll::Pending => rt::task::yield_now().await,
                        }
                    }
                    // What was taken goes out, and once, also if these are dropped time and again.
                    while poll_once(Box::pin(near.flush()).as_mut()).await.is_pending() {
                        rt::task::yield_now().await;
                    }
                    while poll_once(Box::pin(near.close()).as_mut()).await.is_pending() {
                        rt::task::yield_now().await;
                    }
                };
                let mut received = Vec::new();
                let ((), result) = join(writing, far.read_to_end(&mut received)).await;
                result.unwrap();
                assert_eq!(received, text);
            }
        }
    });
}

#[test]
fn stream_dropped_without_a_flush_loses_what_waits_and_no_more() {
    flavor::block_on(async {
        let (near, far) = pipe(500);
        let (mut near, mut far) = shake(&version::TLS13, near, far).await;
        near.write_all(&[1; 100]).await.unwrap();
        near.flush().await.unwrap();
        near.write_all(&[2; 1000]).await.unwrap();
        drop(near);
        let mut received = Vec::new();
        assert_eq!(far.read_to_end(&mut received).await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(received, [1; 100]);
    });
}

#[test]
fn handshakes_dropped_at_every_poll_end_the_connection() {
    flavor::block_on(async {
        let authority = Authority::new("roots");
        let acceptor = authority.identity(&["localhost"]).acceptor();
        let mut polls = 0;
        loop {
            let (near, far) = pipe(1 << 16);
            let (near, far) = (near.in_steps_of(300).stuttering(), far.stuttering());
            let mut connecting = Box::pin(authority.connector().connect("localhost", near));
            let mut accepting = Box::pin(acceptor.accept(far));
            let mut is_over = false;
            for _ in 0..polls {
                is_over =
                    poll_once(connecting.as_mut()).await.is_ready() || poll_once(accepting.as_mut()).await.is_ready();
            }
            if is_over {
                break;
            }
            drop(connecting);
            // Found out by reading, or by writing.
            let kind = accepting.await.unwrap_err().kind();
            assert!(matches!(kind, io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe), "{kind}");
            polls += 1;
        }
        assert!(polls > 5, "{polls}");
    });
}

fn text(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i % 251) as u8).collect()
}

async fn stuttering(
    version: &'static rt_net::tls::rustls::SupportedProtocolVersion,
    step: usize,
) -> (TlsStream<End>, TlsStream<End>) {
    let (near, far) = pipe(50);
    shake(version, near.in_steps_of(step).stuttering(), far.stuttering()).await
}
