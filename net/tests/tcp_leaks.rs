//! Connections that come and go leave nothing behind. A process and a test of its own, for its descriptors and its memory.
#![cfg(target_os = "linux")]

#[path = "../../tests/support/flavor.rs"]
mod flavor;

use futures_util::io::{AsyncReadExt, AsyncWriteExt};
use rt::net::{TcpListener, TcpStream, serve};
use std::alloc::{GlobalAlloc, Layout, System};
use std::future::IntoFuture;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicIsize, Ordering};

/// Opened, used and closed in one run; so many at a time.
const CONNECTIONS: usize = 10_000;
const AT_A_TIME: usize = 100;
/// Less than any allocation that each connection could leave.
const A_WORD_EACH: isize = (CONNECTIONS * size_of::<usize>()) as isize;
const MOST_RUNS: usize = 4;

/// Counts the bytes that are allocated now.
struct Counting;

static ALLOCATED: AtomicIsize = AtomicIsize::new(0);

// SAFETY: it passes every call on to the system's allocator, unchanged, and only counts beside it.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: the caller keeps to the contract of `alloc`, which is the same there.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: `block` came from `alloc` above, that is from the system's allocator, with this layout.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn twenty_thousand_connections_leave_no_descriptor_and_no_memory() {
    flavor::block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = rt::spawn(
            serve(listener, async |mut stream: TcpStream, _| {
                let mut buf = [0; 64];
                loop {
                    match stream.read(&mut buf).await? {
                        0 => return std::io::Result::Ok(()),
                        count => stream.write_all(&buf[..count]).await?,
                    }
                }
            })
            .into_future(),
        );
        // The first run fills pools and tables, which stay. How full they are when a run ends differs a little with several workers; what
        // is lost with each connection is lost in each run.
        run(address).await;
        let before = descriptors();
        let mut left = Vec::new();
        for _ in 0..MOST_RUNS {
            let before = ALLOCATED.load(Ordering::Relaxed);
            run(address).await;
            left.push(ALLOCATED.load(Ordering::Relaxed) - before);
            if left.iter().any(|&bytes| bytes < A_WORD_EACH) {
                break;
            }
        }
        assert_eq!(descriptors(), before);
        assert!(left.iter().any(|&bytes| bytes < A_WORD_EACH), "left of {CONNECTIONS} connections, in bytes: {left:?}");
        server.abort();
    });
}

async fn run(address: SocketAddr) {
    for _ in 0..CONNECTIONS / AT_A_TIME {
        let mut clients = Vec::new();
        for _ in 0..AT_A_TIME {
            clients.push(rt::spawn(talk(address)));
        }
        for client in clients {
            client.await.unwrap();
        }
    }
}

/// Ends when the server has closed its side, so that its descriptor is gone, too.
async fn talk(address: SocketAddr) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"hello").await.unwrap();
    stream.close().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, "hello");
    // Resets the connection's end, so that 20,000 of them do not use up the ports.
    stream.set_linger(Some(std::time::Duration::ZERO)).unwrap();
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}
