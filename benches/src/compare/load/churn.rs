//! Connections that come, have one request answered, and go.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};

use super::endpoint::Endpoint;
use super::{Generator, REQUEST, received, wait};

/// So many clients at a time, each of which makes connections one after the other.
pub(super) struct Churn {
    address: SocketAddr,
    epoll: Epoll,
    clients: usize,
}

struct Client {
    stream: TcpStream,
    /// Bytes of the answer that have come.
    partial: usize,
}

impl Churn {
    pub(super) fn new(address: SocketAddr, clients: usize) -> io::Result<Self> {
        Ok(Self { address, epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?, clients })
    }

    /// Connects and sends the request.
    fn begin(&self, key: usize) -> io::Result<Client> {
        let mut stream = self.address.open()?;
        stream.set_nonblocking(true)?;
        self.epoll.add(&stream, EpollEvent::new(EpollFlags::EPOLLIN, key as u64))?;
        stream.write_all(&[1; REQUEST])?;
        Ok(Client { stream, partial: 0 })
    }
}

impl Generator for Churn {
    fn run(&mut self, requests: u64) -> io::Result<()> {
        let first = (self.clients as u64).min(requests);
        let mut to_open = requests - first;
        let mut unanswered = requests;
        let mut clients = (0..first as usize).map(|key| self.begin(key)).collect::<io::Result<Vec<_>>>()?;
        let mut buffer = [0; 4 * REQUEST];
        while unanswered > 0 {
            let mut events = [EpollEvent::empty(); 256];
            for event in wait(&self.epoll, &mut events)? {
                let key = event.data() as usize;
                clients[key].partial += received(clients[key].stream.read(&mut buffer))?;
                if clients[key].partial < REQUEST {
                    continue;
                }
                unanswered -= 1;
                if to_open > 0 {
                    to_open -= 1;
                    // The old connection is closed here, by this side.
                    clients[key] = self.begin(key)?;
                } else {
                    self.epoll.delete(&clients[key].stream)?;
                }
            }
        }
        Ok(())
    }
}
