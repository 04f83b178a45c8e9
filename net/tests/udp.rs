//! UDP, one datagram at a time.

#[path = "../../tests/support/flavor.rs"]
mod flavor;

use futures_util::future::join;
use rt_net::UdpSocket;
use rt_runtime::{Interest, Ready};
use socket2::SockRef;
use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::{Pin, pin};
use std::task::Poll;

#[test]
fn datagrams_there_and_back() {
    flavor::block_on(async {
        let (near, far) = pair().await;
        let mut buf = [0; 64];
        for text in ["one", "", "three"] {
            assert_eq!(near.send_to(text.as_bytes(), far.local_addr().unwrap()).await.unwrap(), text.len());
            let (n, from) = far.recv_from(&mut buf).await.unwrap();
            assert_eq!((&buf[..n], from), (text.as_bytes(), near.local_addr().unwrap()));
            far.send_to(&buf[..n], from).await.unwrap();
            assert_eq!(near.recv_from(&mut buf).await.unwrap(), (text.len(), far.local_addr().unwrap()));
        }
    });
}

#[test]
fn connected_sockets_hear_each_other_only() {
    flavor::block_on(async {
        let (near, far) = connected().await;
        let stranger = bound().await;
        stranger.send_to(b"noise", near.local_addr().unwrap()).await.unwrap();
        far.send(b"word").await.unwrap();
        let mut buf = [0; 64];
        assert_eq!(near.recv(&mut buf).await.unwrap(), 4);
        assert_eq!(&buf[..4], b"word");
        assert_eq!(near.peer_addr().unwrap(), far.local_addr().unwrap());
        assert_eq!(stranger.peer_addr().unwrap_err().kind(), ErrorKind::NotConnected);
        assert_eq!(would_block(near.try_recv(&mut buf)), ErrorKind::WouldBlock);
    });
}

#[test]
fn over_ipv6() {
    flavor::block_on(async {
        let (near, far) = (UdpSocket::bind("[::1]:0").await.unwrap(), UdpSocket::bind("[::1]:0").await.unwrap());
        near.send_to(b"six", far.local_addr().unwrap()).await.unwrap();
        let mut buf = [0; 8];
        assert_eq!(far.recv_from(&mut buf).await.unwrap(), (3, near.local_addr().unwrap()));
    });
}

#[test]
fn by_name() {
    flavor::block_on(async {
        let far = bound().await;
        let port = far.local_addr().unwrap().port();
        let near = UdpSocket::bind(("localhost", 0)).await.unwrap();
        if near.local_addr().unwrap().is_ipv4() {
            near.send_to(b"a", ("127.0.0.1", port)).await.unwrap();
            near.connect(format!("127.0.0.1:{port}")).await.unwrap();
            near.send(b"b").await.unwrap();
            let mut buf = [0; 1];
            far.recv(&mut buf).await.unwrap();
            far.recv(&mut buf).await.unwrap();
            assert_eq!(&buf, b"b");
        }
        let none: &[SocketAddr] = &[];
        assert_eq!(near.send_to(b"x", none).await.unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(near.connect("nowhere").await.unwrap_err().kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn what_does_not_fit_is_cut_off_and_the_next_one_is_whole() {
    flavor::block_on(async {
        let (near, far) = connected().await;
        near.send(b"a long one").await.unwrap();
        near.send(b"next").await.unwrap();
        let mut buf = [0; 4];
        assert_eq!(far.recv(&mut buf).await.unwrap(), 4);
        assert_eq!(&buf, b"a lo");
        assert_eq!(far.recv(&mut buf).await.unwrap(), 4);
        assert_eq!(&buf, b"next");
    });
}

#[test]
fn peeking_leaves_the_datagram() {
    flavor::block_on(async {
        let (near, far) = connected().await;
        assert_eq!(would_block(far.try_peek_sender()), ErrorKind::WouldBlock);
        near.send(b"abc").await.unwrap();
        let mut buf = [0; 8];
        let from = near.local_addr().unwrap();
        assert_eq!(far.peek_sender().await.unwrap(), from);
        assert_eq!(far.try_peek_sender().unwrap(), from);
        assert_eq!(poll_fn(|cx| far.poll_peek_sender(cx)).await.unwrap(), from);
        assert_eq!(far.peek(&mut buf).await.unwrap(), 3);
        assert_eq!(far.try_peek(&mut buf).unwrap(), 3);
        assert_eq!(poll_fn(|cx| far.poll_peek(cx, &mut buf)).await.unwrap(), 3);
        assert_eq!(far.peek_from(&mut buf).await.unwrap(), (3, from));
        assert_eq!(far.try_peek_from(&mut buf).unwrap(), (3, from));
        assert_eq!(poll_fn(|cx| far.poll_peek_from(cx, &mut buf)).await.unwrap(), (3, from));
        assert_eq!(far.recv(&mut buf).await.unwrap(), 3);
        assert_eq!(would_block(far.try_peek(&mut buf)), ErrorKind::WouldBlock);
    });
}

#[test]
fn by_polling() {
    flavor::block_on(async {
        let (near, far) = connected().await;
        let to = far.local_addr().unwrap();
        poll_fn(|cx| near.poll_send_ready(cx)).await.unwrap();
        assert_eq!(poll_fn(|cx| near.poll_send(cx, b"a")).await.unwrap(), 1);
        assert_eq!(poll_fn(|cx| near.poll_send_to(cx, b"bc", to)).await.unwrap(), 2);
        poll_fn(|cx| far.poll_recv_ready(cx)).await.unwrap();
        let mut buf = [0; 8];
        assert_eq!(poll_fn(|cx| far.poll_recv(cx, &mut buf)).await.unwrap(), 1);
        let from = near.local_addr().unwrap();
        assert_eq!(poll_fn(|cx| far.poll_recv_from(cx, &mut buf)).await.unwrap(), (2, from));
        assert!(poll_once(pin!(poll_fn(|cx| far.poll_recv(cx, &mut buf)))).await.is_pending());
    });
}

#[test]
fn by_trying() {
    flavor::block_on(async {
        let (near, far) = connected().await;
        let mut buf = [0; 8];
        assert_eq!(would_block(far.try_recv_from(&mut buf)), ErrorKind::WouldBlock);
        assert_eq!(near.try_send(b"a").unwrap(), 1);
        assert_eq!(near.try_send_to(b"bc", far.local_addr().unwrap()).unwrap(), 2);
        far.readable().await.unwrap();
        assert_eq!(far.try_recv(&mut buf).unwrap(), 1);
        assert_eq!(far.try_recv_from(&mut buf).unwrap(), (2, near.local_addr().unwrap()));
        assert_eq!(would_block(far.try_recv_from(&mut buf)), ErrorKind::WouldBlock);
        near.writable().await.unwrap();
        assert_eq!(near.ready(Interest::READABLE | Interest::WRITABLE).await.unwrap(), Ready::WRITABLE);
    });
}

#[test]
fn users_own_operations() {
    flavor::block_on(async {
        let (near, far) = connected().await;
        assert_eq!(near.try_io(Interest::WRITABLE, || SockRef::from(&near).send(b"own")).unwrap(), 3);
        let mut buf = [std::mem::MaybeUninit::uninit(); 8];
        let n = far.async_io(Interest::READABLE, || SockRef::from(&far).recv(&mut buf)).await.unwrap();
        assert_eq!(n, 3);
    });
}

#[test]
fn receiving_future_that_is_dropped_at_every_poll_loses_no_datagram() {
    flavor::block_on(async {
        let (near, far) = connected().await;
        let mut got = Vec::new();
        for round in 0..50u8 {
            let mut buf = [0; 8];
            let mut dropped = Box::pin(far.recv(&mut buf));
            let polled = poll_once(dropped.as_mut()).await;
            assert!(polled.is_pending(), "nothing was sent");
            near.send(&[round]).await.unwrap();
            drop(dropped);
            if round % 2 == 0 {
                // One that may be ready when it is dropped unpolled, too.
                drop(far.recv(&mut buf));
            }
            assert_eq!(far.recv(&mut buf).await.unwrap(), 1);
            got.push(buf[0]);
        }
        assert_eq!(got, (0..50).collect::<Vec<_>>());
        assert_eq!(would_block(far.try_recv(&mut [0; 8])), ErrorKind::WouldBlock);
    });
}

#[test]
fn two_tasks_receive_and_none_gets_the_other_ones() {
    flavor::block_on(async {
        let (near, far) = connected().await;
        let (mut a, mut b) = ([0; 8], [0; 8]);
        let receiving = join(far.recv(&mut a), far.recv(&mut b));
        let sending = async {
            near.send(b"x").await.unwrap();
            near.send(b"yy").await.unwrap();
        };
        let ((first, second), ()) = join(receiving, sending).await;
        assert_eq!(first.unwrap() + second.unwrap(), 3);
    });
}

#[test]
fn nobody_listens_at_the_other_end() {
    flavor::block_on(async {
        let (near, far) = connected().await;
        drop(far);
        near.send(b"x").await.unwrap();
        let error = near.recv(&mut [0; 8]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        // The error is told once, and the socket goes on.
        assert!(poll_once(pin!(near.recv(&mut [0; 8]))).await.is_pending());
        let next = bound().await;
        near.connect(next.local_addr().unwrap()).await.unwrap();
        near.send(b"y").await.unwrap();
        assert_eq!(next.recv(&mut [0; 8]).await.unwrap(), 1);
    });
}

#[test]
fn too_long_a_datagram_is_an_error() {
    flavor::block_on(async {
        let (near, far) = connected().await;
        assert!(near.send(&[0; 65_508]).await.is_err());
        near.send(&[7; 65_507]).await.unwrap();
        let mut buf = vec![0; 65_536];
        assert_eq!(far.recv(&mut buf).await.unwrap(), 65_507);
    });
}

#[test]
fn address_in_use() {
    flavor::block_on(async {
        let near = bound().await;
        let error = UdpSocket::bind(near.local_addr().unwrap()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
    });
}

#[test]
fn options() {
    flavor::block_on(async {
        let socket = bound().await;
        socket.set_broadcast(true).unwrap();
        assert!(socket.broadcast().unwrap());
        socket.set_ttl(42).unwrap();
        assert_eq!(socket.ttl().unwrap(), 42);
        socket.set_multicast_loop_v4(false).unwrap();
        assert!(!socket.multicast_loop_v4().unwrap());
        socket.set_multicast_ttl_v4(7).unwrap();
        assert_eq!(socket.multicast_ttl_v4().unwrap(), 7);
        socket.set_multicast_if_v4(Ipv4Addr::LOCALHOST).unwrap();
        assert_eq!(socket.multicast_if_v4().unwrap(), Ipv4Addr::LOCALHOST);
        socket.set_tos_v4(0x10).unwrap();
        assert_eq!(socket.tos_v4().unwrap(), 0x10);
        socket.set_recv_buffer_size(1 << 16).unwrap();
        assert!(socket.recv_buffer_size().unwrap() >= 1 << 16);
        socket.set_send_buffer_size(1 << 16).unwrap();
        assert!(socket.send_buffer_size().unwrap() >= 1 << 16);
        assert!(socket.take_error().unwrap().is_none());

        let six = UdpSocket::bind("[::1]:0").await.unwrap();
        six.set_multicast_loop_v6(false).unwrap();
        assert!(!six.multicast_loop_v6().unwrap());
        six.set_multicast_hops_v6(9).unwrap();
        assert_eq!(six.multicast_hops_v6().unwrap(), 9);
        six.set_multicast_if_v6(1).unwrap();
        assert_eq!(six.multicast_if_v6().unwrap(), 1);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn options_of_linux() {
    flavor::block_on(async {
        let six = UdpSocket::bind("[::1]:0").await.unwrap();
        six.set_tclass_v6(0x20).unwrap();
        assert_eq!(six.tclass_v6().unwrap(), 0x20);
        let socket = bound().await;
        assert_eq!(socket.device().unwrap(), None);
        assert!(socket.bind_device(Some(b"no-such-device")).is_err());
        assert!(!socket.gro().unwrap());
        socket.set_gro(true).unwrap();
        assert!(socket.gro().unwrap());
    });
}

#[test]
fn multicast_v4_on_the_loopback_interface() {
    flavor::block_on(async {
        let group = Ipv4Addr::new(239, 255, 77, 1);
        let receiver = UdpSocket::bind("0.0.0.0:0").await.unwrap();
        receiver.join_multicast_v4(group, Ipv4Addr::LOCALHOST).unwrap();
        let again = receiver.join_multicast_v4(group, Ipv4Addr::LOCALHOST).unwrap_err();
        assert_eq!(again.kind(), ErrorKind::AddrInUse);
        let sender = bound().await;
        sender.set_multicast_if_v4(Ipv4Addr::LOCALHOST).unwrap();
        let port = receiver.local_addr().unwrap().port();
        sender.send_to(b"all", (group, port)).await.unwrap();
        assert_eq!(receiver.recv(&mut [0; 8]).await.unwrap(), 3);
        receiver.leave_multicast_v4(group, Ipv4Addr::LOCALHOST).unwrap();
        assert!(receiver.leave_multicast_v4(group, Ipv4Addr::LOCALHOST).is_err());
        assert!(receiver.join_multicast_v4(Ipv4Addr::LOCALHOST, Ipv4Addr::LOCALHOST).is_err());
    });
}

#[test]
fn multicast_v6_groups_are_joined_and_left() {
    flavor::block_on(async {
        let group: Ipv6Addr = "ff01::7701".parse().unwrap();
        let socket = UdpSocket::bind("[::]:0").await.unwrap();
        // The index of the loopback interface.
        socket.join_multicast_v6(&group, 1).unwrap();
        assert!(socket.join_multicast_v6(&group, 1).is_err());
        socket.leave_multicast_v6(&group, 1).unwrap();
        assert!(socket.leave_multicast_v6(&group, 1).is_err());
    });
}

#[test]
fn broadcast_needs_the_option() {
    flavor::block_on(async {
        let socket = bound().await;
        let everybody = (Ipv4Addr::BROADCAST, socket.local_addr().unwrap().port());
        assert_eq!(socket.send_to(b"x", everybody).await.unwrap_err().kind(), ErrorKind::PermissionDenied);
    });
}

#[test]
fn there_and_back_to_the_standard_library() {
    flavor::block_on(async {
        let (near, mut far) = connected().await;
        for _ in 0..3 {
            near.send(b"x").await.unwrap();
            assert_eq!(far.recv(&mut [0; 8]).await.unwrap(), 1);
            assert!(poll_once(pin!(far.recv(&mut [0; 8]))).await.is_pending(), "it is watched");
            let plain = far.into_std().unwrap();
            assert_eq!(plain.recv(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
            far = UdpSocket::try_from(plain).unwrap();
        }
        assert!(format!("{far:?}").contains("127.0.0.1"));
    });
}

async fn bound() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").await.unwrap()
}

async fn pair() -> (UdpSocket, UdpSocket) {
    (bound().await, bound().await)
}

async fn connected() -> (UdpSocket, UdpSocket) {
    let (near, far) = pair().await;
    near.connect(far.local_addr().unwrap()).await.unwrap();
    far.connect(near.local_addr().unwrap()).await.unwrap();
    (near, far)
}

fn would_block<T: std::fmt::Debug>(result: io::Result<T>) -> ErrorKind {
    result.unwrap_err().kind()
}

/// Polls once with the task's waker.
async fn poll_once<F: Future + ?Sized>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}
