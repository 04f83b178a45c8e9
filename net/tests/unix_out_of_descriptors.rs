//! A Unix listener while the process has no descriptor to spare. A process and a test of its own, for its limit of descriptors.
#![cfg(unix)]

#[path = "../../tests/support/flavor.rs"]
mod flavor;
#[path = "support/directory.rs"]
mod directory;

use directory::Directory;
use futures_util::StreamExt;
use rt_net::UnixListener;
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::future::{Future, poll_fn};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::pin::pin;
use std::time::{Duration, Instant};

#[test]
fn accept_pauses_until_there_are_descriptors_again() {
    flavor::block_on(async {
        let directory = Directory::new();
        let path = directory.path("socket");
        let listener = UnixListener::bind(&path).unwrap();

        let (_waiting, before) = exhaust(&path);
        let error = listener.try_accept().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(Errno::MFILE.raw_os_error()));
        paused(listener.accept(), before).await.unwrap();

        let (_waiting, before) = exhaust(&path);
        paused(poll_fn(|cx| listener.poll_accept(cx)), before).await.unwrap();

        let (_waiting, before) = exhaust(&path);
        let mut incoming = listener.incoming();
        paused(incoming.next(), before).await.unwrap().unwrap();
        assert_eq!(listener.try_accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    });
}

/// A connection in the backlog and no descriptor to accept it with; also the limit to go back to.
fn exhaust(path: &Path) -> (UnixStream, Rlimit) {
    let waiting = UnixStream::connect(path).unwrap();
    let before = getrlimit(Resource::Nofile);
    // The lowest free number is what the next descriptor would get.
    let free = waiting.try_clone().unwrap().as_raw_fd() as u64;
    setrlimit(Resource::Nofile, Rlimit { current: Some(free), maximum: before.maximum }).unwrap();
    (waiting, before)
}

/// Polls `accepting` as often as it is woken, and raises the limit before the seventh time. If it spun instead of pausing for 1, 2,
/// 4 and 8 ms at least, that would be sooner than it can be.
async fn paused<F: Future>(accepting: F, before: Rlimit) -> F::Output {
    let mut accepting = pin!(accepting);
    let start = Instant::now();
    let mut polls = 0;
    let output = poll_fn(|cx| {
        polls += 1;
        if polls == 7 {
            setrlimit(Resource::Nofile, before).unwrap();
        }
        let polled = accepting.as_mut().poll(cx);
        assert!(polls >= 7 || polled.is_pending(), "accepted or failed without a descriptor");
        polled
    })
    .await;
    assert_eq!(polls, 7, "the pause is over as soon as there is a descriptor");
    assert!(start.elapsed() >= Duration::from_millis(15));
    output
}
