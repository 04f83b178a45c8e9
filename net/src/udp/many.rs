//! Many datagrams in one call.

use crate::udp::batches::{receive_batch, send_some};
use crate::udp::recv_batch::RecvBatch;
use crate::udp::send_batch::SendBatch;
use crate::udp::socket::UdpSocket;
use rt_runtime::Interest;
use std::io;
use std::task::{Context, Poll};

impl UdpSocket {
    /// Receives the datagrams that are there, at least one and as many as `batch` has room for, in one system call where the system
    /// can do that (Linux, Android); how many. What `batch` held before is gone.
    ///
    /// One system call for many small datagrams saves little where the work per datagram is the network stack's. It saves much with
    /// [`set_gro`](UdpSocket::set_gro), when they come in trains.
    ///
    /// # Errors
    ///
    /// Those of `recvmsg`; on a connected socket also that an earlier datagram of ours was refused.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready, no datagram was taken.
    pub async fn recv_many(&self, batch: &mut RecvBatch) -> io::Result<usize> {
        self.source().async_io(Interest::READABLE, |io| receive_batch(io, batch)).await
    }

    /// [`recv_many`](UdpSocket::recv_many) for one caller at a time.
    ///
    /// # Errors
    ///
    /// Those of [`recv_many`](UdpSocket::recv_many).
    pub fn poll_recv_many(&self, cx: &mut Context<'_>, batch: &mut RecvBatch) -> Poll<io::Result<usize>> {
        self.source().poll_read_io(cx, |io| receive_batch(io, batch))
    }

    /// [`recv_many`](UdpSocket::recv_many) of what is there.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if nothing is; otherwise those of [`recv_many`](UdpSocket::recv_many).
    pub fn try_recv_many(&self, batch: &mut RecvBatch) -> io::Result<usize> {
        self.source().try_io(Interest::READABLE, |io| receive_batch(io, batch))
    }

    /// Sends all datagrams of `batch` in their order, which is empty then; how many. On Linux a train of up to 64 datagrams of one
    /// length to one address (the last may be shorter) is one system call and one way through the network stack, and up to 32 others
    /// are one system call. Elsewhere they are sent one by one.
    ///
    /// # Errors
    ///
    /// That of the first datagram that can not be sent, as [`send_to`](UdpSocket::send_to) gives it. Those before it are sent, it is
    /// taken out of `batch`, and those behind it are still there: call again.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready, `batch` holds those that were not sent: call again, and each is sent once.
    pub async fn send_many(&self, batch: &mut SendBatch) -> io::Result<usize> {
        let count = batch.len();
        while !batch.is_empty() {
            self.source().async_io(Interest::WRITABLE, |io| send_some(io, self.offload(), batch)).await?;
        }
        Ok(count)
    }

    /// Sends what there is room for, for one caller at a time: how many, at least one. Call again until `batch` is empty.
    ///
    /// # Errors
    ///
    /// Those of [`send_many`](UdpSocket::send_many).
    pub fn poll_send_many(&self, cx: &mut Context<'_>, batch: &mut SendBatch) -> Poll<io::Result<usize>> {
        let mut sent = 0;
        while !batch.is_empty() {
            match self.source().poll_write_io(cx, |io| send_some(io, self.offload(), batch)) {
                Poll::Ready(result) => sent += result?,
                Poll::Pending if sent == 0 => return Poll::Pending,
                Poll::Pending => break,
            }
        }
        Poll::Ready(Ok(sent))
    }

    /// Sends what there is room for: how many, at least one unless `batch` is empty.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is room for none; otherwise those of [`send_many`](UdpSocket::send_many).
    pub fn try_send_many(&self, batch: &mut SendBatch) -> io::Result<usize> {
        let mut sent = 0;
        while !batch.is_empty() {
            match self.source().try_io(Interest::WRITABLE, |io| send_some(io, self.offload(), batch)) {
                Ok(count) => sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && sent > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(sent)
    }
}

/// Trains of datagrams on the way in.
#[cfg(any(target_os = "linux", target_os = "android"))]
impl UdpSocket {
    /// Whether datagrams of one length from one address that come together are received as one train (`UDP_GRO`).
    ///
    /// # Errors
    ///
    /// Those of `getsockopt`.
    pub fn gro(&self) -> io::Result<bool> {
        Ok(nix::sys::socket::getsockopt(self.io(), nix::sys::socket::sockopt::UdpGroSegment)?)
    }

    /// Receives datagrams of one length from one address that come together as one train: with less than a tenth of the work per
    /// datagram when they are small.
    ///
    /// Then receive with [`recv_many`](UdpSocket::recv_many) only, which takes trains apart: every other way gives a train as if it
    /// were one datagram. And give the [`RecvBatch`] 65,535 bytes per datagram, so that a train fits; what does not fit is lost, as
    /// [`is_truncated`](crate::Datagram::is_truncated) tells.
    ///
    /// # Errors
    ///
    /// The system is older than Linux 5.0.
    pub fn set_gro(&self, gro: bool) -> io::Result<()> {
        Ok(nix::sys::socket::setsockopt(self.io(), nix::sys::socket::sockopt::UdpGroSegment, &gro)?)
    }
}
