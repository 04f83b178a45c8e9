//! Serving while the process has no descriptor to spare. A process and a test of its own, for its limit of descriptors.
#![cfg(unix)]

#[path = "../../tests/support/flavor.rs"]
mod flavor;
#[path = "support/descriptors.rs"]
mod descriptors;
#[path = "support/newcomers.rs"]
mod newcomers;

use futures_util::FutureExt;
use futures_util::io::{AsyncReadExt, AsyncWriteExt};
use newcomers::{NEWCOMERS, Notices};
use rt::net::{TcpListener, TcpStream, serve};
use std::future::IntoFuture;

#[test]
fn newcomers_are_refused_the_others_served_and_all_is_well_when_one_ends() {
    flavor::block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let notices = Notices::default();
        let (stop, stopped) = futures_channel::oneshot::channel::<()>();
        let server = rt::spawn(
            serve(listener, async |mut stream: TcpStream, _| {
                let mut byte = [0];
                while stream.read(&mut byte).await? > 0 {
                    stream.write_all(&byte).await?;
                }
                Ok::<_, std::io::Error>(())
            })
            .on_notice({
                let notices = notices.clone();
                move |notice| notices.lock().unwrap().push(notice.to_string())
            })
            .with_graceful_shutdown(stopped.map(drop))
            .into_future(),
        );
        let clients = newcomers::refused(address, &notices).await;
        drop(clients);
        stop.send(()).unwrap();
        let report = server.await.unwrap().unwrap();
        assert_eq!((report.accepted, report.refused, report.late.len()), (2, NEWCOMERS as u64, 0), "{report}");
    });
}
