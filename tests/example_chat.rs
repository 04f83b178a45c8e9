//! The chat room, as its users see it: the built example, with real sockets, pipes and signals.

#![cfg(unix)]

mod example;
#[path = "example/netcat.rs"]
mod netcat;

use std::fs::File;
use std::io::Write;
use std::net::TcpListener;

use example::{End, Example};
use netcat::Netcat;
use rustix::process::Signal;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

const MAX_LINE: usize = 4096;

#[test]
fn three_users_from_the_first_to_the_last_line() {
    let (mut zoe, address) = host("zoe");

    let mut betty = Netcat::connect(&address);
    betty.send("betty\r\n");
    assert_eq!(zoe.line(), "(User betty connected)");

    let mut bob = join("bob", &address);
    assert_eq!(zoe.line(), "(User bob connected)");
    assert_eq!(betty.line(), "(User bob connected)");

    betty.send("hello\r\n");
    assert_eq!(zoe.line(), "#[betty]>>> hello");
    assert_eq!(bob.line(), "#[betty]>>> hello");

    bob.write("hi there\n");
    assert_eq!(zoe.line(), "#[bob]>>> hi there");
    assert_eq!(betty.line(), "#[bob]>>> hi there");

    zoe.write("grüß Gott, both\n");
    assert_eq!(betty.line(), "#[zoe]>>> grüß Gott, both");
    assert_eq!(bob.line(), "#[zoe]>>> grüß Gott, both");

    // Of this visit the others hear nothing.
    let mut second_bob = Netcat::connect(&address);
    second_bob.send("bob\n");
    assert_eq!(second_bob.line(), "(Refused: the name bob is taken, choose another)");
    second_bob.at_end();

    betty.disconnect();
    assert_eq!(zoe.line(), "(User betty disconnected)");
    assert_eq!(bob.line(), "(User betty disconnected)");

    bob.write("\n");
    assert_eq!(bob.end(), ended_well([]));
    assert_eq!(zoe.line(), "(User bob disconnected)");

    // A name is free again when its owner has gone.
    let mut dora = Netcat::connect(&address);
    dora.send("betty\n");
    assert_eq!(zoe.line(), "(User betty connected)");

    zoe.write("\n");
    assert_eq!(dora.line(), "(User zoe disconnected)");
    assert_eq!(dora.line(), "(The room is closed)");
    dora.at_end();
    assert_eq!(zoe.end(), ended_well([]));
}

#[test]
fn input_that_ends_at_once() {
    let (mut zoe, address) = host("zoe");
    let mut bob = Netcat::connect(&address);
    bob.send("bob\nhello\nthis line has no ending");
    bob.disconnect();
    bob.at_end();
    for line in
        ["(User bob connected)", "#[bob]>>> hello", "#[bob]>>> this line has no ending", "(User bob disconnected)"]
    {
        assert_eq!(zoe.line(), line);
    }

    let mut carl = Netcat::connect(&address);
    carl.send("carl");
    carl.disconnect();
    carl.at_end();
    assert_eq!(zoe.line(), "(User carl connected)");
    assert_eq!(zoe.line(), "(User carl disconnected)");
}

#[test]
fn name_that_will_not_do() {
    let (mut server, address) = serve();
    let too_long = "n".repeat(33);
    let rule = "is no name: 1 to 32 letters, digits, '-', '_' or '.' make one";
    let much_too_long = "n".repeat(1 << 20);
    for (name, refusal) in [
        (&b"\n"[..], format!("\"\" {rule}")),
        (b"two words\n", format!("\"two words\" {rule}")),
        (b"betty]>>>\n", format!("\"betty]>>>\" {rule}")),
        (format!("{too_long}\n").as_bytes(), format!("\"{too_long}\" {rule}")),
        (b"b\x1b[2Jb\n", "a line is text without control characters, and this one, with '\\u{1b}', is lost".to_owned()),
        (b"b\xffb\n", "a line is text in UTF-8, and this one, which is not (byte 1), is lost".to_owned()),
        (much_too_long.as_bytes(), "a line may have 4096 bytes, and this one, which has more, is lost".to_owned()),
    ] {
        let mut nobody = Netcat::connect(&address);
        nobody.send(name);
        assert_eq!(nobody.line(), format!("(Refused: {refusal})"));
        nobody.at_end();
    }

    let mut silent = Netcat::connect(&address);
    silent.disconnect();
    assert_eq!(silent.line(), "(Refused: the first line is your name, and none came)");
    silent.at_end();

    server.signal(Signal::TERM);
    server.close_stdin();
    assert_eq!(server.end(), ended_well([]));
}

#[test]
fn name_of_33_letters_given_to_the_program() {
    let name = "n".repeat(33);
    for arguments in [vec!["join", &name], vec!["host", &name, "127.0.0.1:0"]] {
        let end = Example::start("chat", arguments).end();
        assert_eq!(
            end.stderr,
            [format!("chat: {name:?} is no name: 1 to 32 letters, digits, '-', '_' or '.' make one")]
        );
        assert_eq!(end.code, Some(1));
    }
}

#[test]
fn line_that_will_not_do_is_lost_alone() {
    let (mut zoe, address) = host("zoe");
    let mut betty = Netcat::connect(&address);
    betty.send("betty\n");
    assert_eq!(zoe.line(), "(User betty connected)");

    let longest = "é".repeat(MAX_LINE / 2);
    betty.send(format!("{longest}\r\n"));
    assert_eq!(zoe.line(), format!("#[betty]>>> {longest}"));

    let too_long = "(Refused: a line may have 4096 bytes, and this one, which has more, is lost)";
    betty.send(format!("{longest}x\n"));
    assert_eq!(betty.line(), too_long);
    // The refusal does not wait for the end of the line.
    betty.send("x".repeat(3 * MAX_LINE));
    assert_eq!(betty.line(), too_long);
    betty.send("still the same line\nshort\n");
    assert_eq!(zoe.line(), "#[betty]>>> short");

    betty.send(b"caf\xe9\n");
    assert_eq!(betty.line(), "(Refused: a line is text in UTF-8, and this one, which is not (byte 3), is lost)");
    betty.send("\x07\n");
    assert_eq!(
        betty.line(),
        "(Refused: a line is text without control characters, and this one, with '\\u{7}', is lost)"
    );
    // An empty line says nothing.
    betty.send("\n\ta tab is fine\n");
    assert_eq!(zoe.line(), "#[betty]>>> \ta tab is fine");

    // What is typed is looked at before it is sent.
    zoe.write(b"\xff\n");
    assert_eq!(zoe.error_line(), "Not sent: a line is text in UTF-8, and this one, which is not (byte 0), is lost.");
    zoe.write("better\n");
    assert_eq!(betty.line(), "#[zoe]>>> better");
}

#[test]
fn who_does_not_read_is_cut_off_and_disturbs_nobody() {
    let (mut zoe, address) = host("zoe");
    let mut alice = Netcat::connect(&address);
    alice.send("alice\n");
    assert_eq!(zoe.line(), "(User alice connected)");
    let mut deaf = Netcat::connect(&address);
    deaf.send("deaf\n");
    assert_eq!(zoe.line(), "(User deaf connected)");
    assert_eq!(alice.line(), "(User deaf connected)");

    // More than the outbox and all buffers of the system on the way hold.
    let most_lines = (256 << 20) / MAX_LINE;
    let text = "x".repeat(MAX_LINE);
    let message = format!("#[alice]>>> {text}");
    let cut_off = (0..most_lines).find(|_| {
        alice.send(format!("{text}\n"));
        match zoe.line() {
            line if line == message => false,
            line => {
                assert_eq!(line, "(User deaf disconnected)");
                true
            }
        }
    });
    assert!(cut_off.is_some(), "all that is queued for one who does not read is more than any limit");
    assert_eq!(zoe.line(), message);
    assert_eq!(alice.line(), "(User deaf disconnected)");
    zoe.write("who was that?\n");
    assert_eq!(alice.line(), "#[zoe]>>> who was that?");

    // It finds what was on its way, then the end.
    let mut found = 0;
    while deaf.read_line().is_some() {
        found += 1;
    }
    assert!(found > 0);
    // The name is free.
    let mut other = Netcat::connect(&address);
    other.send("deaf\n");
    assert_eq!(alice.line(), "(User deaf connected)");
}

#[test]
fn flood_to_one_who_reads_is_delivered() {
    let (mut zoe, address) = host("zoe");
    let mut alice = Netcat::connect(&address);
    alice.send("alice\n");
    assert_eq!(zoe.line(), "(User alice connected)");
    let mut betty = Netcat::connect(&address);
    betty.send("betty\n");
    assert_eq!(alice.line(), "(User betty connected)");
    let lines = 20_000;
    let reader = std::thread::spawn(move || {
        for line in 0..lines {
            assert_eq!(betty.line(), format!("#[alice]>>> {line}"));
        }
    });
    alice.send((0..lines).map(|line| format!("{line}\n")).collect::<String>());
    reader.join().expect("betty has read all");
}

#[test]
fn signals_end_a_server_well() {
    for signal in [Signal::INT, Signal::TERM] {
        let (server, address) = serve();
        // One who has not said a name yet does not hold up the end. Accepted before betty, it is known when she is.
        let mut silent = Netcat::connect(&address);
        let mut betty = Netcat::connect(&address);
        betty.send("betty\n");
        betty.settle();
        server.signal(signal);
        assert_eq!(betty.line(), "(The room is closed)");
        betty.at_end();
        assert_eq!(silent.line(), "(The room is closed)");
        silent.at_end();
        assert_eq!(server.end(), ended_well([]));
    }
}

#[test]
fn signals_end_a_host_well_while_input_waits() {
    for signal in [Signal::INT, Signal::TERM] {
        let (mut zoe, address) = host("zoe");
        let mut betty = Netcat::connect(&address);
        betty.send("betty\n");
        assert_eq!(zoe.line(), "(User betty connected)");
        zoe.signal(signal);
        assert_eq!(betty.line(), "(User zoe disconnected)");
        assert_eq!(betty.line(), "(The room is closed)");
        betty.at_end();
        assert_eq!(zoe.end(), ended_well([]));
    }
}

#[test]
fn signals_end_a_client_well_while_input_waits() {
    for signal in [Signal::INT, Signal::TERM] {
        let (mut zoe, address) = host("zoe");
        let betty = join("betty", &address);
        assert_eq!(zoe.line(), "(User betty connected)");
        betty.signal(signal);
        assert_eq!(zoe.line(), "(User betty disconnected)");
        assert_eq!(betty.end(), ended_well([]));
    }
}

#[test]
fn end_of_input_ends_a_host_well() {
    let (mut zoe, address) = host("zoe");
    let betty = join("betty", &address);
    assert_eq!(zoe.line(), "(User betty connected)");
    zoe.write("bye");
    zoe.close_stdin();
    assert_eq!(zoe.end(), ended_well([]));
    let end = betty.end();
    assert_eq!(end.stdout, ["#[zoe]>>> bye", "(User zoe disconnected)", "(The room is closed)"]);
    assert_eq!(end.stderr, ["The server has closed the connection."]);
    assert_eq!(end.code, Some(0));
}

/// A terminal tells the end of input once: half a line, Ctrl-D that sends it, Ctrl-D that ends.
#[test]
fn ctrl_d_on_a_terminal_after_half_a_line() {
    let (mut zoe, address) = host("zoe");
    let (mut keyboard, terminal) = terminal();
    let mut betty = Example::start_with_stdin("chat", ["join", "betty", &address], terminal);
    assert_eq!(betty.line(), "You are betty. An empty line, Ctrl-C or Ctrl-D leaves the room.");
    assert_eq!(zoe.line(), "(User betty connected)");
    keyboard.write_all(b"half\x04\x04").expect("the terminal is open");
    assert_eq!(zoe.line(), "#[betty]>>> half");
    assert_eq!(zoe.line(), "(User betty disconnected)");
    assert_eq!(betty.end(), ended_well([]));
}

#[test]
fn port_that_is_taken() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    for arguments in [vec!["serve", &address], vec!["host", "zoe", &address]] {
        let end = Example::start("chat", arguments).end();
        let [sentence] = &end.stderr[..] else { panic!("one sentence was expected: {end:?}") };
        assert!(
            sentence.starts_with(&format!("chat: cannot listen on {address}: Address already in use")),
            "{sentence}"
        );
        assert!(sentence.ends_with("; join who is there with `join NAME`, or choose another port"), "{sentence}");
        assert_eq!((end.code, &end.stdout[..]), (Some(1), &[][..]));
    }
}

#[test]
fn nobody_to_join() {
    let address = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").to_string();
    let end = Example::start("chat", ["join", "betty", &address]).end();
    let [sentence] = &end.stderr[..] else { panic!("one sentence was expected: {end:?}") };
    assert!(sentence.starts_with(&format!("chat: cannot join {address}: Connection refused")), "{sentence}");
    assert_eq!((end.code, &end.stdout[..]), (Some(1), &[][..]));
}

#[test]
fn arguments_that_make_no_sense() {
    for arguments in [&["dance"][..], &["join"], &["serve", "127.0.0.1:0", "now"]] {
        let end = Example::start("chat", arguments).end();
        assert_eq!(end.code, Some(2));
        assert_eq!(end.stderr[0], "usage: chat");
    }
}

/// A room with `name` in it.
fn host(name: &str) -> (Example, String) {
    let mut host = Example::start("chat", ["host", name, "127.0.0.1:0"]);
    let address = address(&mut host);
    assert_eq!(host.line(), format!("You are {name}. An empty line, Ctrl-C or Ctrl-D leaves the room."));
    (host, address)
}

/// A room with nobody in it.
fn serve() -> (Example, String) {
    let mut server = Example::start("chat", ["serve", "127.0.0.1:0"]);
    let address = address(&mut server);
    (server, address)
}

fn join(name: &str, address: &str) -> Example {
    let mut client = Example::start("chat", ["join", name, address]);
    assert_eq!(client.line(), format!("You are {name}. An empty line, Ctrl-C or Ctrl-D leaves the room."));
    client
}

fn address(server: &mut Example) -> String {
    let line = server.line();
    line.strip_prefix("Listening on ").unwrap_or_else(|| panic!("an address was expected: {line}")).to_owned()
}

fn ended_well<const N: usize>(stdout: [&str; N]) -> End {
    End { code: Some(0), stdout: stdout.map(str::to_owned).into(), stderr: Vec::new() }
}

/// A terminal: what is typed, and where it is read.
fn terminal() -> (File, File) {
    let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a free pseudoterminal");
    grantpt(&keyboard).and_then(|()| unlockpt(&keyboard)).expect("it is ours");
    let path = ptsname(&keyboard, Vec::new()).expect("it has a path").into_string().expect("in ASCII");
    let terminal = File::options().read(true).write(true).open(path).expect("it can be opened");
    (File::from(keyboard), terminal)
}
