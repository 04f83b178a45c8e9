//! smol's `block_on` with its two executors, and with the static ones of async-executor.

use std::cell::Cell;
use std::future::Future;
use std::hint::black_box;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::{Async, Task, Timer, future};

use super::{Connection, Remote, Service, Subject, Tcp, ThreadSafeWakers, Timers};

macro_rules! subject {
    ($(#[$doc:meta])* $subject:ident, $name:literal, $executor:ty, $new:expr, $slot:ident) => {
        $(#[$doc])*
        pub struct $subject;

        thread_local! {
            static $slot: Cell<Option<&'static $executor>> = const { Cell::new(None) };
        }

        impl $subject {
            fn executor() -> &'static $executor {
                $slot.get().expect("inside block_on")
            }
        }

        impl Subject for $subject {
            const NAME: &'static str = $name;
            type Task = Task<()>;

            /// Leaks the executor: the static ones cannot be freed.
            fn block_on<T: 'static>(future: impl Future<Output = T> + 'static) -> T {
                let executor: &'static $executor = $new;
                $slot.set(Some(executor));
                smol::block_on(executor.run(future))
            }

            fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Task<()> {
                Self::executor().spawn(future)
            }

            async fn join(task: Task<()>) {
                task.await;
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
    Smol, "smol local", smol::LocalExecutor<'static>, Box::leak(Box::default()), SMOL
}
subject! {
    /// smol with an `Executor`, which other threads may use.
    SmolExecutor, "smol", smol::Executor<'static>, Box::leak(Box::default()), SMOL_EXECUTOR
}
subject! {
    /// async-executor's `StaticLocalExecutor`.
    StaticLocalExecutor, "static local", async_executor::StaticLocalExecutor,
    async_executor::LocalExecutor::new().leak(), STATIC_LOCAL
}
subject! {
    /// async-executor's `StaticExecutor`.
    StaticExecutor, "static", async_executor::StaticExecutor, async_executor::Executor::new().leak(), STATIC
}
remote!(SmolExecutor, smol::Executor<'static>);
remote!(StaticExecutor, async_executor::StaticExecutor);

struct Buffered {
    stream: Async<TcpStream>,
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
