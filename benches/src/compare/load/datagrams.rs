//! Datagrams that come back. None may be lost: one that is would be waited for.

use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::socket::{
    ControlMessage, MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, sendmmsg, sendmsg, setsockopt, sockopt::UdpGroSegment,
};

use super::{Generator, REQUEST, received, wait};

/// Datagrams in one system call.
const MOST: usize = 16;

/// Clients with a socket each.
pub(super) struct Datagrams {
    epoll: Epoll,
    clients: Vec<UdpSocket>,
    in_flight: u64,
    trains: bool,
}

impl Datagrams {
    pub(super) fn open(address: SocketAddr, clients: usize, in_flight: usize, trains: bool) -> io::Result<Self> {
        assert!(in_flight <= MOST, "sent in one system call");
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let mut sockets = Vec::with_capacity(clients);
        for key in 0..clients {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
            socket.connect(address)?;
            socket.send(&[1; REQUEST])?;
            let mut echo = [0; REQUEST];
            if socket.recv(&mut echo)? != REQUEST || echo != [1; REQUEST] {
                return Err(io::Error::new(ErrorKind::InvalidData, "this is no echo"));
            }
            setsockopt(&socket, UdpGroSegment, &trains)?;
            socket.set_nonblocking(true)?;
            epoll.add(&socket, EpollEvent::new(EpollFlags::EPOLLIN, key as u64))?;
            sockets.push(socket);
        }
        Ok(Self { epoll, clients: sockets, in_flight: in_flight as u64, trains })
    }
}

impl Generator for Datagrams {
    fn run(&mut self, requests: u64) -> io::Result<()> {
        let mut to_send = requests;
        let mut unanswered = requests;
        for client in &self.clients {
            let count = to_send.min(self.in_flight);
            self.send(client, count as usize)?;
            to_send -= count;
        }
        while unanswered > 0 {
            let mut events = [EpollEvent::empty(); 256];
            for event in wait(&self.epoll, &mut events)? {
                let client = &self.clients[event.data() as usize];
                let answers = if self.in_flight == 1 { receive(client)? } else { receive_many(client)? };
                unanswered -= answers;
                let count = to_send.min(answers);
                self.send(client, count as usize)?;
                to_send -= count;
            }
        }
        Ok(())
    }
}

impl Datagrams {
    fn send(&self, client: &UdpSocket, count: usize) -> io::Result<()> {
        match count {
            0 => Ok(()),
            1 => client.send(&[1; REQUEST]).map(drop),
            _ if self.trains => send_train(client, count),
            _ => send_many(client, count),
        }
    }
}

fn send_train(client: &UdpSocket, count: usize) -> io::Result<()> {
    let bytes = [1; MOST * REQUEST];
    let train = [IoSlice::new(&bytes[..count * REQUEST])];
    let each = ControlMessage::UdpGsoSegments(&(REQUEST as u16));
    sendmsg::<SockaddrIn>(client.as_raw_fd(), &train, &[each], MsgFlags::empty(), None)?;
    Ok(())
}

fn send_many(client: &UdpSocket, count: usize) -> io::Result<()> {
    let datagram = [IoSlice::new(&[1; REQUEST])];
    let mut headers = MultiHeaders::<SockaddrIn>::preallocate(count, None);
    let datagrams = (0..count).map(|_| &datagram);
    let sent = sendmmsg(client.as_raw_fd(), &mut headers, datagrams, [None; MOST], [], MsgFlags::empty())?;
    if sent.count() == count { Ok(()) } else { Err(io::Error::other("the system took a part of the datagrams")) }
}

fn receive(client: &UdpSocket) -> io::Result<u64> {
    received(client.recv(&mut [0; 2 * REQUEST])).map(|len| (len / REQUEST) as u64)
}

fn receive_many(client: &UdpSocket) -> io::Result<u64> {
    let mut buffers = [[0; MOST * REQUEST]; MOST];
    let mut slices = buffers.each_mut().map(|buffer| [IoSliceMut::new(buffer)]);
    let mut headers = MultiHeaders::<SockaddrIn>::preallocate(MOST, None);
    match recvmmsg(client.as_raw_fd(), &mut headers, &mut slices, MsgFlags::empty(), None) {
        // A train of answers is one message.
        Ok(received) => Ok(received.map(|message| (message.bytes / REQUEST) as u64).sum()),
        Err(nix::Error::EAGAIN) => Ok(0),
        Err(error) => Err(error.into()),
    }
}
