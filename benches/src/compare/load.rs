//! The load generator: one thread over bare epoll, the same for every server.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use rustix::net::sockopt::set_socket_recv_buffer_size;

use crate::scenario::tcp::Load;

/// Bytes of a request, and of its answer.
const REQUEST: usize = 64;
/// Bytes that count as a request of the bulk load.
const CHUNK: usize = 64 << 10;
/// The receive buffer of the bulk load. Left to itself the kernel tunes it to the moment, and with megabytes under way the
/// samples tell more about the processor's caches than about the server.
const WINDOW: usize = 64 << 10;
/// If nothing comes for so long, the server is stuck.
const PATIENCE_MS: u16 = 20_000;

/// Connections to one server.
pub(crate) struct Generator {
    address: SocketAddr,
    load: Load,
    epoll: Epoll,
    clients: Vec<Client>,
    buffer: Vec<u8>,
    /// How long the requests took, if that is to be known.
    times: Option<Vec<Duration>>,
}

struct Client {
    stream: TcpStream,
    /// When the last requests were sent, if that is to be known.
    sent: Option<Instant>,
    /// Bytes of an answer that is not whole yet.
    partial: usize,
}

impl Generator {
    /// Makes the connections; each has been served once when this returns, so none waits to be accepted.
    pub(crate) fn connect(address: SocketAddr, load: Load) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let mut generator = Self { address, load, epoll, clients: Vec::new(), buffer: vec![0; 4 * CHUNK], times: None };
        match load {
            Load::Echo { connections, .. } => {
                for _ in 0..connections {
                    let mut stream = generator.open()?;
                    stream.write_all(&[1; REQUEST])?;
                    stream.read_exact(&mut [0; REQUEST])?;
                    generator.keep(stream)?;
                }
            }
            Load::Bulk { connections } => {
                for _ in 0..connections {
                    let mut stream = generator.open()?;
                    set_socket_recv_buffer_size(&stream, WINDOW)?;
                    stream.read_exact(&mut [0])?;
                    generator.keep(stream)?;
                }
            }
            Load::Connect { .. } => {}
        }
        Ok(generator)
    }

    /// Returns when so many requests have been answered, and none is under way.
    pub(crate) fn run(&mut self, requests: u64) -> io::Result<()> {
        match self.load {
            Load::Echo { in_flight, .. } => self.echo(requests, in_flight as u64),
            Load::Bulk { .. } => self.bulk(requests),
            Load::Connect { connections } => self.come_and_go(requests, connections as u64),
        }
    }

    /// Like [`run`](Self::run); how long each request took, which must be alone under way on its connection.
    pub(crate) fn run_timed(&mut self, requests: u64) -> io::Result<Vec<Duration>> {
        self.times = Some(Vec::with_capacity(requests as usize));
        self.run(requests)?;
        Ok(self.times.take().unwrap_or_default())
    }

    fn echo(&mut self, requests: u64, in_flight: u64) -> io::Result<()> {
        let now = if self.times.is_some() { || Some(Instant::now()) } else { || None };
        let mut to_send = requests;
        let mut unanswered = requests;
        for client in &mut self.clients {
            client.sent = now();
            client.send(in_flight.min(to_send))?;
            to_send -= in_flight.min(to_send);
        }
        while unanswered > 0 {
            let mut events = [EpollEvent::empty(); 256];
            for event in wait(&self.epoll, &mut events)? {
                let client = &mut self.clients[event.data() as usize];
                client.partial += client.read(&mut self.buffer)?;
                let answers = (client.partial / REQUEST) as u64;
                client.partial %= REQUEST;
                unanswered -= answers;
                if answers > 0 {
                    let took = client.sent.map(|sent| sent.elapsed());
                    self.times.as_mut().zip(took).into_iter().for_each(|(times, took)| times.push(took));
                    client.sent = now();
                }
                client.send(answers.min(to_send))?;
                to_send -= answers.min(to_send);
            }
        }
        Ok(())
    }

    fn bulk(&mut self, chunks: u64) -> io::Result<()> {
        let mut left = chunks * CHUNK as u64;
        while left > 0 {
            let mut events = [EpollEvent::empty(); 256];
            for event in wait(&self.epoll, &mut events)? {
                let count = self.clients[event.data() as usize].read(&mut self.buffer)?;
                left = left.saturating_sub(count as u64);
            }
        }
        Ok(())
    }

    fn come_and_go(&mut self, requests: u64, connections: u64) -> io::Result<()> {
        let mut to_open = requests;
        let mut unanswered = requests;
        self.clients.clear();
        for _ in 0..connections.min(requests) {
            let stream = self.open()?;
            self.keep(stream)?;
            self.clients.last_mut().map_or(Ok(()), |client| client.send(1))?;
            to_open -= 1;
        }
        while unanswered > 0 {
            let mut events = [EpollEvent::empty(); 256];
            for event in wait(&self.epoll, &mut events)? {
                let key = event.data() as usize;
                let client = &mut self.clients[key];
                client.partial += client.read(&mut self.buffer)?;
                if client.partial < REQUEST {
                    continue;
                }
                unanswered -= 1;
                if to_open > 0 {
                    to_open -= 1;
                    let stream = self.open()?;
                    self.epoll.add(&stream, EpollEvent::new(EpollFlags::EPOLLIN, key as u64))?;
                    // The old connection is closed here, by this side.
                    self.clients[key] = Client { stream, sent: None, partial: 0 };
                    self.clients[key].send(1)?;
                } else {
                    self.epoll.delete(&self.clients[key].stream)?;
                }
            }
        }
        self.clients.clear();
        Ok(())
    }

    fn open(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(self.address)?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    fn keep(&mut self, stream: TcpStream) -> io::Result<()> {
        stream.set_nonblocking(true)?;
        self.epoll.add(&stream, EpollEvent::new(EpollFlags::EPOLLIN, self.clients.len() as u64))?;
        self.clients.push(Client { stream, sent: None, partial: 0 });
        Ok(())
    }
}

impl Client {
    fn send(&mut self, requests: u64) -> io::Result<()> {
        const MOST: usize = 64;
        let bytes = requests as usize * REQUEST;
        if bytes > 0 {
            // So little always fits: the answers to all before it have been read.
            self.stream.write_all(&[1; MOST * REQUEST][..bytes])?;
        }
        Ok(())
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.stream.read(buffer) {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
            result => result,
        }
    }
}

fn wait<'a>(epoll: &Epoll, events: &'a mut [EpollEvent]) -> io::Result<&'a [EpollEvent]> {
    match epoll.wait(events, EpollTimeout::from(PATIENCE_MS)) {
        Ok(0) => Err(io::Error::new(ErrorKind::TimedOut, "the server does not answer")),
        Err(nix::Error::EINTR) => Ok(&[]),
        result => Ok(&events[..result?]),
    }
}
