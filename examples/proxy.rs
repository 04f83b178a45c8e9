//! A TCP proxy: forwards every connection to another address, both ways, half-closed ones included.
//!
//! `cargo run --example proxy -- 127.0.0.1:8080 example.org:80` forwards until Ctrl-C, and lets connections finish for ten seconds.

use rt::io::copy_bidirectional;
use rt::net::{TcpListener, TcpStream, serve};
use rt::time::{Duration, timeout};
use std::io;
use std::process::ExitCode;
use std::sync::Arc;

#[rt::main]
async fn main() -> io::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [from, to] = &arguments[..] else {
        eprintln!("usage: proxy LISTEN-ADDRESS TARGET-ADDRESS");
        return Ok(ExitCode::FAILURE);
    };
    let listener = TcpListener::bind(from).await?;
    println!("Forwarding {} to {to}", listener.local_addr()?);

    let to: Arc<str> = to.as_str().into();
    let interrupted = rt::signal::ctrl_c();
    let report = serve(listener, move |client, _connection| forward(client, to.clone()))
        .connection_limit(10_000)
        .drain_timeout(Duration::from_secs(10))
        .with_graceful_shutdown(async { _ = interrupted.await })
        .await?;
    println!("{report}");
    Ok(ExitCode::SUCCESS)
}

async fn forward(mut client: TcpStream, to: Arc<str>) -> io::Result<()> {
    let connecting = timeout(Duration::from_secs(10), TcpStream::connect(&*to));
    let mut server =
        connecting.await.map_err(|_| io::Error::new(io::ErrorKind::TimedOut, format!("{to} is silent")))??;
    let (sent, received) = copy_bidirectional(&mut client, &mut server).await?;
    println!("{sent} bytes there, {received} back");
    Ok(())
}
