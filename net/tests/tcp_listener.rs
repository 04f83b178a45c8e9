//! Accepting, and the socket before it.

#[path = "../../tests/support/flavor.rs"]
mod flavor;

use futures_util::StreamExt;
use futures_util::future::join;
use futures_util::io::{AsyncReadExt, AsyncWriteExt};
use rt_net::{TcpListener, TcpSocket, TcpStream, lookup_host};
use std::future::{Future, poll_fn};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

#[test]
fn accept_waits_for_a_connection() {
    flavor::block_on(async {
        let listener = listener().await;
        let mut accepting = pin!(listener.accept());
        assert!(poll_fn(|cx| Poll::Ready(accepting.as_mut().poll(cx))).await.is_pending());
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (_, peer) = accepting.await.unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
    });
}

#[test]
fn dropped_accept_loses_no_connection() {
    flavor::block_on(async {
        let listener = listener().await;
        let mut accepting = Box::pin(listener.accept());
        assert!(poll_fn(|cx| Poll::Ready(accepting.as_mut().poll(cx))).await.is_pending());
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        drop(accepting);
        assert_eq!(listener.accept().await.unwrap().1, client.local_addr().unwrap());
    });
}

#[test]
fn two_tasks_accept_at_once() {
    flavor::block_on(async {
        let listener = listener().await;
        let address = listener.local_addr().unwrap();
        let accepting = join(listener.accept(), listener.accept());
        let connecting =
            async { (TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap()) };
        let ((one, two), (first, second)) = join(accepting, connecting).await;
        let mut accepted = [one.unwrap().1, two.unwrap().1];
        let mut connected = [first.local_addr().unwrap(), second.local_addr().unwrap()];
        accepted.sort();
        connected.sort();
        assert_eq!(accepted, connected);
    });
}

#[test]
fn poll_accept_and_try_accept() {
    flavor::block_on(async {
        let listener = listener().await;
        assert_eq!(listener.try_accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
        let address = listener.local_addr().unwrap();
        let (accepted, client) = join(poll_fn(|cx| listener.poll_accept(cx)), TcpStream::connect(address)).await;
        assert_eq!(accepted.unwrap().1, client.unwrap().local_addr().unwrap());
        let client = std::net::TcpStream::connect(address).unwrap();
        poll_fn(|cx| listener.poll_accept(cx)).await.unwrap();
        drop(client);
        assert_eq!(listener.try_accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
    });
}

#[test]
fn incoming_gives_one_connection_after_the_other() {
    flavor::block_on(async {
        let listener = listener().await;
        let address = listener.local_addr().unwrap();
        let clients: Vec<_> = (0..3).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
        let mut accepted = listener.incoming().take(3).map(|stream| stream.unwrap().peer_addr().unwrap());
        for client in &clients {
            assert_eq!(accepted.next().await, Some(client.local_addr().unwrap()));
        }
    });
}

#[test]
fn connection_that_was_reset_in_the_backlog_does_not_stop_the_listener() {
    flavor::block_on(async {
        let listener = listener().await;
        let address = listener.local_addr().unwrap();
        let gone = TcpStream::connect(address).await.unwrap();
        gone.set_linger(Some(Duration::ZERO)).unwrap();
        let gone_address = gone.local_addr().unwrap();
        drop(gone);
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(b"x").await.unwrap();
        let mut accepted = listener.accept().await.unwrap();
        // Linux hands it out, and the first read tells; others have dropped it.
        if accepted.1 == gone_address {
            assert!(accepted.0.read(&mut [0; 8]).await.is_err());
            accepted = listener.accept().await.unwrap();
        }
        assert_eq!(accepted.0.read(&mut [0; 8]).await.unwrap(), 1);
    });
}

#[test]
fn address_that_is_taken() {
    flavor::block_on(async {
        let listener = listener().await;
        let error = TcpListener::bind(listener.local_addr().unwrap()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    });
}

#[test]
fn address_is_free_again_when_the_listener_is_gone() {
    flavor::block_on(async {
        let first = listener().await;
        let address = first.local_addr().unwrap();
        let client = TcpStream::connect(address).await.unwrap();
        // The connection that the server closes first lingers in the system under this address.
        drop(first.accept().await.unwrap());
        drop((first, client));
        TcpListener::bind(address).await.unwrap();
    });
}

#[test]
fn there_and_back_to_the_standard_library() {
    flavor::block_on(async {
        let listener = listener().await;
        let address = listener.local_addr().unwrap();
        let client = std::net::TcpStream::connect(address).unwrap();
        listener.accept().await.unwrap();
        let listener = TcpListener::from_std(listener.into_std().unwrap()).unwrap();
        let again = std::net::TcpStream::connect(address).unwrap();
        assert_eq!(listener.accept().await.unwrap().1, again.local_addr().unwrap());
        listener.set_ttl(33).unwrap();
        assert_eq!(listener.ttl().unwrap(), 33);
        drop(client);
    });
}

#[test]
fn socket_connects_from_the_address_it_was_bound_to() {
    flavor::block_on(async {
        let listener = listener().await;
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let bound = socket.local_addr().unwrap();
        let stream = socket.connect(listener.local_addr().unwrap()).await.unwrap();
        assert_eq!(stream.local_addr().unwrap(), bound);
        assert_eq!(listener.accept().await.unwrap().1, bound);
    });
}

#[test]
fn socket_that_is_refused() {
    flavor::block_on(async {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let error = TcpSocket::new_v4().unwrap().connect(free).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    });
}

#[test]
fn socket_options() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    assert!(socket.reuseaddr().unwrap());
    socket.set_keepalive(true).unwrap();
    assert!(socket.keepalive().unwrap());
    socket.set_keepalive_time(Duration::from_secs(60)).unwrap();
    socket.set_nodelay(true).unwrap();
    assert!(socket.nodelay().unwrap());
    socket.set_linger(Some(Duration::from_secs(1))).unwrap();
    assert_eq!(socket.linger().unwrap(), Some(Duration::from_secs(1)));
    socket.set_send_buffer_size(32 << 10).unwrap();
    assert!(socket.send_buffer_size().unwrap() >= 32 << 10);
    socket.set_recv_buffer_size(32 << 10).unwrap();
    assert!(socket.recv_buffer_size().unwrap() >= 32 << 10);
    assert!(socket.take_error().unwrap().is_none());
}

#[cfg(unix)]
#[test]
fn two_sockets_listen_on_one_port() {
    let bound = |address: SocketAddr| {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseport(true).unwrap();
        assert!(socket.reuseport().unwrap());
        socket.bind(address).unwrap();
        socket.listen(8).unwrap()
    };
    let first = bound((Ipv4Addr::LOCALHOST, 0).into());
    let second = bound(first.local_addr().unwrap());
    assert_eq!(first.local_addr().unwrap(), second.local_addr().unwrap());
}

#[test]
fn names() {
    flavor::block_on(async {
        let first = async |name: &str| lookup_host(name).await.unwrap().next().unwrap().to_string();
        assert_eq!(first("10.1.2.3:4").await, "10.1.2.3:4");
        assert_eq!(first("[::1]:80").await, "[::1]:80");
        assert!(first("localhost:5").await.ends_with(":5"));
        let ip = lookup_host(("127.0.0.1", 9)).await.unwrap().collect::<Vec<_>>();
        assert_eq!(ip, [SocketAddr::from(([127, 0, 0, 1], 9))]);
        let owned = lookup_host(("::1".to_owned(), 9)).await.unwrap().collect::<Vec<_>>();
        assert_eq!(owned[0].port(), 9);
        assert!(lookup_host("no-such-name.invalid:1").await.map(drop).is_err());
    });
}

/// After some of them the listener asks whether there are more, after others it does not: none is left behind.
#[test]
fn bursts_of_every_size() {
    flavor::block_on(async {
        let listener = listener().await;
        let address = listener.local_addr().unwrap();
        for size in 1..20 {
            let mut clients: Vec<_> = (0..size).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
            for client in &clients {
                assert_eq!(listener.accept().await.unwrap().1, client.local_addr().unwrap());
            }
            assert_eq!(listener.try_accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
            clients.clear();
        }
    });
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}
