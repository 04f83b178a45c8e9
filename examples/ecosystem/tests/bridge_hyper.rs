//! hyper on rt's streams, executor and clock, without any other runtime.

use bytes::Bytes;
use futures_util::future::poll_fn;
use futures_util::io::{AsyncReadExt, AsyncWriteExt};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use rt::hyper::{Executor, LocalExecutor, Timer};
use rt::net::{TcpListener, TcpStream};
use rt::time::{Duration, Instant};
use std::cell::Cell;
use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

#[rt::test]
async fn http1_both_ends() {
    let (near, far) = pair().await;
    let server = rt::spawn(hyper::server::conn::http1::Builder::new().serve_connection(far, service_fn(echo)));
    let (mut sender, connection) = hyper::client::conn::http1::handshake(near).await.unwrap();
    let connection = rt::spawn(connection);
    for text in ["one", "two"] {
        let response = sender.send_request(request(text)).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), text);
    }
    drop(sender);
    connection.await.unwrap().unwrap();
    server.await.unwrap().unwrap();
}

#[rt::test]
async fn http2_both_ends_many_at_once() {
    let (near, far) = pair().await;
    let server = rt::spawn(
        hyper::server::conn::http2::Builder::new(Executor).timer(Timer).serve_connection(far, service_fn(echo)),
    );
    let (sender, connection) = hyper::client::conn::http2::handshake(Executor, near).await.unwrap();
    let connection = rt::spawn(connection);
    let asking: Vec<_> = (0..50)
        .map(|number| {
            let mut sender = sender.clone();
            rt::spawn(async move {
                // More than a window holds.
                let text = number.to_string().repeat(50_000);
                let response = sender.send_request(request(&text)).await.unwrap();
                assert!(response.into_body().collect().await.unwrap().to_bytes() == text);
            })
        })
        .collect();
    for asked in asking {
        asked.await.unwrap();
    }
    drop(sender);
    connection.await.unwrap().unwrap();
    server.await.unwrap().unwrap();
}

#[rt::test]
async fn http2_service_that_stays_on_its_thread() {
    let (near, far) = pair().await;
    let count = Rc::new(Cell::new(0));
    let service = {
        let count = count.clone();
        service_fn(move |_: Request<Incoming>| {
            count.set(count.get() + 1);
            let count = count.clone();
            async move { Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(count.get().to_string())))) }
        })
    };
    let server =
        rt::spawn_local(hyper::server::conn::http2::Builder::new(LocalExecutor).serve_connection(far, service));
    let (mut sender, connection) = hyper::client::conn::http2::handshake(LocalExecutor, near).await.unwrap();
    let connection = rt::spawn_local(connection);
    for _ in 0..2 {
        sender.send_request(request("")).await.unwrap();
    }
    let response = sender.send_request(request("")).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "3");
    assert_eq!(count.get(), 3);
    drop(sender);
    connection.await.unwrap().unwrap();
    server.await.unwrap().unwrap();
}

/// The clock is virtual: the ten seconds are those of hyper's own timer.
#[rt::test(start_paused = true)]
async fn head_that_does_not_come() {
    let (mut near, far) = pair().await;
    near.write_all(b"GET / HTTP/1.1\r\nHost:").await.unwrap();
    let begin = Instant::now();
    let error = hyper::server::conn::http1::Builder::new()
        .timer(Timer)
        .header_read_timeout(Duration::from_secs(10))
        .serve_connection(far, service_fn(echo))
        .await
        .unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert_eq!(begin.elapsed(), Duration::from_secs(10));
}

#[rt::test(start_paused = true)]
async fn http2_peer_that_answers_no_ping() {
    let (near, far) = pair().await;
    // It says that it speaks HTTP/2, and nothing after that.
    let mut near = near;
    near.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let begin = Instant::now();
    let served = hyper::server::conn::http2::Builder::new(Executor)
        .timer(Timer)
        .keep_alive_interval(Duration::from_secs(5))
        .keep_alive_timeout(Duration::from_secs(3))
        .serve_connection(far, service_fn(echo))
        .await;
    assert!(served.unwrap_err().is_timeout());
    assert_eq!(begin.elapsed(), Duration::from_secs(8));
}

#[rt::test(start_paused = true)]
async fn timer_is_reset_in_place() {
    let mut sleep = hyper::rt::Timer::sleep(&Timer, Duration::from_secs(1));
    let begin = Instant::now();
    let before: *const dyn hyper::rt::Sleep = &*sleep;
    poll_fn(|cx| {
        assert!(sleep.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
    hyper::rt::Timer::reset(&Timer, &mut sleep, (begin + Duration::from_secs(3)).into_std());
    assert!(std::ptr::addr_eq(before, &*sleep));
    sleep.await;
    assert_eq!(begin.elapsed(), Duration::from_secs(3));
}

#[rt::test(start_paused = true)]
async fn timer_resets_what_is_not_its_own() {
    struct Never;
    impl Future for Never {
        type Output = ();
        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            Poll::Pending
        }
    }
    impl hyper::rt::Sleep for Never {}
    let begin = Instant::now();
    let mut sleep: Pin<Box<dyn hyper::rt::Sleep>> = Box::pin(Never);
    hyper::rt::Timer::reset(&Timer, &mut sleep, (begin + Duration::from_secs(2)).into_std());
    sleep.await;
    assert_eq!(begin.elapsed(), Duration::from_secs(2));
}

/// hyper leaves an upgraded stream to us: with what came behind the request's head, and with nothing else.
#[rt::test]
async fn upgrade_to_bytes() {
    let (mut near, far) = pair().await;
    let service = service_fn(|mut request: Request<Incoming>| async move {
        rt::spawn(async move {
            let upgraded = hyper::upgrade::on(&mut request).await.unwrap();
            let mut parts = upgraded.downcast::<TcpStream>().unwrap();
            let mut bytes = parts.read_buf.to_vec();
            parts.io.read_to_end(&mut bytes).await.unwrap();
            parts.io.write_all(&bytes).await.unwrap();
        });
        let response = Response::builder()
            .status(StatusCode::SWITCHING_PROTOCOLS)
            .header("connection", "upgrade")
            .header("upgrade", "bytes");
        Ok::<_, Infallible>(response.body(Full::new(Bytes::new())).unwrap())
    });
    let server = rt::spawn(hyper::server::conn::http1::Builder::new().serve_connection(far, service).with_upgrades());
    near.write_all(b"GET / HTTP/1.1\r\nHost: here\r\nConnection: upgrade\r\nUpgrade: bytes\r\n\r\nearly ")
        .await
        .unwrap();
    near.write_all(b"and late").await.unwrap();
    near.shutdown().await.unwrap();
    let mut answer = String::new();
    near.read_to_string(&mut answer).await.unwrap();
    let (head, bytes) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert_eq!(bytes, "early and late");
    server.await.unwrap().unwrap();
}

async fn echo(request: Request<Incoming>) -> Result<Response<Incoming>, Infallible> {
    Ok(Response::new(request.into_body()))
}

fn request(body: &str) -> Request<Full<Bytes>> {
    Request::post("http://here/").body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).unwrap()
}

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (far, _) = listener.accept().await.unwrap();
    (near, far)
}
