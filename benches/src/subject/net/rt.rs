//! rt.

use std::io::{self, ErrorKind};
use std::net;
use std::os::unix::net as unix;
use std::sync::{Arc, OnceLock};

use axum::Router;
use futures_util::AsyncWriteExt;
use rt::axum::ListenerExt;
use rt::net::tls::TlsAcceptor;
use rt::net::{DnsResolver, RecvBatch, SendBatch, TcpListener, UdpSocket, UnixListener, lookup_host};
use rustls::ServerConfig;

use super::{BATCH, DATAGRAM, Deaf, Http, Idle, Names, TRAIN, Tls, Udp, Unix};
use crate::subject::Service;
use crate::subject::rt::{Buffered, Flavor, RtOf};

impl<F: Flavor> Udp for RtOf<F> {
    async fn echo(socket: net::UdpSocket) -> io::Result<()> {
        let socket = UdpSocket::from_std(socket)?;
        let mut buffer = [0; DATAGRAM];
        loop {
            let (len, from) = socket.recv_from(&mut buffer).await?;
            socket.send_to(&buffer[..len], from).await?;
        }
    }

    async fn echo_batches(socket: net::UdpSocket) -> io::Result<()> {
        let come = RecvBatch::new(BATCH, DATAGRAM);
        echo_many(&UdpSocket::from_std(socket)?, come, SendBatch::new(BATCH, BATCH * DATAGRAM)).await
    }

    async fn echo_trains(socket: net::UdpSocket) -> io::Result<()> {
        let socket = UdpSocket::from_std(socket)?;
        socket.set_gro(true)?;
        echo_many(&socket, RecvBatch::new(BATCH, TRAIN), SendBatch::new(BATCH * BATCH, BATCH * TRAIN)).await
    }
}

async fn echo_many(socket: &UdpSocket, mut come: RecvBatch, mut going: SendBatch) -> io::Result<()> {
    loop {
        socket.recv_many(&mut come).await?;
        for datagram in &come {
            while !going.push(datagram.data, datagram.from) {
                socket.send_many(&mut going).await?;
            }
        }
        while !going.is_empty() {
            socket.send_many(&mut going).await?;
        }
    }
}

impl<F: Flavor> Unix for RtOf<F> {
    async fn serve_unix(listener: unix::UnixListener) -> io::Result<()> {
        let listener = UnixListener::from_std(listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            rt::spawn(Service::Echo.run(Buffered { stream, buffer: Service::Echo.buffer() }));
        }
    }
}

impl<F: Flavor> Tls for RtOf<F> {
    async fn serve_tls(listener: net::TcpListener, config: Arc<ServerConfig>) -> io::Result<()> {
        let listener = TcpListener::from_std(listener)?;
        let acceptor = TlsAcceptor::from(config);
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let handshake = acceptor.accept(stream);
            rt::spawn(async move {
                if let Ok(stream) = handshake.await {
                    Service::FlushedEcho.run(Buffered { stream, buffer: Service::FlushedEcho.buffer() }).await;
                }
            });
        }
    }
}

impl<F: Flavor> Http for RtOf<F> {
    async fn serve_http(listener: net::TcpListener, router: Router) -> io::Result<()> {
        let listener = TcpListener::from_std(listener)?.tap_io(|stream| stream.set_nodelay(true).expect("a socket"));
        rt::axum::serve(listener, router).await
    }
}

impl<F: Flavor> Names for RtOf<F> {
    async fn look_up(name: String) {
        drop(lookup_host((name, 0)).await);
    }

    fn lookups() -> Option<u64> {
        static RESOLVER: OnceLock<DnsResolver> = OnceLock::new();
        let resolver = RESOLVER.get_or_init(|| {
            let resolver = DnsResolver::system();
            DnsResolver::set_default(resolver.clone());
            resolver
        });
        Some(resolver.metrics().begun)
    }
}

impl<F: Flavor> Idle for RtOf<F> {
    async fn keep(listener: net::TcpListener) -> io::Result<()> {
        let listener = TcpListener::from_std(listener)?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            rt::spawn(async move {
                stream.write_all(&[1]).await?;
                // It may be ready too soon.
                while stream.try_read(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock) {
                    stream.readable().await?;
                }
                io::Result::Ok(())
            });
        }
    }
}

impl<F: Flavor> Deaf for RtOf<F> {
    async fn echo(listener: net::TcpListener) -> io::Result<()> {
        let listener = TcpListener::from_std(listener)?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            rt::spawn(async move {
                stream.write_all(&[1]).await?;
                Service::Echo.run(Buffered { stream, buffer: Service::Echo.buffer() }).await;
                io::Result::Ok(())
            });
        }
    }
}
