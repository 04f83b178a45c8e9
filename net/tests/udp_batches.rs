//! Many datagrams in one call.

#[path = "../../tests/support/flavor.rs"]
mod flavor;

use rt_net::{RecvBatch, SendBatch, UdpSocket};
use std::future::{Future, poll_fn};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::Poll;

#[test]
fn datagrams_of_all_lengths_arrive_as_they_were_and_in_order() {
    flavor::block_on(async {
        let (near, far) = pair().await;
        let sent: Vec<Vec<u8>> =
            [3, 3, 3, 1, 0, 0, 5, 9, 9, 9, 9, 2, 1400, 1400, 7].iter().zip(0..).map(|(&n, i)| vec![i; n]).collect();
        let mut going = SendBatch::new(32, 8192);
        for datagram in &sent {
            assert!(going.push(datagram, addr(&far)));
        }
        assert_eq!(near.send_many(&mut going).await.unwrap(), sent.len());
        assert!(going.is_empty());
        assert_eq!(receive(&far, sent.len()).await, sent);
    });
}

#[test]
fn one_call_receives_what_is_there_and_the_next_one_waits() {
    flavor::block_on(async {
        let (near, far) = pair().await;
        let mut come = RecvBatch::new(8, 100);
        assert_eq!(far.try_recv_many(&mut come).unwrap_err().kind(), ErrorKind::WouldBlock);
        for i in 0..3u8 {
            near.send_to(&[i; 10], addr(&far)).await.unwrap();
        }
        let received = far.recv_many(&mut come).await.unwrap();
        assert_eq!(received, come.len());
        #[cfg(any(target_os = "linux", target_os = "android"))]
        assert_eq!(received, 3);
        for (datagram, i) in come.iter().zip(0..) {
            assert_eq!((datagram.data, datagram.from, datagram.is_truncated), (&[i; 10][..], addr(&near), false));
        }
        assert!(poll_once(pin!(far.recv_many(&mut come))).await.is_pending());
        assert_eq!((come.len(), come.is_empty(), come.iter().count()), (0, true, 0));
    });
}

#[test]
fn more_are_there_than_the_batch_has_room_for() {
    flavor::block_on(async {
        let (near, far) = pair().await;
        for i in 0..7u8 {
            near.send_to(&[i], addr(&far)).await.unwrap();
        }
        let mut come = RecvBatch::new(3, 1);
        let mut got = Vec::new();
        while got.len() < 7 {
            let received = poll_fn(|cx| far.poll_recv_many(cx, &mut come)).await.unwrap();
            assert!((1..=3).contains(&received));
            got.extend(come.iter().map(|datagram| datagram.data[0]));
        }
        assert_eq!(got, (0..7).collect::<Vec<_>>());
    });
}

#[test]
fn too_long_for_its_place_is_told() {
    flavor::block_on(async {
        let (near, far) = pair().await;
        for length in [4, 5, 6, 4000] {
            near.send_to(&vec![1; length], addr(&far)).await.unwrap();
        }
        let mut come = RecvBatch::new(8, 5);
        let mut got = Vec::new();
        while got.len() < 4 {
            far.recv_many(&mut come).await.unwrap();
            got.extend(come.iter().map(|datagram| (datagram.data.len(), datagram.is_truncated)));
        }
        assert_eq!(got, [(4, false), (5, false), (5, true), (5, true)]);
    });
}

#[test]
fn to_many_addresses() {
    flavor::block_on(async {
        let near = bound().await;
        let mut all = Vec::new();
        for _ in 0..40 {
            all.push(bound().await);
        }
        let mut going = SendBatch::new(80, 80);
        for (far, i) in all.iter().zip(0..) {
            assert!(going.push(&[i], addr(far)));
        }
        // Here two trains are among those that go one by one.
        for far in &all[..2] {
            assert!(going.push(b"a", addr(far)) && going.push(b"b", addr(far)));
        }
        assert_eq!(near.send_many(&mut going).await.unwrap(), 44);
        for (far, i) in all.iter().zip(0..).skip(2) {
            assert_eq!(receive(far, 1).await, [vec![i]]);
        }
        for (far, i) in all[..2].iter().zip(0..) {
            assert_eq!(receive(far, 3).await, [&[i][..], b"a", b"b"]);
        }
    });
}

#[test]
fn connected_and_addressed_datagrams_in_one_batch() {
    flavor::block_on(async {
        let (near, far) = pair().await;
        let other = bound().await;
        near.connect(addr(&far)).await.unwrap();
        let mut going = SendBatch::new(8, 64);
        assert!(going.push_connected(b"a") && going.push_connected(b"b") && going.push_connected(b""));
        assert!(going.push(b"c", addr(&other)) && going.push_connected(b"d"));
        assert_eq!(near.send_many(&mut going).await.unwrap(), 5);
        assert_eq!(receive(&far, 4).await, [&b"a"[..], b"b", b"", b"d"]);
        assert_eq!(receive(&other, 1).await, [b"c"]);
    });
}

#[test]
fn batch_that_is_full_takes_no_more_until_it_is_sent() {
    flavor::block_on(async {
        let (near, far) = pair().await;
        let mut going = SendBatch::new(2, 10);
        assert!(going.push(b"12345", addr(&far)));
        assert!(!going.push(b"123456", addr(&far)), "too many bytes");
        assert!(going.push(b"12345", addr(&far)));
        assert!(!going.push(b"", addr(&far)), "too many datagrams");
        assert_eq!(going.len(), 2);
        assert_eq!(near.try_send_many(&mut going).unwrap(), 2);
        assert_eq!(near.try_send_many(&mut going).unwrap(), 0);
        assert!(going.push(b"1234567890", addr(&far)));
        assert_eq!(poll_fn(|cx| near.poll_send_many(cx, &mut going)).await.unwrap(), 1);
        assert_eq!(receive(&far, 3).await, [&b"12345"[..], b"12345", b"1234567890"]);
        assert!(going.push(b"x", addr(&far)));
        going.clear();
        assert_eq!(near.send_many(&mut going).await.unwrap(), 0);
        assert_eq!(poll_fn(|cx| near.poll_send_many(cx, &mut going)).await.unwrap(), 0);
        assert!(poll_once(pin!(far.recv(&mut [0; 8]))).await.is_pending());
    });
}

#[test]
fn datagram_that_can_not_be_sent_leaves_the_batch_and_the_others_are_sent() {
    flavor::block_on(async {
        let (near, far) = pair().await;
        let too_long = vec![0; 65_508];
        let mut going = SendBatch::new(8, 200_000);
        for datagram in [&b"a"[..], b"b", &too_long, b"c", &too_long, &too_long] {
            assert!(going.push(datagram, addr(&far)));
        }
        let mut errors = 0;
        while !going.is_empty() {
            errors += usize::from(near.send_many(&mut going).await.is_err());
        }
        assert_eq!(errors, 3);
        assert_eq!(receive(&far, 3).await, [b"a", b"b", b"c"]);
    });
}

#[test]
fn refused_by_the_peer() {
    flavor::block_on(async {
        let (near, far) = pair().await;
        near.connect(addr(&far)).await.unwrap();
        let gone = addr(&far);
        drop(far);
        near.send(b"x").await.unwrap();
        near.readable().await.unwrap();
        let mut going = SendBatch::new(8, 64);
        assert!(going.push_connected(b"a") && going.push_connected(b"b"));
        assert_eq!(near.send_many(&mut going).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        assert_eq!(going.len(), 1);
        let far = UdpSocket::bind(gone).await.unwrap();
        assert_eq!(near.send_many(&mut going).await.unwrap(), 1);
        assert_eq!(receive(&far, 1).await, [b"b"]);
    });
}

#[test]
fn refused_while_receiving() {
    flavor::block_on(async {
        let (near, far) = pair().await;
        near.connect(addr(&far)).await.unwrap();
        drop(far);
        near.send(b"x").await.unwrap();
        let mut come = RecvBatch::new(8, 8);
        assert_eq!(near.recv_many(&mut come).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        assert!(come.is_empty());
    });
}

/// A train can not be cut into fragments; datagrams that are longer than a packet go one by one then.
#[test]
fn longer_than_a_packet() {
    flavor::block_on(async {
        let (near, far) = pair().await;
        let sent = vec![vec![5; 30_000], vec![6; 30_000], vec![7; 65_507], vec![8; 65_507], vec![9; 2]];
        let mut going = SendBatch::new(8, 1 << 20);
        for datagram in &sent {
            assert!(going.push(datagram, addr(&far)));
        }
        assert_eq!(near.send_many(&mut going).await.unwrap(), 5);
        assert_eq!(receive(&far, 5).await, sent);
    });
}

#[test]
fn over_ipv6() {
    flavor::block_on(async {
        let (near, far) = (UdpSocket::bind("[::1]:0").await.unwrap(), UdpSocket::bind("[::1]:0").await.unwrap());
        let mut going = SendBatch::new(8, 64);
        assert!(going.push(b"aa", addr(&far)) && going.push(b"bb", addr(&far)) && going.push(b"ccc", addr(&far)));
        assert_eq!(near.send_many(&mut going).await.unwrap(), 3);
        let mut come = RecvBatch::new(8, 8);
        let mut got = Vec::new();
        while got.len() < 3 {
            far.recv_many(&mut come).await.unwrap();
            assert!(come.iter().all(|datagram| datagram.from == addr(&near)));
            got.extend(come.iter().map(|datagram| datagram.data.to_vec()));
        }
        assert_eq!(got, [&b"aa"[..], b"bb", b"ccc"]);
    });
}

#[test]
fn receiving_future_that_is_dropped_takes_no_datagram() {
    flavor::block_on(async {
        let (near, far) = pair().await;
        let mut come = RecvBatch::new(8, 8);
        for i in 0..20u8 {
            let mut dropped = Box::pin(far.recv_many(&mut come));
            assert!(poll_once(dropped.as_mut()).await.is_pending());
            near.send_to(&[i], addr(&far)).await.unwrap();
            drop(dropped);
            assert_eq!(far.recv_many(&mut come).await.unwrap(), 1);
            assert_eq!(come.iter().next().unwrap().data, [i]);
        }
    });
}

/// The budget of a task makes it pend in between; sending over loopback never has to wait.
#[test]
fn sending_future_that_is_dropped_at_every_poll_sends_each_datagram_once() {
    flavor::block_on(async {
        let (near, far) = pair().await;
        let other = bound().await;
        for socket in [&far, &other] {
            socket.set_recv_buffer_size(1 << 20).unwrap();
        }
        let mut going = SendBatch::new(512, 4096);
        // One and two in turn, so that no call takes many.
        let mut expected = 0..150u8;
        for i in expected.clone() {
            assert!(going.push(&[i], addr(&far)));
            assert!(going.push(&[i], addr(&other)) && going.push(&[i], addr(&other)));
        }
        let mut drops = 0;
        while !going.is_empty() {
            let mut sending = Box::pin(near.send_many(&mut going));
            drops += usize::from(poll_once(sending.as_mut()).await.is_pending());
            drop(sending);
            rt::task::yield_now().await;
        }
        assert!(drops > 0);
        assert!(receive(&far, 150).await.iter().all(|datagram| datagram[..] == [expected.next().unwrap()]));
        assert_eq!(receive(&other, 300).await.len(), 300);
        assert!(poll_once(pin!(far.recv(&mut [0; 8]))).await.is_pending());
        assert!(poll_once(pin!(other.recv(&mut [0; 8]))).await.is_pending());
    });
}

#[test]
fn futures_go_to_other_threads() {
    flavor::block_on(async {
        let (near, far) = pair().await;
        let receiving = rt::spawn(async move {
            let mut come = RecvBatch::new(8, 8);
            far.recv_many(&mut come).await.map(|_| come)
        });
        let to = near.local_addr().unwrap();
        receiving.abort();
        assert!(receiving.await.unwrap_err().is_cancelled());
        let sending = rt::spawn(async move {
            let mut going = SendBatch::new(8, 8);
            assert!(going.push(b"x", to));
            near.send_many(&mut going).await.unwrap();
            near.recv_from(&mut [0; 8]).await
        });
        assert_eq!(sending.await.unwrap().unwrap(), (1, to));
    });
}

#[test]
#[should_panic(expected = "1 to 32 datagrams, not for 0")]
fn room_for_no_datagram() {
    let _ = RecvBatch::new(0, 100);
}

#[test]
#[should_panic(expected = "1 to 65535 bytes, not for 65536")]
fn room_for_too_long_a_datagram() {
    let _ = RecvBatch::new(1, 65_536);
}

#[cfg(target_os = "linux")]
mod trains {
    use super::*;

    #[test]
    fn train_arrives_whole_and_is_taken_apart() {
        flavor::block_on(async {
            let (near, far) = pair().await;
            far.set_gro(true).unwrap();
            let mut come = RecvBatch::new(4, 65_535);
            // The last one is shorter, in the second train not.
            for lengths in [vec![100; 60].into_iter().chain([7]).collect::<Vec<_>>(), vec![50; 64], vec![3]] {
                let sent: Vec<Vec<u8>> = lengths.iter().zip(0..).map(|(&length, i)| vec![i; length]).collect();
                let mut going = SendBatch::new(64, 1 << 16);
                for datagram in &sent {
                    assert!(going.push(datagram, addr(&far)));
                }
                assert_eq!(near.send_many(&mut going).await.unwrap(), sent.len());
                assert_eq!(far.recv_many(&mut come).await.unwrap(), sent.len(), "one call, more than it has places");
                assert_eq!(come.len(), sent.len());
                let got: Vec<_> = come.into_iter().map(|datagram| datagram.data.to_vec()).collect();
                assert_eq!(got, sent);
                assert!(come.iter().all(|datagram| datagram.from == addr(&near) && !datagram.is_truncated));
            }
        });
    }

    #[test]
    fn train_that_is_longer_than_its_place_is_cut_and_that_is_told() {
        flavor::block_on(async {
            let (near, far) = pair().await;
            far.set_gro(true).unwrap();
            let mut going = SendBatch::new(64, 1 << 16);
            for _ in 0..10 {
                assert!(going.push(&[1; 100], addr(&far)));
            }
            near.send_many(&mut going).await.unwrap();
            let mut come = RecvBatch::new(4, 250);
            assert_eq!(far.recv_many(&mut come).await.unwrap(), 3);
            let got: Vec<_> = come.iter().map(|datagram| (datagram.data.len(), datagram.is_truncated)).collect();
            assert_eq!(got, [(100, false), (100, false), (50, true)]);
        });
    }

    #[test]
    fn empty_datagrams_are_datagrams() {
        flavor::block_on(async {
            let (near, far) = pair().await;
            far.set_gro(true).unwrap();
            let mut going = SendBatch::new(64, 64);
            assert!((0..3).all(|_| going.push(b"", addr(&far))));
            assert_eq!(near.send_many(&mut going).await.unwrap(), 3);
            assert_eq!(receive(&far, 3).await, [b"", b"", b""]);
        });
    }

    /// Nobody can be at port 0, yet a forged datagram can come from there, and be answered.
    #[test]
    fn train_to_an_address_that_can_not_be_does_not_end_trains() {
        flavor::block_on(async {
            let (near, far) = pair().await;
            far.set_gro(true).unwrap();
            let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
            let mut going = SendBatch::new(8, 64);
            assert!(going.push(b"a", nowhere) && going.push(b"b", nowhere));
            assert!(going.push(b"c", addr(&far)) && going.push(b"d", addr(&far)));
            assert_eq!(near.send_many(&mut going).await.unwrap_err().kind(), ErrorKind::InvalidInput);
            assert_eq!(near.send_many(&mut going).await.unwrap_err().kind(), ErrorKind::InvalidInput);
            assert_eq!(near.send_many(&mut going).await.unwrap(), 2);
            let mut come = RecvBatch::new(1, 64);
            assert_eq!(far.recv_many(&mut come).await.unwrap(), 2, "a train is in one place");
        });
    }

    #[test]
    fn type_of_service_is_that_of_the_socket() {
        use rustix::net::sockopt::set_ip_recvtos;
        flavor::block_on(async {
            let (near, far) = pair().await;
            near.set_tos_v4(0x28).unwrap();
            set_ip_recvtos(&far, true).unwrap();
            let mut going = SendBatch::new(8, 64);
            assert!(going.push(b"a", addr(&far)) && going.push(b"b", addr(&far)));
            near.send_many(&mut going).await.unwrap();
            for _ in 0..2 {
                far.readable().await.unwrap();
                let mut space = nix::cmsg_space!(u8);
                let mut buf = [0; 8];
                let mut slices = [std::io::IoSliceMut::new(&mut buf)];
                let message = nix::sys::socket::recvmsg::<nix::sys::socket::SockaddrIn>(
                    std::os::fd::AsRawFd::as_raw_fd(&far),
                    &mut slices,
                    Some(&mut space),
                    nix::sys::socket::MsgFlags::empty(),
                )
                .unwrap();
                let tos: Vec<_> = message.cmsgs().unwrap().collect();
                assert!(matches!(tos[..], [nix::sys::socket::ControlMessageOwned::Ipv4Tos(0x28)]), "{tos:?}");
            }
        });
    }
}

/// Receives until there are `count`.
async fn receive(socket: &UdpSocket, count: usize) -> Vec<Vec<u8>> {
    let mut come = RecvBatch::new(32, 65_535);
    let mut got = Vec::new();
    while got.len() < count {
        socket.recv_many(&mut come).await.unwrap();
        got.extend(come.iter().map(|datagram| datagram.data.to_vec()));
    }
    got
}

async fn bound() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").await.unwrap()
}

async fn pair() -> (UdpSocket, UdpSocket) {
    (bound().await, bound().await)
}

fn addr(socket: &UdpSocket) -> SocketAddr {
    socket.local_addr().unwrap()
}

/// Polls once with the task's waker.
async fn poll_once<F: Future + ?Sized>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}
