//! tokio's `current_thread` runtime.

use std::future::Future;
use std::hint::black_box;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Handle};
use tokio::task::JoinHandle;

use super::{Connection, Remote, Service, Subject, Tcp, ThreadSafeWakers, Timers};

/// tokio, `current_thread`.
pub struct Tokio;

impl Subject for Tokio {
    const NAME: &'static str = "tokio";
    type Task = JoinHandle<()>;

    fn block_on<T: 'static>(future: impl Future<Output = T> + 'static) -> T {
        Builder::new_current_thread().enable_all().build().expect("tokio's runtime").block_on(future)
    }

    fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Self::Task {
        tokio::spawn(future)
    }

    async fn join(task: Self::Task) {
        task.await.expect("no task panics");
    }

    fn detach(_: Self::Task) {}

    fn yield_now() -> impl Future<Output = ()> + Send {
        tokio::task::yield_now()
    }
}

impl Remote for Tokio {
    type Spawner = Handle;

    fn spawner() -> Handle {
        Handle::current()
    }

    fn spawn_remotely(spawner: &Handle, future: impl Future<Output = ()> + Send + 'static) {
        spawner.spawn(future);
    }
}

impl ThreadSafeWakers for Tokio {}

impl Timers for Tokio {
    fn sleep(duration: Duration) -> impl Future<Output = ()> {
        tokio::time::sleep(duration)
    }

    async fn timeout<T>(duration: Duration, future: impl Future<Output = T>) -> Option<T> {
        tokio::time::timeout(duration, future).await.ok()
    }

    fn spawn_sleeping<const STATE: usize>(micros: u64) -> Self::Task {
        let state = [1_u8; STATE];
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_micros(micros)).await;
            black_box(&state);
        })
    }
}

impl Tcp for Tokio {
    async fn serve(service: Service, ready: impl FnOnce(SocketAddr) + 'static) -> io::Result<()> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        ready(listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::spawn(service.run(Buffered { stream, buffer: service.buffer() }));
        }
    }
}

struct Buffered {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection for Buffered {
    fn read(&mut self) -> impl Future<Output = io::Result<usize>> {
        self.stream.read(&mut self.buffer)
    }

    fn write(&mut self, len: usize) -> impl Future<Output = io::Result<()>> {
        self.stream.write_all(&self.buffer[..len])
    }
}
