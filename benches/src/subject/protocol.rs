//! rt, whose servers are Protocols: callbacks instead of a task's own loop.

use std::future::{Future, pending};
use std::io;
use std::marker::PhantomData;
use std::net::{self, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;

use rt::net::tls::TlsAcceptor;
use rt::net::{TcpListener, UnixListener};
use rt::protocol::{Port, Producer, Protocol, StartTls, Transport, for_protocol, listen_on, listen_tcp};
use rt::task::JoinHandle;
use rustls::ServerConfig;

use super::net::{Deaf, Idle, Tls, Unix};
use super::rt::{CurrentThread, Flavor, MultiThread, RtOf};
use super::{Service, Subject, Tcp};

/// rt's Protocols, current-thread flavor.
pub type RtProtocol = ProtocolsOf<CurrentThread>;
/// rt's Protocols, multi-thread flavor: all on the worker that listens.
pub type RtMultiProtocol = ProtocolsOf<MultiThread>;

/// rt, of one flavor, with Protocols.
pub struct ProtocolsOf<F>(PhantomData<F>);

impl<F: Flavor> Subject for ProtocolsOf<F> {
    const NAME: &'static str = F::PROTOCOL_NAME;
    type Task = JoinHandle<()>;

    fn block_on<T: 'static>(future: impl Future<Output = T> + 'static) -> T {
        RtOf::<F>::block_on(future)
    }

    fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Self::Task {
        RtOf::<F>::spawn(future)
    }

    fn join(task: Self::Task) -> impl Future<Output = ()> {
        RtOf::<F>::join(task)
    }

    fn detach(_: Self::Task) {}

    fn yield_now() -> impl Future<Output = ()> + Send {
        RtOf::<F>::yield_now()
    }
}

impl<F: Flavor> Tcp for ProtocolsOf<F> {
    async fn serve(service: Service, ready: impl FnOnce(SocketAddr) + 'static) -> io::Result<()> {
        let here = (Ipv4Addr::LOCALHOST, 0);
        let port = match service {
            Service::Echo | Service::FlushedEcho => listen_tcp(here, for_protocol(|| Echo { no_delay: true }))?,
            Service::Bulk => listen_tcp(here, for_protocol(|| Bulk))?,
        };
        ready(port.host().ip().expect("it listens on an IP address"));
        for_ever(port).await
    }
}

impl<F: Flavor> Unix for ProtocolsOf<F> {
    async fn serve_unix(listener: std::os::unix::net::UnixListener) -> io::Result<()> {
        for_ever(listen_on(UnixListener::from_std(listener)?, for_protocol(|| Echo { no_delay: false }))?).await
    }
}

impl<F: Flavor> Tls for ProtocolsOf<F> {
    async fn serve_tls(listener: net::TcpListener, config: Arc<ServerConfig>) -> io::Result<()> {
        let acceptor = TlsAcceptor::from(config);
        let build = move || TlsEcho(acceptor.clone());
        for_ever(listen_on(TcpListener::from_std(listener)?, for_protocol(build))?).await
    }
}

impl<F: Flavor> Idle for ProtocolsOf<F> {
    async fn keep(listener: net::TcpListener) -> io::Result<()> {
        for_ever(listen_on(TcpListener::from_std(listener)?, for_protocol(|| Greeter))?).await
    }
}

impl<F: Flavor> Deaf for ProtocolsOf<F> {
    async fn echo(listener: net::TcpListener) -> io::Result<()> {
        for_ever(listen_on(TcpListener::from_std(listener)?, for_protocol(|| GreeterWithEcho))?).await
    }
}

async fn for_ever(_: Port) -> io::Result<()> {
    pending().await
}

/// [`Service::Echo`].
struct Echo {
    no_delay: bool,
}

impl Protocol for Echo {
    fn connection_made(&mut self, transport: &Transport) {
        if self.no_delay {
            transport.set_tcp_no_delay(true).expect("a TCP connection");
        }
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data);
    }
}

/// [`Service::FlushedEcho`], under TLS.
struct TlsEcho(TlsAcceptor);

impl Protocol for TlsEcho {
    fn connection_made(&mut self, transport: &Transport) {
        transport.set_tcp_no_delay(true).expect("a TCP connection");
        transport.start_tls(StartTls::server(&self.0)).expect("a plain connection");
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data);
    }
}

/// [`Service::Bulk`].
struct Bulk;

impl Protocol for Bulk {
    fn connection_made(&mut self, transport: &Transport) {
        transport.set_tcp_no_delay(true).expect("a TCP connection");
        let pieces = Pieces { transport: transport.clone(), piece: Service::Bulk.buffer() };
        transport.register_producer(Rc::new(pieces), false).expect("it is the only one");
    }

    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

/// A pull producer without an end.
struct Pieces {
    transport: Transport,
    piece: Vec<u8>,
}

impl Producer for Pieces {
    fn resume_producing(&self) {
        self.transport.write(&self.piece);
    }

    fn stop_producing(&self) {}
}

/// Sends a byte, and waits.
struct Greeter;

impl Protocol for Greeter {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write(&[1]);
    }

    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

/// Sends a byte, then back what comes.
struct GreeterWithEcho;

impl Protocol for GreeterWithEcho {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write(&[1]);
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data);
    }
}
