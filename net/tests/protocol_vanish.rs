//! Ten thousand clients that connect and vanish leave nothing behind. A process and a test of its own, for its descriptors and its memory.
#![cfg(target_os = "linux")]

#[path = "../../tests/support/flavor.rs"]
mod flavor;
#[path = "support/leaks.rs"]
mod leaks;

use leaks::leaves_nothing;
use rt::net::TcpStream;
use rt::protocol::{Address, ConnectionLost, Protocol, Transport, listen_tcp};
use rt::task::yield_now;
use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

/// In one run; so many at a time.
const CLIENTS: usize = 10_000;
const AT_A_TIME: usize = 200;

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
        flavor::timers_everywhere().await;
        leaves_nothing(CLIENTS, async || run(address, &count).await).await;
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
