//! tokio: `current_thread`, and `multi_thread` with two workers.

use std::future::Future;
use std::hint::black_box;
use std::io;
use std::marker::PhantomData;
use std::net::{self, Ipv4Addr, SocketAddr};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;

use super::{Connection, Remote, Service, Sockets, Subject, Tcp, ThreadSafeWakers, Threaded, Timers, WORKERS};

/// tokio, `current_thread`.
pub type Tokio = TokioOf<CurrentThread>;
/// tokio, `multi_thread`.
pub type TokioMulti = TokioOf<MultiThread>;

/// tokio, of one flavor.
pub struct TokioOf<F>(PhantomData<F>);

/// What differs between the flavors.
pub trait Flavor: 'static {
    /// The subject's name.
    const NAME: &'static str;

    /// A new runtime.
    fn build() -> io::Result<Runtime>;
}

/// One worker: the thread in `block_on`.
pub struct CurrentThread;

impl Flavor for CurrentThread {
    const NAME: &'static str = "tokio";

    fn build() -> io::Result<Runtime> {
        Builder::new_current_thread().enable_all().build()
    }
}

/// [`WORKERS`] workers.
pub struct MultiThread;

impl Flavor for MultiThread {
    const NAME: &'static str = "tokio-multi";

    fn build() -> io::Result<Runtime> {
        Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()
    }
}

impl<F: Flavor> Subject for TokioOf<F> {
    const NAME: &'static str = F::NAME;
    type Task = JoinHandle<()>;

    fn block_on<T: 'static>(future: impl Future<Output = T> + 'static) -> T {
        F::build().expect("tokio's runtime").block_on(future)
    }

    fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Self::Task {
        tokio::spawn(future)
    }

    fn join(task: Self::Task) -> impl Future<Output = ()> {
        task.map(|result| result.expect("no task panics"))
    }

    fn detach(_: Self::Task) {}

    fn yield_now() -> impl Future<Output = ()> + Send {
        tokio::task::yield_now()
    }
}

impl Threaded for TokioMulti {
    /// As a task: a future in `block_on` is none of the workers', and spawns through the queue that other threads use.
    fn run<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> T {
        Self::block_on(async { tokio::spawn(future).await.expect("no task panics") })
    }
}

impl<F: Flavor> Remote for TokioOf<F> {
    type Spawner = Handle;

    fn spawner() -> Handle {
        Handle::current()
    }

    fn spawn_remotely(spawner: &Handle, future: impl Future<Output = ()> + Send + 'static) {
        spawner.spawn(future);
    }
}

impl<F: Flavor> ThreadSafeWakers for TokioOf<F> {}

impl<F: Flavor> Timers for TokioOf<F> {
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

impl<F: Flavor> Tcp for TokioOf<F> {
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

impl<F: Flavor> Sockets for TokioOf<F> {
    type Stream = Buffered<TcpStream>;

    fn adopt(stream: net::TcpStream) -> io::Result<Self::Stream> {
        Ok(Buffered { stream: TcpStream::from_std(stream)?, buffer: Service::Echo.buffer() })
    }

    fn read(stream: &mut Self::Stream) -> impl Future<Output = io::Result<usize>> + Send {
        Connection::read(stream)
    }
}

/// A stream and its buffer.
pub struct Buffered<S> {
    pub(super) stream: S,
    pub(super) buffer: Vec<u8>,
}

impl<S> AsRef<[u8]> for Buffered<S> {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection for Buffered<S> {
    fn read(&mut self) -> impl Future<Output = io::Result<usize>> {
        self.stream.read(&mut self.buffer)
    }

    fn write(&mut self, len: usize) -> impl Future<Output = io::Result<()>> {
        self.stream.write_all(&self.buffer[..len])
    }

    fn flush(&mut self) -> impl Future<Output = io::Result<()>> {
        self.stream.flush()
    }
}
