//! The floor of the servers: one loop over edge-triggered epoll, no futures.
//!
//! It knows what a good runtime knows: a short read or write has emptied or filled the socket unless the peer closed, so
//! no system call is spent to be told so. Each connection has a buffer, as in the servers it is compared with: one buffer for
//! all would save cache misses that are the application's, not the runtime's.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use rustix::net::{SocketFlags, accept_with};

use crate::subject::Service;

/// Accepts and serves for ever, after it told `ready` where.
pub fn serve(service: Service, ready: impl FnOnce(SocketAddr)) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    let accepting = listener.as_raw_fd() as u64;
    epoll.add(&listener, EpollEvent::new(EpollFlags::EPOLLIN, accepting))?;
    ready(listener.local_addr()?);

    let mut server = Server { service, connections: Vec::new() };
    let mut events = [EpollEvent::empty(); 1024];
    loop {
        let count = match epoll.wait(&mut events, EpollTimeout::NONE) {
            Err(nix::Error::EINTR) => 0,
            result => result?,
        };
        for event in &events[..count] {
            if event.data() == accepting {
                server.accept(&listener, &epoll)?;
            } else {
                server.turn(event.data() as usize, event.events());
            }
        }
    }
}

struct Server {
    service: Service,
    /// By descriptor.
    connections: Vec<Option<Connection>>,
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// Echoed bytes that the socket did not take yet.
    unsent: Vec<u8>,
}

impl Server {
    fn accept(&mut self, listener: &TcpListener, epoll: &Epoll) -> io::Result<()> {
        loop {
            let stream = match accept_with(listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
                Ok(socket) => TcpStream::from(socket),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            stream.set_nodelay(true)?;
            let key = stream.as_raw_fd() as usize;
            let interest = EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT | EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLET;
            epoll.add(&stream, EpollEvent::new(interest, key as u64))?;
            if self.connections.len() <= key {
                self.connections.resize_with(key + 1, || None);
            }
            self.connections[key] = Some(Connection { stream, buffer: self.service.buffer(), unsent: Vec::new() });
        }
    }

    fn turn(&mut self, key: usize, events: EpollFlags) {
        let Some(connection) = self.connections[key].as_mut() else { return };
        let closing = events.intersects(EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR);
        let outcome = match self.service {
            Service::Echo if closing || events.contains(EpollFlags::EPOLLIN) || !connection.unsent.is_empty() => {
                connection.echo(closing)
            }
            Service::Echo => Ok(()),
            Service::Bulk if closing => Err(ErrorKind::ConnectionReset.into()),
            Service::Bulk => connection.send(),
        };
        if outcome.is_err() {
            self.connections[key] = None;
        }
    }
}

impl Connection {
    /// Sends back what is there; an error means that the connection is over.
    fn echo(&mut self, closing: bool) -> io::Result<()> {
        if !self.unsent.is_empty() {
            let sent = written(self.stream.write(&self.unsent))?;
            self.unsent.drain(..sent);
        }
        while self.unsent.is_empty() {
            let count = match self.stream.read(&mut self.buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            };
            let sent = written(self.stream.write(&self.buffer[..count]))?;
            self.unsent.extend_from_slice(&self.buffer[sent..count]);
            if count < self.buffer.len() && !closing {
                break;
            }
        }
        Ok(())
    }

    /// Writes whole buffers until one does not fit.
    fn send(&mut self) -> io::Result<()> {
        while written(self.stream.write(&self.buffer))? == self.buffer.len() {}
        Ok(())
    }
}

fn written(result: io::Result<usize>) -> io::Result<usize> {
    match result {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
        result => result,
    }
}
