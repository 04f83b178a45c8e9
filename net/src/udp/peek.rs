//! Looking at the next datagram without taking it.

use crate::udp::socket::UdpSocket;
use rt_runtime::Interest;
use socket2::SockRef;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

impl UdpSocket {
    /// [`recv`](UdpSocket::recv) without taking the datagram: the next call gives the same one.
    ///
    /// # Errors
    ///
    /// Those of [`recv`](UdpSocket::recv).
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.source().async_io(Interest::READABLE, |io| io.peek(buf)).await
    }

    /// [`peek`](UdpSocket::peek) for one caller at a time.
    ///
    /// # Errors
    ///
    /// Those of [`recv`](UdpSocket::recv).
    pub fn poll_peek(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.source().poll_read_io(cx, |io| io.peek(buf))
    }

    /// [`peek`](UdpSocket::peek) at what is there.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if nothing is; otherwise those of [`recv`](UdpSocket::recv).
    pub fn try_peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.source().try_io(Interest::READABLE, |io| io.peek(buf))
    }

    /// [`recv_from`](UdpSocket::recv_from) without taking the datagram: the next call gives the same one.
    ///
    /// # Errors
    ///
    /// Those of [`recv_from`](UdpSocket::recv_from).
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.source().async_io(Interest::READABLE, |io| io.peek_from(buf)).await
    }

    /// [`peek_from`](UdpSocket::peek_from) for one caller at a time.
    ///
    /// # Errors
    ///
    /// Those of [`recv_from`](UdpSocket::recv_from).
    pub fn poll_peek_from(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>> {
        self.source().poll_read_io(cx, |io| io.peek_from(buf))
    }

    /// [`peek_from`](UdpSocket::peek_from) at what is there.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if nothing is; otherwise those of [`recv_from`](UdpSocket::recv_from).
    pub fn try_peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.source().try_io(Interest::READABLE, |io| io.peek_from(buf))
    }

    /// Where the next datagram comes from.
    ///
    /// # Errors
    ///
    /// Those of [`recv_from`](UdpSocket::recv_from).
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn peek_sender(&self) -> io::Result<SocketAddr> {
        self.source().async_io(Interest::READABLE, sender).await
    }

    /// [`peek_sender`](UdpSocket::peek_sender) for one caller at a time.
    ///
    /// # Errors
    ///
    /// Those of [`recv_from`](UdpSocket::recv_from).
    pub fn poll_peek_sender(&self, cx: &mut Context<'_>) -> Poll<io::Result<SocketAddr>> {
        self.source().poll_read_io(cx, sender)
    }

    /// [`peek_sender`](UdpSocket::peek_sender) of what is there.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if nothing is; otherwise those of [`recv_from`](UdpSocket::recv_from).
    pub fn try_peek_sender(&self) -> io::Result<SocketAddr> {
        self.source().try_io(Interest::READABLE, sender)
    }
}

fn sender(io: &mio::net::UdpSocket) -> io::Result<SocketAddr> {
    let not_ip = || io::Error::new(io::ErrorKind::InvalidData, "a datagram came from no IPv4 or IPv6 address");
    SockRef::from(io).peek_sender()?.as_socket().ok_or_else(not_ip)
}
