//! What hickory asks of a runtime.

use crate::tcp::{TcpConnector, TcpStream};
use crate::udp::UdpSocket;
use hickory_net::runtime::{DnsTcpStream, DnsUdpSocket, RuntimeProvider, Spawn, Time};
use rt_runtime::time::{sleep, timeout};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// How long a name server has to accept a connection, if hickory does not say.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// hickory's runtime is rt: that of whoever polls.
///
/// Counterpart: `hickory_net::runtime::TokioRuntimeProvider`.
///
/// ```
/// # #[cfg(feature = "hickory")]
/// # fn main() {
/// use hickory_resolver::{Resolver, config::ResolverConfig};
/// use rt::hickory::{HickoryResolver, RtRuntimeProvider};
///
/// // hickory's own builder, with rt below.
/// let builder = Resolver::builder_with_config(ResolverConfig::default(), RtRuntimeProvider::new());
/// let resolver = HickoryResolver::from(builder.build().unwrap());
/// # drop(resolver);
/// # }
/// # #[cfg(not(feature = "hickory"))]
/// # fn main() {}
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct RtRuntimeProvider(());

impl RtRuntimeProvider {
    /// One is like the other.
    pub fn new() -> Self {
        Self(())
    }
}

impl RuntimeProvider for RtRuntimeProvider {
    type Handle = RtHandle;
    type Timer = RtTime;
    type Udp = UdpSocket;
    type Tcp = TcpStream;

    fn create_handle(&self) -> RtHandle {
        RtHandle(())
    }

    fn connect_tcp(
        &self,
        server_addr: SocketAddr,
        bind_addr: Option<SocketAddr>,
        wait_for: Option<Duration>,
    ) -> Boxed<'static, io::Result<TcpStream>> {
        let mut connector = TcpConnector::new().nodelay(true).timeout(wait_for.unwrap_or(CONNECT_TIMEOUT));
        if let Some(bind_addr) = bind_addr {
            connector = connector.local_addr(bind_addr);
        }
        Box::pin(async move { connector.connect(server_addr).await })
    }

    fn bind_udp(&self, local_addr: SocketAddr, _: SocketAddr) -> Boxed<'static, io::Result<UdpSocket>> {
        Box::pin(async move { UdpSocket::bind(local_addr).await })
    }
}

/// Spawns hickory's background tasks onto the runtime of whoever polls.
#[derive(Debug, Clone, Copy)]
pub struct RtHandle(());

impl Spawn for RtHandle {
    /// # Panics
    ///
    /// Outside of a runtime.
    fn spawn_bg(&mut self, future: impl Future<Output = ()> + Send + 'static) {
        rt_runtime::spawn(future);
    }
}

/// hickory's timers, which are rt's.
#[derive(Debug, Clone, Copy)]
pub struct RtTime(());

impl Time for RtTime {
    fn delay_for<'a>(duration: Duration) -> Boxed<'a, ()> {
        Box::pin(async move { sleep(duration).await })
    }

    fn timeout<'a, F>(duration: Duration, future: F) -> Boxed<'a, io::Result<F::Output>>
    where
        F: Future + Send + 'static + 'a,
    {
        Box::pin(async move {
            let too_late = |_| io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {duration:?}"));
            timeout(duration, future).await.map_err(too_late)
        })
    }
}

impl DnsTcpStream for TcpStream {
    type Time = RtTime;
}

impl DnsUdpSocket for UdpSocket {
    type Time = RtTime;

    fn poll_recv_from(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>> {
        UdpSocket::poll_recv_from(self, cx, buf)
    }

    fn poll_send_to(&self, cx: &mut Context<'_>, buf: &[u8], target: SocketAddr) -> Poll<io::Result<usize>> {
        UdpSocket::poll_send_to(self, cx, buf, target)
    }
}
