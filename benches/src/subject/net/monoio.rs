//! monoio.

use std::io;
use std::net;

use monoio::buf::IoBuf;
use monoio::io::AsyncWriteRentExt;
use monoio::net::TcpListener;
use monoio::net::udp::UdpSocket;

use super::{DATAGRAM, Idle, Udp};
use crate::subject::monoio::{Monoio, MonoioEpoll};

macro_rules! subject {
    ($subject:ident) => {
        impl Udp for $subject {
            async fn echo(socket: net::UdpSocket) -> io::Result<()> {
                let socket = UdpSocket::from_std(socket)?;
                let mut buffer = vec![0; DATAGRAM];
                loop {
                    let (result, received) = socket.recv_from(buffer).await;
                    let (len, from) = result?;
                    let (result, slice) = socket.send_to(received.slice(..len), from).await;
                    result?;
                    buffer = slice.into_inner();
                }
            }
        }

        impl Idle for $subject {
            async fn keep(listener: net::TcpListener) -> io::Result<()> {
                let listener = TcpListener::from_std(listener)?;
                loop {
                    let (mut stream, _) = listener.accept().await?;
                    monoio::spawn(async move {
                        stream.write_all(&[1]).await.0?;
                        stream.readable(false).await
                    });
                }
            }
        }
    };
}

subject!(Monoio);
subject!(MonoioEpoll);
