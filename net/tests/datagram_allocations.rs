//! A protocol over UDP needs no memory per datagram, and a port that waits has no buffer.

#[path = "../../tests/support/counting.rs"]
mod counting;

use counting::{calls, held};
use rt_net::UdpSocket;
use rt_net::protocol::{DatagramProtocol, UdpTransport, listen_udp};
use rt_runtime::{block_on, yield_now};
use std::net::SocketAddr;

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
        let before = calls();
        there_and_back(&client, 10_000).await;
        let allocations = calls() - before;
        assert!(allocations <= 10, "{allocations} allocations for 40000 datagrams");
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
        let before = held();
        let ports: Vec<_> = (0..PORTS).map(|_| listen_udp("127.0.0.1:0", Echo).unwrap()).collect();
        yield_now().await;
        let each = (held() - before) as usize / PORTS;
        println!("an idle port has {each} bytes");
        assert!(each <= 1536, "{each} bytes for each port");
        drop(ports);
    });
}
