//! A Unix listener while the process has no descriptor to spare. A process and a test of its own, for its limit of descriptors.
#![cfg(unix)]

#[path = "../../tests/support/flavor.rs"]
mod flavor;
#[path = "support/descriptors.rs"]
mod descriptors;
#[path = "support/directory.rs"]
mod directory;

use descriptors::{exhaust, paused};
use directory::Directory;
use futures_util::StreamExt;
use rt_net::UnixListener;
use rustix::io::Errno;
use rustix::process::Rlimit;
use std::future::poll_fn;
use std::os::unix::net::UnixStream;
use std::path::Path;

#[test]
fn accept_pauses_until_there_are_descriptors_again() {
    flavor::block_on(async {
        let directory = Directory::new();
        let path = directory.path("socket");
        let listener = UnixListener::bind(&path).unwrap();

        let (_waiting, before) = waiting_in_vain(&path);
        let error = listener.try_accept().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(Errno::MFILE.raw_os_error()));
        paused(listener.accept(), before).await.unwrap();

        let (_waiting, before) = waiting_in_vain(&path);
        paused(poll_fn(|cx| listener.poll_accept(cx)), before).await.unwrap();

        let (_waiting, before) = waiting_in_vain(&path);
        let mut incoming = listener.incoming();
        paused(incoming.next(), before).await.unwrap().unwrap();
        assert_eq!(listener.try_accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    });
}

/// A connection in the backlog and no descriptor to accept it with; also the limit to go back to.
fn waiting_in_vain(path: &Path) -> (UnixStream, Rlimit) {
    (UnixStream::connect(path).unwrap(), exhaust())
}
