//! The examples `udp_echo` and `udp_protocol`, which do the same in two styles: alone, and as a server for clients of the standard library and
//! of Python.

#![cfg(unix)]

mod example;

use example::{End, Example, PATIENCE};
use rustix::process::Signal;
use std::net::{SocketAddr, UdpSocket};
use std::process::Command;

/// Each situation is tested with either program.
macro_rules! of_either {
    ($($situation:ident)*) => {
        mod udp_echo {
            $(#[test]
            fn $situation() {
                super::$situation("udp_echo");
            })*
        }

        mod udp_protocol {
            $(#[test]
            fn $situation() {
                super::$situation("udp_protocol");
            })*
        }
    };
}

of_either! {
    alone
    client_of_the_standard_library
    clients_of_different_addresses_get_their_own
    client_in_python
    address_that_is_in_use
}

fn alone(program: &str) {
    let end = Example::start(program, [""; 0]).end();
    assert_eq!(end, ended_with(&["hello, echo"]));
}

fn client_of_the_standard_library(program: &str) {
    let (server, address) = serve(program);
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

fn clients_of_different_addresses_get_their_own(program: &str) {
    let (server, address) = serve(program);
    let clients: Vec<UdpSocket> = (0..10).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
    for round in 0..5u8 {
        for (client, number) in clients.iter().zip(0u8..) {
            client.send_to(&[round, number], address).unwrap();
        }
    }
    for (client, number) in clients.iter().zip(0u8..) {
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        for round in 0..5u8 {
            let mut answer = [0; 8];
            assert_eq!(client.recv_from(&mut answer).unwrap(), (2, address));
            assert_eq!(answer[..2], [round, number]);
        }
    }
    server.signal(Signal::INT);
    assert_eq!(server.end(), ended_with(&[]));
}

fn client_in_python(program: &str) {
    const CLIENT: &str = "
import socket, sys
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.settimeout(60)
client.connect(('127.0.0.1', int(sys.argv[1])))
for text in [b'hello', b'', b'x' * 9000]:
    client.send(text)
    assert client.recv(65536) == text
print('echoed')
";
    if Command::new("python3").arg("--version").output().is_err() {
        println!("skipped: there is no python3");
        return;
    }
    let (server, address) = serve(program);
    let output = Command::new("python3").args(["-c", CLIENT, &address.port().to_string()]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.stdout, b"echoed\n");
    server.signal(Signal::INT);
    assert_eq!(server.end(), ended_with(&[]));
}

fn address_that_is_in_use(program: &str) {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let end = Example::start(program, [taken.local_addr().unwrap().to_string()]).end();
    assert_eq!(end.code, Some(1));
    assert!(
        end.stderr.iter().any(|line| line.contains("AddrInUse") || line.contains("Address already in use")),
        "{end:?}"
    );
}

/// A server on an address of its own.
fn serve(program: &str) -> (Example, SocketAddr) {
    let mut server = Example::start(program, ["127.0.0.1:0"]);
    let line = server.line();
    let address = line.strip_prefix("echoing on ").expect("where it listens");
    let address = address.parse().unwrap();
    (server, address)
}

fn ended_with(stdout: &[&str]) -> End {
    End { code: Some(0), stdout: stdout.iter().map(|&line| line.to_owned()).collect(), stderr: Vec::new() }
}
