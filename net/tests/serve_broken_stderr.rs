//! Serving when nobody reads standard error: this test starts itself again, with a pipe there whose reader is gone.
#![cfg(unix)]

use rt::net::{Listener, TcpListener, TcpStream, serve};
use std::future::IntoFuture;
use std::io;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::task::{Context, Poll};

const CHILD: &str = "RT_TEST_BROKEN_STDERR";

#[test]
fn notice_that_can_not_be_printed() {
    if std::env::var_os(CHILD).is_some() {
        return serve_one();
    }
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "notice_that_can_not_be_printed", "--nocapture"])
        .env(CHILD, "1")
        .stdout(Stdio::null())
        .stderr(writer)
        .status();
    assert!(status.unwrap().success());
}

/// What the child does.
fn serve_one() {
    rt::block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = futures_channel::oneshot::channel::<()>();
        let server = serve(OutOnce { listener, is_out: true }, async |_: TcpStream, _| ())
            .with_graceful_shutdown(async { _ = stopped.await })
            .into_future();
        let server = rt::spawn(server);
        let mut client = TcpStream::connect(address).await.unwrap();
        assert_eq!(futures_util::io::AsyncReadExt::read(&mut client, &mut [0]).await.unwrap(), 0);
        stop.send(()).unwrap();
        let report = server.await.unwrap().unwrap();
        // It may have come before or after there was no descriptor.
        assert_eq!(report.accepted + report.refused, 1);
    });
}

/// Has no descriptor at first.
struct OutOnce {
    listener: TcpListener,
    is_out: bool,
}

impl Listener for OutOnce {
    type Io = TcpStream;
    type Addr = SocketAddr;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        if std::mem::take(&mut self.is_out) {
            return Poll::Ready(Err(io::Error::from_raw_os_error(rustix::io::Errno::MFILE.raw_os_error())));
        }
        self.listener.poll_accept(cx)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}
