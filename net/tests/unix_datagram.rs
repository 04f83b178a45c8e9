//! Unix datagrams.
#![cfg(unix)]

#[path = "support/directory.rs"]
mod directory;
#[path = "../../tests/support/flavor.rs"]
mod flavor;

use directory::Directory;
use futures_util::future::join;
use rt_net::UnixDatagram;
use rt_runtime::Interest;
use std::future::{Future, poll_fn};
use std::io::ErrorKind;
use std::net::Shutdown;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake};
use std::time::Duration;

#[test]
fn there_and_back_by_path() {
    flavor::block_on(async {
        let directory = Directory::new();
        let (a, b) = (directory.path("a"), directory.path("b"));
        let (near, far) = (UnixDatagram::bind(&a).unwrap(), UnixDatagram::bind(&b).unwrap());
        let mut buf = [0; 64];
        for text in ["one", "", "three"] {
            assert_eq!(near.send_to(text.as_bytes(), &b).await.unwrap(), text.len());
            let (n, from) = far.recv_from(&mut buf).await.unwrap();
            assert_eq!((&buf[..n], from.as_pathname()), (text.as_bytes(), Some(&*a)));
            assert_eq!(far.send_to_addr(&buf[..n], &from).await.unwrap(), n);
            assert_eq!(near.recv(&mut buf).await.unwrap(), text.len());
        }
        assert_eq!(near.local_addr().unwrap().as_pathname(), Some(&*a));
        assert!(near.take_error().unwrap().is_none());
    });
}

#[test]
fn connected_by_path() {
    flavor::block_on(async {
        let directory = Directory::new();
        let path = directory.path("socket");
        let near = UnixDatagram::unbound().unwrap();
        assert_eq!(near.connect(&path).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(near.send(b"x").await.unwrap_err().kind(), ErrorKind::NotConnected);
        let far = UnixDatagram::bind(&path).unwrap();
        assert_eq!(UnixDatagram::bind(&path).unwrap_err().kind(), ErrorKind::AddrInUse);
        near.connect(&path).unwrap();
        assert_eq!(near.peer_addr().unwrap().as_pathname(), Some(&*path));
        near.send(b"word").await.unwrap();
        let mut buf = [0; 8];
        let (n, from) = far.recv_from(&mut buf).await.unwrap();
        assert_eq!((n, from.is_unnamed()), (4, true));
        let unnamed = far.send_to_addr(b"x", &from).await.unwrap_err();
        assert_eq!(unnamed.kind(), ErrorKind::InvalidInput);
        near.connect_addr(&far.local_addr().unwrap()).unwrap();
        assert_eq!(far.try_send_to(b"x", directory.path("none")).unwrap_err().kind(), ErrorKind::NotFound);
        let long = directory.path(&"x".repeat(200));
        assert!(near.send_to(b"x", &long).await.is_err());
    });
}

#[cfg(target_os = "linux")]
#[test]
fn abstract_names() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::SocketAddr;
    flavor::block_on(async {
        let name = format!("rt-test-datagram-{}-{:?}", std::process::id(), std::thread::current().id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let far = UnixDatagram::bind_addr(&address).unwrap();
        let near = UnixDatagram::bind(format!("\0{name}-near")).unwrap();
        near.send_to(b"a", format!("\0{name}")).await.unwrap();
        near.send_to_addr(b"b", &address).await.unwrap();
        near.connect_addr(&address).unwrap();
        near.send(b"c").await.unwrap();
        near.connect(format!("\0{name}")).unwrap();
        near.send(b"d").await.unwrap();
        for letter in b"abcd" {
            let mut buf = [0; 8];
            let (n, from) = far.recv_from(&mut buf).await.unwrap();
            assert_eq!(&buf[..n], &[*letter]);
            assert_eq!(from.as_abstract_name(), Some(format!("{name}-near").as_bytes()));
        }
    });
}

#[test]
fn by_polling_and_by_trying() {
    flavor::block_on(async {
        let directory = Directory::new();
        let path = directory.path("socket");
        let far = UnixDatagram::bind(&path).unwrap();
        let near = UnixDatagram::unbound().unwrap();
        let mut buf = [0; 8];
        assert_eq!(far.try_recv(&mut buf).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert_eq!(far.try_recv_from(&mut buf).unwrap_err().kind(), ErrorKind::WouldBlock);
        near.connect(&path).unwrap();
        assert_eq!(near.try_send(b"1").unwrap(), 1);
        assert_eq!(near.try_send_to(b"22", &path).unwrap(), 2);
        poll_fn(|cx| near.poll_send_ready(cx)).await.unwrap();
        assert_eq!(poll_fn(|cx| near.poll_send(cx, b"333")).await.unwrap(), 3);
        assert_eq!(poll_fn(|cx| near.poll_send_to(cx, b"4444", &path)).await.unwrap(), 4);
        poll_fn(|cx| far.poll_recv_ready(cx)).await.unwrap();
        assert_eq!(poll_fn(|cx| far.poll_recv(cx, &mut buf)).await.unwrap(), 1);
        assert_eq!(poll_fn(|cx| far.poll_recv_from(cx, &mut buf)).await.unwrap().0, 2);
        assert_eq!(far.try_recv(&mut buf).unwrap(), 3);
        assert_eq!(far.try_recv_from(&mut buf).unwrap().0, 4);
        near.writable().await.unwrap();
        assert!(near.ready(Interest::WRITABLE).await.unwrap().is_writable());
        near.try_io(Interest::WRITABLE, || rustix_send(&near)).unwrap();
        far.async_io(Interest::READABLE, || rustix_recv(&far)).await.unwrap();
    });
}

fn rustix_send(socket: &UnixDatagram) -> std::io::Result<usize> {
    Ok(rustix::net::send(socket, b"own", rustix::net::SendFlags::empty())?)
}

fn rustix_recv(socket: &UnixDatagram) -> std::io::Result<usize> {
    Ok(rustix::net::recv(socket, &mut [0; 8], rustix::net::RecvFlags::empty())?.0)
}

#[test]
fn what_does_not_fit_is_cut_off_and_the_next_one_is_whole() {
    flavor::block_on(async {
        let (near, far) = UnixDatagram::pair().unwrap();
        near.send(b"a long one").await.unwrap();
        near.send(b"next").await.unwrap();
        let mut buf = [0; 4];
        assert_eq!(far.recv(&mut buf).await.unwrap(), 4);
        assert_eq!(far.recv(&mut buf).await.unwrap(), 4);
        assert_eq!(&buf, b"next");
    });
}

#[test]
fn connected_sender_waits_for_room_and_nothing_is_lost() {
    flavor::block_on(async {
        let (near, far) = UnixDatagram::pair().unwrap();
        let sending = async {
            for i in 0..2000u32 {
                near.send(&i.to_le_bytes()).await.unwrap();
            }
        };
        let receiving = async {
            for i in 0..2000u32 {
                let mut buf = [0; 4];
                assert_eq!(far.recv(&mut buf).await.unwrap(), 4);
                assert_eq!(u32::from_le_bytes(buf), i);
            }
        };
        join(sending, receiving).await;
    });
}

#[test]
fn sending_and_receiving_futures_that_are_dropped_at_every_poll_lose_and_double_nothing() {
    flavor::block_on(async {
        let (near, far) = UnixDatagram::pair().unwrap();
        let (mut sent, mut received, mut drops) = (0u32, 0u32, 0);
        while received < 3000 {
            // The queue is full, or all is sent.
            loop {
                let datagram = sent.to_le_bytes();
                if sent == 3000 || poll_once(pin!(near.send(&datagram))).await.is_pending() {
                    break;
                }
                sent += 1;
            }
            let mut buf = [0; 4];
            while poll_once(pin!(far.recv(&mut buf))).await.is_ready() {
                assert_eq!(u32::from_le_bytes(buf), received);
                received += 1;
            }
            drops += 1;
            rt::task::yield_now().await;
        }
        assert_eq!((sent, received), (3000, 3000));
        assert!(drops > 1);
    });
}

/// Nobody tells a socket that is not connected when another's datagrams have left the queue. In virtual time, so that the pauses
/// take none.
#[test]
fn queue_that_is_full_of_others_datagrams() {
    let runtime = rt::runtime::Builder::new_current_thread().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let directory = Directory::new();
        let path = directory.path("socket");
        let far = UnixDatagram::bind(&path).unwrap();
        let (other, near) = (UnixDatagram::unbound().unwrap(), UnixDatagram::unbound().unwrap());
        let fill = || {
            let mut count = 0;
            while other.try_send_to(b"other", &path).is_ok() {
                count += 1;
            }
            count
        };
        let mut buf = [0; 8];
        for by_polling in [false, true, false] {
            let filled = fill();
            assert_eq!(near.try_send_to(b"x", &path).unwrap_err().kind(), ErrorKind::WouldBlock);
            let mut sending: Pin<Box<dyn Future<Output = std::io::Result<usize>>>> = if by_polling {
                Box::pin(poll_fn(|cx| near.poll_send_to(cx, b"mine!!", &path)))
            } else {
                Box::pin(near.send_to(b"mine!!", &path))
            };
            for _ in 0..3 {
                assert!(poll_once(sending.as_mut()).await.is_pending());
                rt::time::advance(Duration::from_millis(100)).await;
            }
            for _ in 0..filled {
                assert_eq!(far.recv(&mut buf).await.unwrap(), 5);
            }
            assert_eq!(sending.await.unwrap(), 6);
            assert_eq!(far.recv(&mut buf).await.unwrap(), 6);
            assert_eq!(near.try_send_to(b"again", &path).unwrap(), 5);
            assert_eq!(far.recv(&mut buf).await.unwrap(), 5);
        }
        // One that gave up does not keep the next one from trying.
        let filled = fill();
        assert!(poll_once(pin!(near.send_to(b"gave up", &path))).await.is_pending());
        for _ in 0..filled {
            far.recv(&mut buf).await.unwrap();
        }
        assert_eq!(near.send_to(b"mine", &path).await.unwrap(), 4);
        assert_eq!(far.recv(&mut buf).await.unwrap(), 4);
        assert_eq!(far.try_recv(&mut buf).unwrap_err().kind(), ErrorKind::WouldBlock);
    });
}

#[test]
fn queue_that_is_full_of_ones_own_datagrams() {
    flavor::block_on(async {
        let directory = Directory::new();
        let path = directory.path("socket");
        let far = UnixDatagram::bind(&path).unwrap();
        let near = UnixDatagram::unbound().unwrap();
        let sending = async {
            for i in 0..1000u32 {
                near.send_to(&i.to_le_bytes(), &path).await.unwrap();
            }
        };
        let receiving = async {
            for i in 0..1000u32 {
                let mut buf = [0; 4];
                far.recv(&mut buf).await.unwrap();
                assert_eq!(u32::from_le_bytes(buf), i);
            }
        };
        join(sending, receiving).await;
    });
}

#[test]
fn peer_is_gone() {
    flavor::block_on(async {
        let (near, far) = UnixDatagram::pair().unwrap();
        near.send(b"unread").await.unwrap();
        far.send(b"last").await.unwrap();
        drop(far);
        let mut buf = [0; 8];
        assert_eq!(near.recv(&mut buf).await.unwrap(), 4);
        assert!(poll_once(pin!(near.recv(&mut buf))).await.is_pending(), "datagrams have no end");
        assert_eq!(near.send(b"x").await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn futures_go_to_other_threads() {
    flavor::block_on(async {
        let directory = Directory::new();
        let path = directory.path("socket");
        let far = UnixDatagram::bind(&path).unwrap();
        let near = UnixDatagram::unbound().unwrap();
        rt::spawn(async move { near.send_to(b"x", path).await }).await.unwrap().unwrap();
        assert_eq!(rt::spawn(async move { far.recv(&mut [0; 8]).await }).await.unwrap().unwrap(), 1);
    });
}

#[test]
fn shut_down() {
    flavor::block_on(async {
        let (near, far) = UnixDatagram::pair().unwrap();
        near.send(b"last").await.unwrap();
        near.shutdown(Shutdown::Write).unwrap();
        assert_eq!(near.send(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
        let mut buf = [0; 8];
        assert_eq!(far.recv(&mut buf).await.unwrap(), 4);
        far.send(b"back").await.unwrap();
        assert_eq!(near.recv(&mut buf).await.unwrap(), 4);
    });
}

/// No datagram comes any more, and nobody asks for one again and again.
#[test]
fn receiving_is_shut_down() {
    flavor::block_on(async {
        let (near, _far) = UnixDatagram::pair().unwrap();
        near.shutdown(Shutdown::Read).unwrap();
        while !near.ready(Interest::READABLE).await.unwrap().is_read_closed() {
            rt::task::yield_now().await;
        }
        let woken = Arc::new(Woken(AtomicBool::new(false)));
        let mut buf = [0; 8];
        let mut receiving = pin!(near.recv(&mut buf));
        for _ in 0..2 {
            woken.0.store(false, Ordering::SeqCst);
            assert!(receiving.as_mut().poll(&mut Context::from_waker(&woken.clone().into())).is_pending());
            rt::task::yield_now().await;
        }
        assert!(!woken.0.load(Ordering::SeqCst));
    });
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn there_and_back_to_the_standard_library() {
    flavor::block_on(async {
        let (near, mut far) = UnixDatagram::pair().unwrap();
        for _ in 0..3 {
            near.send(b"x").await.unwrap();
            assert_eq!(far.recv(&mut [0; 8]).await.unwrap(), 1);
            assert!(poll_once(pin!(far.recv(&mut [0; 8]))).await.is_pending(), "it is watched");
            let plain = far.into_std().unwrap();
            assert_eq!(plain.recv(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
            far = UnixDatagram::try_from(plain).unwrap();
        }
    });
}

/// Polls once with the task's waker.
async fn poll_once<F: Future + ?Sized>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}
