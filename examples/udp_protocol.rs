//! A UDP echo server made of callbacks, and a client that talks to it: the counterpart of Twisted's `listenUDP` example.
//!
//! With an address as its argument it is the server only, until Ctrl-C.

use rt::protocol::{ConnectedDatagramProtocol, DatagramProtocol, UdpTransport, connect_udp, listen_udp};
use std::io;
use std::net::SocketAddr;

/// Sends every datagram back to where it came from.
struct Echo;

impl DatagramProtocol for Echo {
    fn datagram_received(&mut self, transport: &UdpTransport, data: &[u8], from: SocketAddr) {
        transport.write(data, from);
    }

    fn send_failed(&mut self, _: &UdpTransport, to: Option<SocketAddr>, error: io::Error) {
        eprintln!("not echoed to {to:?}: {error}");
    }
}

/// Says hello, and leaves with the answer.
struct Hello;

impl ConnectedDatagramProtocol for Hello {
    fn start_protocol(&mut self, transport: &UdpTransport) {
        transport.write(b"hello, echo", None);
    }

    fn datagram_received(&mut self, transport: &UdpTransport, data: &[u8]) {
        println!("{}", String::from_utf8_lossy(data));
        drop(transport.stop_listening());
    }
}

#[rt::main]
async fn main() -> Result<(), rt::Failure> {
    if let Some(address) = std::env::args().nth(1) {
        let port = listen_udp(address, Echo)?;
        println!("echoing on {}", port.host());
        rt::signal::ctrl_c().await?;
        return port.stop_listening().await;
    }
    let server = listen_udp("127.0.0.1:0", Echo)?;
    connect_udp(server.host(), Hello)?.closed().await?;
    server.stop_listening().await
}
