//! Many datagrams where the system takes them one by one.

use crate::udp::recv_batch::{RecvBatch, Slot};
use crate::udp::send_batch::{Outgoing, SendBatch};
use crate::udp::system::{receive_from, transmit, transmit_to};
use std::io;

/// What Linux has to remember.
pub(super) struct Offload;

impl Offload {
    pub(super) fn new() -> Self {
        Self
    }
}

/// Datagrams until there are no more, or no room: how many came.
pub(super) fn receive_batch(io: &mio::net::UdpSocket, batch: &mut RecvBatch) -> io::Result<usize> {
    batch.set_filled(0);
    if let Some(error) = batch.error().take() {
        return Err(error);
    }
    let (mut filled, mut failure) = (0, None);
    let (buffers, slots) = batch.parts();
    for (buffer, slot) in buffers.zip(slots) {
        match receive_from(io, buffer) {
            Ok((length, from)) => *slot = Slot { from, length, stride: length },
            Err(error) if filled == 0 => return Err(error),
            Err(error) => {
                failure = Some(error).filter(|error| error.kind() != io::ErrorKind::WouldBlock);
                break;
            }
        }
        filled += 1;
    }
    *batch.error() = failure;
    Ok(batch.set_filled(filled))
}

/// One datagram. One that fails is taken out of the batch.
pub(super) fn send_some(io: &mio::net::UdpSocket, _: &Offload, batch: &mut SendBatch) -> io::Result<usize> {
    let Outgoing { length, to } = batch.pending()[0];
    let bytes = &batch.rest()[..length];
    let sent = match to {
        Some(to) => transmit_to(io, bytes, to),
        None => transmit(io, bytes),
    };
    match &sent {
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
        _ => batch.advance(1),
    }
    sent.map(|_| 1)
}
