//! A chat room made of callbacks, after Twisted's chat server and its client that bridges the terminal and the connection.
//!
//! ```text
//! cargo run --release --example chat_protocol -- serve [ADDRESS]        opens a room on 127.0.0.1:3490
//! cargo run --release --example chat_protocol -- join NAME [ADDRESS]    joins a room
//! nc 127.0.0.1 3490                                                     joins it too: the first line is the name
//! ```
//!
//! On the wire it is what the example `chat` speaks, which is the same room in async code.

mod client;
mod room;
mod server;

use rt::Failure;
use std::env;
use std::process::ExitCode;

const ADDRESS: &str = "127.0.0.1:3490";
const USAGE: &str = "usage: chat_protocol serve [ADDRESS]
       chat_protocol join NAME [ADDRESS]
ADDRESS is IP:PORT, 127.0.0.1:3490 by default; port 0 takes a free one.";

#[rt::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments[..] {
        ["serve"] => serve(ADDRESS).await,
        ["serve", address] => serve(address).await,
        ["join", name] => client::join(name, ADDRESS).await,
        ["join", name, address] => client::join(name, address).await,
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("chat_protocol: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Opens a room until Ctrl-C.
async fn serve(address: &str) -> Result<(), Failure> {
    let stop = rt::signal::ctrl_c();
    let (port, room) = server::open(address)?;
    println!("Listening on {}", port.host());
    stop.await?;
    port.stop_listening().await?;
    room.close().await;
    Ok(())
}
