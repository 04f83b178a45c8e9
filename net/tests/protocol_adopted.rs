//! Endpoints on listeners from a parent process: this test starts itself again, with sockets where systemd would put them.
#![cfg(unix)]

#[path = "support/protocols.rs"]
mod protocols;

use futures_util::io::{AsyncReadExt, AsyncWriteExt};
use protocols::Echo;
use rt::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use rt::protocol::{StreamServerEndpoint, for_protocol, server_from_string};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::Command;

#[test]
fn described_listeners_of_the_parent() {
    if std::env::var_os("LISTEN_FDS").is_some() {
        return adopt();
    }
    rt::block_on(async {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = tcp.local_addr().unwrap();
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("adopted-{}", std::process::id()));
        let unix = UnixListener::bind(&path).unwrap();
        // The descriptors 3 and 4, as the protocol has it.
        let script =
            r#"exec 3<&0 4<&1; LISTEN_PID=$$ exec "$0" --exact described_listeners_of_the_parent --nocapture 1>&2"#;
        let child = Command::new("sh")
            .args(["-c", script])
            .arg(std::env::current_exe().unwrap())
            .env("LISTEN_FDS", "2")
            .env("LISTEN_FDNAMES", "web:local")
            .stdin(OwnedFd::from(tcp.into_std().unwrap()))
            .stdout(OwnedFd::from(unix.into_std().unwrap()))
            .spawn();
        let mut child = child.unwrap();
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(b"hello").await.unwrap();
        client.read_exact(&mut [0; 5]).await.unwrap();
        let mut client = UnixStream::connect(&path).await.unwrap();
        client.write_all(b"hello").await.unwrap();
        client.read_exact(&mut [0; 5]).await.unwrap();
        // It has seen enough.
        client.write_all(b"\0").await.unwrap();
        assert!(child.wait().unwrap().success());
        std::fs::remove_file(&path).unwrap();
    });
}

/// What the child does.
fn adopt() {
    rt::block_on(async {
        let said = |text: &str| server_from_string(text).unwrap_err().to_string();
        let unknown = said("systemd:INET:name=mail");
        assert!(
            unknown.contains(r#"the socket "mail" was not handed down: by name there were ["web", "local"]"#),
            "{unknown}"
        );
        let wrong = said("systemd:UNIX:index=0");
        assert!(wrong.contains("is not a valid unix stream socket"), "{wrong}");

        let web = server_from_string("systemd:domain=INET:index=0").unwrap();
        let (seen, done) = rt::deferred::Deferred::new();
        let local = server_from_string("systemd:UNIX:name=local").unwrap();
        assert!(said("systemd:UNIX:name=local").contains("has been taken"));
        let _web = web.listen(for_protocol(|| Echo)).await.unwrap();
        let done = std::rc::Rc::new(done);
        let _local = local.listen(for_protocol(move || Ending(done.clone()))).await.unwrap();
        seen.await.unwrap();
    });
}

/// Echoes until it gets a NUL byte.
struct Ending(std::rc::Rc<rt::deferred::Resolver<()>>);

impl rt::protocol::Protocol for Ending {
    fn data_received(&mut self, transport: &rt::protocol::Transport, data: &[u8]) {
        transport.write(data);
        if data.contains(&0) {
            let _ = self.0.callback(());
        }
    }
}
