//! A TCP echo server as a protocol, and a client that talks to it.

use rt::protocol::{Protocol, TcpClientEndpoint, Transport, connect_protocol, for_protocol, listen_tcp};

struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data);
    }
}

/// Says something, and keeps the answer.
#[derive(Default)]
struct Caller {
    answer: Vec<u8>,
}

impl Protocol for Caller {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write(QUESTION);
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        self.answer.extend_from_slice(data);
        if self.answer.len() == QUESTION.len() {
            println!("{}", String::from_utf8_lossy(&self.answer));
            transport.lose_connection();
        }
    }
}

const QUESTION: &[u8] = b"hello, echo";

#[rt::main]
async fn main() -> Result<(), rt::deferred::Failure> {
    let port = listen_tcp("127.0.0.1:0", for_protocol(|| Echo))?;
    let endpoint = TcpClientEndpoint::new(port.host().ip().expect("a TCP port"));
    let caller = connect_protocol(&endpoint, Caller::default()).await?;
    caller.transport().closed().await?;
    port.stop_listening().await
}
