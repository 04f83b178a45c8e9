//! Accepting while the process has no descriptor to spare. A process and a test of its own, for its limit of descriptors.
#![cfg(unix)]

#[path = "../../tests/support/flavor.rs"]
mod flavor;
#[path = "support/descriptors.rs"]
mod descriptors;

use descriptors::{exhaust, paused};
use futures_util::StreamExt;
use rt_net::TcpListener;
use rustix::io::Errno;
use rustix::process::Rlimit;
use std::future::poll_fn;
use std::net::{SocketAddr, TcpStream};

#[test]
fn accept_pauses_until_there_are_descriptors_again() {
    flavor::block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();

        let (waiting, before) = waiting_in_vain(address);
        let error = listener.try_accept().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(Errno::MFILE.raw_os_error()));
        let (_, peer) = paused(listener.accept(), before).await.unwrap();
        assert_eq!(peer, waiting.local_addr().unwrap());

        let (waiting, before) = waiting_in_vain(address);
        let (_, peer) = paused(poll_fn(|cx| listener.poll_accept(cx)), before).await.unwrap();
        assert_eq!(peer, waiting.local_addr().unwrap());

        let (waiting, before) = waiting_in_vain(address);
        let mut incoming = listener.incoming();
        let stream = paused(incoming.next(), before).await.unwrap().unwrap();
        assert_eq!(stream.peer_addr().unwrap(), waiting.local_addr().unwrap());
    });
}

/// A connection in the backlog and no descriptor to accept it with; also the limit to go back to.
fn waiting_in_vain(address: SocketAddr) -> (TcpStream, Rlimit) {
    (TcpStream::connect(address).unwrap(), exhaust())
}
