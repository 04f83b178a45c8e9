//! Listeners from a parent process: this test starts itself again, with sockets where systemd would put them.
#![cfg(unix)]

use futures_util::io::{AsyncReadExt, AsyncWriteExt};
use rt::net::{AdoptedSockets, TcpListener, TcpStream, UdpSocket};
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::process::Command;

#[test]
fn listeners_of_the_parent() {
    if std::env::var_os("LISTEN_FDS").is_some() {
        return adopt();
    }
    rt::block_on(async {
        assert!(AdoptedSockets::from_env().is_empty());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let datagrams = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let talk = datagrams.local_addr().unwrap();
        // The descriptors 3 and 4, as the protocol has it.
        let child = Command::new("sh")
            .args(["-c", r#"exec 3<&0 4<&1; LISTEN_PID=$$ exec "$0" --exact listeners_of_the_parent --nocapture 1>&2"#])
            .arg(std::env::current_exe().unwrap())
            .env("LISTEN_FDS", "2")
            .env("LISTEN_FDNAMES", "web:talk")
            .stdin(OwnedFd::from(listener.into_std().unwrap()))
            .stdout(OwnedFd::from(datagrams))
            .spawn();
        let mut child = child.unwrap();
        let caller = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        caller.send_to(b"hello", talk).await.unwrap();
        let mut echo = [0; 16];
        let (length, _) = caller.recv_from(&mut echo).await.unwrap();
        assert_eq!(&echo[..length], b"hello");
        let mut client = TcpStream::connect(address).await.unwrap();
        let mut word = String::new();
        client.read_to_string(&mut word).await.unwrap();
        assert_eq!(word, "adopted");
        assert!(child.wait().unwrap().success());
    });
}

/// What the child does.
fn adopt() {
    rt::block_on(async {
        let mut adopted = AdoptedSockets::from_env();
        assert_eq!(adopted.len(), 2);
        assert_eq!(adopted.names().collect::<Vec<_>>(), ["web", "talk"]);
        let unknown = adopted.tcp_listener("mail").unwrap_err();
        assert_eq!(unknown.kind(), ErrorKind::NotFound);
        assert_eq!(unknown.to_string(), r#"the socket "mail" was not handed down: by name there were ["web", "talk"]"#);
        assert_eq!(adopted.tcp_listener(7).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(adopted.tcp_listener("talk").unwrap_err().kind(), ErrorKind::InvalidInput);

        let listener = adopted.tcp_listener("web").unwrap();
        assert_eq!(adopted.tcp_listener(0).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(adopted.unix_listener("talk").unwrap_err().kind(), ErrorKind::InvalidInput);
        let talk = adopted.udp_socket("talk").unwrap();
        let mut word = [0; 16];
        let (length, peer) = talk.recv_from(&mut word).await?;
        talk.send_to(&word[..length], peer).await?;
        let (mut stream, _) = listener.accept().await?;
        stream.write_all(b"adopted").await
    })
    .unwrap_or_else(|error: io::Error| panic!("{error}"));
}
