//! Five thousand connections at once. A process of its own, for its limit of descriptors.
#![cfg(unix)]

#[path = "../../tests/support/flavor.rs"]
mod flavor;

use futures_util::StreamExt;
use futures_util::future::join;
use futures_util::io::{AsyncReadExt, AsyncWriteExt};
use futures_util::stream::FuturesUnordered;
use rt_net::{TcpListener, TcpStream};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const CONNECTIONS: usize = 5_000;

#[test]
fn five_thousand_connections_echo() {
    let connections = allow_descriptors(2 * CONNECTIONS as u64 + 100);
    flavor::block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = async {
            let echoes = listener.incoming().take(connections).map(|stream| echo(stream.unwrap()));
            let done = echoes.buffer_unordered(connections).collect::<Vec<usize>>().await;
            assert_eq!(done, vec![8; connections]);
        };
        let clients = async {
            let mut streams = Vec::new();
            for _ in 0..connections {
                streams.push(TcpStream::connect(address).await.unwrap());
            }
            // All are open before the first one speaks.
            let talks = streams.into_iter().enumerate().map(|(i, stream)| talk(i as u64, stream));
            assert_eq!(talks.collect::<FuturesUnordered<_>>().count().await, connections);
        };
        join(server, clients).await;
    });
}

/// Echoes until the end; how many bytes that were.
async fn echo(mut stream: TcpStream) -> usize {
    let (mut buf, mut total) = ([0; 64], 0);
    loop {
        let n = stream.read(&mut buf).await.unwrap();
        if n == 0 {
            return total;
        }
        total += n;
        stream.write_all(&buf[..n]).await.unwrap();
    }
}

async fn talk(number: u64, mut stream: TcpStream) {
    stream.write_all(&number.to_le_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, number.to_le_bytes());
}

/// Raises the limit as far as this process may; how many connections fit.
fn allow_descriptors(wanted: u64) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let allowed = limit.maximum.map_or(wanted, |maximum| maximum.min(wanted)).max(limit.current.unwrap_or(0));
    setrlimit(Resource::Nofile, Rlimit { current: Some(allowed), maximum: limit.maximum }).unwrap();
    assert!(allowed >= 1_000, "a limit of {allowed} descriptors is too low for this test");
    CONNECTIONS.min((allowed as usize - 100) / 2)
}
