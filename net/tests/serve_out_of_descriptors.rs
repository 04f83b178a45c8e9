//! Serving while the process has no descriptor to spare. A process and a test of its own, for its limit of descriptors.
#![cfg(unix)]

#[path = "../../tests/support/flavor.rs"]
mod flavor;
#[path = "support/descriptors.rs"]
mod descriptors;

use descriptors::exhaust;
use futures_util::FutureExt;
use futures_util::io::{AsyncReadExt, AsyncWriteExt};
use rt::net::{TcpListener, TcpSocket, TcpStream, serve};
use rustix::process::{Resource, setrlimit};
use std::future::IntoFuture;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex};

/// Clients that come while there is no descriptor.
const NEWCOMERS: usize = 40;

#[test]
fn newcomers_are_refused_the_others_served_and_all_is_well_when_one_ends() {
    flavor::block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let notices = Arc::new(Mutex::new(Vec::new()));
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
        let mut served = TcpStream::connect(address).await.unwrap();
        talk(&mut served).await;

        // Each worker has the descriptors that it needs for timers, and the newcomers have their sockets, before those run out.
        for worker in 0..flavor::workers().max(1) {
            let timer = || rt::time::sleep(std::time::Duration::from_micros(100));
            rt::spawn_pinned(worker, timer).unwrap().await.unwrap();
        }
        let sockets: Vec<TcpSocket> = (0..NEWCOMERS).map(|_| TcpSocket::new_v4().unwrap()).collect();
        let mut newcomers = Vec::new();
        let before = exhaust();
        for socket in sockets {
            let mut newcomer = socket.connect(address).await.unwrap();
            // It is told at once, by an end or a reset.
            let told = newcomer.read(&mut [0]).await.map_err(|error| error.kind());
            assert!(matches!(told, Ok(0) | Err(ErrorKind::ConnectionReset)), "{told:?}");
            // Its descriptor is not for the others.
            newcomers.push(newcomer);
        }
        talk(&mut served).await;
        {
            let notices = notices.lock().unwrap();
            let [notice] = &notices[..] else { panic!("one line in five seconds: {notices:?}") };
            assert!(notice.starts_with("connections are refused or kept waiting: "), "{notice}");
        }

        // A descriptor is enough for the next.
        drop(newcomers);
        setrlimit(Resource::Nofile, before).unwrap();
        let mut next = TcpStream::connect(address).await.unwrap();
        talk(&mut next).await;
        drop((served, next));
        stop.send(()).unwrap();
        let report = server.await.unwrap().unwrap();
        assert_eq!((report.accepted, report.refused, report.late.len()), (2, NEWCOMERS as u64, 0), "{report}");
    });
}

async fn talk(stream: &mut TcpStream) {
    stream.write_all(b"x").await.unwrap();
    stream.read_exact(&mut [0]).await.unwrap();
}
