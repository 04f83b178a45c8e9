//! A TLS echo server: `tls_echo CERTIFICATES KEY [ADDRESS]`, both files in PEM. Try it with `openssl s_client -connect ADDRESS`.
//!
//! It serves until Ctrl-C.

use std::io;
use std::process::ExitCode;

use rt::io::{AsyncReadExt, AsyncWriteExt, copy};
use rt::net::tls::{TlsAcceptor, TlsListener, TlsStream};
use rt::net::{TcpListener, TcpStream};

#[rt::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (certificates, key, address) = match &arguments[..] {
        [certificates, key] => (certificates, key, "127.0.0.1:0"),
        [certificates, key, address] => (certificates, key, address.as_str()),
        _ => {
            eprintln!("usage: tls_echo CERTIFICATES KEY [ADDRESS]");
            return ExitCode::from(2);
        }
    };
    let serving = async {
        let acceptor = TlsAcceptor::from_pem_files(certificates, key)?;
        let listener = TcpListener::bind(address).await?;
        println!("Listening on {}", listener.local_addr()?);
        serve(TlsListener::new(listener, acceptor)).await
    };
    let ended = rt::select! {
        result = serving => result,
        result = rt::signal::ctrl_c() => result,
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tls_echo: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(listener: TlsListener) -> io::Result<()> {
    let mut listener = listener.on_failure(|error, peer| eprintln!("{peer}: {error}"));
    loop {
        let (stream, peer) = listener.accept().await?;
        rt::spawn(async move {
            if let Err(error) = echo(stream).await {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

async fn echo(stream: TlsStream<TcpStream>) -> io::Result<()> {
    let (reader, mut writer) = stream.split();
    copy(reader, &mut writer).await?;
    // Tells the client that this was all, and not cut off.
    writer.close().await
}
