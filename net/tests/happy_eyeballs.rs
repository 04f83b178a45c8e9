//! Connecting to several addresses, with real sockets. The order and timing of attempts have their tests beside the race itself.

#[path = "../../tests/support/flavor.rs"]
mod flavor;

use futures_util::future::poll_immediate;
use futures_util::io::AsyncReadExt;
use rt_net::{DnsResolver, Resolve, Resolving, TcpConnector, TcpListener, TcpStream};
use rt_runtime::time::{Duration, Instant};
use std::future::{Future, pending, poll_fn};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::task::Poll;

/// Of a name, these addresses.
struct These(Vec<IpAddr>);

impl Resolve for These {
    fn resolve(&self, _: &str) -> Resolving {
        let addresses = self.0.clone();
        Box::pin(async move { Ok(addresses) })
    }
}

fn resolver(addresses: &[&str]) -> DnsResolver {
    DnsResolver::with(These(addresses.iter().map(|text| text.parse().unwrap()).collect()))
}

async fn listener(ip: &str) -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((ip.parse::<IpAddr>().unwrap(), 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// An address that refuses.
fn refusing() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[test]
fn name_whose_first_address_refuses() {
    flavor::block_on(async {
        let (listener, address) = listener("127.0.0.2").await;
        let connector = TcpConnector::new().resolver(resolver(&["127.0.0.1", "127.0.0.3", "127.0.0.2"]));
        let stream = connector.connect(("service.example", address.port())).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), address);
        listener.accept().await.unwrap();
    });
}

#[test]
fn first_family_leads_nowhere() {
    flavor::block_on(async {
        let (_listener, address) = listener("127.0.0.1").await;
        let connector = TcpConnector::new().resolver(resolver(&["2001:db8::1", "2001:db8::2", "127.0.0.1"]));
        let stream = connector.connect(("service.example", address.port())).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), address);
    });
}

#[test]
fn losers_are_closed() {
    flavor::block_on(async {
        let (one, first) = listener("127.0.0.1").await;
        let (two, second) = listener("127.0.0.1").await;
        let connector = TcpConnector::new().attempt_delay(Duration::ZERO);
        let stream = connector.connect(&[first, second][..]).await.unwrap();
        // Both were connected before either was looked at.
        let (winner, loser) = if stream.peer_addr().unwrap() == first { (one, two) } else { (two, one) };
        let (mut lost, _) = loser.accept().await.unwrap();
        assert_eq!(lost.read(&mut [0; 1]).await.unwrap(), 0);
        let (mut kept, _) = winner.accept().await.unwrap();
        assert!(poll_immediate(kept.read(&mut [0; 1])).await.is_none());
    });
}

/// Linux answers nothing when a listener's queue is full, so this connects to nobody for a minute.
#[cfg(target_os = "linux")]
#[test]
fn first_address_hangs() {
    let runtime = flavor::builder().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let full = rt_net::TcpSocket::new_v4().unwrap();
        full.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let full = full.listen(0).unwrap();
        let hangs = full.local_addr().unwrap();
        let mut queue = Vec::new();
        for _ in 0..8 {
            let mut connecting = Box::pin(TcpStream::connect(hangs));
            let _ = poll_immediate(&mut connecting).await;
            queue.push(connecting);
        }
        let (_good, good) = listener("127.0.0.1").await;
        let start = Instant::now();
        let stream = TcpStream::connect(&[hangs, good][..]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), good);
        assert_eq!(start.elapsed(), Duration::from_millis(250));
        let error = TcpConnector::new().timeout(Duration::from_secs(2)).connect(hangs).await.unwrap_err();
        assert_eq!((error.kind(), start.elapsed()), (io::ErrorKind::TimedOut, Duration::from_millis(2250)));
        assert!(error.to_string().contains(&hangs.to_string()), "{error}");
    });
}

#[test]
fn all_addresses_fail() {
    flavor::block_on(async {
        let (one, two) = (refusing(), refusing());
        let error = TcpStream::connect(&[one, two][..]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        let text = error.to_string();
        assert!(text.contains(&one.to_string()) && text.contains(&two.to_string()), "{text}");
        let source = error.get_ref().unwrap().source().unwrap().downcast_ref::<io::Error>().unwrap();
        assert!(source.raw_os_error().is_some());
    });
}

#[test]
fn the_only_address_fails() {
    flavor::block_on(async {
        let address = refusing();
        // As the system says it, when the address was the caller's own word.
        let error = TcpStream::connect(address).await.unwrap_err();
        assert!(error.raw_os_error().is_some());
        // With the address, when it came out of a name.
        let connector = TcpConnector::new().resolver(resolver(&["127.0.0.1"]));
        let error = connector.connect(("service.example", address.port())).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        assert!(error.to_string().contains(&address.to_string()), "{error}");
    });
}

#[test]
fn name_without_an_answer_runs_into_the_timeout() {
    struct Dead;
    impl Resolve for Dead {
        fn resolve(&self, _: &str) -> Resolving {
            Box::pin(pending())
        }
    }
    let runtime = flavor::builder().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let connector = TcpConnector::new().resolver(DnsResolver::with(Dead)).timeout(Duration::from_secs(3));
        let start = Instant::now();
        let error = connector.connect("service.example:80").await.unwrap_err();
        assert_eq!((error.kind(), start.elapsed()), (io::ErrorKind::TimedOut, Duration::from_secs(3)));
        assert_eq!(error.to_string(), "no connection to service.example:80 within 3s");
    });
}

#[test]
fn local_addresses_and_options() {
    flavor::block_on(async {
        let (listener, address) = listener("127.0.0.1").await;
        let connector = TcpConnector::new().local_addr("127.0.0.9:0".parse().unwrap()).nodelay(true);
        let stream = connector.connect(address).await.unwrap();
        assert_eq!(stream.local_addr().unwrap().ip(), Ipv4Addr::new(127, 0, 0, 9));
        assert!(stream.nodelay().unwrap());
        assert_eq!(listener.accept().await.unwrap().1, stream.local_addr().unwrap());
        // The other family is left out, or refused if there is nothing else.
        let connector = connector.resolver(resolver(&["::1", "127.0.0.1"]));
        let stream = connector.connect(("service.example", address.port())).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), address);
        for only_v6 in ["[::1]:1", "[::2]:1"] {
            let error = connector.connect(only_v6).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable);
            assert!(error.to_string().contains("IPv4"), "{error}");
        }
        let none = TcpConnector::new().connect(&[][..] as &[SocketAddr]).await.unwrap_err();
        assert_eq!(none.kind(), io::ErrorKind::InvalidInput);
    });
}

#[test]
fn dropped_after_each_of_its_polls() {
    flavor::block_on(async {
        for polls in 1.. {
            let (one, first) = listener("127.0.0.1").await;
            let (two, second) = listener("127.0.0.1").await;
            let addresses = [first, refusing(), second];
            let connector = TcpConnector::new().attempt_delay(Duration::ZERO);
            let connected = {
                let mut connecting = pin!(connector.connect(&addresses[..]));
                let mut left = polls;
                poll_fn(|cx| {
                    left -= 1;
                    match connecting.as_mut().poll(cx) {
                        Poll::Ready(stream) => Poll::Ready(Some(stream.unwrap())),
                        Poll::Pending if left == 0 => Poll::Ready(None),
                        Poll::Pending => Poll::Pending,
                    }
                })
                .await
            };
            let winner = connected.as_ref().map(|stream| stream.peer_addr().unwrap());
            for (listener, address) in [(one, first), (two, second)] {
                // An attempt that was given up is closed, if it came through at all.
                if Some(address) != winner
                    && let Some(Ok((mut lost, _))) = poll_immediate(pin!(listener.accept())).await
                {
                    assert!(matches!(lost.read(&mut [0; 1]).await, Ok(0) | Err(_)));
                }
            }
            if connected.is_some() {
                return;
            }
        }
    });
}

/// Names and races are in memory of their own: who connects to an address does not carry them along.
#[test]
fn future_that_connects_to_an_address_is_small() {
    let address: SocketAddr = "127.0.0.1:1".parse().unwrap();
    let size = size_of_val(&TcpStream::connect(address));
    assert!(size <= 400, "{size} bytes");
}
