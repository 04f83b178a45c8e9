//! An address where nobody answers.

use rt::net::{TcpListener, TcpSocket, TcpStream};
use std::net::SocketAddr;

/// Linux answers nothing when a listener's queue is full, so who connects there waits for a minute.
pub(crate) struct Silence {
    _full: TcpListener,
    _in_the_queue: TcpStream,
    pub(crate) address: SocketAddr,
}

impl Silence {
    pub(crate) async fn new() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let full = socket.listen(0).unwrap();
        let address = full.local_addr().unwrap();
        Self { _in_the_queue: TcpStream::connect(address).await.unwrap(), _full: full, address }
    }
}
