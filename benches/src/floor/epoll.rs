//! The floor of the servers: one loop over edge-triggered epoll, no futures.
//!
//! It knows what a good runtime knows: a short read or write has emptied or filled the socket unless the peer closed, so
//! no system call is spent to be told so. Each connection has a buffer, as in the servers it is compared with: one buffer for
//! all would save cache misses that are the application's, not the runtime's.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use rustix::net::{SocketFlags, accept_with};

use crate::subject::Service;

/// What a listener accepts.
pub trait Stream: Read + Write + AsRawFd + AsFd + From<OwnedFd> {
    /// Called once, before anything else.
    fn prepare(&self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for TcpStream {
    fn prepare(&self) -> io::Result<()> {
        self.set_nodelay(true)
    }
}

impl Stream for UnixStream {}

/// Accepts and serves for ever; `listener` does not block.
pub fn serve<S: Stream>(listener: impl AsFd + AsRawFd, service: Service) -> io::Result<()> {
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    let accepting = listener.as_raw_fd() as u64;
    epoll.add(&listener, EpollEvent::new(EpollFlags::EPOLLIN, accepting))?;

    let mut server = Server::<S> { service, connections: Vec::new() };
    let mut events = [EpollEvent::empty(); 1024];
    loop {
        for event in wait(&epoll, &mut events)? {
            if event.data() == accepting {
                server.accept(&listener, &epoll)?;
            } else {
                server.turn(event.data() as usize, event.events());
            }
        }
    }
}

/// Waits for what happens next.
pub(super) fn wait<'a>(epoll: &Epoll, events: &'a mut [EpollEvent]) -> io::Result<&'a [EpollEvent]> {
    match epoll.wait(events, EpollTimeout::NONE) {
        Err(nix::Error::EINTR) => Ok(&[]),
        result => Ok(&events[..result?]),
    }
}

struct Server<S> {
    service: Service,
    /// By descriptor.
    connections: Vec<Option<Connection<S>>>,
}

struct Connection<S> {
    stream: S,
    buffer: Vec<u8>,
    /// Echoed bytes that the socket did not take yet.
    unsent: Vec<u8>,
}

impl<S: Stream> Server<S> {
    fn accept(&mut self, listener: &impl AsFd, epoll: &Epoll) -> io::Result<()> {
        loop {
            let stream = match accept_with(listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
                Ok(socket) => S::from(socket),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            stream.prepare()?;
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
            Service::Bulk if closing => Err(ErrorKind::ConnectionReset.into()),
            Service::Bulk => connection.send(),
            Service::Echo | Service::FlushedEcho
                if closing || events.contains(EpollFlags::EPOLLIN) || !connection.unsent.is_empty() =>
            {
                connection.echo(closing)
            }
            Service::Echo | Service::FlushedEcho => Ok(()),
        };
        if outcome.is_err() {
            self.connections[key] = None;
        }
    }
}

impl<S: Stream> Connection<S> {
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
