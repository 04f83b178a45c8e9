//! Connections that come and go leave nothing behind. A process and a test of its own, for its descriptors and its memory.
#![cfg(target_os = "linux")]

#[path = "../../tests/support/flavor.rs"]
mod flavor;
#[path = "support/leaks.rs"]
mod leaks;

use futures_util::io::{AsyncReadExt, AsyncWriteExt};
use leaks::leaves_nothing;
use rt::net::{TcpListener, TcpStream, serve};
use std::future::IntoFuture;
use std::net::SocketAddr;

/// Opened, used and closed in one run; so many at a time.
const CONNECTIONS: usize = 10_000;
const AT_A_TIME: usize = 100;

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
        leaves_nothing(CONNECTIONS, async || run(address).await).await;
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
