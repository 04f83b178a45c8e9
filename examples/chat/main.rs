//! A chat room over TCP, after the classic select, Twisted and gevent programs.
//!
//! ```text
//! cargo run --release --example chat                            opens a room on 127.0.0.1:3490 and joins it
//! cargo run --release --example chat -- host NAME [ADDRESS]     the same under another name, or elsewhere
//! cargo run --release --example chat -- serve [ADDRESS]         opens a room and stays out of it
//! cargo run --release --example chat -- join NAME [ADDRESS]     joins a room
//! nc 127.0.0.1 3490                                             joins it too: the first line is the name
//! ```

mod client;
mod lines;
mod outbox;
mod room;
mod server;

use std::env;
use std::future::Future;
use std::io;
use std::process::ExitCode;

use futures_util::FutureExt;
use rt::net::TcpListener;

const ADDRESS: &str = "127.0.0.1:3490";
const USAGE: &str = "usage: chat
       chat host NAME [ADDRESS]
       chat serve [ADDRESS]
       chat join NAME [ADDRESS]
ADDRESS is HOST:PORT, 127.0.0.1:3490 by default; port 0 takes a free one.";

#[rt::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments[..] {
        [] => host(&user_name(), ADDRESS).await,
        ["host", name] => host(name, ADDRESS).await,
        ["host", name, address] => host(name, address).await,
        ["serve"] => serve(ADDRESS).await,
        ["serve", address] => serve(address).await,
        ["join", name] => join(name, ADDRESS).await,
        ["join", name, address] => join(name, address).await,
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chat: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Opens a room for as long as the person at this terminal is in it.
async fn host(name: &str, address: &str) -> io::Result<()> {
    room::check_name(name).map_err(io::Error::other)?;
    let stop = stop_signal()?;
    let listener = listen(address).await?;
    let address = listener.local_addr()?.to_string();
    // Before anybody is accepted: the first to connect is the first in the room.
    let stream = client::enter(name, &address).await?;
    println!("Listening on {address}");
    server::serve(listener, client::stay(name, stream, stop)).await
}

async fn serve(address: &str) -> io::Result<()> {
    let stop = stop_signal()?;
    let listener = listen(address).await?;
    println!("Listening on {}", listener.local_addr()?);
    server::serve(listener, stop.map(Ok)).await
}

async fn join(name: &str, address: &str) -> io::Result<()> {
    room::check_name(name).map_err(io::Error::other)?;
    let stop = stop_signal()?;
    let stream = client::enter(name, address).await?;
    client::stay(name, stream, stop).await
}

async fn listen(address: &str) -> io::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        let hint = match error.kind() {
            io::ErrorKind::AddrInUse => "; join who is there with `join NAME`, or choose another port",
            _ => "",
        };
        io::Error::new(error.kind(), format!("cannot listen on {address}: {error}{hint}"))
    })
}

/// The name of who sits here, if it will do as a name in the room.
fn user_name() -> String {
    let name = env::var("USER").or_else(|_| env::var("USERNAME"));
    name.ok().filter(|name| room::check_name(name).is_ok()).unwrap_or_else(|| "host".to_owned())
}

/// Waits for Ctrl-C or a polite `kill`; what comes from this call on counts.
#[cfg(unix)]
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    use rt::signal::unix::{SignalKind, signal};

    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        rt::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Elsewhere the system ends the program.
#[cfg(not(unix))]
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    Ok(std::future::pending())
}
