//! glommio, which is io_uring or nothing.

use std::future::Future;
use std::hint::black_box;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use glommio::net::{TcpListener, TcpStream};
use glommio::{LocalExecutor, LocalExecutorBuilder, Placement, Task};
use smol::io::{AsyncReadExt, AsyncWriteExt};

use super::{Connection, Service, Subject, Tcp, ThreadSafeWakers, Timers};

/// glommio's `LocalExecutor`.
pub struct Glommio;

impl Subject for Glommio {
    const NAME: &'static str = "glommio";
    type Task = Task<()>;

    fn unavailable() -> Option<String> {
        executor().err()
    }

    fn block_on<T: 'static>(future: impl Future<Output = T> + 'static) -> T {
        executor().expect("looked at by `unavailable`").run(future)
    }

    fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Task<()> {
        glommio::spawn_local(future)
    }

    fn join(task: Task<()>) -> impl Future<Output = ()> {
        task
    }

    fn detach(task: Task<()>) {
        drop(task.detach());
    }

    /// glommio's own yields end the time slice of the task queue; this is the plain future that wakes itself.
    fn yield_now() -> impl Future<Output = ()> + Send {
        smol::future::yield_now()
    }
}

impl ThreadSafeWakers for Glommio {}

impl Timers for Glommio {
    fn sleep(duration: Duration) -> impl Future<Output = ()> {
        glommio::timer::sleep(duration)
    }

    async fn timeout<T>(duration: Duration, future: impl Future<Output = T>) -> Option<T> {
        glommio::timer::timeout(duration, async { Ok(future.await) }).await.ok()
    }

    fn spawn_sleeping<const STATE: usize>(micros: u64) -> Task<()> {
        let state = [1_u8; STATE];
        glommio::spawn_local(async move {
            glommio::timer::sleep(Duration::from_micros(micros)).await;
            black_box(&state);
        })
    }
}

impl Tcp for Glommio {
    async fn serve(service: Service, ready: impl FnOnce(SocketAddr) + 'static) -> io::Result<()> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        ready(listener.local_addr()?);
        loop {
            let stream = listener.accept().await?;
            stream.set_nodelay(true)?;
            let connection = Buffered { stream, buffer: service.buffer() };
            drop(glommio::spawn_local(service.run(connection)).detach());
        }
    }
}

fn executor() -> Result<LocalExecutor, String> {
    LocalExecutorBuilder::new(Placement::Unbound).make().map_err(|error| error.to_string())
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
