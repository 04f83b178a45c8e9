//! rt: the current-thread flavor, and the multi-thread flavor with two workers.

use std::future::Future;
use std::hint::black_box;
use std::io;
use std::marker::PhantomData;
use std::net::{self, Ipv4Addr, SocketAddr};
use std::time::Duration;

use futures_util::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, FutureExt};
use rt::net::{TcpListener, TcpStream};
use rt::runtime::{Builder, Handle, Runtime};
use rt::task::JoinHandle;

use super::{Connection, Remote, Service, Sockets, Subject, Tcp, ThreadSafeWakers, Threaded, Timers, WORKERS};

/// rt, current-thread flavor.
pub type Rt = RtOf<CurrentThread>;
/// rt, multi-thread flavor.
pub type RtMulti = RtOf<MultiThread>;

/// rt, of one flavor.
pub struct RtOf<F>(PhantomData<F>);

/// What differs between the flavors.
pub trait Flavor: 'static {
    /// The subject's name.
    const NAME: &'static str;

    /// Its name where its servers are Protocols.
    const PROTOCOL_NAME: &'static str;

    /// A new runtime.
    fn build() -> io::Result<Runtime>;
}

/// One worker: the thread in `block_on`.
pub struct CurrentThread;

impl Flavor for CurrentThread {
    const NAME: &'static str = "rt";
    const PROTOCOL_NAME: &'static str = "rt-protocol";

    fn build() -> io::Result<Runtime> {
        Builder::new_current_thread().build()
    }
}

/// [`WORKERS`] workers.
pub struct MultiThread;

impl Flavor for MultiThread {
    const NAME: &'static str = "rt-multi";
    const PROTOCOL_NAME: &'static str = "multi-protocol";

    fn build() -> io::Result<Runtime> {
        Builder::new_multi_thread().worker_threads(WORKERS).build()
    }
}

impl<F: Flavor> Subject for RtOf<F> {
    const NAME: &'static str = F::NAME;
    type Task = JoinHandle<()>;

    fn block_on<T: 'static>(future: impl Future<Output = T> + 'static) -> T {
        F::build().expect("rt's runtime").block_on(future)
    }

    fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Self::Task {
        rt::spawn(future)
    }

    fn join(task: Self::Task) -> impl Future<Output = ()> {
        task.map(|result| result.expect("no task panics"))
    }

    fn detach(_: Self::Task) {}

    fn yield_now() -> impl Future<Output = ()> + Send {
        rt::task::yield_now()
    }
}

impl Threaded for RtMulti {
    /// The thread in `block_on` is one of the workers.
    fn run<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> T {
        Self::block_on(future)
    }
}

impl<F: Flavor> Remote for RtOf<F> {
    type Spawner = Handle;

    fn spawner() -> Handle {
        Handle::current()
    }

    fn spawn_remotely(spawner: &Handle, future: impl Future<Output = ()> + Send + 'static) {
        spawner.spawn(future);
    }
}

impl<F: Flavor> ThreadSafeWakers for RtOf<F> {}

impl<F: Flavor> Timers for RtOf<F> {
    fn sleep(duration: Duration) -> impl Future<Output = ()> {
        rt::time::sleep(duration)
    }

    async fn timeout<T>(duration: Duration, future: impl Future<Output = T>) -> Option<T> {
        rt::time::timeout(duration, future).await.ok()
    }

    fn spawn_sleeping<const STATE: usize>(micros: u64) -> Self::Task {
        let state = [1_u8; STATE];
        rt::spawn(async move {
            rt::time::sleep(Duration::from_micros(micros)).await;
            black_box(&state);
        })
    }
}

impl<F: Flavor> Tcp for RtOf<F> {
    async fn serve(service: Service, ready: impl FnOnce(SocketAddr) + 'static) -> io::Result<()> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        ready(listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            rt::spawn(service.run(Buffered { stream, buffer: service.buffer() }));
        }
    }
}

impl<F: Flavor> Sockets for RtOf<F> {
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

/// [`RtMulti`] whose tasks stay on the worker that spawned them: `spawn` is `rt::spawn_local`.
pub struct RtMultiLocal;

impl Subject for RtMultiLocal {
    const NAME: &'static str = "spawn_local";
    type Task = JoinHandle<()>;

    fn block_on<T: 'static>(future: impl Future<Output = T> + 'static) -> T {
        RtMulti::block_on(future)
    }

    fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Self::Task {
        rt::spawn_local(future)
    }

    fn join(task: Self::Task) -> impl Future<Output = ()> {
        RtMulti::join(task)
    }

    fn detach(_: Self::Task) {}

    fn yield_now() -> impl Future<Output = ()> + Send {
        RtMulti::yield_now()
    }
}

impl Threaded for RtMultiLocal {
    fn run<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> T {
        RtMulti::run(future)
    }
}
