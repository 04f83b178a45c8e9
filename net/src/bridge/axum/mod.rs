//! Serving axum's routers, and other tower services: HTTP/1.1 and HTTP/2.
//!
//! Counterpart: `axum::serve`.

mod activity;
mod answer;
mod connection;
mod interruption;
mod listener;
mod make;
mod settings;
mod sniff;

pub use listener::{Accepted, ListenerExt, TapIo};
#[cfg(feature = "tls")]
pub use listener::{BeforeTls, Tls};
pub use make::{Answers, IncomingStream, MakeService, Makes};
pub use settings::Settings;

use crate::{Drained, Listener, Notice};
use futures_util::future::BoxFuture;
use std::fmt;
use std::future::{Future, IntoFuture, Pending, pending};
use std::io;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// Serves `make_service` on the connections of `listener`: HTTP/1.1, with upgrades such as WebSocket's, and HTTP/2 for clients that
/// begin with it or, over TLS, have agreed upon it.
///
/// `make_service` may be a `Router`, `Router::into_make_service()`, `into_make_service_with_connect_info::<SocketAddr>()`, a
/// `MethodRouter`, or a handler's `into_service()`. The listener may be any that [`rt::net::serve`](crate::serve()) takes;
/// [`ListenerExt::tls`] puts one under TLS. Every connection is a task of its own. A client that takes longer than 30 seconds for the
/// head of a request is sent away; see [`Settings`] for this and other limits.
///
/// Counterpart: `axum::serve`, which has neither timeout nor settings.
///
/// # Errors
///
/// Those of the listening socket: no further connection can come. Those that are open go on. Descriptors that run out are no error,
/// see [`rt::net::serve`](crate::serve()).
///
/// # Cancel safety
///
/// Dropping the future closes the listener; connections that are open go on.
///
/// ```
/// # #[cfg(feature = "axum")]
/// # fn main() -> std::io::Result<()> {
/// use axum::{Router, routing::get};
/// use futures_util::io::{AsyncReadExt, AsyncWriteExt};
/// use rt::net::{TcpListener, TcpStream};
///
/// rt::block_on(async {
///     let app = Router::new().route("/", get(|| async { "hello" }));
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let address = listener.local_addr()?;
///     let (end, ended) = futures_channel::oneshot::channel::<()>();
///     let server = rt::axum::serve(listener, app).with_graceful_shutdown(async move { _ = ended.await });
///     let server = rt::spawn(server.into_future());
///
///     let mut client = TcpStream::connect(address).await?;
///     client.write_all(b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n").await?;
///     let mut answer = String::new();
///     client.read_to_string(&mut answer).await?;
///     assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nhello"));
///
///     drop(end);
///     server.await?
/// })
/// # }
/// # #[cfg(not(feature = "axum"))]
/// # fn main() {}
/// ```
pub fn serve<L, M, Kind>(listener: L, make_service: M) -> Serve<L, M, Kind>
where
    L: Listener<Io: Accepted>,
    M: MakeService<L, Kind>,
{
    Serve {
        listener,
        make_service,
        settings: Settings::new(),
        connection_limit: None,
        drain_timeout: None,
        on_notice: None,
        signal: pending(),
        kind: PhantomData,
    }
}

/// A server that runs when it is awaited. Made by [`serve`](serve()).
///
/// Counterpart: `axum::serve::{Serve, WithGracefulShutdown}`.
#[must_use = "a server does nothing unless you `.await` it"]
pub struct Serve<L, M, Kind, F = Pending<()>> {
    listener: L,
    make_service: M,
    settings: Settings,
    connection_limit: Option<usize>,
    drain_timeout: Option<Duration>,
    on_notice: Option<OnNotice>,
    signal: F,
    kind: PhantomData<fn() -> Kind>,
}

type OnNotice = Box<dyn Fn(&Notice) + Send + Sync>;

impl<L: Listener, M, Kind, F> Serve<L, M, Kind, F> {
    /// Ends the server when `signal` is ready: it accepts no more, lets each connection finish the requests that it has begun, and
    /// is ready when all are closed or [`drain_timeout`](Serve::drain_timeout) has passed.
    ///
    /// Connections that were upgraded, WebSockets for example, are in the hands of who upgraded them: they are not waited for.
    pub fn with_graceful_shutdown<G>(self, signal: G) -> Serve<L, M, Kind, G>
    where
        G: Future<Output = ()> + Send + 'static,
    {
        let Serve { listener, make_service, settings, connection_limit, drain_timeout, on_notice, signal: _, kind } =
            self;
        Serve { listener, make_service, settings, connection_limit, drain_timeout, on_notice, signal, kind }
    }

    /// How long a graceful shutdown waits for connections, 30 seconds unless set. Those that are open still are aborted.
    /// [`run`](Serve::run) tells which.
    pub fn drain_timeout(mut self, timeout: Duration) -> Self {
        self.drain_timeout = Some(timeout);
        self
    }

    /// How many connections may be open at the same time; without limit unless set. Those beyond wait in the system's backlog.
    ///
    /// # Panics
    ///
    /// When it runs, for 0.
    pub fn connection_limit(mut self, limit: usize) -> Self {
        self.connection_limit = Some(limit);
        self
    }

    /// Tells `f` what goes wrong with the listener, instead of printing it; see [`rt::net::Serve::on_notice`](crate::Serve::on_notice).
    pub fn on_notice(mut self, f: impl Fn(&Notice) + Send + Sync + 'static) -> Self {
        self.on_notice = Some(Box::new(f));
        self
    }

    /// Changes what clients are allowed.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Where it listens.
    ///
    /// # Errors
    ///
    /// Those of [`Listener::local_addr`].
    pub fn local_addr(&self) -> io::Result<L::Addr> {
        self.listener.local_addr()
    }
}

impl<L, M, Kind, F> Serve<L, M, Kind, F>
where
    L: Listener<Io: Accepted>,
    M: MakeService<L, Kind>,
    F: Future<Output = ()>,
    Kind: 'static,
{
    /// Runs it as awaiting it does, and tells in the end how many connections there were, and which had to be aborted.
    ///
    /// # Errors
    ///
    /// Those of [`serve`](serve()).
    ///
    /// # Cancel safety
    ///
    /// That of [`serve`](serve()).
    pub async fn run(self) -> io::Result<Drained<L::Addr>> {
        let Serve { listener, make_service, settings, connection_limit, drain_timeout, on_notice, signal, kind: _ } =
            self;
        let make_service = make_service.prepare();
        let settings = Arc::new(settings);
        let mut server = crate::serve(listener, move |io, connection| {
            connection::converse::<L, M, Kind>(io, connection, make_service.clone(), settings.clone())
        });
        if let Some(limit) = connection_limit {
            server = server.connection_limit(limit);
        }
        if let Some(timeout) = drain_timeout {
            server = server.drain_timeout(timeout);
        }
        if let Some(on_notice) = on_notice {
            server = server.on_notice(on_notice);
        }
        server.with_graceful_shutdown(signal).run().await
    }
}

impl<L, M, Kind, F> IntoFuture for Serve<L, M, Kind, F>
where
    L: Listener<Io: Accepted> + Send,
    M: MakeService<L, Kind>,
    F: Future<Output = ()> + Send + 'static,
    Kind: 'static,
{
    type Output = io::Result<()>;
    type IntoFuture = ServeFuture;

    fn into_future(self) -> ServeFuture {
        ServeFuture(Box::pin(async { self.run().await.map(drop) }))
    }
}

impl<L: fmt::Debug, M, Kind, F> fmt::Debug for Serve<L, M, Kind, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Serve { listener, settings, .. } = self;
        f.debug_struct("Serve").field("listener", listener).field("settings", settings).finish_non_exhaustive()
    }
}

/// The future of a [`Serve`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct ServeFuture(BoxFuture<'static, io::Result<()>>);

impl Future for ServeFuture {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for ServeFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServeFuture").finish_non_exhaustive()
    }
}
