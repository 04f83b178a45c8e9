//! A port while the process has no descriptor to spare. A process and a test of its own, for its limit of descriptors.
#![cfg(unix)]

#[path = "../../tests/support/flavor.rs"]
mod flavor;
#[path = "support/descriptors.rs"]
mod descriptors;
#[path = "support/protocols.rs"]
mod protocols;

use descriptors::exhaust;
use futures_util::io::{AsyncReadExt, AsyncWriteExt};
use protocols::{Log, NotingFactory};
use rt::net::{TcpSocket, TcpStream};
use rt::protocol::ListenOptions;
use rustix::process::{Resource, setrlimit};
use std::io::ErrorKind;
use std::sync::{Arc, Mutex};

/// Clients that come while there is no descriptor.
const NEWCOMERS: usize = 40;

#[test]
fn newcomers_are_refused_and_all_is_well_when_there_are_descriptors_again() {
    flavor::block_on(async {
        let notices = Arc::new(Mutex::new(Vec::new()));
        let told = notices.clone();
        let log = Log::default();
        let port = ListenOptions::new()
            .on_notice(move |notice| told.lock().unwrap().push(notice.to_string()))
            .listen_tcp("127.0.0.1:0", NotingFactory::new(&log))
            .unwrap();
        let address = port.host().ip().unwrap();
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

        drop(newcomers);
        setrlimit(Resource::Nofile, before).unwrap();
        let mut next = TcpStream::connect(address).await.unwrap();
        talk(&mut next).await;
        port.stop_listening().await.unwrap();
        let built = log.take().iter().filter(|line| *line == "build").count();
        assert_eq!(built, 2, "the factory hears of those who are served");
    });
}

async fn talk(stream: &mut TcpStream) {
    stream.write_all(b"x").await.unwrap();
    stream.read_exact(&mut [0]).await.unwrap();
}
