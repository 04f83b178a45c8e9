//! Servers and clients on whatever the command line describes, such as
//!
//! ```text
//! endpoints serve tcp:8000:interface=127.0.0.1
//! endpoints send tcp:127.0.0.1:8000 hello
//! endpoints serve unix:/tmp/echo:mode=600
//! endpoints send unix:/tmp/echo hello
//! ```

use rt::deferred::Failure;
use rt::protocol::{
    Protocol, StreamServerEndpoint, Transport, client_from_string, connect_protocol, for_protocol, server_from_string,
};

#[rt::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", description] => serve(description).await,
        ["send", description, text] => send(description, text).await,
        _ => Err("usage: endpoints serve DESCRIPTION | endpoints send DESCRIPTION TEXT".into()),
    }
}

/// Echoes until Ctrl-C.
async fn serve(description: &str) -> Result<(), Failure> {
    let port = server_from_string(description)?.listen(for_protocol(|| Echo)).await?;
    println!("echoing on {}", port.host());
    rt::signal::ctrl_c().await?;
    port.stop_listening().await
}

async fn send(description: &str, text: &str) -> Result<(), Failure> {
    let caller = Caller { text: text.to_owned(), answer: Vec::new() };
    let caller = connect_protocol(&client_from_string(description)?, caller).await?;
    let reason = caller.transport().closed().await?;
    if reason.is_clean() { Ok(()) } else { Err(Failure::new(reason)) }
}

struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data);
    }
}

struct Caller {
    text: String,
    answer: Vec<u8>,
}

impl Protocol for Caller {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write(self.text.as_bytes());
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        self.answer.extend_from_slice(data);
        if self.answer.len() >= self.text.len() {
            println!("{}", String::from_utf8_lossy(&self.answer));
            transport.lose_connection();
        }
    }
}
