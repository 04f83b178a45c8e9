//! A TCP echo server, and a client that talks to it.

use rt::io::{AsyncReadExt, AsyncWriteExt, copy};
use rt::net::{TcpListener, TcpStream};

#[rt::main]
async fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    rt::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            rt::spawn(echo(stream));
        }
    });

    let mut client = TcpStream::connect(address).await?;
    client.write_all(b"hello, echo").await?;
    client.shutdown().await?;
    let mut answer = String::new();
    client.read_to_string(&mut answer).await?;
    println!("{answer}");
    Ok(())
}

async fn echo(stream: TcpStream) -> std::io::Result<u64> {
    let (reader, mut writer) = stream.into_split();
    copy(reader, &mut writer).await
}
