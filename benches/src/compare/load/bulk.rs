//! Reads what the server sends without end.

use std::io::{self, Read};
use std::net::{SocketAddr, TcpStream};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use rustix::net::sockopt::set_socket_recv_buffer_size;

use super::endpoint::Endpoint;
use super::{Generator, received, wait};

/// Bytes that count as a request.
const CHUNK: usize = 64 << 10;
/// The receive buffer. Left to itself the kernel tunes it to the moment, and with megabytes under way the samples tell more about
/// the processor's caches than about the server.
const WINDOW: usize = 64 << 10;

/// Clients that only read.
pub(super) struct Bulk {
    epoll: Epoll,
    clients: Vec<TcpStream>,
    buffer: Vec<u8>,
}

impl Bulk {
    pub(super) fn connect(address: SocketAddr, connections: usize) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let mut clients = Vec::with_capacity(connections);
        for key in 0..connections {
            let mut stream = address.open()?;
            set_socket_recv_buffer_size(&stream, WINDOW)?;
            stream.read_exact(&mut [0])?;
            stream.set_nonblocking(true)?;
            epoll.add(&stream, EpollEvent::new(EpollFlags::EPOLLIN, key as u64))?;
            clients.push(stream);
        }
        Ok(Self { epoll, clients, buffer: vec![0; 4 * CHUNK] })
    }
}

impl Generator for Bulk {
    fn run(&mut self, chunks: u64) -> io::Result<()> {
        let mut left = chunks * CHUNK as u64;
        while left > 0 {
            let mut events = [EpollEvent::empty(); 256];
            for event in wait(&self.epoll, &mut events)? {
                let count = received(self.clients[event.data() as usize].read(&mut self.buffer))?;
                left = left.saturating_sub(count as u64);
            }
        }
        Ok(())
    }
}
