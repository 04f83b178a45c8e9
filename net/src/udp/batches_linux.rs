//! What Linux does for many datagrams: `recvmmsg`, `sendmmsg`, and trains of datagrams (`UDP_SEGMENT`).

use crate::udp::recv_batch::{DATAGRAMS_PER_CALL, RecvBatch, Slot};
use crate::udp::send_batch::{Outgoing, SendBatch};
use crate::udp::system::{transmit, transmit_to};
use nix::sys::socket::{ControlMessage, MsgFlags, MultiHeaders, SockaddrStorage, sendmmsg};
use quinn_udp::{RecvMeta, UdpSocketState};
use rustix::io::Errno;
use std::cell::RefCell;
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::AsRawFd;
use std::sync::OnceLock;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

/// Up to which length datagrams are sent in trains: until the system says no, without a limit.
pub(super) struct Offload {
    longest: AtomicUsize,
}

impl Offload {
    pub(super) fn new() -> Self {
        Self { longest: AtomicUsize::new(usize::MAX) }
    }

    /// The system refused a train with `error` whose first datagram, `length` long, it then took.
    fn learn(&self, error: Errno, length: usize) {
        match error {
            // The way can not do it at all: a device without checksums, or encryption.
            Errno::IO => self.longest.store(0, Relaxed),
            // Longer than a packet of that way: such datagrams are to be cut into fragments, which trains can not be.
            _ => _ = self.longest.fetch_min(length - 1, Relaxed),
        }
    }
}

/// Whether `error` may be about a train and not about its datagrams.
fn may_be_about_a_train(error: Errno) -> bool {
    matches!(error, Errno::INVAL | Errno::MSGSIZE | Errno::IO)
}

/// One `recvmmsg`: how many datagrams came.
pub(super) fn receive_batch(io: &mio::net::UdpSocket, batch: &mut RecvBatch) -> io::Result<usize> {
    let mut metas = [RecvMeta::default(); DATAGRAMS_PER_CALL];
    batch.set_filled(0);
    let (mut buffers, slots) = batch.parts();
    let mut slices: [IoSliceMut<'_>; DATAGRAMS_PER_CALL] =
        std::array::from_fn(|_| IoSliceMut::new(buffers.next().unwrap_or_default()));
    let count = receiver()?.recv(io.into(), &mut slices[..slots.len()], &mut metas)?;
    for (slot, meta) in slots.iter_mut().zip(&metas[..count]) {
        *slot = Slot { from: meta.addr, length: meta.len, stride: meta.stride };
    }
    Ok(batch.set_filled(count))
}

/// quinn's way to receive needs a state that its way to send uses. It is of no socket in particular.
fn receiver() -> io::Result<&'static UdpSocketState> {
    static STATE: OnceLock<UdpSocketState> = OnceLock::new();
    if let Some(state) = STATE.get() {
        return Ok(state);
    }
    // Making one sets options, which are not for the sockets of our users.
    let any = std::net::UdpSocket::bind(("127.0.0.1", 0)).or_else(|_| std::net::UdpSocket::bind("[::1]:0"))?;
    let state = UdpSocketState::new((&any).into())?;
    Ok(STATE.get_or_init(|| state))
}

/// One system call: how many datagrams it took, at least one. A datagram that fails is taken out of the batch.
pub(super) fn send_some(io: &mio::net::UdpSocket, offload: &Offload, batch: &mut SendBatch) -> io::Result<usize> {
    let sent = send_the_first(io, offload, batch);
    match &sent {
        Ok(count) => batch.advance(*count),
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
        Err(_) => batch.advance(1),
    }
    sent
}

fn send_the_first(io: &mio::net::UdpSocket, offload: &Offload, batch: &SendBatch) -> io::Result<usize> {
    let pending = batch.pending();
    let longest = offload.longest.load(Relaxed);
    let (count, bytes) = train(pending, longest);
    if count > 1 {
        match send_train(io, &batch.rest()[..bytes], pending[0]) {
            Ok(()) => return Ok(count),
            Err(error) if may_be_about_a_train(error) => {
                let sent = send_one(io, batch)?;
                offload.learn(error, pending[0].length);
                return Ok(sent);
            }
            Err(error) => return Err(error.into()),
        }
    }
    // Up to where the next train begins.
    let most = pending.len().min(DATAGRAMS_PER_CALL);
    match (1..most).find(|&at| train(&pending[at..], longest).0 > 1).unwrap_or(most) {
        1 => send_one(io, batch),
        count @ 2..=8 => send_one_by_one::<8>(io, batch, count),
        count => send_one_by_one::<DATAGRAMS_PER_CALL>(io, batch, count),
    }
}

/// The train at the head: how many datagrams, and how many bytes.
fn train(pending: &[Outgoing], longest: usize) -> (usize, usize) {
    /// What the system allows (`UDP_MAX_SEGMENTS`), and what a packet can hold.
    const MAX_DATAGRAMS: usize = 64;
    const MAX_BYTES: usize = 65_507;
    let Outgoing { length, to } = pending[0];
    if length == 0 || length > longest {
        return (1, length);
    }
    let (mut count, mut bytes) = (1, length);
    for next in &pending[1..pending.len().min(MAX_DATAGRAMS)] {
        let fits = next.to == to && 0 < next.length && next.length <= length && bytes + next.length <= MAX_BYTES;
        if !fits {
            break;
        }
        (count, bytes) = (count + 1, bytes + next.length);
        if next.length < length {
            break;
        }
    }
    (count, bytes)
}

/// One `sendmsg` of datagrams that are all as long as `first`, but for the last.
fn send_train(io: &mio::net::UdpSocket, bytes: &[u8], first: Outgoing) -> Result<(), Errno> {
    thread_local! {
        /// Room for one message that says how long its datagrams are.
        static HEADERS: RefCell<MultiHeaders<SockaddrStorage>> =
            RefCell::new(MultiHeaders::preallocate(1, Some(nix::cmsg_space!(u16))));
    }
    let length = first.length as u16;
    let slices = [[IoSlice::new(bytes)]];
    let targets = [first.to.map(SockaddrStorage::from)];
    let control = [ControlMessage::UdpGsoSegments(&length)];
    HEADERS.with_borrow_mut(|headers| {
        match sendmmsg(io.as_raw_fd(), headers, &slices, targets, control, MsgFlags::empty()) {
            Ok(_) => Ok(()),
            Err(error) => Err(Errno::from_raw_os_error(error as i32)),
        }
    })
}

fn send_one(io: &mio::net::UdpSocket, batch: &SendBatch) -> io::Result<usize> {
    let Outgoing { length, to } = batch.pending()[0];
    let bytes = &batch.rest()[..length];
    match to {
        Some(to) => transmit_to(io, bytes, to)?,
        None => transmit(io, bytes)?,
    };
    Ok(1)
}

/// One `sendmmsg` of the first `count` datagrams, which are at most `N`: how many it took, at least one.
#[cfg(target_os = "linux")]
fn send_one_by_one<const N: usize>(io: &mio::net::UdpSocket, batch: &SendBatch, count: usize) -> io::Result<usize> {
    use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags, SocketAddrAny, addr::SocketAddrArg};
    let pending = &batch.pending()[..count];
    let mut rest = batch.rest();
    let slices: [[IoSlice<'_>; 1]; N] = std::array::from_fn(|at| {
        let (bytes, behind) = rest.split_at(pending.get(at).map_or(0, |datagram| datagram.length));
        rest = behind;
        [IoSlice::new(bytes)]
    });
    let targets: [Option<SocketAddrAny>; N] =
        std::array::from_fn(|at| pending.get(at).and_then(|datagram| datagram.to).map(|to| to.as_any()));
    let mut controls: [SendAncillaryBuffer<'_, '_, '_>; N] = std::array::from_fn(|_| SendAncillaryBuffer::default());
    let mut of_each = controls.iter_mut();
    let mut messages: [MMsgHdr<'_>; N] = std::array::from_fn(|at| {
        let control = of_each.next().expect("there are as many");
        match &targets[at] {
            Some(target) => MMsgHdr::new_with_addr(target, &slices[at], control),
            None => MMsgHdr::new(&slices[at], control),
        }
    });
    Ok(rustix::net::sendmmsg(io, &mut messages[..count], SendFlags::empty())?)
}

#[cfg(not(target_os = "linux"))]
fn send_one_by_one<const N: usize>(io: &mio::net::UdpSocket, batch: &SendBatch, _count: usize) -> io::Result<usize> {
    send_one(io, batch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trains_are_of_one_length_and_one_address() {
        let (here, there) = (Some(([127, 0, 0, 1], 1).into()), Some(([127, 0, 0, 1], 2).into()));
        let datagrams =
            |lengths: &[usize]| -> Vec<_> { lengths.iter().map(|&length| Outgoing { length, to: here }).collect() };
        let any = usize::MAX;
        assert_eq!(train(&datagrams(&[5]), any), (1, 5));
        assert_eq!(train(&datagrams(&[5, 5, 5, 6]), any), (3, 15), "a longer one begins the next train");
        assert_eq!(train(&datagrams(&[5, 5, 3, 3]), any), (3, 13), "a shorter one ends it");
        assert_eq!(train(&datagrams(&[5, 5, 0]), any), (2, 10), "an empty one can not be in it");
        assert_eq!(train(&datagrams(&[0, 0]), any), (1, 0));
        assert_eq!(train(&datagrams(&[1; 100]), any), (64, 64));
        assert_eq!(train(&datagrams(&[30_000; 3]), any), (2, 60_000));
        let mut two = datagrams(&[5, 5]);
        two[1].to = there;
        assert_eq!(train(&two, any), (1, 5));
    }

    #[test]
    fn what_the_system_refused_in_a_train_is_sent_one_by_one() {
        let offload = Offload::new();
        let datagrams = [Outgoing { length: 2000, to: None }; 2];
        let longest = || offload.longest.load(Relaxed);
        assert_eq!(train(&datagrams, longest()).0, 2);
        offload.learn(Errno::INVAL, 2000);
        assert_eq!(train(&datagrams, longest()).0, 1);
        assert_eq!(train(&[Outgoing { length: 1999, to: None }; 2], longest()).0, 2);
        offload.learn(Errno::IO, 1);
        assert_eq!(train(&[Outgoing { length: 1, to: None }; 2], longest()).0, 1);
    }

    /// To port 0 nothing can be sent, in a train or not.
    #[test]
    fn a_target_that_is_none_says_nothing_about_trains() {
        let socket = mio::net::UdpSocket::bind(([127, 0, 0, 1], 0).into()).unwrap();
        let offload = Offload::new();
        let mut batch = SendBatch::new(3, 30);
        while batch.push(b"0123456789", ([127, 0, 0, 1], 0).into()) {}
        for left in (0..3).rev() {
            let error = send_some(&socket, &offload, &mut batch).unwrap_err();
            assert_eq!((error.kind(), batch.len()), (io::ErrorKind::InvalidInput, left));
        }
        assert_eq!(offload.longest.load(Relaxed), usize::MAX);
    }
}
