//! UDP: the socket, its options, and many datagrams in one call.

mod batch;
#[cfg_attr(any(target_os = "linux", target_os = "android"), path = "batches_linux.rs")]
#[cfg_attr(not(any(target_os = "linux", target_os = "android")), path = "batches_other.rs")]
mod batches;
mod many;
mod options;
mod peek;
mod socket;
mod system;

pub use batch::{Datagram, Datagrams, RecvBatch, SendBatch};
pub use socket::UdpSocket;
