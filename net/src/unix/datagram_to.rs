//! Unix datagrams to an address.
//!
//! They need a wait of their own: no event tells that a socket to which this one is not connected has taken datagrams out of its
//! full queue, unless they were ours.

use crate::accept::Pause;
use crate::unix::addr::{target, target_of};
use crate::unix::datagram::UnixDatagram;
use crate::unix::fds::no_signal;
use rustix::net::{SocketAddrUnix, sendto};
use std::future::poll_fn;
use std::io;
use std::os::unix::net::SocketAddr;
use std::path::Path;
use std::pin::pin;
use std::task::{Context, Poll};

impl UnixDatagram {
    /// Sends a datagram to the socket at `path`. How many bytes were sent: all. On Linux a path that begins with a NUL byte is an
    /// abstract name.
    ///
    /// While the other socket's queue is full it tries again when there may be room: at once when one of this socket's datagrams is
    /// taken out, otherwise after 1 ms, then twice as long each time up to 32 ms.
    ///
    /// # Errors
    ///
    /// There is no such path (`NotFound`), no socket of this kind is there (`ConnectionRefused`), this process may not, or the
    /// datagram is too long. It is not sent then.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready, nothing was sent.
    pub async fn send_to<P: AsRef<Path>>(&self, buf: &[u8], target: P) -> io::Result<usize> {
        self.send_to_when_ready(buf, &self::target(target.as_ref())?).await
    }

    /// [`send_to`](UnixDatagram::send_to) with an address, such as [`recv_from`](UnixDatagram::recv_from) gives.
    ///
    /// # Errors
    ///
    /// Those of [`send_to`](UnixDatagram::send_to); [`InvalidInput`](io::ErrorKind::InvalidInput) if the address is unnamed.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready, nothing was sent.
    pub async fn send_to_addr(&self, buf: &[u8], socket_addr: &SocketAddr) -> io::Result<usize> {
        self.send_to_when_ready(buf, &target_of(socket_addr)?).await
    }

    async fn send_to_when_ready(&self, buf: &[u8], target: &SocketAddrUnix) -> io::Result<usize> {
        let mut pause = Pause::new();
        loop {
            let mut writable = pin!(self.source().writable());
            let is_ready = poll_fn(|cx| match writable.as_mut().poll(cx) {
                Poll::Ready(result) => Poll::Ready(result.map(|()| true)),
                Poll::Pending => pause.poll_beginning(cx).map(|()| Ok(false)),
            });
            match self.attempt(is_ready.await?, buf, target) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
        }
    }

    /// [`send_to`](UnixDatagram::send_to) for one caller at a time.
    ///
    /// # Errors
    ///
    /// Those of [`send_to`](UnixDatagram::send_to).
    pub fn poll_send_to<P: AsRef<Path>>(&self, cx: &mut Context<'_>, buf: &[u8], target: P) -> Poll<io::Result<usize>> {
        self.poll_send_to_target(cx, buf, &self::target(target.as_ref())?)
    }

    /// [`send_to_addr`](UnixDatagram::send_to_addr) for one caller at a time.
    ///
    /// # Errors
    ///
    /// Those of [`send_to_addr`](UnixDatagram::send_to_addr).
    pub fn poll_send_to_addr(
        &self,
        cx: &mut Context<'_>,
        buf: &[u8],
        socket_addr: &SocketAddr,
    ) -> Poll<io::Result<usize>> {
        self.poll_send_to_target(cx, buf, &target_of(socket_addr)?)
    }

    fn poll_send_to_target(
        &self,
        cx: &mut Context<'_>,
        buf: &[u8],
        target: &SocketAddrUnix,
    ) -> Poll<io::Result<usize>> {
        // Taken out while it is polled: no lock is held while wakers are cloned and dropped.
        let mut pause = std::mem::replace(&mut *self.lock_pause(), Pause::new());
        loop {
            let is_ready = match self.source().poll_write_ready(cx) {
                Poll::Ready(result) => result.map(|()| true)?,
                Poll::Pending if pause.poll_beginning(cx).is_ready() => false,
                Poll::Pending => {
                    *self.lock_pause() = pause;
                    return Poll::Pending;
                }
            };
            match self.attempt(is_ready, buf, target) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }

    /// [`send_to`](UnixDatagram::send_to) if there is room.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is none, here or in the other socket's queue; otherwise those of
    /// [`send_to`](UnixDatagram::send_to).
    pub fn try_send_to<P: AsRef<Path>>(&self, buf: &[u8], target: P) -> io::Result<usize> {
        self.attempt(false, buf, &self::target(target.as_ref())?)
    }

    /// [`try_send_to`](UnixDatagram::try_send_to) with an address, such as [`recv_from`](UnixDatagram::recv_from) gives.
    ///
    /// # Errors
    ///
    /// Those of [`try_send_to`](UnixDatagram::try_send_to); [`InvalidInput`](io::ErrorKind::InvalidInput) if the address is unnamed.
    pub fn try_send_to_addr(&self, buf: &[u8], socket_addr: &SocketAddr) -> io::Result<usize> {
        self.attempt(false, buf, &target_of(socket_addr)?)
    }

    /// One `sendto`. That it would block is remembered only if the socket counted as ready: otherwise it says nothing about this
    /// socket.
    fn attempt(&self, is_ready: bool, buf: &[u8], target: &SocketAddrUnix) -> io::Result<usize> {
        let send = |io: &_| loop {
            match sendto(io, buf, no_signal(), target) {
                Err(rustix::io::Errno::INTR) => {}
                result => return Ok(result?),
            }
        };
        if is_ready {
            self.source().try_io(rt_runtime::Interest::WRITABLE, send)
        } else {
            send(self.source().get_ref())
        }
    }
}
