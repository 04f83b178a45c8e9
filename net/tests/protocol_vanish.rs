//! Ten thousand clients that connect and vanish leave nothing behind. A process and a test of its own, for its descriptors and its memory.
#![cfg(target_os = "linux")]

#[path = "../../tests/support/flavor.rs"]
mod flavor;

use rt::net::TcpStream;
use rt::protocol::{Address, ConnectionLost, Protocol, Transport, listen_tcp};
use rt::task::yield_now;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::{AtomicIsize, Ordering};
use std::time::Duration;

/// In one run; so many at a time.
const CLIENTS: usize = 10_000;
const AT_A_TIME: usize = 200;
/// Less than any allocation that each client could leave.
const A_WORD_EACH: isize = (CLIENTS * size_of::<usize>()) as isize;
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

/// Greets, and so has something to send to who is gone.
struct Greeter(Rc<Count>);

#[derive(Default)]
struct Count {
    made: Cell<usize>,
    lost: Cell<usize>,
    dropped: Cell<usize>,
}

impl Protocol for Greeter {
    fn connection_made(&mut self, transport: &Transport) {
        self.0.made.set(self.0.made.get() + 1);
        transport.write(b"hello");
    }

    fn data_received(&mut self, _: &Transport, _: &[u8]) {}

    fn connection_lost(&mut self, _: &Transport, _: &ConnectionLost) {
        self.0.lost.set(self.0.lost.get() + 1);
    }
}

impl Drop for Greeter {
    fn drop(&mut self) {
        self.0.dropped.set(self.0.dropped.get() + 1);
    }
}

#[test]
fn clients_that_connect_and_vanish() {
    flavor::block_on(async {
        let count = Rc::new(Count::default());
        let port = {
            let count = count.clone();
            listen_tcp("127.0.0.1:0", move |_: &Address| Greeter(count.clone())).unwrap()
        };
        let address = port.host().ip().unwrap();
        // Each worker has the descriptors that it needs for timers.
        for worker in 0..flavor::workers().max(1) {
            let timer = || rt::time::sleep(Duration::from_micros(100));
            rt::spawn_pinned(worker, timer).unwrap().await.unwrap();
        }
        // The first run fills pools and tables, which stay.
        run(address, &count).await;
        let before = descriptors();
        let mut left = Vec::new();
        for _ in 0..MOST_RUNS {
            let before = ALLOCATED.load(Ordering::Relaxed);
            run(address, &count).await;
            left.push(ALLOCATED.load(Ordering::Relaxed) - before);
            if left.iter().any(|&bytes| bytes < A_WORD_EACH) {
                break;
            }
        }
        assert_eq!(descriptors(), before);
        assert!(left.iter().any(|&bytes| bytes < A_WORD_EACH), "left of {CLIENTS} clients, in bytes: {left:?}");
        port.stop_listening().await.unwrap();
    });
}

async fn run(address: SocketAddr, count: &Count) {
    let before = count.made.get();
    for _ in 0..CLIENTS / AT_A_TIME {
        let mut clients = Vec::new();
        for _ in 0..AT_A_TIME {
            clients.push(rt::spawn(async move {
                let stream = TcpStream::connect(address).await.unwrap();
                // Resets the connection, mostly before it is accepted.
                stream.set_linger(Some(Duration::ZERO)).unwrap();
            }));
        }
        for client in clients {
            client.await.unwrap();
        }
    }
    while count.made.get() < before + CLIENTS || count.dropped.get() < count.made.get() {
        yield_now().await;
    }
    assert_eq!(count.lost.get(), count.made.get());
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}
