//! Crates that need tokio's runtime, on rt's workers.

mod support;

use std::sync::mpsc;
use std::thread;

use support::builder;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

use rt::runtime::{Builder, Runtime};
use rt::time::Duration;

const MS: Duration = Duration::from_millis(1);

fn with_tokio() -> Runtime {
    builder().tokio_context(true).build().unwrap()
}

fn has_context() -> bool {
    tokio::runtime::Handle::try_current().is_ok()
}

async fn read(stream: &mut TcpStream, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    let mut buf = ReadBuf::new(&mut bytes);
    while buf.filled().len() < length {
        let before = buf.filled().len();
        std::future::poll_fn(|cx| std::pin::Pin::new(&mut *stream).poll_read(cx, &mut buf)).await.unwrap();
        assert_ne!(buf.filled().len(), before, "an early end");
    }
    bytes
}

async fn write(stream: &mut TcpStream, bytes: &[u8]) {
    let count = std::future::poll_fn(|cx| std::pin::Pin::new(&mut *stream).poll_write(cx, bytes)).await.unwrap();
    assert_eq!(count, bytes.len());
}

#[test]
fn timers_sockets_and_spawns_of_tokio_within_tasks() {
    with_tokio().block_on(async {
        tokio::time::sleep(MS).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = rt::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let word = read(&mut stream, 4).await;
            // Far side of a channel of tokio's own, in a task of tokio's own.
            tokio::spawn(async move { write(&mut stream, &word).await }).await.unwrap();
        });
        let client = rt::spawn_local(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            write(&mut stream, b"ping").await;
            read(&mut stream, 4).await
        });
        assert_eq!(client.await.unwrap(), b"ping");
        server.await.unwrap();
        let late = tokio::time::timeout(MS, std::future::pending::<()>()).await;
        assert!(late.is_err());
    });
}

#[test]
fn threads_of_the_runtime_are_in_the_context() {
    let runtime = with_tokio();
    assert!(!has_context(), "nobody has entered");
    runtime.block_on(async {
        assert!(has_context());
        assert!(rt::spawn(async { has_context() }).await.unwrap());
        assert!(rt::spawn_blocking(has_context).await.unwrap());
    });
    assert!(!has_context());
    {
        let _entered = runtime.enter();
        assert!(has_context());
    }
    assert!(!has_context());
    let handle = runtime.handle().clone();
    assert!(thread::spawn(move || handle.block_on(async { has_context() })).join().unwrap());
}

#[test]
fn without_the_switch_there_is_no_context() {
    let runtime = builder().build().unwrap();
    runtime.block_on(async {
        assert!(!has_context());
        assert!(!rt::spawn_blocking(has_context).await.unwrap());
    });
}

#[test]
fn blocking_in_place_keeps_the_context() {
    let runtime = Builder::new_multi_thread().worker_threads(2).tokio_context(true).build().unwrap();
    let inside = runtime.block_on(runtime.spawn(async {
        let inside = rt::task::block_in_place(has_context);
        (inside, has_context())
    }));
    assert_eq!(inside.unwrap(), (true, true));
}

#[test]
fn nested_runtimes_have_contexts_of_their_own() {
    let (with, without) = (with_tokio(), builder().build().unwrap());
    with.block_on(async {
        let outer = tokio::runtime::Handle::current().id();
        {
            let _entered = without.enter();
            assert_eq!(tokio::runtime::Handle::current().id(), outer, "it has none of its own");
        }
        let other = with_tokio();
        {
            let _entered = other.enter();
            assert_ne!(tokio::runtime::Handle::current().id(), outer);
        }
        assert_eq!(tokio::runtime::Handle::current().id(), outer);
        other.shutdown_background();
    });
}

#[test]
fn tasks_of_tokio_are_dropped_with_the_runtime() {
    let (sender, dropped) = mpsc::channel();
    let runtime = with_tokio();
    runtime.block_on(async {
        let word = support::on_drop(move || sender.send("dropped").unwrap());
        let (started, waits) = tokio::sync::oneshot::channel();
        tokio::spawn(async move {
            started.send(()).unwrap();
            support::pending_with(word).await;
        });
        waits.await.unwrap();
    });
    drop(runtime);
    assert_eq!(dropped.recv(), Ok("dropped"));
}

#[test]
fn what_belongs_to_tokio_outlives_the_runtime_harmlessly() {
    let runtime = with_tokio();
    let (listener, sleep) = runtime.block_on(async {
        (TcpListener::bind("127.0.0.1:0").await.unwrap(), Box::pin(tokio::time::sleep(Duration::from_secs(3600))))
    });
    drop(runtime);
    drop((listener, sleep));
}

#[rt::test(tokio)]
async fn attribute() {
    assert!(has_context());
    assert_eq!(tokio::spawn(async { 7 }).await.unwrap(), 7);
}
