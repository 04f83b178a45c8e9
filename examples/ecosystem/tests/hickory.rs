//! Names by hickory on rt: asked of the program `dns_server`, of servers that count or keep silent, and of none.

#[path = "support/dns.rs"]
mod dns;
mod support;

use futures_util::future::join_all;
use hickory_resolver::config::{NameServerConfig, ResolverConfig, ResolverOpts};
use rt::hickory::HickoryResolver;
use rt::net::{DnsResolver, TcpConnector, TcpListener};
use rt::runtime::Builder;
use rt::time::{Duration, Instant};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use support::Program;

fn server(records: &[&str]) -> (Program, SocketAddr) {
    let arguments = [&["127.0.0.1:0", "zone.example"], records].concat();
    let mut program = Program::start(env!("CARGO_BIN_EXE_dns_server"), &arguments);
    let address = program.line_after("Answering on ").parse().unwrap();
    (program, address)
}

fn resolver(server: SocketAddr) -> DnsResolver {
    DnsResolver::builder().no_hosts_file().resolve(HickoryResolver::with_name_servers([server]).unwrap()).build()
}

/// Over UDP only, with the patience of the test.
fn impatient(server: SocketAddr, timeout: Duration) -> DnsResolver {
    let mut config = NameServerConfig::udp(server.ip());
    config.connections[0].port = server.port();
    let mut options = ResolverOpts::default();
    (options.timeout, options.attempts) = (timeout, 1);
    let config = ResolverConfig::from_parts(None, Vec::new(), vec![config]);
    DnsResolver::with(HickoryResolver::with_config(config, options).unwrap())
}

#[rt::test]
async fn both_families_of_a_name() {
    let (_server, address) = server(&["www A 192.0.2.1", "www AAAA 2001:db8::1", "four A 192.0.2.4"]);
    let resolver = resolver(address);
    let expected = ["2001:db8::1", "192.0.2.1"].map(|text| text.parse::<IpAddr>().unwrap());
    assert_eq!(resolver.lookup("www.zone.example").await.unwrap(), expected);
    assert_eq!(resolver.lookup("Four.Zone.Example.").await.unwrap(), [Ipv4Addr::new(192, 0, 2, 4)]);
    assert_eq!(resolver.metrics().threads, 0);
}

#[rt::test]
async fn names_that_are_not_there() {
    let (_server, address) = server(&["texts TXT only words"]);
    let resolver = resolver(address);
    for name in ["absent.zone.example", "texts.zone.example"] {
        let error = resolver.lookup(name).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(error.to_string().contains(name), "{error}");
    }
    // The server is not asked for what is not its zone, and says so.
    let error = resolver.lookup("www.other.example").await.unwrap_err();
    assert!(error.kind() != io::ErrorKind::NotFound && error.to_string().contains("www.other.example"), "{error}");
}

#[rt::test]
async fn answer_that_is_too_long_for_a_datagram() {
    let records: Vec<_> = (0..200).map(|n| format!("many A 192.0.2.{n}")).collect();
    let records: Vec<_> = records.iter().map(String::as_str).collect();
    let (_server, address) = server(&records);
    assert_eq!(resolver(address).lookup("many.zone.example").await.unwrap().len(), 200);
}

#[rt::test]
async fn answers_are_remembered() {
    let (program, address) = server(&["www A 192.0.2.1", "two A 192.0.2.2"]);
    let resolver = impatient(address, Duration::from_millis(300));
    assert_eq!(resolver.lookup("www.zone.example").await.unwrap(), [Ipv4Addr::new(192, 0, 2, 1)]);
    drop(program);
    assert_eq!(resolver.lookup("www.zone.example").await.unwrap(), [Ipv4Addr::new(192, 0, 2, 1)]);
    assert!(resolver.lookup("two.zone.example").await.is_err());
}

/// A server that says how long its answers live, and counts the questions for IPv4.
fn counting_server(time_to_live: u32) -> (SocketAddr, Arc<AtomicUsize>) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (address, count) = (socket.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let counted = count.clone();
    std::thread::spawn(move || {
        let mut message = [0; 1500];
        while let Ok((length, client)) = socket.recv_from(&mut message) {
            // Header and question again; what comes after is EDNS.
            let name_end = 12 + message[12..length].iter().position(|&byte| byte == 0).unwrap() + 1;
            let is_v4 = message[name_end + 1] == dns::A as u8;
            let mut answer = message[..name_end + 4].to_vec();
            answer[2..4].copy_from_slice(&[0x85, 0x80]);
            answer[4..12].copy_from_slice(&[0, 1, 0, u8::from(is_v4), 0, 0, 0, 0]);
            if is_v4 {
                counted.fetch_add(1, SeqCst);
                answer.extend([0xc0, 12, 0, 1, 0, 1]);
                answer.extend(time_to_live.to_be_bytes());
                answer.extend([0, 4, 192, 0, 2, 1]);
            }
            socket.send_to(&answer, client).unwrap();
        }
    });
    (address, count)
}

#[rt::test]
async fn times_to_live_are_kept() {
    for (time_to_live, questions) in [(0, 3), (300, 1)] {
        let (address, count) = counting_server(time_to_live);
        let resolver = resolver(address);
        for _ in 0..3 {
            assert_eq!(resolver.lookup("www.example").await.unwrap(), [Ipv4Addr::new(192, 0, 2, 1)]);
        }
        assert_eq!(count.load(SeqCst), questions, "with {time_to_live} s to live");
    }
}

#[rt::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_lookups_of_ten_names() {
    let (address, count) = counting_server(300);
    let resolver = resolver(address);
    let tasks = (0..200).map(|n| {
        let resolver = resolver.clone();
        rt::spawn(async move { resolver.lookup(&format!("name-{}.example", n % 10)).await.unwrap() })
    });
    for addresses in join_all(tasks).await {
        assert_eq!(addresses.unwrap(), [Ipv4Addr::new(192, 0, 2, 1)]);
    }
    assert_eq!(count.load(SeqCst), 10);
    assert_eq!(resolver.metrics().peak_threads, 0);
}

/// The server takes questions and never answers. Time is virtual: nobody waits for it.
#[test]
fn dead_server() {
    let dead = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = dead.local_addr().unwrap();
    Builder::new_current_thread().start_paused(true).build().unwrap().block_on(async {
        for patience in [Duration::from_secs(2), Duration::from_secs(30)] {
            let start = Instant::now();
            let error = impatient(address, patience).lookup("www.example").await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
            assert!(error.to_string().contains("www.example"), "{error}");
            // More than one attempt, but not many.
            assert!(start.elapsed() >= patience && start.elapsed() <= 3 * patience, "{:?}", start.elapsed());
        }
        let resolver = impatient(address, Duration::from_secs(30));
        let connector = TcpConnector::new().resolver(resolver.clone()).timeout(Duration::from_secs(1));
        let error = connector.connect("www.example:80").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(error.to_string().contains("www.example:80 within 1s"), "{error}");
        assert_eq!(resolver.metrics().under_way, 0);
    });
}

#[rt::test]
async fn no_server_at_the_address() {
    let address = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = impatient(address, Duration::from_millis(300)).lookup("www.example").await.unwrap_err();
    assert!(error.to_string().contains("www.example"), "{error}");
}

#[test]
fn no_name_server_at_all() {
    let error = HickoryResolver::with_name_servers([]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
}

/// What hickory had running in the first, a connection among it, went with it.
#[test]
fn one_resolver_in_two_runtimes_one_after_the_other() {
    let records: Vec<_> = (0..200).map(|n| format!("{} A 192.0.2.{n}", ["one", "two"][n / 100])).collect();
    let records: Vec<_> = records.iter().map(String::as_str).collect();
    let (_server, address) = server(&records);
    let resolver = resolver(address);
    for name in ["one.zone.example", "two.zone.example"] {
        let runtime = Builder::new_current_thread().build().unwrap();
        assert_eq!(runtime.block_on(resolver.lookup(name)).unwrap().len(), 100);
    }
}

#[rt::test]
async fn connecting_by_a_name() {
    let (_server, address) = server(&["www AAAA ::1", "www A 127.0.0.1"]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let connector = TcpConnector::new().resolver(resolver(address));
    let stream = connector.connect(("www.zone.example", port)).await.unwrap();
    assert_eq!(stream.peer_addr().unwrap(), listener.local_addr().unwrap());
}
