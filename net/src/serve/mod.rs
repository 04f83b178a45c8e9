//! Accepting connections and running a handler for each, within limits, until told to end.

mod connections;
mod door;
mod listener;
mod notice;
mod reserve;

pub use connections::{Connection, Drained, Late};
pub use listener::Listener;
pub use notice::{Notice, NoticeKind};

pub(crate) use door::Door;
pub(crate) use notice::Notices;

use connections::{Connections, Guard};
use door::Room;
use std::fmt;
use std::future::{Future, IntoFuture, Pending, pending, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// Serves every connection that `listener` accepts: calls `handler` with it and runs the future that this makes as a task.
///
/// Awaiting what it returns runs the server. It ends in good order when the future given to
/// [`with_graceful_shutdown`](Serve::with_graceful_shutdown) does, and otherwise with an error of the listening socket only.
/// Dropping it closes the listener at once, and leaves the connections to themselves.
///
/// - At most [`connection_limit`](Serve::connection_limit) connections are open at a time; others wait in the system's backlog.
/// - When descriptors run out (`EMFILE`, `ENFILE`) it neither ends nor spins: it gives up descriptors held in reserve, and with them
///   accepts and closes those who wait, so that they learn it at once, up to 128 every 10 ms. It is back the moment a connection
///   ends. When the system's memory for sockets runs out (`ENOBUFS`, `ENOMEM`) they wait in the backlog meanwhile.
/// - What goes wrong is told on stderr (with the feature `tracing` and a subscriber, as an event), one line in five seconds for each
///   kind; see [`on_notice`](Serve::on_notice).
///
/// A handler is called within the connection's task. It may return `()` or a `Result`: an error is told as above. A panic ends its
/// connection only.
///
/// Counterpart: Twisted's `listenTCP` with a factory, which refuses newcomers in the same way; `axum::serve`; tokio leaves the loop to
/// the program.
///
/// # Panics
///
/// Awaiting it outside of a runtime.
///
/// # Cancel safety
///
/// Dropping the future loses no connection that was accepted: its task goes on.
///
/// # Examples
///
/// An echo server that ends when told to, and lets its connections finish:
///
/// ```
/// use futures_util::io::{AsyncReadExt, AsyncWriteExt, copy};
/// use rt::net::{TcpListener, TcpStream, serve};
///
/// # fn main() -> std::io::Result<()> {
/// # rt::block_on(async {
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let address = listener.local_addr()?;
/// let (stop, stopped) = futures_channel::oneshot::channel();
/// let server = rt::spawn(
///     serve(listener, async |stream: TcpStream, _connection| {
///         let (reader, mut writer) = stream.into_split();
///         copy(reader, &mut writer).await
///     })
///     .with_graceful_shutdown(async { _ = stopped.await })
///     .into_future(),
/// );
///
/// let mut client = TcpStream::connect(address).await?;
/// client.write_all(b"hello").await?;
/// client.close().await?;
/// let mut answer = String::new();
/// client.read_to_string(&mut answer).await?;
/// assert_eq!(answer, "hello");
///
/// stop.send(()).unwrap();
/// let report = server.await.unwrap()?;
/// assert_eq!((report.accepted, report.late.len()), (1, 0));
/// # Ok(())
/// # })
/// # }
/// ```
pub fn serve<L: Listener, H>(listener: L, handler: H) -> Serve<L, H> {
    Serve { listener, handler, shutdown: pending(), settings: Settings::default() }
}

/// A server that is not running yet; made by [`serve`].
#[must_use = "a server does nothing unless it is awaited"]
pub struct Serve<L, H, S = Pending<()>> {
    listener: L,
    handler: H,
    shutdown: S,
    settings: Settings,
}

/// What the methods of [`Serve`] set.
struct Settings {
    connection_limit: usize,
    drain_timeout: Duration,
    notices: Notices,
}

impl Default for Settings {
    fn default() -> Self {
        Self { connection_limit: usize::MAX, drain_timeout: Duration::from_secs(30), notices: Notices::default() }
    }
}

impl<L: Listener, H, S> Serve<L, H, S> {
    /// How many connections may be open at the same time; without limit if this is not called. Those beyond wait in the system's
    /// backlog.
    ///
    /// # Panics
    ///
    /// With a limit of 0.
    pub fn connection_limit(mut self, limit: usize) -> Self {
        assert!(limit > 0, "a limit of 0 connections would serve nobody; allowed is 1 and more");
        self.settings.connection_limit = limit;
        self
    }

    /// Ends the server in good order when `shutdown` does: the listener is closed, so that newcomers are refused; every connection is
    /// told through [`Connection::draining`]; and when all have ended, or [`drain_timeout`](Serve::drain_timeout) has passed, the
    /// server ends with a report.
    pub fn with_graceful_shutdown<F: Future<Output = ()>>(self, shutdown: F) -> Serve<L, H, F> {
        let Serve { listener, handler, settings, shutdown: _ } = self;
        Serve { listener, handler, shutdown, settings }
    }

    /// How long a graceful shutdown waits for connections; 30 seconds if this is not called. Those that are open still are aborted
    /// and named in the report.
    pub fn drain_timeout(mut self, timeout: Duration) -> Self {
        self.settings.drain_timeout = timeout;
        self
    }

    /// Tells `f` what goes wrong, instead of printing it: connections that were refused, errors of handlers. It is called at most
    /// once in five seconds for each kind, with how often it has happened since the last time.
    pub fn on_notice(mut self, f: impl Fn(&Notice) + Send + Sync + 'static) -> Self {
        self.settings.notices = Notices::told_to(f);
        self
    }
}

impl<L, H, Fut, S> Serve<L, H, S>
where
    L: Listener,
    H: Fn(L::Io, Connection<L::Addr>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output: HandlerResult> + Send + 'static,
    L::Io: Send,
    S: Future<Output = ()>,
{
    pub(crate) async fn run(self) -> io::Result<Drained<L::Addr>> {
        let Serve { listener, handler, shutdown, settings } = self;
        let Settings { connection_limit, drain_timeout, notices } = settings;
        let server = Arc::new(Server { handler, notices });
        let connections = Connections::new();
        let mut door = Door::new(listener, Limited { connections: connections.clone(), limit: connection_limit });
        let mut shutdown = pin!(shutdown);
        loop {
            let next = poll_fn(|cx| {
                if shutdown.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Ok(None));
                }
                door.poll_next(cx, &server.notices).map_ok(Some)
            });
            let Some((io, peer)) = next.await? else { break };
            let (connection, guard) = connections.open(peer.clone());
            let place = guard.place();
            let task = rt_runtime::spawn(server.clone().handle(io, peer, connection, guard));
            connections.keep(place, task.abort_handle());
        }
        let refused = door.refused();
        drop(door);
        Ok(connections.drain(drain_timeout, refused).await)
    }
}

impl<L, H, Fut, S> IntoFuture for Serve<L, H, S>
where
    L: Listener + Send,
    H: Fn(L::Io, Connection<L::Addr>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output: HandlerResult> + Send + 'static,
    L::Io: Send,
    S: Future<Output = ()> + Send + 'static,
{
    type Output = io::Result<Drained<L::Addr>>;
    type IntoFuture = Serving<L::Addr>;

    fn into_future(self) -> Serving<L::Addr> {
        Serving(Box::pin(self.run()))
    }
}

impl<L: fmt::Debug, H, S> fmt::Debug for Serve<L, H, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serve").field("listener", &self.listener).finish_non_exhaustive()
    }
}

/// A running server: the future of [`Serve`].
#[must_use = "a server does nothing unless it is awaited"]
pub struct Serving<A>(Pin<Box<dyn Future<Output = io::Result<Drained<A>>> + Send>>);

impl<A> Future for Serving<A> {
    type Output = io::Result<Drained<A>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl<A> fmt::Debug for Serving<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Serving")
    }
}

/// What a handler may return: nothing, or a `Result` whose error is told.
pub trait HandlerResult {
    /// The error's text, if there is one.
    fn error(&self) -> Option<String>;
}

impl HandlerResult for () {
    fn error(&self) -> Option<String> {
        None
    }
}

impl<T, E: fmt::Display> HandlerResult for Result<T, E> {
    fn error(&self) -> Option<String> {
        self.as_ref().err().map(ToString::to_string)
    }
}

/// What all connections share.
struct Server<H> {
    handler: H,
    notices: Notices,
}

impl<H> Server<H> {
    async fn handle<Io, A, Fut>(self: Arc<Self>, io: Io, peer: A, connection: Connection<A>, _guard: Guard<A>)
    where
        H: Fn(Io, Connection<A>) -> Fut,
        Fut: Future<Output: HandlerResult>,
        A: fmt::Debug,
    {
        let result = (self.handler)(io, connection).await;
        if let Some(error) = result.error() {
            self.notices.say(NoticeKind::Handler, || format!("the connection of {peer:?} ended with: {error}"));
        }
    }
}

/// Room for so many, and who is there.
struct Limited<A> {
    connections: Connections<A>,
    limit: usize,
}

impl<A> Room for Limited<A> {
    fn poll_room(&self, cx: &Context<'_>) -> Poll<()> {
        self.connections.poll_fewer_than(self.limit, cx)
    }

    fn note_ends(&self) {
        self.connections.note_ends();
    }

    fn poll_ended(&self, cx: &Context<'_>) -> Poll<()> {
        self.connections.poll_ended(cx)
    }
}
