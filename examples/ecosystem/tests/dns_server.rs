//! The program `dns_server`, driven by dig and by messages made by hand.

#[path = "support/dns.rs"]
mod dns;
mod support;

use dns::{A, AAAA, Answer, SOA, TXT, question, read};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;
use support::{Program, output_of};

const NO_ERROR: u16 = 0;
const FORMAT_ERROR: u16 = 1;
const NO_SUCH_NAME: u16 = 3;
const NOT_IMPLEMENTED: u16 = 4;
const REFUSED: u16 = 5;
const BAD_VERSION: u16 = 16;

/// The zone that the tests ask about.
fn start() -> (Program, SocketAddr) {
    start_with(&[
        "www A 192.0.2.1",
        "www A 192.0.2.2",
        "www AAAA 2001:db8::1",
        "@ TXT at the top",
        "deep.down TXT words",
    ])
}

fn start_with(records: &[&str]) -> (Program, SocketAddr) {
    let arguments = [&["127.0.0.1:0", "zone.example"], records].concat();
    let mut program = Program::start(env!("CARGO_BIN_EXE_dns_server"), &arguments);
    let address = program.line_after("Answering on ").parse().unwrap();
    (program, address)
}

/// Long texts: each record has about so many bytes.
fn long_text(bytes: usize) -> String {
    format!("long TXT {}", "x".repeat(bytes))
}

fn by_udp(server: SocketAddr, message: &[u8]) -> Answer {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(server).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    socket.send(message).unwrap();
    let mut answer = [0; 65536];
    let length = socket.recv(&mut answer).unwrap();
    read(&answer[..length])
}

fn by_tcp(stream: &mut TcpStream, message: &[u8]) -> Answer {
    stream.write_all(&framed(message)).unwrap();
    next_answer(stream)
}

/// As TCP wants it: behind its length, and in one piece, which is not held back for an acknowledgement.
fn framed(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u16).to_be_bytes(), message].concat()
}

fn next_answer(stream: &mut TcpStream) -> Answer {
    let mut length = [0; 2];
    stream.read_exact(&mut length).unwrap();
    let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut answer).unwrap();
    read(&answer)
}

#[test]
fn addresses_and_texts() {
    let (_server, address) = start();
    let answer = by_udp(address, &question(7, "www.zone.example", A, None));
    assert_eq!((answer.id, answer.is_answer, answer.authoritative, answer.code), (7, true, true, NO_ERROR));
    let ips = [Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 2)];
    assert_eq!(answer.answers, ips.map(|ip| (A, ip.octets().to_vec())));
    let answer = by_udp(address, &question(8, "WWW.Zone.EXAMPLE", AAAA, None));
    let ip: Ipv6Addr = "2001:db8::1".parse().unwrap();
    assert_eq!(answer.answers, [(AAAA, ip.octets().to_vec())]);
    let answer = by_udp(address, &question(9, "zone.example", TXT, None));
    assert_eq!(answer.answers, [(TXT, b"\x0aat the top".to_vec())]);
    assert_eq!((answer.edns, answer.truncated), (None, false));
}

#[test]
fn names_and_types_that_are_not_there() {
    let (_server, address) = start();
    for (name, kind, code) in [
        ("nobody.zone.example", A, NO_SUCH_NAME),
        ("www.zone.example", TXT, NO_ERROR),
        // Nothing is here, but something below.
        ("down.zone.example", A, NO_ERROR),
    ] {
        let answer = by_udp(address, &question(1, name, kind, None));
        assert_eq!((answer.code, answer.authoritative), (code, true), "{name}");
        assert!(answer.answers.is_empty());
        assert_eq!(answer.authorities, [SOA]);
    }
}

#[test]
fn what_is_not_its_business() {
    let (_server, address) = start();
    for name in ["example", "www.other.example", "xzone.example"] {
        let answer = by_udp(address, &question(1, name, A, None));
        assert_eq!((answer.code, answer.authoritative, answer.answers.len()), (REFUSED, false, 0), "{name}");
    }
    let mut update = question(2, "zone.example", SOA, None);
    update[2] |= 5 << 3;
    assert_eq!(by_udp(address, &update).code, NOT_IMPLEMENTED);
    let mut no_question = question(3, "", A, None);
    no_question.truncate(12);
    no_question[5] = 0;
    assert_eq!(by_udp(address, &no_question).code, FORMAT_ERROR);
    let mut other_class = question(4, "www.zone.example", A, None);
    *other_class.last_mut().unwrap() = 3;
    assert_eq!(by_udp(address, &other_class).code, REFUSED);
}

#[test]
fn nonsense_is_refused_or_ignored() {
    let (_server, address) = start();
    let mut cut = question(5, "www.zone.example", A, None);
    cut.truncate(20);
    let answer = by_udp(address, &cut);
    assert_eq!((answer.id, answer.code), (5, FORMAT_ERROR));
    // Nobody answers an answer, or less than a header: the next that comes is for the question after them.
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(address).unwrap();
    let mut answered = question(6, "www.zone.example", A, None);
    answered[2] |= 0x80;
    socket.send(&answered).unwrap();
    answered.truncate(20);
    socket.send(&answered).unwrap();
    socket.send(b"short").unwrap();
    socket.send(&question(9, "www.zone.example", A, None)).unwrap();
    let mut answer = [0; 512];
    let length = socket.recv(&mut answer).unwrap();
    assert_eq!(read(&answer[..length]).id, 9);
}

#[test]
fn datagrams_have_the_size_that_was_agreed_on() {
    let texts = [long_text(800)];
    let (_server, address) = start_with(&[&texts[0]]);
    let ask = |edns| by_udp(address, &question(1, "long.zone.example", TXT, edns));
    let without = ask(None);
    assert_eq!((without.truncated, without.answers.len(), without.edns), (true, 0, None));
    let with = ask(Some(1232));
    assert_eq!((with.truncated, with.answers.len(), with.edns), (false, 1, Some(1232)));
    // Less than the smallest counts as that.
    assert!(ask(Some(100)).truncated);

    let (_server, address) = start_with(&[&long_text(800), &long_text(700)]);
    let ask = |edns| by_udp(address, &question(1, "long.zone.example", TXT, edns));
    assert!(ask(Some(65535)).truncated, "no datagram is longer than 1232 bytes");
    let mut stream = TcpStream::connect(address).unwrap();
    let whole = by_tcp(&mut stream, &question(2, "long.zone.example", TXT, None));
    assert_eq!((whole.truncated, whole.answers.len()), (false, 2));
    assert!(whole.answers.iter().all(|(_, data)| data.len() > 700));
}

#[test]
fn edns_of_the_future() {
    let (_server, address) = start();
    let mut message = question(1, "www.zone.example", A, Some(1232));
    let version = message.len() - 5;
    message[version] = 1;
    let answer = by_udp(address, &message);
    assert_eq!((answer.code, answer.answers.len(), answer.edns), (BAD_VERSION, 0, Some(1232)));
}

#[test]
fn many_questions_over_one_connection() {
    let (_server, address) = start();
    let mut stream = TcpStream::connect(address).unwrap();
    for id in 0..100 {
        assert_eq!(by_tcp(&mut stream, &question(id, "www.zone.example", A, None)).id, id);
    }
    // All at once, in pieces, and then no more.
    let questions = (0..20).map(|id| framed(&question(id, "www.zone.example", A, None)));
    let bytes: Vec<u8> = questions.flatten().collect();
    stream.set_nodelay(true).unwrap();
    for piece in bytes.chunks(17) {
        stream.write_all(piece).unwrap();
    }
    stream.shutdown(Shutdown::Write).unwrap();
    for id in 0..20 {
        assert_eq!(next_answer(&mut stream).id, id);
    }
    assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0);
}

#[test]
fn records_from_a_file() {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("dns-server-{}", std::process::id()));
    std::fs::write(&path, "one A 192.0.2.11\n\n  two   AAAA 2001:db8::2\n").unwrap();
    let (_server, address) = start_with(&[&format!("@{}", path.display()), "three A 192.0.2.13"]);
    std::fs::remove_file(&path).unwrap();
    for (name, kind) in [("one", A), ("two", AAAA), ("three", A)] {
        let answer = by_udp(address, &question(1, &format!("{name}.zone.example"), kind, None));
        assert_eq!(answer.answers.len(), 1, "{name}");
    }
}

#[test]
fn arguments_that_make_no_sense() {
    for (arguments, words) in [
        (&[][..], "usage"),
        (&["127.0.0.1:0"], "usage"),
        (&["127.0.0.1:0", "zone", "www A"], "a name, a type and a value"),
        (&["127.0.0.1:0", "zone", "www MX mail"], "A, AAAA and TXT"),
        (&["127.0.0.1:0", "zone", "www A 192.0.2.256"], "not an IPv4 address"),
        (&["127.0.0.1:0", "zone", "@no-such-file"], "no-such-file"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dns_server"));
        let output = command.args(arguments).stdout(Stdio::null()).output().unwrap();
        assert!(!output.status.success());
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains(words), "{error}");
    }
}

#[cfg(unix)]
#[test]
fn interrupt_ends_it() {
    let (mut server, address) = start();
    by_udp(address, &question(1, "www.zone.example", A, None));
    let _idle = TcpStream::connect(address).unwrap();
    server.interrupt();
    server.line_after("Ended");
    server.ends_well();
}

#[test]
fn by_dig() {
    let version = Command::new("dig").arg("-v").stderr(Stdio::null()).status();
    if !version.is_ok_and(|status| status.success()) {
        println!("skipped: dig is not installed");
        return;
    }
    let texts = [long_text(700), long_text(800)];
    let (_server, address) =
        start_with(&["www A 192.0.2.1", "www AAAA 2001:db8::1", "www TXT hello world", &texts[0], &texts[1]]);
    let dig = |words: &str| {
        let mut dig = Command::new("dig");
        dig.arg(format!("@{}", address.ip())).args(["-p", &address.port().to_string(), "+time=60", "+tries=1"]);
        output_of(dig.args(words.split(' ')))
    };
    assert_eq!(dig("+short www.zone.example"), "192.0.2.1\n");
    assert_eq!(dig("+short +tcp www.zone.example AAAA"), "2001:db8::1\n");
    assert_eq!(dig("+short www.zone.example TXT"), "\"hello world\"\n");
    let whole = dig("www.zone.example A");
    assert!(whole.contains("status: NOERROR") && whole.contains("udp: 1232"), "{whole}");
    assert!(whole.contains("flags: qr aa rd;") && !whole.contains("Warning: query response not set"), "{whole}");
    let absent = dig("absent.zone.example A");
    assert!(absent.contains("status: NXDOMAIN") && absent.contains("SOA"), "{absent}");
    assert!(dig("www.elsewhere.example A").contains("status: REFUSED"));
    // It is too long for a datagram, and dig comes again over TCP.
    let long = dig("long.zone.example TXT");
    assert!(long.contains("ANSWER: 2") && long.contains("(TCP)"), "{long}");
    let cut = dig("+ignore long.zone.example TXT");
    assert!(cut.contains("ANSWER: 0") && cut.contains("tc"), "{cut}");
}
