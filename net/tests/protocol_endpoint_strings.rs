//! Endpoints in writing: what is understood, and what is said of mistakes.

use rt::protocol::{
    AnyStreamClientEndpoint, AnyStreamServerEndpoint, ConnectOptions, HostnameEndpoint, ListenOptions,
    TcpServerEndpoint, client_from_string, quote_string_argument, server_from_string,
};
use std::fmt::Debug;
use std::time::Duration;

/// That both are the same endpoint, by what they show of themselves.
#[track_caller]
fn same(understood: impl Debug, expected: impl Debug) {
    assert_eq!(format!("{understood:?}"), format!("{expected:?}"));
}

/// What is said of a server, and where.
fn server_mistake(description: &str) -> (String, usize) {
    let error = server_from_string(description).unwrap_err();
    (error.reason().to_owned(), error.offset())
}

fn client_mistake(description: &str) -> (String, usize) {
    let error = client_from_string(description).unwrap_err();
    (error.reason().to_owned(), error.offset())
}

fn told(reason: &str, offset: usize) -> (String, usize) {
    (reason.to_owned(), offset)
}

fn tcp_server(address: &str, backlog: u32) -> AnyStreamServerEndpoint {
    let options = ListenOptions::new().backlog(backlog);
    AnyStreamServerEndpoint::Tcp(TcpServerEndpoint::new(address).with_options(options))
}

#[test]
fn tcp_servers() {
    let understood = |description| server_from_string(description).unwrap();
    same(understood("tcp:80"), tcp_server("0.0.0.0:80", 1024));
    same(understood("TCP:port=80"), tcp_server("0.0.0.0:80", 1024));
    same(understood("tcp:8080:interface=127.0.0.1"), tcp_server("127.0.0.1:8080", 1024));
    same(understood("tcp:8080:127.0.0.1:5"), tcp_server("127.0.0.1:8080", 5));
    same(understood("tcp:backlog=5:80:interface="), tcp_server("0.0.0.0:80", 5));
    same(understood(r"tcp:80:interface=\:\:1"), tcp_server("[::1]:80", 1024));
    same(understood("tcp6:80"), tcp_server("[::]:80", 1024));
    same(understood(r"tcp6:80:5:\:\:1"), tcp_server("[::1]:80", 5));
}

#[test]
fn tcp_clients() {
    let understood = |description| client_from_string(description).unwrap();
    let endpoint = HostnameEndpoint::new("example.com", 80);
    let expected = || AnyStreamClientEndpoint::Tcp(endpoint.clone());
    same(understood("tcp:example.com:80"), expected());
    same(understood("tcp:host=example.com:port=80"), expected());
    same(understood("tcp:host=example.com:80"), expected());
    same(understood("tcp:example.com:port=80"), expected());
    same(understood("tcp:port=80:example.com"), expected());
    let options =
        ConnectOptions::new().timeout(Duration::from_millis(1500)).bind_address("192.0.2.100:0".parse().unwrap());
    same(
        understood("tcp:example.com:80:bindAddress=192.0.2.100:timeout=1.5"),
        AnyStreamClientEndpoint::Tcp(endpoint.with_options(options)),
    );
}

#[cfg(unix)]
#[test]
fn unix_sockets() {
    use rt::protocol::{UnixClientEndpoint, UnixServerEndpoint};
    let options = ListenOptions::new().mode(0o666).lock_file(true);
    let server = |options| AnyStreamServerEndpoint::Unix(UnixServerEndpoint::new("/run/a:b").with_options(options));
    same(server_from_string(r"unix:/run/a\:b").unwrap(), server(options.clone()));
    same(server_from_string(r"unix:address=/run/a\:b:mode=660").unwrap(), server(options.clone().mode(0o660)));
    let options = options.backlog(9).lock_file(false);
    same(server_from_string(r"unix:/run/a\:b:666:9:0").unwrap(), server(options));

    let client =
        UnixClientEndpoint::new("/run/finger").with_options(ConnectOptions::new().timeout(Duration::from_secs(9)));
    let understood = client_from_string("unix:/run/finger:lockfile=1:timeout=9").unwrap();
    same(understood, AnyStreamClientEndpoint::Unix(client.clone()));
    same(client_from_string("unix:path=/run/finger:timeout=9").unwrap(), AnyStreamClientEndpoint::Unix(client));
}

#[test]
fn quoted_text_of_any_kind_is_one_value() {
    for text in ["plain", "a:b=c", r"C:\keys\", "=", r"\=", "späte:Äpfel"] {
        let endpoint = client_from_string(&format!("tcp:{}:80", quote_string_argument(text))).unwrap();
        same(endpoint, AnyStreamClientEndpoint::Tcp(HostnameEndpoint::new(text, 80)));
    }
}

#[test]
fn standard_input_and_output() {
    for text in ["stdio", "stdio:", "STDIO:"] {
        assert!(matches!(server_from_string(text), Ok(AnyStreamServerEndpoint::StandardIo(_))), "{text}");
    }
    assert_eq!(server_mistake("stdio:x"), told("\"x\" is one value too many; stdio takes no arguments", 6));
    assert_eq!(server_mistake("stdio:x=y"), told("there is no argument \"x\"; stdio takes no arguments", 6));
}

#[test]
fn mistakes_in_servers() {
    let number = |text: &str| format!("port is {text:?}; allowed is a number from 0 to 65535");
    assert_eq!(server_mistake("tcp:x"), told(&number("x"), 4));
    assert_eq!(server_mistake("tcp:"), told(&number(""), 4));
    assert_eq!(server_mistake("tcp:port=65536"), told(&number("65536"), 9));
    assert_eq!(server_mistake("tcp:+1"), told(&number("+1"), 4));
    assert_eq!(server_mistake("tcp"), told("tcp needs port", 3));
    assert_eq!(server_mistake("tcp:interface=127.0.0.1"), told("tcp needs port", 23));
    assert_eq!(
        server_mistake("tcp:80:interface=localhost"),
        told("interface is \"localhost\"; allowed is an IP address, its colons with a backslash before each", 17)
    );
    assert_eq!(
        server_mistake("tcp:80:interface=::1"),
        told("\"1\" is one value too many; tcp takes port, interface, backlog", 19)
    );
    assert_eq!(
        server_mistake("tcp:80:backlog=-1"),
        told("backlog is \"-1\"; allowed is a number from 0 to 4294967295", 15)
    );
    assert_eq!(
        server_mistake("tcp:80:colour=red"),
        told("there is no argument \"colour\"; tcp takes port, interface, backlog", 7)
    );
    assert_eq!(server_mistake("tcp:port=80:port=81"), told("port is given twice", 12));
    assert_eq!(
        server_mistake("tcp:80\\"),
        told("nothing follows the backslash; one that stands for itself is written twice", 6)
    );
    assert_eq!(
        server_mistake("tcp=80"),
        told("a description begins with the kind of endpoint, and no \"=\" is in that", 0)
    );
    let (reason, offset) = server_mistake("tpc:80");
    assert!(reason.starts_with("there is no kind of server \"tpc\"; allowed are tcp, tcp6"), "{reason}");
    assert_eq!(offset, 0);
    assert_eq!(server_mistake("").1, 0);
}

#[test]
fn mistakes_in_clients() {
    assert_eq!(client_mistake("tcp:example.com"), told("tcp needs port", 15));
    assert_eq!(client_mistake("tcp:port=80"), told("tcp needs host", 11));
    assert_eq!(client_mistake("tcp::80"), told("host is empty", 4));
    assert_eq!(
        client_mistake("tcp:example.com:80:15"),
        told("\"15\" is one value too many; tcp takes host, port, timeout, bindAddress", 19)
    );
    for seconds in ["soon", "-1", "inf", "NaN"] {
        let reason = format!("timeout is {seconds:?}; allowed is a number of seconds from 0 on");
        assert_eq!(client_mistake(&format!("tcp:example.com:80:timeout={seconds}")), (reason, 27));
    }
    let (reason, _) = client_mistake("udp:example.com:80");
    assert!(reason.starts_with("there is no kind of client \"udp\"; allowed are tcp"), "{reason}");
}

#[cfg(unix)]
#[test]
fn mistakes_in_unix_sockets() {
    assert_eq!(server_mistake("unix:"), told("address is empty", 5));
    for mode in ["9", "+7", "10000", "rw"] {
        let reason = format!("mode is {mode:?}; allowed is an octal number from 0 to 7777");
        assert_eq!(server_mistake(&format!("unix:/run/a:mode={mode}")), (reason, 17));
    }
    assert_eq!(server_mistake("unix:/a:lockfile=yes"), told("lockfile is \"yes\"; allowed is 0 and 1", 17));
    assert_eq!(client_mistake("unix:/a:lockfile=2"), told("lockfile is \"2\"; allowed is 0 and 1", 17));
}

#[cfg(unix)]
#[test]
fn mistakes_in_sockets_of_the_parent() {
    assert_eq!(server_mistake("systemd:INET"), told("systemd needs either index or name", 12));
    assert_eq!(server_mistake("systemd:INET:0:web"), told("both index and name are given; allowed is one of them", 15));
    assert_eq!(server_mistake("systemd:X25:index=0"), told("domain is \"X25\"; allowed is INET, INET6 and UNIX", 8));
    assert_eq!(
        server_mistake("systemd:domain=INET:name=web"),
        told("the socket \"web\" was not handed down: by name there were []", 25)
    );
}

#[test]
fn a_mark_stands_below_the_place() {
    let error = server_from_string("tcp:80:späte=1\n").unwrap_err();
    assert_eq!(error.offset(), 7);
    assert_eq!(error.description(), "tcp:80:späte=1\n");
    let lines: Vec<String> = error.to_string().lines().map(str::to_owned).collect();
    assert_eq!(lines[1], "  tcp:80:späte=1\u{fffd}");
    assert_eq!(lines[2], "         ^^^^^");
    let error = client_from_string("tcp:example.com").unwrap_err();
    assert_eq!(error.to_string(), "tcp needs port\n  tcp:example.com\n                 ^");
}

/// Every text of up to five of these pieces is either understood or refused, with a place within it.
#[test]
fn no_text_is_too_odd() {
    const PIECES: [&str; 8] = ["tcp", "unix", "ä", ":", "=", "\\", "80", "host"];
    let mut texts = vec![String::new()];
    for _ in 0..5 {
        texts = texts.iter().flat_map(|text| PIECES.map(|piece| format!("{text}{piece}"))).collect();
        for text in &texts {
            let errors = [server_from_string(text).err(), client_from_string(text).err()];
            for error in errors.into_iter().flatten() {
                assert!(text.is_char_boundary(error.offset()), "{error}");
                assert_eq!(error.to_string().lines().count(), 3, "{error}");
            }
        }
    }
}
