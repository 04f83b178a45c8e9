//! monoio, on io_uring and on its epoll ("legacy") driver. Without its feature `sync`, its wakers stay on their thread.

use std::future::Future;
use std::hint::black_box;
use std::io;
use std::mem::take;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use monoio::buf::IoBuf;
use monoio::io::{AsyncReadRent, AsyncWriteRentExt};
use monoio::net::{TcpListener, TcpStream};
use monoio::task::JoinHandle;
use monoio::{IoUringDriver, LegacyDriver, RuntimeBuilder};

use super::{Connection, Service, Subject, Tcp, Timers};

macro_rules! subject {
    ($(#[$doc:meta])* $subject:ident, $name:literal, $driver:ty, $unavailable:expr) => {
        $(#[$doc])*
        pub struct $subject;

        impl Subject for $subject {
            const NAME: &'static str = $name;
            type Task = JoinHandle<()>;

            fn unavailable() -> Option<String> {
                $unavailable
            }

            fn block_on<T: 'static>(future: impl Future<Output = T> + 'static) -> T {
                RuntimeBuilder::<$driver>::new().enable_timer().build().expect("monoio's runtime").block_on(future)
            }

            fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Self::Task {
                monoio::spawn(future)
            }

            fn join(task: Self::Task) -> impl Future<Output = ()> {
                task
            }

            fn detach(_: Self::Task) {}

            /// monoio has none: a future that wakes itself.
            fn yield_now() -> impl Future<Output = ()> + Send {
                smol::future::yield_now()
            }
        }

        impl Timers for $subject {
            fn sleep(duration: Duration) -> impl Future<Output = ()> {
                monoio::time::sleep(duration)
            }

            async fn timeout<T>(duration: Duration, future: impl Future<Output = T>) -> Option<T> {
                monoio::time::timeout(duration, future).await.ok()
            }

            fn spawn_sleeping<const STATE: usize>(micros: u64) -> Self::Task {
                let state = [1_u8; STATE];
                monoio::spawn(async move {
                    monoio::time::sleep(Duration::from_micros(micros)).await;
                    black_box(&state);
                })
            }
        }

        impl Tcp for $subject {
            fn serve(
                service: Service,
                ready: impl FnOnce(SocketAddr) + 'static,
            ) -> impl Future<Output = io::Result<()>> {
                serve(service, ready)
            }
        }
    };
}

subject! {
    /// monoio on io_uring.
    Monoio, "monoio", IoUringDriver,
    (!monoio::utils::detect_uring()).then(|| "this kernel or sandbox offers no io_uring".to_owned())
}
subject! {
    /// monoio on epoll.
    MonoioEpoll, "monoio epoll", LegacyDriver, None
}

async fn serve(service: Service, ready: impl FnOnce(SocketAddr)) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    ready(listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        monoio::spawn(service.run(Buffered { stream, buffer: service.buffer() }));
    }
}

struct Buffered {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection for Buffered {
    async fn read(&mut self) -> io::Result<usize> {
        let (result, buffer) = self.stream.read(take(&mut self.buffer)).await;
        self.buffer = buffer;
        result
    }

    async fn write(&mut self, len: usize) -> io::Result<()> {
        let (result, slice) = self.stream.write_all(take(&mut self.buffer).slice(..len)).await;
        self.buffer = slice.into_inner();
        result.map(drop)
    }
}
