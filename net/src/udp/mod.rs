//! UDP: the socket, its options, and many datagrams in one call.

#[cfg_attr(any(target_os = "linux", target_os = "android"), path = "batches_linux.rs")]
#[cfg_attr(not(any(target_os = "linux", target_os = "android")), path = "batches_other.rs")]
mod batches;
mod many;
mod options;
mod peek;
mod recv_batch;
mod send_batch;
mod socket;
mod system;

pub use recv_batch::{Datagram, Datagrams, RecvBatch};
pub use send_batch::SendBatch;
pub use socket::UdpSocket;
