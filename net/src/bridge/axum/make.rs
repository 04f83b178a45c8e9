//! From a router, a handler or a tower service to the service of one connection.

use super::listener::Accepted;
use crate::Listener;
use axum::Router;
use axum::extract::Request;
use axum::extract::connect_info::Connected;
use axum::handler::HandlerService;
use axum::response::Response;
use axum::routing::MethodRouter;
use futures_util::future::poll_fn;
use std::convert::Infallible;
use std::fmt;
use std::future::{Future, ready};
use std::net::SocketAddr;
use tower_service::Service;

/// What makes the service of each connection: a `Router`, a `MethodRouter`, `handler.into_service()`, and every tower service that
/// is called with an [`IncomingStream`], such as `Router::into_make_service` gives.
///
/// `Kind` tells these apart; it is always inferred. The trait is not meant to be implemented elsewhere.
pub trait MakeService<L: Listener<Io: Accepted>, Kind>: Clone + Send + Sync + 'static {
    /// What answers the requests of one connection.
    type Service: Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static;

    /// Done once, before the first connection.
    #[must_use]
    fn prepare(self) -> Self {
        self
    }

    /// Waits until it can make another one.
    fn ready(&mut self) -> impl Future<Output = ()> + Send {
        ready(())
    }

    /// Done once a connection.
    fn make(&mut self, stream: IncomingStream<'_, L>) -> impl Future<Output = Self::Service> + Send;
}

/// The kind of what answers requests itself.
pub struct Answers(());

/// The kind of what is called with each connection and gives an `S`.
pub struct Makes<S>(S);

impl<L: Listener<Io: Accepted>> MakeService<L, Answers> for Router {
    type Service = Router;

    /// Turns its handlers into routes here instead of on every request.
    fn prepare(self) -> Self {
        self.with_state(())
    }

    fn make(&mut self, _: IncomingStream<'_, L>) -> impl Future<Output = Router> + Send {
        ready(self.clone())
    }
}

impl<L: Listener<Io: Accepted>> MakeService<L, Answers> for MethodRouter {
    type Service = MethodRouter;

    fn prepare(self) -> Self {
        self.with_state(())
    }

    fn make(&mut self, _: IncomingStream<'_, L>) -> impl Future<Output = MethodRouter> + Send {
        ready(self.clone())
    }
}

impl<L, H, T, S> MakeService<L, Answers> for HandlerService<H, T, S>
where
    L: Listener<Io: Accepted>,
    Self: Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + Sync + 'static,
{
    type Service = Self;

    fn make(&mut self, _: IncomingStream<'_, L>) -> impl Future<Output = Self> + Send {
        ready(self.clone())
    }
}

impl<L, M, S> MakeService<L, Makes<S>> for M
where
    L: Listener<Io: Accepted>,
    M: for<'a> Service<IncomingStream<'a, L>, Error = Infallible, Response = S, Future: Send>,
    M: Clone + Send + Sync + 'static,
    S: Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static,
{
    type Service = S;

    async fn ready(&mut self) {
        let Ok(()) = poll_fn(|cx| <M as Service<IncomingStream<'_, L>>>::poll_ready(self, cx)).await;
    }

    fn make(&mut self, stream: IncomingStream<'_, L>) -> impl Future<Output = S> + Send {
        // Called before the first await: a reference to a stream need not be `Send`.
        let making = self.call(stream);
        async move {
            let Ok(service) = making.await;
            service
        }
    }
}

/// A connection, as what makes services sees it.
///
/// Counterpart: `axum::serve::IncomingStream`.
///
/// What the handlers are told of each connection:
///
/// ```
/// # #[cfg(feature = "axum")]
/// # mod example {
/// use axum::{Router, extract::ConnectInfo, extract::connect_info::Connected, routing::get};
/// use rt::axum::IncomingStream;
/// use rt::net::TcpListener;
///
/// #[derive(Clone)]
/// struct Ports {
///     here: u16,
///     there: u16,
/// }
///
/// impl Connected<IncomingStream<'_, TcpListener>> for Ports {
///     fn connect_info(stream: IncomingStream<'_, TcpListener>) -> Ports {
///         let here = stream.io().local_addr().map_or(0, |address| address.port());
///         Ports { here, there: stream.remote_addr().port() }
///     }
/// }
///
/// async fn ports(ConnectInfo(ports): ConnectInfo<Ports>) -> String {
///     format!("from {} to {}", ports.there, ports.here)
/// }
///
/// pub async fn serve(listener: TcpListener) -> std::io::Result<()> {
///     let app = Router::new().route("/", get(ports));
///     rt::axum::serve(listener, app.into_make_service_with_connect_info::<Ports>()).await
/// }
/// # }
/// ```
pub struct IncomingStream<'a, L: Listener<Io: Accepted>> {
    pub(super) io: &'a <L::Io as Accepted>::Stream,
    pub(super) remote_addr: L::Addr,
}

impl<L: Listener<Io: Accepted>> IncomingStream<'_, L> {
    /// The stream that HTTP will be spoken on.
    pub fn io(&self) -> &<L::Io as Accepted>::Stream {
        self.io
    }

    /// The address of the other end.
    pub fn remote_addr(&self) -> &L::Addr {
        &self.remote_addr
    }
}

impl<L: Listener<Io: Accepted>> fmt::Debug for IncomingStream<'_, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IncomingStream").field("remote_addr", &self.remote_addr).finish_non_exhaustive()
    }
}

impl<L: Listener<Addr = SocketAddr, Io: Accepted>> Connected<IncomingStream<'_, L>> for SocketAddr {
    fn connect_info(stream: IncomingStream<'_, L>) -> SocketAddr {
        stream.remote_addr
    }
}
