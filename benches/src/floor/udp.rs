//! The floor of the servers for datagrams: one socket under edge-triggered epoll, emptied whenever something came.

use std::array;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::socket::sockopt::UdpGroSegment;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, recvmsg, sendmmsg, sendmsg,
    setsockopt,
};

use super::epoll::wait;
use crate::subject::net::{BATCH, DATAGRAM, TRAIN};

/// Sends datagrams back one by one, for ever.
pub fn echo(socket: &UdpSocket) -> io::Result<()> {
    let mut buffer = [0; DATAGRAM];
    whenever_readable(socket, || {
        loop {
            match socket.recv_from(&mut buffer) {
                Ok((len, from)) => drop(socket.send_to(&buffer[..len], from)?),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    })
}

/// The same with up to [`BATCH`] in a system call. Less than that has emptied the socket.
pub fn echo_batches(socket: &UdpSocket) -> io::Result<()> {
    let mut buffers = vec![[0; DATAGRAM]; BATCH];
    let mut to_receive = MultiHeaders::<SockaddrIn>::preallocate(BATCH, None);
    let mut to_send = MultiHeaders::<SockaddrIn>::preallocate(BATCH, None);
    whenever_readable(socket, || {
        loop {
            let mut come = [(0, None); BATCH];
            let mut count = 0;
            {
                let mut slices: Vec<[IoSliceMut<'_>; 1]> = buffers.iter_mut().map(|it| [IoSliceMut::new(it)]).collect();
                match recvmmsg(socket.as_raw_fd(), &mut to_receive, &mut slices, MsgFlags::empty(), None) {
                    Ok(received) => {
                        for (place, datagram) in come.iter_mut().zip(received) {
                            *place = (datagram.bytes, datagram.address);
                            count += 1;
                        }
                    }
                    Err(nix::Error::EAGAIN) => return Ok(()),
                    Err(error) => return Err(error.into()),
                }
            }
            let slices: [_; BATCH] = array::from_fn(|index| [IoSlice::new(&buffers[index][..come[index].0])]);
            let addresses = come.map(|(_, from)| from);
            let mut sent = 0;
            while sent < count {
                let (slices, addresses) = (&slices[sent..count], &addresses[sent..count]);
                sent += sendmmsg(socket.as_raw_fd(), &mut to_send, slices, addresses, [], MsgFlags::empty())?.count();
            }
            if count < BATCH {
                return Ok(());
            }
        }
    })
}

/// Sends trains of datagrams back as they came.
pub fn echo_trains(socket: &UdpSocket) -> io::Result<()> {
    setsockopt(socket, UdpGroSegment, &true)?;
    let descriptor = socket.as_raw_fd();
    let mut buffer = vec![0; TRAIN];
    let mut control = nix::cmsg_space!(i32);
    whenever_readable(socket, || {
        loop {
            let mut room = [IoSliceMut::new(&mut buffer)];
            let (len, from, each) =
                match recvmsg::<SockaddrIn>(descriptor, &mut room, Some(&mut control), MsgFlags::empty()) {
                    Ok(message) => {
                        let each = message.cmsgs()?.find_map(|it| match it {
                            ControlMessageOwned::UdpGroSegments(each) => u16::try_from(each).ok(),
                            _ => None,
                        });
                        (message.bytes, message.address, each)
                    }
                    Err(nix::Error::EAGAIN) => return Ok(()),
                    Err(error) => return Err(error.into()),
                };
            let train = [IoSlice::new(&buffer[..len])];
            let each = each.as_ref().map(ControlMessage::UdpGsoSegments);
            sendmsg(descriptor, &train, each.as_slice(), MsgFlags::empty(), from.as_ref())?;
        }
    })
}

fn whenever_readable(socket: &UdpSocket, mut turn: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    epoll.add(socket, EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, 0))?;
    loop {
        wait(&epoll, &mut [EpollEvent::empty()])?;
        turn()?;
    }
}
