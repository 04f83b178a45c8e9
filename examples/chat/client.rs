//! The terminal's side of a connection.

use std::future::Future;
use std::io::{self, Write};
use std::pin::pin;
use std::time::Duration;

use futures_util::io::{AsyncReadExt, AsyncWriteExt};
use rt::net::{OwnedReadHalf, OwnedWriteHalf, TcpStream};
use rt::time::timeout;

use crate::lines::Lines;

/// Time for the server's last words after we have left.
const GOODBYE: Duration = Duration::from_secs(1);

/// Connects to the room at `address` and says `name`.
pub(crate) async fn enter(name: &str, address: &str) -> io::Result<TcpStream> {
    let explain = |error: io::Error| io::Error::new(error.kind(), format!("cannot join {address}: {error}"));
    let mut stream = TcpStream::connect(address).await.map_err(explain)?;
    stream.set_nodelay(true)?;
    stream.write_all(format!("{name}\n").as_bytes()).await.map_err(explain)?;
    Ok(stream)
}

/// Stays until the person has enough, the server has, or `stop` comes.
pub(crate) async fn stay(name: &str, stream: TcpStream, stop: impl Future<Output = ()>) -> io::Result<()> {
    println!("You are {name}. An empty line, Ctrl-C or Ctrl-D leaves the room.");
    let (reader, mut writer) = stream.into_split();
    let mut listening = pin!(listen(reader));
    rt::select! {
        result = talk(&mut writer) => result?,
        () = stop => {}
        result = &mut listening => {
            eprintln!("The server has closed the connection.");
            return result;
        }
    }
    writer.close().await?;
    timeout(GOODBYE, listening).await.unwrap_or(Ok(()))
}

/// Sends what is typed, up to an empty line or the end of input.
async fn talk(writer: &mut OwnedWriteHalf) -> io::Result<()> {
    let mut typed = Lines::new(rt::io::stdin());
    while let Some(line) = typed.next().await {
        match line {
            Ok(text) if text.is_empty() => break,
            Ok(text) => writer.write_all(format!("{text}\n").as_bytes()).await?,
            Err(refusal) => eprintln!("Not sent: {refusal}."),
        }
    }
    Ok(())
}

/// Prints what comes from the room, until nothing does any more.
async fn listen(mut reader: OwnedReadHalf) -> io::Result<()> {
    let mut buffer = [0; 8192];
    loop {
        let count = reader.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        print(buffer[..count].to_vec()).await?;
    }
}

/// Printing may block, as on a terminal that is stopped with Ctrl-S, and must not hold up the room.
async fn print(bytes: Vec<u8>) -> io::Result<()> {
    let printing = rt::spawn_blocking(move || {
        let mut stdout = io::stdout().lock();
        stdout.write_all(&bytes)?;
        stdout.flush()
    });
    printing.await.map_err(io::Error::other)?
}
