//! A protocol over UDP needs no memory per datagram, and a port that waits has no buffer.

use rt_net::UdpSocket;
use rt_net::protocol::{DatagramProtocol, UdpTransport, listen_udp};
use rt_runtime::{block_on, yield_now};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::SocketAddr;

/// Counts what this thread allocates.
struct Counting;

thread_local! {
    static CALLS: Cell<usize> = const { Cell::new(0) };
    static BYTES: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    let _ = CALLS.try_with(|calls| calls.set(calls.get() + usize::from(bytes > 0)));
    let _ = BYTES.try_with(|all| all.set(all.get() + bytes));
}

// SAFETY: it passes every call on to the system's allocator, unchanged, and only counts beside it.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller keeps to the contract of `alloc`, which is the same there.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: `block` came from `alloc` above, that is from the system's allocator, with this layout.
        unsafe { System.dealloc(block, layout) }
    }

    // Those that the trait brings would touch all memory that is to be zero.
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: as in `alloc`.
        unsafe { System.alloc_zeroed(layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Echo;

impl DatagramProtocol for Echo {
    fn datagram_received(&mut self, transport: &UdpTransport, data: &[u8], from: SocketAddr) {
        transport.write(data, from);
    }
}

async fn there_and_back(client: &UdpSocket, times: u32) {
    let mut answer = [0; 16];
    for number in 0..times {
        // Several at a time, so that they come together.
        for _ in 0..4 {
            client.send(&number.to_be_bytes()).await.unwrap();
        }
        for _ in 0..4 {
            let length = client.recv(&mut answer).await.unwrap();
            assert_eq!(answer[..length], number.to_be_bytes());
        }
    }
}

#[test]
fn echoes_are_for_free() {
    block_on(async {
        let port = listen_udp("127.0.0.1:0", Echo).unwrap();
        let client = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        client.connect(port.host()).await.unwrap();
        there_and_back(&client, 100).await;
        let before = CALLS.get();
        there_and_back(&client, 10_000).await;
        let calls = CALLS.get() - before;
        assert!(calls <= 10, "{calls} allocations for 40000 datagrams");
    });
}

#[test]
fn idle_ports_are_small() {
    const PORTS: usize = 200;
    block_on(async {
        // The buffer of the thread, and what grows with the first ones.
        let warm_up: Vec<_> = (0..PORTS).map(|_| listen_udp("127.0.0.1:0", Echo).unwrap()).collect();
        yield_now().await;
        for port in &warm_up {
            port.stop_listening().await.unwrap();
        }
        drop(warm_up);
        let before = BYTES.get();
        let ports: Vec<_> = (0..PORTS).map(|_| listen_udp("127.0.0.1:0", Echo).unwrap()).collect();
        yield_now().await;
        let each = (BYTES.get() - before) as usize / PORTS;
        println!("an idle port has {each} bytes");
        assert!(each <= 1536, "{each} bytes for each port");
        drop(ports);
    });
}
