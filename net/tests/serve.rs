//! Serving: limits, handlers that fail, and ends in good order.

#[path = "../../tests/support/flavor.rs"]
mod flavor;

use futures_channel::{mpsc, oneshot};
use futures_util::StreamExt;
use futures_util::future::{FutureExt, join, pending};
use futures_util::io::{AsyncReadExt, AsyncWriteExt};
use rt::net::{Connection, Drained, Listener, NoticeKind, TcpListener, TcpStream, serve};
use rt::task::{JoinHandle, yield_now};
use rt::time::{Duration, Instant, advance, sleep};
use std::future::{IntoFuture, ready};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn echo(mut stream: TcpStream, _: Connection<SocketAddr>) -> io::Result<()> {
    let mut buf = [0; 64];
    loop {
        let n = stream.read(&mut buf).await?;
        if n == 0 {
            return Ok(());
        }
        stream.write_all(&buf[..n]).await?;
    }
}

/// Sends a word and has it echoed.
async fn talk(stream: &mut TcpStream, word: &str) {
    stream.write_all(word.as_bytes()).await.unwrap();
    let mut answer = vec![0; word.len()];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, word.as_bytes());
}

async fn at_end(stream: &mut TcpStream) -> bool {
    stream.read(&mut [0]).await.unwrap() == 0
}

fn stop() -> (oneshot::Sender<()>, impl Future<Output = ()> + Send + 'static) {
    let (sender, receiver) = oneshot::channel();
    (sender, receiver.map(drop))
}

#[test]
fn connections_at_the_limit_wait_in_the_backlog() {
    flavor::block_on(async {
        let (listener, address) = listener().await;
        let open = Arc::new(AtomicUsize::new(0));
        let most = Arc::new(AtomicUsize::new(0));
        let server = rt::spawn(
            serve(listener, {
                let (open, most) = (open.clone(), most.clone());
                move |stream, connection| {
                    most.fetch_max(open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    let open = open.clone();
                    async move {
                        let result = echo(stream, connection).await;
                        open.fetch_sub(1, Ordering::SeqCst);
                        result
                    }
                }
            })
            .connection_limit(2)
            .into_future(),
        );
        let mut clients = Vec::new();
        for _ in 0..5 {
            clients.push(TcpStream::connect(address).await.unwrap());
        }
        // Each is served once two of those before it are gone.
        for mut client in clients {
            talk(&mut client, "hello").await;
        }
        assert_eq!(most.load(Ordering::SeqCst), 2);
        server.abort();
    });
}

#[test]
#[should_panic(expected = "a limit of 0 connections would serve nobody")]
fn limit_of_no_connections() {
    flavor::block_on(async {
        let _ = serve(listener().await.0, echo).connection_limit(0);
    });
}

#[test]
fn drain_lets_connections_finish_and_refuses_newcomers() {
    flavor::block_on(async {
        let (listener, address) = listener().await;
        let (stop, stopped) = stop();
        let (drains, mut told) = mpsc::unbounded();
        let server = rt::spawn(
            serve(listener, move |mut stream: TcpStream, connection: Connection<SocketAddr>| {
                let drains = drains.clone();
                async move {
                    assert!(!connection.is_draining());
                    stream.write_all(b"a").await?;
                    connection.draining().await;
                    assert!(connection.is_draining());
                    drains.unbounded_send(*connection.peer_addr()).unwrap();
                    // Goes on for as long as it has to.
                    while stream.read(&mut [0]).await? > 0 {}
                    stream.write_all(b"z").await
                }
            })
            .with_graceful_shutdown(stopped)
            .into_future(),
        );
        let mut clients = [TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap()];
        for client in &mut clients {
            client.read_exact(&mut [0]).await.unwrap();
        }
        stop.send(()).unwrap();
        let mut peers = [told.next().await.unwrap(), told.next().await.unwrap()];
        let mut expected = clients.each_ref().map(|client| client.local_addr().unwrap());
        peers.sort();
        expected.sort();
        assert_eq!(peers, expected);
        let refused = TcpStream::connect(address).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        assert!(!server.is_finished());
        for mut client in clients {
            client.close().await.unwrap();
            let mut rest = Vec::new();
            client.read_to_end(&mut rest).await.unwrap();
            assert_eq!(rest, b"z");
        }
        let report = server.await.unwrap().unwrap();
        assert_eq!((report.accepted, report.refused, report.late.len()), (2, 0, 0));
        assert_eq!(report.to_string(), "2 connections served, 0 refused");
    });
}

#[test]
fn late_connections_are_aborted_and_named() {
    let runtime = flavor::builder().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let (listener, address) = listener().await;
        let (stop, stopped) = stop();
        let server = rt::spawn(
            serve(listener, async |mut stream: TcpStream, _| {
                stream.write_all(b"a").await.unwrap();
                // Will not end by itself.
                pending::<()>().await;
                drop(stream);
            })
            .with_graceful_shutdown(stopped)
            .drain_timeout(Duration::from_secs(20))
            .into_future(),
        );
        let mut client = TcpStream::connect(address).await.unwrap();
        client.read_exact(&mut [0]).await.unwrap();
        let begin = Instant::now();
        sleep(Duration::from_secs(5)).await;
        stop.send(()).unwrap();
        let report: Drained<SocketAddr> = server.await.unwrap().unwrap();
        assert_eq!(begin.elapsed(), Duration::from_secs(25));
        let [late] = &report.late[..] else { panic!("{report:?}") };
        assert_eq!(late.peer, client.local_addr().unwrap());
        assert!(late.open_for >= Duration::from_secs(25), "{report}");
        assert!(report.to_string().contains(&format!("did not end in time: {} (open for", late.peer)), "{report}");
        assert!(at_end(&mut client).await);
    });
}

#[test]
fn handler_that_panics_ends_its_connection_only() {
    flavor::block_on(async {
        let (listener, address) = listener().await;
        let server = rt::spawn(
            serve(listener, async |mut stream: TcpStream, connection| {
                let mut first = [0];
                stream.read_exact(&mut first).await?;
                assert_ne!(first, *b"!", "the peer asked for it");
                echo(stream, connection).await
            })
            .into_future(),
        );
        rt::deferred::unhandled::set_hook(|_| {});
        let mut bad = TcpStream::connect(address).await.unwrap();
        bad.write_all(b"!").await.unwrap();
        assert!(at_end(&mut bad).await);
        let mut good = TcpStream::connect(address).await.unwrap();
        good.write_all(b".").await.unwrap();
        talk(&mut good, "hello").await;
        server.abort();
    });
}

/// Counts how many of it are gone.
struct NoMood(Arc<AtomicUsize>);

impl std::fmt::Display for NoMood {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no mood")
    }
}

impl Drop for NoMood {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn errors_of_handlers_are_told_once_in_five_seconds() {
    let runtime = flavor::builder().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let (listener, address) = listener().await;
        let told = Arc::new(Mutex::new(Vec::new()));
        let looked_at = Arc::new(AtomicUsize::new(0));
        let errors = looked_at.clone();
        let server = rt::spawn(
            serve(listener, move |_: TcpStream, _| ready(Err::<(), _>(NoMood(errors.clone()))))
                .on_notice({
                    let told = told.clone();
                    move |notice| {
                        assert_eq!(notice.kind(), NoticeKind::Handler);
                        told.lock().unwrap().push((notice.unsaid(), notice.to_string()));
                    }
                })
                .into_future(),
        );
        let connect = async || {
            let mut client = TcpStream::connect(address).await.unwrap();
            assert!(at_end(&mut client).await);
            // The stream is closed just before the handler's result is looked at, which then is dropped.
            while looked_at.swap(0, Ordering::SeqCst) == 0 {
                yield_now().await;
            }
            client.local_addr().unwrap()
        };
        let first = connect().await;
        for _ in 0..3 {
            connect().await;
        }
        advance(Duration::from_secs(5)).await;
        let last = connect().await;
        let told = told.lock().unwrap();
        assert_eq!(told[0], (0, format!("the connection of {first} ended with: no mood")));
        assert_eq!(
            told.get(1),
            Some(&(3, format!("the connection of {last} ended with: no mood (and 3 more since the last notice)")))
        );
        server.abort();
    });
}

#[test]
fn dropped_server_leaves_its_connections() {
    flavor::block_on(async {
        let (listener, address) = listener().await;
        let server: JoinHandle<_> = rt::spawn(serve(listener, echo).into_future());
        let mut client = TcpStream::connect(address).await.unwrap();
        talk(&mut client, "hello").await;
        server.abort();
        assert!(server.await.unwrap_err().is_cancelled());
        let refused = TcpStream::connect(address).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        talk(&mut client, "still there").await;
    });
}

#[test]
fn shutdown_before_the_first_connection() {
    flavor::block_on(async {
        let (listener, address) = listener().await;
        let (server, ()) = join(serve(listener, echo).with_graceful_shutdown(async {}).into_future(), async {}).await;
        assert_eq!(server.unwrap().accepted, 0);
        assert!(TcpStream::connect(address).await.is_err());
    });
}

/// The handler has ended, what it has started has not.
#[test]
fn connection_that_outlives_its_handler_is_told_of_the_end() {
    flavor::block_on(async {
        let (listener, address) = listener().await;
        let (stop, stopped) = stop();
        let (kept, mut keep) = mpsc::unbounded();
        let server = rt::spawn(
            serve(listener, move |_stream: TcpStream, connection| {
                let _ = kept.unbounded_send(connection);
                async {}
            })
            .with_graceful_shutdown(stopped)
            .into_future(),
        );
        let mut client = TcpStream::connect(address).await.unwrap();
        assert!(at_end(&mut client).await);
        let connection = keep.next().await.unwrap();
        // Another one in its place.
        let mut next = TcpStream::connect(address).await.unwrap();
        assert!(at_end(&mut next).await);
        let told = rt::spawn(async move { connection.draining().await });
        yield_now().await;
        stop.send(()).unwrap();
        assert_eq!(server.await.unwrap().unwrap().accepted, 2);
        told.await.unwrap();
    });
}

/// Finds nothing but connections that are gone already.
struct Unlucky;

impl Listener for Unlucky {
    type Io = TcpStream;
    type Addr = SocketAddr;

    fn poll_accept(&mut self, _: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        // ECONNABORTED on Windows, on Linux and on the BSDs.
        let number = if cfg!(windows) {
            10053
        } else if cfg!(target_os = "linux") {
            103
        } else {
            53
        };
        Poll::Ready(Err(io::Error::from_raw_os_error(number)))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(([127, 0, 0, 1], 1).into())
    }
}

#[test]
fn listener_that_never_waits_keeps_nobody_from_the_end() {
    flavor::block_on(async {
        let (stop, stopped) = stop();
        let server =
            rt::spawn(serve(Unlucky, async |_: TcpStream, _| ()).with_graceful_shutdown(stopped).into_future());
        yield_now().await;
        stop.send(()).unwrap();
        assert_eq!(server.await.unwrap().unwrap().accepted, 0);
    });
}
