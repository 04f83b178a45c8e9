//! tokio, with tokio-rustls and axum.

use std::io::{self, ErrorKind};
use std::net;
use std::os::unix::net as unix;
use std::sync::Arc;

use axum::Router;
use axum::serve::ListenerExt;
use rustls::ServerConfig;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, UdpSocket, UnixListener, lookup_host};
use tokio_rustls::TlsAcceptor;

use super::{DATAGRAM, Deaf, Http, Idle, Names, Tls, Udp, Unix};
use crate::subject::Service;
use crate::subject::tokio::{Buffered, Flavor, TokioOf};

impl<F: Flavor> Udp for TokioOf<F> {
    async fn echo(socket: net::UdpSocket) -> io::Result<()> {
        let socket = UdpSocket::from_std(socket)?;
        let mut buffer = [0; DATAGRAM];
        loop {
            let (len, from) = socket.recv_from(&mut buffer).await?;
            socket.send_to(&buffer[..len], from).await?;
        }
    }
}

impl<F: Flavor> Unix for TokioOf<F> {
    async fn serve_unix(listener: unix::UnixListener) -> io::Result<()> {
        let listener = UnixListener::from_std(listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(Service::Echo.run(Buffered { stream, buffer: Service::Echo.buffer() }));
        }
    }
}

impl<F: Flavor> Tls for TokioOf<F> {
    async fn serve_tls(listener: net::TcpListener, config: Arc<ServerConfig>) -> io::Result<()> {
        let listener = TcpListener::from_std(listener)?;
        let acceptor = TlsAcceptor::from(config);
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let handshake = acceptor.accept(stream);
            tokio::spawn(async move {
                if let Ok(stream) = handshake.await {
                    Service::FlushedEcho.run(Buffered { stream, buffer: Service::FlushedEcho.buffer() }).await;
                }
            });
        }
    }
}

impl<F: Flavor> Http for TokioOf<F> {
    async fn serve_http(listener: net::TcpListener, router: Router) -> io::Result<()> {
        let listener = TcpListener::from_std(listener)?.tap_io(|stream| stream.set_nodelay(true).expect("a socket"));
        axum::serve(listener, router).await
    }
}

impl<F: Flavor> Names for TokioOf<F> {
    async fn look_up(name: String) {
        drop(lookup_host((name, 0)).await);
    }
}

impl<F: Flavor> Idle for TokioOf<F> {
    async fn keep(listener: net::TcpListener) -> io::Result<()> {
        let listener = TcpListener::from_std(listener)?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            tokio::spawn(async move {
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

impl<F: Flavor> Deaf for TokioOf<F> {
    async fn echo(listener: net::TcpListener) -> io::Result<()> {
        let listener = TcpListener::from_std(listener)?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            tokio::spawn(async move {
                stream.write_all(&[1]).await?;
                Service::Echo.run(Buffered { stream, buffer: Service::Echo.buffer() }).await;
                io::Result::Ok(())
            });
        }
    }
}
