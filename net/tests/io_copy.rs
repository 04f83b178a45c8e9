//! `copy`, `copy_bidirectional` and `duplex`: every byte, every end, and no more memory than promised.

use futures_util::future::{join, poll_fn};
use futures_util::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use futures_util::task::noop_waker_ref;
use rt::io::{DuplexStream, copy, copy_bidirectional, duplex};
use rt::net::{TcpListener, TcpStream};
use std::future::Future;
use std::io::{self, ErrorKind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

/// Bytes that tell where they are from.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i % 251) as u8).collect()
}

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (near, listener.accept().await.unwrap().0)
}

fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(noop_waker_ref()))
}

#[test]
fn copy_through_narrow_ends() {
    rt::block_on(async {
        let bytes = pattern(100_000);
        let (mut source, reader) = duplex(70);
        let (mut writer, mut target) = duplex(100_000);
        let (_, copied) = join(
            async {
                source.write_all(&bytes).await.unwrap();
                source.close().await.unwrap();
            },
            join(
                async {
                    let count = copy(reader, &mut writer).await.unwrap();
                    writer.close().await.unwrap();
                    count
                },
                async {
                    let mut all = Vec::new();
                    target.read_to_end(&mut all).await.unwrap();
                    all
                },
            ),
        )
        .await;
        assert_eq!(copied.0, 100_000);
        assert!(copied.1 == bytes);
    });
}

/// Passes writes through only when flushed.
struct Buffering {
    inner: DuplexStream,
    buffer: Vec<u8>,
}

impl AsyncWrite for Buffering {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.buffer.extend(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while !this.buffer.is_empty() {
            match Pin::new(&mut this.inner).poll_write(cx, &this.buffer)? {
                Poll::Ready(count) => _ = this.buffer.drain(..count),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

#[test]
fn copy_flushes_while_the_reader_waits() {
    rt::block_on(async {
        let (mut source, reader) = duplex(64);
        let (inner, mut target) = duplex(64);
        let mut writer = Buffering { inner, buffer: Vec::new() };
        let mut copying = pin!(copy(reader, &mut writer));
        source.write_all(b"question").await.unwrap();
        assert!(poll_once(copying.as_mut()).is_pending());
        let mut got = [0; 8];
        target.read_exact(&mut got).await.unwrap();
        assert_eq!(&got, b"question");
    });
}

#[test]
fn copy_to_a_writer_that_takes_nothing() {
    struct Full;
    impl AsyncWrite for Full {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(0))
        }
        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }
    rt::block_on(async {
        let error = copy(&b"abc"[..], &mut Full).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WriteZero);
    });
}

#[test]
fn copy_within_a_copy() {
    /// Reads by running a whole copy.
    struct Nested(bool);
    impl AsyncRead for Nested {
        fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
            if std::mem::replace(&mut self.0, true) {
                return Poll::Ready(Ok(0));
            }
            let mut inner = Vec::new();
            assert!(pin!(copy(&b"inner"[..], &mut inner)).poll(cx).is_ready());
            buf[..inner.len()].copy_from_slice(&inner);
            Poll::Ready(Ok(inner.len()))
        }
    }
    rt::block_on(async {
        let mut bytes = Vec::new();
        copy(Nested(false), &mut bytes).await.unwrap();
        assert_eq!(bytes, b"inner");
    });
}

#[test]
fn proxy_keeps_half_closed_connections_as_they_are() {
    rt::block_on(async {
        let (mut client, mut front) = pair().await;
        let (mut back, mut server) = pair().await;
        let proxy = rt::spawn(async move { copy_bidirectional(&mut front, &mut back).await });

        client.write_all(b"all I have to say").await.unwrap();
        client.close().await.unwrap();
        let mut said = String::new();
        server.read_to_string(&mut said).await.unwrap();
        assert_eq!(said, "all I have to say");

        // The way back is open still.
        server.write_all(b"that was little").await.unwrap();
        server.close().await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "that was little");
        assert_eq!(proxy.await.unwrap().unwrap(), (17, 15));
    });
}

#[test]
fn proxy_of_a_connection_that_is_reset() {
    rt::block_on(async {
        let (client, mut front) = pair().await;
        let (mut back, mut server) = pair().await;
        let proxy = rt::spawn(async move { copy_bidirectional(&mut front, &mut back).await });
        client.set_linger(Some(std::time::Duration::ZERO)).unwrap();
        drop(client);
        let error = proxy.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        // With the proxy's ends the server's is over, too.
        assert_eq!(server.read(&mut [0]).await.unwrap(), 0);
    });
}

#[test]
fn proxy_between_a_fast_writer_and_a_reader_that_does_not_read() {
    rt::block_on(async {
        let (mut client, mut front) = duplex(1000);
        let (mut back, mut server) = duplex(1000);
        let mut proxy = pin!(copy_bidirectional(&mut front, &mut back));
        // Takes what fits into the ends and one chunk, and no more.
        let mut taken = 0;
        poll_fn(|cx| {
            loop {
                assert!(proxy.as_mut().poll(cx)?.is_pending());
                match Pin::new(&mut client).poll_write(cx, &[1; 1000])? {
                    Poll::Ready(count) => taken += count,
                    Poll::Pending => return Poll::Ready(io::Result::Ok(())),
                }
            }
        })
        .await
        .unwrap();
        assert!((2_000..=2_000 + 64 * 1024).contains(&taken), "{taken}");
        // Nothing of it is lost.
        client.close().await.unwrap();
        let mut got = 0;
        let reading = async {
            let mut buf = [0; 512];
            loop {
                match server.read(&mut buf).await.unwrap() {
                    0 => break,
                    count => got += count,
                }
            }
            server.close().await.unwrap();
        };
        join(proxy, reading).await.0.unwrap();
        assert_eq!(got, taken);
    });
}

#[test]
fn duplex_ends_as_connections_do() {
    rt::block_on(async {
        let (mut near, mut far) = duplex(4);
        near.write_all(b"rest").await.unwrap();
        near.close().await.unwrap();
        assert_eq!(near.write(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
        far.write_all(b"back").await.unwrap();
        drop(far);
        let mut all = Vec::new();
        near.read_to_end(&mut all).await.unwrap();
        assert_eq!(all, b"back");

        let (mut near, far) = duplex(4);
        drop(far);
        assert_eq!(near.write(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
        assert_eq!(near.read(&mut [0]).await.unwrap(), 0);
    });
}

#[test]
fn duplex_wakes_who_waits_for_room_bytes_or_the_end() {
    rt::block_on(async {
        let (mut near, mut far) = duplex(2);
        let (_, all) = join(
            async {
                near.write_all(&pattern(100)).await.unwrap();
                drop(near);
            },
            async {
                let mut all = Vec::new();
                far.read_to_end(&mut all).await.unwrap();
                all
            },
        )
        .await;
        assert_eq!(all, pattern(100));

        let (mut near, far) = duplex(1);
        near.write_all(b"x").await.unwrap();
        let (error, ()) = join(async { near.write(b"y").await.unwrap_err() }, async { drop(far) }).await;
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn duplex_dropped_at_every_poll_loses_nothing() {
    rt::block_on(async {
        let (mut near, mut far) = duplex(3);
        let bytes = pattern(64);
        let (mut sent, mut got) = (0, Vec::<u8>::new());
        while got.len() < bytes.len() {
            // Each future is polled once and dropped.
            if sent < bytes.len()
                && let Poll::Ready(count) = poll_once(pin!(near.write(&bytes[sent..])))
            {
                sent += count.unwrap();
            }
            let mut buf = [0; 2];
            if let Poll::Ready(count) = poll_once(pin!(far.read(&mut buf))) {
                got.extend(&buf[..count.unwrap()]);
            }
        }
        assert_eq!(got, bytes);
    });
}

#[test]
#[should_panic(expected = "a capacity of 0 bytes lets nothing through")]
fn duplex_without_capacity() {
    let _ = duplex(0);
}
