//! smol.

use std::io;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::net::UnixListener;

use smol::Async;
use smol::io::AsyncWriteExt;

use super::{DATAGRAM, Idle, Names, Udp, Unix};
use crate::subject::smol::{Buffered, Smol};
use crate::subject::{Service, Subject};

impl Udp for Smol {
    async fn echo(socket: UdpSocket) -> io::Result<()> {
        let socket = Async::new_nonblocking(socket)?;
        let mut buffer = [0; DATAGRAM];
        loop {
            let (len, from) = socket.recv_from(&mut buffer).await?;
            socket.send_to(&buffer[..len], from).await?;
        }
    }
}

impl Unix for Smol {
    async fn serve_unix(listener: UnixListener) -> io::Result<()> {
        let listener = Async::new_nonblocking(listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            Self::spawn(Service::Echo.run(Buffered { stream, buffer: Service::Echo.buffer() })).detach();
        }
    }
}

impl Names for Smol {
    async fn look_up(name: String) {
        drop(smol::net::resolve((name, 0)).await);
    }
}

impl Idle for Smol {
    async fn keep(listener: TcpListener) -> io::Result<()> {
        let listener = Async::new_nonblocking(listener)?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            Self::spawn(async move {
                if stream.write_all(&[1]).await.is_ok() {
                    drop(stream.readable().await);
                }
            })
            .detach();
        }
    }
}
