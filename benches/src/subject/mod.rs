//! A subject is one runtime, or one way to use it, behind the few traits that the scenarios are written over.
//!
//! Each trait is one ability; a subject that lacks one (monoio's wakers stay on their thread) just does not implement it.
//! To add a runtime: a file here, and its line in [`roster`](crate::scenario::roster).

mod compio;
mod floor;
mod glommio;
mod monoio;
pub mod net;
mod protocol;
mod rt;
mod smol;
mod tokio;

use std::future::{Future, ready};
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

pub use compio::Compio;
pub use floor::Floor;
pub use glommio::Glommio;
pub use monoio::{Monoio, MonoioEpoll};
pub use protocol::{RtMultiProtocol, RtProtocol};
pub use rt::{Rt, RtMulti, RtMultiLocal};
pub use smol::{Smol, SmolExecutor, SmolMulti, StaticExecutor, StaticLocalExecutor, StaticMulti};
pub use tokio::{Tokio, TokioMulti};

/// How many workers a subject has that has several.
pub const WORKERS: usize = 2;

/// Spawns, joins, yields.
pub trait Subject: 'static {
    /// Its column in the table.
    const NAME: &'static str;

    /// A spawned task.
    type Task: 'static;

    /// Why it cannot run on this machine.
    fn unavailable() -> Option<String> {
        None
    }

    /// Runs `future` on a new runtime of this thread.
    fn block_on<T: 'static>(future: impl Future<Output = T> + 'static) -> T;

    /// Spawns from inside the runtime.
    fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Self::Task;

    /// Waits for a task to end.
    fn join(task: Self::Task) -> impl Future<Output = ()>;

    /// Lets a task run on its own.
    fn detach(task: Self::Task);

    /// Lets the other tasks run.
    fn yield_now() -> impl Future<Output = ()> + Send;
}

/// Has [`WORKERS`] workers.
pub trait Threaded: Subject {
    /// Runs `future` on a new runtime, in the way that suits this runtime best: on the calling thread or as a task.
    fn run<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> T;
}

/// Spawns from threads that are not the runtime's.
pub trait Remote: Subject {
    /// What a thread needs to spawn.
    type Spawner: Send + 'static;

    /// Called inside the runtime.
    fn spawner() -> Self::Spawner;

    /// Called on any thread.
    fn spawn_remotely(spawner: &Self::Spawner, future: impl Future<Output = ()> + Send + 'static);
}

/// Its wakers work on other threads.
pub trait ThreadSafeWakers: Subject {}

/// Sleeps and timeouts.
pub trait Timers: Subject {
    /// Sleeps, inside the root future.
    fn sleep(duration: Duration) -> impl Future<Output = ()>;

    /// `None` if `duration` passed before `future` was ready.
    fn timeout<T>(duration: Duration, future: impl Future<Output = T>) -> impl Future<Output = Option<T>>;

    /// Spawns a task that keeps `STATE` bytes and a number while it sleeps for that number of microseconds.
    fn spawn_sleeping<const STATE: usize>(micros: u64) -> Self::Task;
}

/// A TCP server, one task per connection.
pub trait Tcp: Subject {
    /// Accepts and serves for ever, after it told `ready` where.
    fn serve(service: Service, ready: impl FnOnce(SocketAddr) + 'static) -> impl Future<Output = io::Result<()>>;
}

/// Takes over connections that were made elsewhere.
pub trait Sockets: Subject {
    /// A connection of this runtime, and the buffer that it reads into.
    type Stream: AsRef<[u8]> + Send + 'static;

    /// Called inside the runtime; `stream` does not block.
    fn adopt(stream: TcpStream) -> io::Result<Self::Stream>;

    /// [`Connection::read`], in tasks that go from thread to thread.
    fn read(stream: &mut Self::Stream) -> impl Future<Output = io::Result<usize>> + Send;
}

/// A connection with a buffer of its own, which suits runtimes that borrow buffers and those that take them.
pub trait Connection {
    /// Reads into the buffer; 0 is the end.
    fn read(&mut self) -> impl Future<Output = io::Result<usize>>;

    /// Writes all of the first `len` bytes of the buffer.
    fn write(&mut self, len: usize) -> impl Future<Output = io::Result<()>>;

    /// Sends what was written and is kept back; sockets keep nothing.
    fn flush(&mut self) -> impl Future<Output = io::Result<()>> {
        ready(Ok(()))
    }
}

/// What a server does with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Sends back what it gets.
    Echo,
    /// The same over streams that may keep what they are given until they are flushed.
    FlushedEcho,
    /// Sends for ever, 64 KiB in a write.
    Bulk,
}

impl Service {
    /// The buffer of a connection.
    pub fn buffer(self) -> Vec<u8> {
        match self {
            Self::Echo | Self::FlushedEcho => vec![0; 4 << 10],
            Self::Bulk => vec![0; 64 << 10],
        }
    }

    /// Serves one connection until it ends.
    pub async fn run(self, mut connection: impl Connection) {
        // A connection that fails is as much over as one that ends.
        let _: io::Result<()> = async {
            match self {
                Self::Echo => loop {
                    match connection.read().await? {
                        0 => return Ok(()),
                        count => connection.write(count).await?,
                    }
                },
                Self::FlushedEcho => loop {
                    match connection.read().await? {
                        0 => return Ok(()),
                        count => connection.write(count).await?,
                    }
                    connection.flush().await?;
                },
                Self::Bulk => loop {
                    connection.write(64 << 10).await?;
                },
            }
        }
        .await;
    }
}
