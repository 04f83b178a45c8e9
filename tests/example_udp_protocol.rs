//! The example `udp_protocol`, alone and as a server for clients of the standard library.

#![cfg(unix)]

mod example;

use example::{End, Example, PATIENCE};
use rustix::process::Signal;
use std::net::{SocketAddr, UdpSocket};

#[test]
fn alone() {
    assert_eq!(Example::start("udp_protocol", [""; 0]).end(), ended_with(&["hello, echo"]));
}

#[test]
fn datagrams_of_all_lengths() {
    let (server, address) = serve();
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.connect(address).unwrap();
    let mut answer = vec![0; 65_536];
    for length in [5, 0, 1, 1400, 65_507] {
        client.send(&vec![7; length]).unwrap();
        let n = client.recv(&mut answer).unwrap();
        assert_eq!(&answer[..n], vec![7; length]);
    }
    // Many at once come back in their order.
    for number in 0..100u8 {
        client.send(&[number]).unwrap();
    }
    for number in 0..100u8 {
        assert_eq!(client.recv(&mut answer).unwrap(), 1);
        assert_eq!(answer[0], number);
    }
    server.signal(Signal::INT);
    assert_eq!(server.end(), ended_with(&[]));
}

#[test]
fn address_that_is_in_use() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let end = Example::start("udp_protocol", [taken.local_addr().unwrap().to_string()]).end();
    assert_eq!(end.code, Some(1));
    assert!(end.stderr.iter().any(|line| line.contains("Address already in use")), "{end:?}");
}

/// A server on an address of its own.
fn serve() -> (Example, SocketAddr) {
    let mut server = Example::start("udp_protocol", ["127.0.0.1:0"]);
    let line = server.line();
    let address = line.strip_prefix("echoing on ").expect("where it listens");
    let address = address.parse().unwrap();
    (server, address)
}

fn ended_with(stdout: &[&str]) -> End {
    End { code: Some(0), stdout: stdout.iter().map(|&line| line.to_owned()).collect(), stderr: Vec::new() }
}
