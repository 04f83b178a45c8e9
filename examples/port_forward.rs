//! A port forwarder of protocols: each is read at the pace of the other, and half-closed connections stay half-closed.
//!
//! `cargo run --example port_forward -- 127.0.0.1:8080 example.org:80` forwards until Ctrl-C. `proxy.rs` is the same with streams.

use rt::deferred::Failure;
use rt::protocol::policy::LimitTotalConnectionsFactory;
use rt::protocol::{PortForwardFactory, TcpClientEndpoint, listen_tcp};
use std::process::ExitCode;

#[rt::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [from, to] = &arguments[..] else {
        eprintln!("usage: port_forward LISTEN-ADDRESS TARGET-ADDRESS");
        return Ok(ExitCode::FAILURE);
    };
    let interrupted = rt::signal::ctrl_c();
    let forward = PortForwardFactory::new(TcpClientEndpoint::new(to.as_str()))
        .on_failure(|failure| eprintln!("a connection is closed: {failure}"));
    let forward = LimitTotalConnectionsFactory::new(forward, 10_000);
    let connections = forward.count();
    let port = listen_tcp(from.as_str(), forward)?;
    println!("Forwarding {} to {to}", port.host());

    interrupted.await?;
    port.stop_listening().await?;
    println!("{} connections are left", connections.get());
    Ok(ExitCode::SUCCESS)
}
