//! compio, on io_uring where there is one.

use std::future::Future;
use std::hint::black_box;
use std::io;
use std::mem::take;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use compio::buf::{BufResult, IntoInner, IoBuf};
use compio::io::{AsyncRead, AsyncWriteExt};
use compio::net::{TcpListener, TcpStream};
use compio::runtime::{JoinHandle, Runtime};
use futures_util::FutureExt;

use super::{Connection, Service, Subject, Tcp, ThreadSafeWakers, Timers};

/// compio's `Runtime`.
pub struct Compio;

impl Subject for Compio {
    const NAME: &'static str = "compio";
    type Task = JoinHandle<()>;

    fn unavailable() -> Option<String> {
        Runtime::new().err().map(|error| error.to_string())
    }

    fn block_on<T: 'static>(future: impl Future<Output = T> + 'static) -> T {
        Runtime::new().expect("looked at by `unavailable`").block_on(future)
    }

    fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Self::Task {
        compio::runtime::spawn(future)
    }

    fn join(task: Self::Task) -> impl Future<Output = ()> {
        task.map(|result| result.expect("no task panics"))
    }

    fn detach(task: Self::Task) {
        task.detach();
    }

    /// compio has none: a future that wakes itself.
    fn yield_now() -> impl Future<Output = ()> + Send {
        smol::future::yield_now()
    }
}

impl ThreadSafeWakers for Compio {}

impl Timers for Compio {
    fn sleep(duration: Duration) -> impl Future<Output = ()> {
        compio::time::sleep(duration)
    }

    async fn timeout<T>(duration: Duration, future: impl Future<Output = T>) -> Option<T> {
        compio::time::timeout(duration, future).await.ok()
    }

    fn spawn_sleeping<const STATE: usize>(micros: u64) -> Self::Task {
        let state = [1_u8; STATE];
        compio::runtime::spawn(async move {
            compio::time::sleep(Duration::from_micros(micros)).await;
            black_box(&state);
        })
    }
}

impl Tcp for Compio {
    async fn serve(service: Service, ready: impl FnOnce(SocketAddr) + 'static) -> io::Result<()> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        ready(listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            compio::runtime::spawn(service.run(Buffered { stream, buffer: service.buffer() })).detach();
        }
    }
}

struct Buffered {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection for Buffered {
    async fn read(&mut self) -> io::Result<usize> {
        let BufResult(result, buffer) = self.stream.read(take(&mut self.buffer)).await;
        self.buffer = buffer;
        result
    }

    async fn write(&mut self, len: usize) -> io::Result<()> {
        let BufResult(result, slice) = self.stream.write_all(take(&mut self.buffer).slice(..len)).await;
        self.buffer = slice.into_inner();
        result
    }
}
