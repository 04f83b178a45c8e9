//! A UDP echo server, and a client that talks to it.
//!
//! With an address as its argument it is the server only, until Ctrl-C.

use rt::net::{RecvBatch, SendBatch, UdpSocket};
use std::io;

#[rt::main]
async fn main() -> io::Result<()> {
    let Some(address) = std::env::args().nth(1) else { return demonstrate().await };
    let socket = UdpSocket::bind(address).await?;
    println!("echoing on {}", socket.local_addr()?);
    rt::select! {
        result = echo(&socket) => result,
        result = rt::signal::ctrl_c() => result,
    }
}

async fn demonstrate() -> io::Result<()> {
    let server = UdpSocket::bind("127.0.0.1:0").await?;
    let address = server.local_addr()?;
    rt::spawn(async move { echo(&server).await });

    let client = UdpSocket::bind("127.0.0.1:0").await?;
    client.connect(address).await?;
    client.send(b"hello, echo").await?;
    let mut answer = [0; 64];
    let n = client.recv(&mut answer).await?;
    println!("{}", String::from_utf8_lossy(&answer[..n]));
    Ok(())
}

/// Sends every datagram back to where it came from, as many in a call as there are.
async fn echo(socket: &UdpSocket) -> io::Result<()> {
    const LONGEST: usize = 65_507;
    let mut come = RecvBatch::new(RecvBatch::MAX_DATAGRAMS, LONGEST);
    let mut going = SendBatch::new(RecvBatch::MAX_DATAGRAMS, RecvBatch::MAX_DATAGRAMS * LONGEST);
    loop {
        socket.recv_many(&mut come).await?;
        for datagram in &come {
            assert!(going.push(datagram.data, datagram.from), "there is room for all that came");
        }
        while !going.is_empty() {
            // One that can not be sent, to an address without a route for example, is no reason to stop.
            if let Err(error) = socket.send_many(&mut going).await {
                eprintln!("not echoed: {error}");
            }
        }
    }
}
