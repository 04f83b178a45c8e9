//! QUIC by quinn: what its endpoints ask of a runtime.
//!
//! Counterpart: `quinn::TokioRuntime`.

use quinn::udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSocketState};
use quinn::{AsyncTimer, AsyncUdpSocket, Runtime, UdpPoller};
use rt_runtime::{Interest, Source, time};
use std::fmt;
use std::future::Future;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

/// Runs quinn's endpoints and connections: tasks by [`rt::spawn`](rt_runtime::spawn()), timers by the runtime's clock, virtual ones
/// included, and datagrams in batches, with segmentation by the system where it can.
///
/// Counterpart: `quinn::TokioRuntime`.
///
/// # Panics
///
/// quinn, where it makes an endpoint or a connection outside of a runtime.
///
/// ```
/// # #[cfg(feature = "quinn")]
/// # fn main() -> std::io::Result<()> {
/// use quinn::{Endpoint, EndpointConfig};
/// use std::{net::UdpSocket, sync::Arc};
///
/// rt::block_on(async {
///     let socket = UdpSocket::bind("127.0.0.1:0")?;
///     let runtime = Arc::new(rt::quinn::RtRuntime);
///     let client = Endpoint::new(EndpointConfig::default(), None, socket, runtime)?;
///     assert!(client.local_addr()?.port() > 0);
///     client.wait_idle().await;
///     Ok(())
/// })
/// # }
/// # #[cfg(not(feature = "quinn"))]
/// # fn main() {}
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct RtRuntime;

impl Runtime for RtRuntime {
    fn new_timer(&self, deadline: Instant) -> Pin<Box<dyn AsyncTimer>> {
        Box::pin(Timer(time::sleep_until(deadline.into())))
    }

    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        drop(rt_runtime::spawn(future));
    }

    fn wrap_udp_socket(&self, socket: std::net::UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        // It makes the socket non-blocking, too.
        let state = UdpSocketState::new((&socket).into())?;
        let source = Source::join_when_pending(mio::net::UdpSocket::from_std(socket))?;
        Ok(Arc::new(Socket { source, state }))
    }

    fn now(&self) -> Instant {
        time::Instant::now().into_std()
    }
}

#[derive(Debug)]
struct Timer(time::Sleep);

impl AsyncTimer for Timer {
    fn reset(mut self: Pin<&mut Self>, deadline: Instant) {
        Pin::new(&mut self.0).reset(deadline.into());
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx)
    }
}

struct Socket {
    source: Source<mio::net::UdpSocket>,
    state: UdpSocketState,
}

/// Whether `UdpSocketState::recv` fills several buffers: by `recvmmsg`, or one is all it is ever given.
const RECEIVES_BATCHES: bool =
    cfg!(any(target_os = "linux", target_os = "android", target_os = "freebsd")) || BATCH_SIZE == 1;

impl AsyncUdpSocket for Socket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(Poller { socket: self, waiting: None })
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.source.try_io(Interest::WRITABLE, |io| io.try_io(|| self.state.send(io.into(), transmit)))
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        // A batch that is not full has taken all there was: no further call to learn that. Where the system has no such call, one is
        // all that comes at once.
        let room = if RECEIVES_BATCHES { bufs.len().min(BATCH_SIZE) } else { 1 };
        self.source.poll_read_bytes(cx, room, |io| io.try_io(|| self.state.recv(io.into(), bufs, meta)))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.source.get_ref().local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.state.max_gso_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.state.gro_segments()
    }

    fn may_fragment(&self) -> bool {
        self.state.may_fragment()
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

/// One of the tasks that wait for room in the socket's queue. Each is woken.
struct Poller {
    socket: Arc<Socket>,
    waiting: Option<Waiting>,
}

type Waiting = Pin<Box<dyn Future<Output = io::Result<()>> + Send + Sync>>;

impl UdpPoller for Poller {
    fn poll_writable(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let waiting = this.waiting.get_or_insert_with(|| {
            let socket = this.socket.clone();
            Box::pin(async move { socket.source.writable().await })
        });
        let outcome = ready!(waiting.as_mut().poll(cx));
        this.waiting = None;
        Poll::Ready(outcome)
    }
}

impl fmt::Debug for Poller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Poller").field("socket", &self.socket).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::task::noop_waker_ref;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::{Wake, Waker};

    struct Count(AtomicU32);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The queue is full as far as anybody knows; the datagram that goes out is the news that it is not.
    #[test]
    fn every_poller_of_a_socket_is_woken() {
        rt_runtime::block_on(async {
            let socket = mio::net::UdpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
            let state = UdpSocketState::new((&socket).into()).unwrap();
            let socket = Arc::new(Socket { source: Source::new(socket).unwrap(), state });
            socket.source.writable().await.unwrap();
            let full = socket.source.try_io(Interest::WRITABLE, |_| Err::<(), _>(io::ErrorKind::WouldBlock.into()));
            assert_eq!(full.unwrap_err().kind(), io::ErrorKind::WouldBlock);

            let counts = [(); 3].map(|()| Arc::new(Count(AtomicU32::new(0))));
            let mut pollers = [(); 3].map(|()| socket.clone().create_io_poller());
            for (poller, count) in pollers.iter_mut().zip(&counts) {
                let waker = Waker::from(count.clone());
                assert!(poller.as_mut().poll_writable(&mut Context::from_waker(&waker)).is_pending());
            }
            let here = socket.local_addr().unwrap();
            socket.source.get_ref().send_to(b"news", here).unwrap();
            socket.source.writable().await.unwrap();
            for (poller, count) in pollers.iter_mut().zip(&counts) {
                assert_eq!(count.0.load(Ordering::Relaxed), 1);
                assert!(poller.as_mut().poll_writable(&mut Context::from_waker(noop_waker_ref())).is_ready());
            }
        });
    }
}
