//! Clients of an echo server that come while there is no descriptor for them.

use crate::descriptors::exhaust;
use crate::flavor;
use futures_util::io::{AsyncReadExt, AsyncWriteExt};
use rt::net::{TcpSocket, TcpStream};
use rustix::process::{Resource, setrlimit};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

/// How many there are.
pub(crate) const NEWCOMERS: usize = 40;

/// What the server says.
pub(crate) type Notices = Arc<Mutex<Vec<String>>>;

/// The server at `address` refuses them, serves who was there before, and all is well when there are descriptors again. Who was there before,
/// and who came after it.
pub(crate) async fn refused(address: SocketAddr, notices: &Notices) -> [TcpStream; 2] {
    let mut served = TcpStream::connect(address).await.unwrap();
    talk(&mut served).await;

    // Each worker has the descriptors that it needs, and the newcomers have their sockets, before those run out.
    flavor::timers_everywhere().await;
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
    [served, next]
}

async fn talk(stream: &mut TcpStream) {
    stream.write_all(b"x").await.unwrap();
    stream.read_exact(&mut [0]).await.unwrap();
}
