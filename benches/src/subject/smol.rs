//! smol's `block_on` with its two executors, and with the static ones of async-executor; on one thread and on two.

use std::cell::Cell;
use std::future::{Future, pending};
use std::hint::black_box;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use smol::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use smol::{Async, Task, Timer, future};

use super::{Connection, Remote, Service, Sockets, Subject, Tcp, ThreadSafeWakers, Threaded, Timers, WORKERS};

macro_rules! subject {
    ($(#[$doc:meta])* $subject:ident, $name:literal) => {
        $(#[$doc])*
        pub struct $subject;

        impl Subject for $subject {
            const NAME: &'static str = $name;
            type Task = Task<()>;

            fn block_on<T: 'static>(future: impl Future<Output = T> + 'static) -> T {
                let executor = Self::start();
                smol::block_on(executor.run(future))
            }

            fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Task<()> {
                Self::executor().spawn(future)
            }

            fn join(task: Task<()>) -> impl Future<Output = ()> {
                task
            }

            fn detach(task: Task<()>) {
                task.detach();
            }

            fn yield_now() -> impl Future<Output = ()> + Send {
                future::yield_now()
            }
        }

        impl ThreadSafeWakers for $subject {}

        impl Timers for $subject {
            async fn sleep(duration: Duration) {
                Timer::after(duration).await;
            }

            async fn timeout<T>(duration: Duration, future: impl Future<Output = T>) -> Option<T> {
                let elapsed = async {
                    Timer::after(duration).await;
                    None
                };
                future::or(async { Some(future.await) }, elapsed).await
            }

            fn spawn_sleeping<const STATE: usize>(micros: u64) -> Task<()> {
                let state = [1_u8; STATE];
                Self::executor().spawn(async move {
                    Timer::after(Duration::from_micros(micros)).await;
                    black_box(&state);
                })
            }
        }

        impl Tcp for $subject {
            async fn serve(service: Service, ready: impl FnOnce(SocketAddr) + 'static) -> io::Result<()> {
                let listener = Async::<TcpListener>::bind((Ipv4Addr::LOCALHOST, 0))?;
                ready(listener.get_ref().local_addr()?);
                loop {
                    let (stream, _) = listener.accept().await?;
                    stream.get_ref().set_nodelay(true)?;
                    let connection = Buffered { stream, buffer: service.buffer() };
                    Self::executor().spawn(service.run(connection)).detach();
                }
            }
        }
    };
}

/// Runs its executor on the thread in `block_on`.
macro_rules! one_thread {
    ($subject:ident, $executor:ty, $new:expr, $slot:ident) => {
        thread_local! {
            static $slot: Cell<Option<&'static $executor>> = const { Cell::new(None) };
        }

        impl $subject {
            /// Leaks the executor: the static ones cannot be freed.
            fn start() -> &'static $executor {
                let executor = $new;
                $slot.set(Some(executor));
                executor
            }

            fn executor() -> &'static $executor {
                $slot.get().expect("inside block_on")
            }
        }
    };
}

/// Runs its executor on threads of its own, which stay: what `smol::spawn` does where the environment has `SMOL_THREADS=2`.
macro_rules! many_threads {
    ($subject:ident, $executor:ty, $new:expr, $slot:ident) => {
        static $slot: OnceLock<&'static $executor> = OnceLock::new();

        impl $subject {
            fn start() -> &'static $executor {
                $slot.get_or_init(|| {
                    let executor = $new;
                    for _ in 0..WORKERS {
                        thread::spawn(|| smol::block_on(executor.run(pending::<()>())));
                    }
                    executor
                })
            }

            fn executor() -> &'static $executor {
                $slot.get().expect("inside block_on")
            }
        }

        impl Threaded for $subject {
            /// As a task: with the calling thread as one of the workers it is no faster.
            fn run<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> T {
                smol::block_on(Self::start().spawn(future))
            }
        }

        impl Sockets for $subject {
            type Stream = Buffered<Async<TcpStream>>;

            fn adopt(stream: TcpStream) -> io::Result<Self::Stream> {
                Ok(Buffered { stream: Async::new_nonblocking(stream)?, buffer: Service::Echo.buffer() })
            }

            fn read(stream: &mut Self::Stream) -> impl Future<Output = io::Result<usize>> + Send {
                Connection::read(stream)
            }
        }
    };
}

macro_rules! remote {
    ($subject:ident, $executor:ty) => {
        impl Remote for $subject {
            type Spawner = &'static $executor;

            fn spawner() -> Self::Spawner {
                Self::executor()
            }

            fn spawn_remotely(spawner: &Self::Spawner, future: impl Future<Output = ()> + Send + 'static) {
                spawner.spawn(future).detach();
            }
        }
    };
}

subject! {
    /// smol with a `LocalExecutor`.
    Smol, "smol local"
}
subject! {
    /// smol with an `Executor`, which other threads may use.
    SmolExecutor, "smol"
}
subject! {
    /// async-executor's `StaticLocalExecutor`.
    StaticLocalExecutor, "static local"
}
subject! {
    /// async-executor's `StaticExecutor`.
    StaticExecutor, "static"
}
subject! {
    /// smol with an `Executor` on several threads, as its global one.
    SmolMulti, "smol-multi"
}
subject! {
    /// async-executor's `StaticExecutor` on several threads.
    StaticMulti, "static-multi"
}
one_thread! { Smol, smol::LocalExecutor<'static>, Box::leak(Box::default()), SMOL }
one_thread! { SmolExecutor, smol::Executor<'static>, Box::leak(Box::default()), SMOL_EXECUTOR }
one_thread! {
    StaticLocalExecutor, async_executor::StaticLocalExecutor, async_executor::LocalExecutor::new().leak(), STATIC_LOCAL
}
one_thread! { StaticExecutor, async_executor::StaticExecutor, async_executor::Executor::new().leak(), STATIC }
many_threads! { SmolMulti, smol::Executor<'static>, Box::leak(Box::new(smol::Executor::new())), SMOL_MULTI }
many_threads! { StaticMulti, async_executor::StaticExecutor, async_executor::Executor::new().leak(), STATIC_MULTI }
remote!(SmolExecutor, smol::Executor<'static>);
remote!(StaticExecutor, async_executor::StaticExecutor);
remote!(SmolMulti, smol::Executor<'static>);
remote!(StaticMulti, async_executor::StaticExecutor);

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
