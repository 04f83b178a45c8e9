//! The chat room made of callbacks, as its users see it: the built example, with real sockets, pipes and signals.

#![cfg(unix)]

mod example;
#[path = "example/netcat.rs"]
mod netcat;

use example::{End, Example};
use netcat::Netcat;
use rustix::process::Signal;
use std::net::TcpListener;

const MAX_LINE: usize = 4096;
const HINT: &str = "An empty line, Ctrl-C or Ctrl-D leaves the room.";

#[test]
fn three_users_from_the_first_to_the_last_line() {
    let (server, address) = serve();
    let mut andy = join("andy", &address);
    let mut betty = Netcat::connect(&address);
    betty.send("betty\r\n");
    assert_eq!(andy.line(), "(User betty connected)");
    let mut bob = join("bob", &address);
    assert_eq!(andy.line(), "(User bob connected)");
    assert_eq!(betty.line(), "(User bob connected)");

    betty.send("hello\r\n");
    assert_eq!(andy.line(), "#[betty]>>> hello");
    assert_eq!(bob.line(), "#[betty]>>> hello");
    bob.write("grüß Gott, both\r\n");
    assert_eq!(andy.line(), "#[bob]>>> grüß Gott, both");
    assert_eq!(betty.line(), "#[bob]>>> grüß Gott, both");

    // Of this visit the others hear nothing.
    let mut second_bob = Netcat::connect(&address);
    second_bob.send("bob\n");
    assert_eq!(second_bob.line(), "(Refused: the name bob is taken, choose another)");
    second_bob.at_end();

    betty.disconnect();
    betty.at_end();
    assert_eq!(andy.line(), "(User betty disconnected)");
    assert_eq!(bob.line(), "(User betty disconnected)");
    bob.write("\n");
    assert_eq!(bob.end(), ended_well([]));
    assert_eq!(andy.line(), "(User bob disconnected)");

    // A name is free again when its owner has gone.
    let mut dora = Netcat::connect(&address);
    dora.send("betty\n");
    assert_eq!(andy.line(), "(User betty connected)");
    andy.close_stdin();
    assert_eq!(andy.end(), ended_well([]));
    assert_eq!(dora.line(), "(User andy disconnected)");

    server.signal(Signal::INT);
    assert_eq!(dora.line(), "(The room is closed)");
    dora.at_end();
    assert_eq!(server.end(), ended_well([]));
}

#[test]
fn names_that_will_not_do() {
    let (server, address) = serve();
    let rule = "is no name: 1 to 32 letters, digits, '-', '_' or '.' make one";
    let too_long = "n".repeat(33);
    for (name, refusal) in [
        (&b"\n"[..], format!("\"\" {rule}")),
        (b"two words\n", format!("\"two words\" {rule}")),
        (format!("{too_long}\n").as_bytes(), format!("\"{too_long}\" {rule}")),
        (b"b\x1b[2Jb\n", "a line is text without control characters".to_owned()),
        (b"b\xffb\n", "a line is text in UTF-8".to_owned()),
    ] {
        let mut nobody = Netcat::connect(&address);
        nobody.send(name);
        assert_eq!(nobody.line(), format!("(Refused: {refusal})"));
        nobody.at_end();
    }
    let mut silent = Netcat::connect(&address);
    silent.disconnect();
    silent.at_end();
    let end = Example::start("chat_protocol", ["join", &too_long]).end();
    assert_eq!(end.stderr, [format!("chat_protocol: {too_long:?} {rule}")]);
    assert_eq!(end.code, Some(1));
    server.signal(Signal::INT);
    assert_eq!(server.end(), ended_well([]));
}

#[test]
fn lines_that_will_not_do() {
    let (_server, address) = serve();
    let mut andy = join("andy", &address);
    let mut betty = Netcat::connect(&address);
    betty.send("betty\n");
    assert_eq!(andy.line(), "(User betty connected)");
    betty.send(b"caf\xe9\n\x07\n\n\ta tab is fine\n");
    assert_eq!(betty.line(), "(Refused: a line is text in UTF-8)");
    assert_eq!(betty.line(), "(Refused: a line is text without control characters)");
    assert_eq!(andy.line(), "#[betty]>>> \ta tab is fine");
    let longest = "é".repeat(MAX_LINE / 2);
    betty.send(format!("{longest}\r\n"));
    assert_eq!(andy.line(), format!("#[betty]>>> {longest}"));
    // Without an end it is refused as soon as that is certain.
    betty.send(format!("{longest}xyz"));
    assert_eq!(betty.line(), "(Refused: a line may have 4096 bytes)");
    assert_eq!(andy.line(), "(User betty disconnected)");
}

#[test]
fn who_does_not_read_is_cut_off_and_disturbs_nobody() {
    let (mut server, address) = serve();
    let mut andy = join("andy", &address);
    let mut alice = Netcat::connect(&address);
    alice.send("alice\n");
    assert_eq!(andy.line(), "(User alice connected)");
    let mut deaf = Netcat::connect(&address);
    deaf.send("deaf\n");
    assert_eq!(andy.line(), "(User deaf connected)");
    assert_eq!(alice.line(), "(User deaf connected)");

    // More than the limit and all buffers of the system on the way hold.
    let most_lines = (256 << 20) / MAX_LINE;
    let text = "x".repeat(MAX_LINE);
    let message = format!("#[alice]>>> {text}");
    let cut_off = (0..most_lines).any(|_| {
        alice.send(format!("{text}\n"));
        match andy.line() {
            line if line == message => false,
            line => {
                assert_eq!(line, "(User deaf disconnected)");
                true
            }
        }
    });
    assert!(cut_off, "all that is queued for one who does not read is more than any limit");
    assert_eq!(alice.line(), "(User deaf disconnected)");
    let log = server.error_line();
    assert!(log.starts_with("guest 2: the peer does not read: "), "{log}");
    andy.write("who was that?\n");
    assert_eq!(alice.line(), "#[andy]>>> who was that?");
}

#[test]
fn flood_to_those_who_read_is_delivered() {
    let (_server, address) = serve();
    let mut andy = join("andy", &address);
    let mut alice = Netcat::connect(&address);
    alice.send("alice\n");
    assert_eq!(andy.line(), "(User alice connected)");
    let mut betty = Netcat::connect(&address);
    betty.send("betty\n");
    assert_eq!(alice.line(), "(User betty connected)");
    assert_eq!(andy.line(), "(User betty connected)");
    let lines = 20_000;
    let readers: Vec<std::thread::JoinHandle<()>> = vec![
        std::thread::spawn(move || (0..lines).for_each(|line| assert_eq!(betty.line(), format!("#[alice]>>> {line}")))),
        std::thread::spawn(move || (0..lines).for_each(|line| assert_eq!(andy.line(), format!("#[alice]>>> {line}")))),
    ];
    alice.send((0..lines).map(|line| format!("{line}\n")).collect::<String>());
    for reader in readers {
        reader.join().expect("all was read");
    }
}

#[test]
fn ctrl_c_ends_a_server_well() {
    let (server, address) = serve();
    let mut silent = Netcat::connect(&address);
    let mut betty = Netcat::connect(&address);
    betty.send("betty\n");
    betty.settle();
    server.signal(Signal::INT);
    for guest in [&mut betty, &mut silent] {
        assert_eq!(guest.line(), "(The room is closed)");
        guest.at_end();
    }
    assert_eq!(server.end(), ended_well([]));
}

#[test]
fn ctrl_c_ends_a_client_well_while_input_waits() {
    let (_server, address) = serve();
    let mut andy = join("andy", &address);
    let betty = join("betty", &address);
    assert_eq!(andy.line(), "(User betty connected)");
    betty.signal(Signal::INT);
    assert_eq!(andy.line(), "(User betty disconnected)");
    assert_eq!(betty.end(), ended_well([]));
}

#[test]
fn input_that_ends_in_the_middle_of_a_line() {
    let (_server, address) = serve();
    let mut andy = join("andy", &address);
    let mut betty = join("betty", &address);
    assert_eq!(andy.line(), "(User betty connected)");
    betty.write("bye");
    betty.close_stdin();
    assert_eq!(andy.line(), "#[betty]>>> bye");
    assert_eq!(andy.line(), "(User betty disconnected)");
    assert_eq!(betty.end(), ended_well([]));
}

#[test]
fn server_that_closes() {
    let (server, address) = serve();
    let betty = join("betty", &address);
    server.signal(Signal::INT);
    assert_eq!(server.end(), ended_well([]));
    let end = betty.end();
    assert_eq!(end.stdout, ["(The room is closed)"]);
    assert_eq!(end.stderr, ["The server has closed the connection."]);
    assert_eq!(end.code, Some(0));
}

/// The example in async code and this one speak the same language.
#[test]
fn clients_of_the_other_chat() {
    let (_server, address) = serve();
    let mut andy = join("andy", &address);
    let mut betty = Example::start("chat", ["join", "betty", &address]);
    assert_eq!(betty.line(), format!("You are betty. {HINT}"));
    assert_eq!(andy.line(), "(User betty connected)");
    betty.write("across\n");
    assert_eq!(andy.line(), "#[betty]>>> across");
    andy.write("and back\n\n");
    assert_eq!(betty.line(), "#[andy]>>> and back");
    assert_eq!(betty.line(), "(User andy disconnected)");
}

#[test]
fn addresses_that_will_not_do() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let end = Example::start("chat_protocol", ["serve", &address]).end();
    let sentence = format!("chat_protocol: cannot listen on {address}: ");
    assert!(end.stderr[0].starts_with(&sentence), "{end:?}");
    assert_eq!((end.code, end.stderr.len()), (Some(1), 1));
    drop(taken);
    let end = Example::start("chat_protocol", ["join", "betty", &address]).end();
    assert!(end.stderr[0].starts_with(&format!("chat_protocol: cannot join {address}: ")), "{end:?}");
    assert_eq!((end.code, end.stderr.len()), (Some(1), 1));
    let end = Example::start("chat_protocol", ["dance"]).end();
    assert_eq!((end.code, &*end.stderr[0]), (Some(2), "usage: chat_protocol serve [ADDRESS]"));
}

/// A room with nobody in it.
fn serve() -> (Example, String) {
    let mut server = Example::start("chat_protocol", ["serve", "127.0.0.1:0"]);
    let line = server.line();
    let address = line.strip_prefix("Listening on ").unwrap_or_else(|| panic!("an address was expected: {line}"));
    let address = address.to_owned();
    (server, address)
}

fn join(name: &str, address: &str) -> Example {
    let mut client = Example::start("chat_protocol", ["join", name, address]);
    assert_eq!(client.line(), format!("You are {name}. {HINT}"));
    // The answer to this tells that the room has read the name.
    client.write("\x07\n");
    assert_eq!(client.line(), "(Refused: a line is text without control characters)");
    client
}

fn ended_well<const N: usize>(stdout: [&str; N]) -> End {
    End { code: Some(0), stdout: stdout.map(str::to_owned).into(), stderr: Vec::new() }
}
