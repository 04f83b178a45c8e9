//! The chat rooms, made of async code and of callbacks, as their users see them: the built examples, with real sockets, pipes and signals.

#![cfg(unix)]

mod example;
#[path = "example/netcat.rs"]
mod netcat;
#[path = "example/chat.rs"]
mod chat;

use std::fs::File;
use std::io::Write;
use std::net::TcpListener;

use chat::{CALLBACKS, Chat, FUTURES, MAX_LINE, ended_well};
use example::Example;
use netcat::Netcat;
use rustix::process::Signal;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// Each situation is tested with either program.
macro_rules! of_either {
    ($($situation:ident)*) => {
        mod futures {
            $(#[test]
            fn $situation() {
                super::$situation(super::FUTURES);
            })*
        }

        mod callbacks {
            $(#[test]
            fn $situation() {
                super::$situation(super::CALLBACKS);
            })*
        }
    };
}

of_either! {
    three_users_from_the_first_to_the_last_line
    name_that_will_not_do
    line_that_will_not_do
    who_does_not_read_is_cut_off_and_disturbs_nobody
    flood_to_those_who_read_is_delivered
    signals_end_a_server_well
    signals_end_a_client_well_while_input_waits
    input_that_ends_in_the_middle_of_a_line
}

fn three_users_from_the_first_to_the_last_line(chat: Chat) {
    let room = chat.room("zoe");
    let (mut zoe, address) = (room.first, room.address);

    let mut betty = Netcat::connect(&address);
    betty.send("betty\r\n");
    assert_eq!(zoe.line(), "(User betty connected)");

    let mut bob = chat.join("bob", &address);
    assert_eq!(zoe.line(), "(User bob connected)");
    assert_eq!(betty.line(), "(User bob connected)");

    betty.send("hello\r\n");
    assert_eq!(zoe.line(), "#[betty]>>> hello");
    assert_eq!(bob.line(), "#[betty]>>> hello");

    bob.write("hi there\r\n");
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
    betty.at_end();
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
    // It is closed by who hosts it.
    room.server.iter().for_each(|server| server.signal(Signal::INT));
    assert_eq!(dora.line(), "(The room is closed)");
    dora.at_end();
    assert_eq!(zoe.end(), ended_well([]));
    assert_eq!(room.server.map_or_else(|| ended_well([]), Example::end), ended_well([]));
}

fn name_that_will_not_do(chat: Chat) {
    let (server, address) = chat.serve();
    let rule = "is no name: 1 to 32 letters, digits, '-', '_' or '.' make one";
    let too_long = "n".repeat(33);
    for (name, refusal) in [
        (&b"\n"[..], format!("(Refused: \"\" {rule})")),
        (b"two words\n", format!("(Refused: \"two words\" {rule})")),
        (b"betty]>>>\n", format!("(Refused: \"betty]>>>\" {rule})")),
        (format!("{too_long}\n").as_bytes(), format!("(Refused: \"{too_long}\" {rule})")),
        (b"b\x1b[2Jb\n", chat.no_control_characters("\\u{1b}")),
        (b"b\xffb\n", chat.no_utf8(1)),
    ] {
        let mut nobody = Netcat::connect(&address);
        nobody.send(name);
        assert_eq!(nobody.line(), refusal);
        nobody.at_end();
    }

    let mut silent = Netcat::connect(&address);
    silent.disconnect();
    if chat.explains {
        assert_eq!(silent.line(), "(Refused: the first line is your name, and none came)");
    }
    silent.at_end();

    let end = chat.start(["join", &too_long]).end();
    assert_eq!(end.stderr, [format!("{}: {too_long:?} {rule}", chat.program)]);
    assert_eq!(end.code, Some(1));

    server.signal(Signal::INT);
    assert_eq!(server.end(), ended_well([]));
}

fn line_that_will_not_do(chat: Chat) {
    let mut room = chat.room("zoe");
    let mut betty = room.enter("betty");
    betty.send(b"caf\xe9\n");
    assert_eq!(betty.line(), chat.no_utf8(3));
    betty.send("\x07\n");
    assert_eq!(betty.line(), chat.no_control_characters("\\u{7}"));
    // An empty line says nothing.
    betty.send("\n\ta tab is fine\n");
    assert_eq!(room.first.line(), "#[betty]>>> \ta tab is fine");
    let longest = "é".repeat(MAX_LINE / 2);
    betty.send(format!("{longest}\r\n"));
    assert_eq!(room.first.line(), format!("#[betty]>>> {longest}"));
}

fn who_does_not_read_is_cut_off_and_disturbs_nobody(chat: Chat) {
    let mut room = chat.room("zoe");
    let mut alice = room.enter("alice");
    let mut deaf = room.enter("deaf");
    assert_eq!(alice.line(), "(User deaf connected)");

    // More than the outbox and all buffers of the system on the way hold.
    let most_lines = (256 << 20) / MAX_LINE;
    let text = "x".repeat(MAX_LINE);
    let message = format!("#[alice]>>> {text}");
    let zoe = &mut room.first;
    let cut_off = (0..most_lines).any(|_| {
        alice.send(format!("{text}\n"));
        match zoe.line() {
            line if line == message => false,
            line => {
                assert_eq!(line, "(User deaf disconnected)");
                true
            }
        }
    });
    assert!(cut_off, "all that is queued for one who does not read is more than any limit");
    assert_eq!(alice.line(), "(User deaf disconnected)");
    if let Some(server) = &mut room.server {
        let log = server.error_line();
        assert!(log.starts_with("guest 2: the peer does not read: "), "{log}");
    } else {
        assert_eq!(zoe.line(), message);
    }
    zoe.write("who was that?\n");
    assert_eq!(alice.line(), "#[zoe]>>> who was that?");

    // It finds what was on its way, then the end.
    if !chat.resets {
        let mut found = 0;
        while deaf.read_line().is_some() {
            found += 1;
        }
        assert!(found > 0);
    }
    // The name is free.
    let mut other = Netcat::connect(&room.address);
    other.send("deaf\n");
    assert_eq!(alice.line(), "(User deaf connected)");
}

fn flood_to_those_who_read_is_delivered(chat: Chat) {
    let mut room = chat.room("zoe");
    let mut alice = room.enter("alice");
    let mut betty = room.enter("betty");
    assert_eq!(alice.line(), "(User betty connected)");
    let mut zoe = room.first;
    let lines = 20_000;
    let readers: Vec<std::thread::JoinHandle<()>> = vec![
        std::thread::spawn(move || (0..lines).for_each(|line| assert_eq!(betty.line(), format!("#[alice]>>> {line}")))),
        std::thread::spawn(move || (0..lines).for_each(|line| assert_eq!(zoe.line(), format!("#[alice]>>> {line}")))),
    ];
    alice.send((0..lines).map(|line| format!("{line}\n")).collect::<String>());
    for reader in readers {
        reader.join().expect("all was read");
    }
}

fn signals_end_a_server_well(chat: Chat) {
    for &signal in chat.signals {
        let (server, address) = chat.serve();
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

fn signals_end_a_client_well_while_input_waits(chat: Chat) {
    for &signal in chat.signals {
        let mut room = chat.room("zoe");
        let betty = chat.join("betty", &room.address);
        assert_eq!(room.first.line(), "(User betty connected)");
        betty.signal(signal);
        assert_eq!(room.first.line(), "(User betty disconnected)");
        assert_eq!(betty.end(), ended_well([]));
    }
}

fn input_that_ends_in_the_middle_of_a_line(chat: Chat) {
    let mut room = chat.room("zoe");
    let mut betty = chat.join("betty", &room.address);
    assert_eq!(room.first.line(), "(User betty connected)");
    betty.write("bye");
    betty.close_stdin();
    assert_eq!(room.first.line(), "#[betty]>>> bye");
    assert_eq!(room.first.line(), "(User betty disconnected)");
    assert_eq!(betty.end(), ended_well([]));
}

/// The two programs speak the same language.
#[test]
fn clients_of_the_other_chat() {
    let mut room = CALLBACKS.room("andy");
    let mut betty = FUTURES.join("betty", &room.address);
    assert_eq!(room.first.line(), "(User betty connected)");
    betty.write("across\n");
    assert_eq!(room.first.line(), "#[betty]>>> across");
    room.first.write("and back\n\n");
    assert_eq!(betty.line(), "#[andy]>>> and back");
    assert_eq!(betty.line(), "(User andy disconnected)");
}

#[test]
fn input_that_ends_at_once() {
    let mut room = FUTURES.room("zoe");
    let mut bob = Netcat::connect(&room.address);
    bob.send("bob\nhello\nthis line has no ending");
    bob.disconnect();
    bob.at_end();
    for line in
        ["(User bob connected)", "#[bob]>>> hello", "#[bob]>>> this line has no ending", "(User bob disconnected)"]
    {
        assert_eq!(room.first.line(), line);
    }

    let mut carl = Netcat::connect(&room.address);
    carl.send("carl");
    carl.disconnect();
    carl.at_end();
    assert_eq!(room.first.line(), "(User carl connected)");
    assert_eq!(room.first.line(), "(User carl disconnected)");
}

#[test]
fn name_of_a_megabyte() {
    let (_server, address) = FUTURES.serve();
    let mut nobody = Netcat::connect(&address);
    nobody.send("n".repeat(1 << 20));
    assert_eq!(nobody.line(), FUTURES.too_long());
    nobody.at_end();
}

#[test]
fn name_of_33_letters_given_to_a_host() {
    let name = "n".repeat(33);
    let end = FUTURES.start(["host", &name, "127.0.0.1:0"]).end();
    assert_eq!(end.stderr, [format!("chat: {name:?} is no name: 1 to 32 letters, digits, '-', '_' or '.' make one")]);
    assert_eq!(end.code, Some(1));
}

#[test]
fn line_that_is_too_long_is_lost_alone() {
    let mut room = FUTURES.room("zoe");
    let mut betty = room.enter("betty");
    betty.send(format!("{}x\n", "é".repeat(MAX_LINE / 2)));
    assert_eq!(betty.line(), FUTURES.too_long());
    // The refusal does not wait for the end of the line.
    betty.send("x".repeat(3 * MAX_LINE));
    assert_eq!(betty.line(), FUTURES.too_long());
    betty.send("still the same line\nshort\n");
    assert_eq!(room.first.line(), "#[betty]>>> short");

    // What is typed is looked at before it is sent.
    room.first.write(b"\xff\n");
    assert_eq!(
        room.first.error_line(),
        "Not sent: a line is text in UTF-8, and this one, which is not (byte 0), is lost."
    );
    room.first.write("better\n");
    assert_eq!(betty.line(), "#[zoe]>>> better");
}

#[test]
fn line_that_is_too_long_ends_a_connection_of_callbacks() {
    let mut room = CALLBACKS.room("andy");
    let mut betty = room.enter("betty");
    // Without an end it is refused as soon as that is certain.
    betty.send(format!("{}xyz", "é".repeat(MAX_LINE / 2)));
    assert_eq!(betty.line(), CALLBACKS.too_long());
    assert_eq!(room.first.line(), "(User betty disconnected)");
}

#[test]
fn signals_end_a_host_well_while_input_waits() {
    for signal in [Signal::INT, Signal::TERM] {
        let mut room = FUTURES.room("zoe");
        let mut betty = Netcat::connect(&room.address);
        betty.send("betty\n");
        assert_eq!(room.first.line(), "(User betty connected)");
        room.first.signal(signal);
        assert_eq!(betty.line(), "(User zoe disconnected)");
        assert_eq!(betty.line(), "(The room is closed)");
        betty.at_end();
        assert_eq!(room.first.end(), ended_well([]));
    }
}

#[test]
fn end_of_input_ends_a_host_well() {
    let mut room = FUTURES.room("zoe");
    let betty = FUTURES.join("betty", &room.address);
    assert_eq!(room.first.line(), "(User betty connected)");
    room.first.write("bye");
    room.first.close_stdin();
    assert_eq!(room.first.end(), ended_well([]));
    let end = betty.end();
    assert_eq!(end.stdout, ["#[zoe]>>> bye", "(User zoe disconnected)", "(The room is closed)"]);
    assert_eq!(end.stderr, ["The server has closed the connection."]);
    assert_eq!(end.code, Some(0));
}

/// A terminal tells the end of input once: half a line, Ctrl-D that sends it, Ctrl-D that ends.
#[test]
fn ctrl_d_on_a_terminal_after_half_a_line() {
    let mut room = FUTURES.room("zoe");
    let (mut keyboard, terminal) = terminal();
    let mut betty = Example::start_with_stdin("chat", ["join", "betty", &room.address], terminal);
    assert_eq!(betty.line(), "You are betty. An empty line, Ctrl-C or Ctrl-D leaves the room.");
    assert_eq!(room.first.line(), "(User betty connected)");
    keyboard.write_all(b"half\x04\x04").expect("the terminal is open");
    assert_eq!(room.first.line(), "#[betty]>>> half");
    assert_eq!(room.first.line(), "(User betty disconnected)");
    assert_eq!(betty.end(), ended_well([]));
}

#[test]
fn server_that_closes() {
    let (server, address) = CALLBACKS.serve();
    let betty = CALLBACKS.join("betty", &address);
    server.signal(Signal::INT);
    assert_eq!(server.end(), ended_well([]));
    let end = betty.end();
    assert_eq!(end.stdout, ["(The room is closed)"]);
    assert_eq!(end.stderr, ["The server has closed the connection."]);
    assert_eq!(end.code, Some(0));
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

#[test]
fn addresses_and_arguments_that_will_not_do_for_callbacks() {
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

/// A terminal: what is typed, and where it is read.
fn terminal() -> (File, File) {
    let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a free pseudoterminal");
    grantpt(&keyboard).and_then(|()| unlockpt(&keyboard)).expect("it is ours");
    let path = ptsname(&keyboard, Vec::new()).expect("it has a path").into_string().expect("in ASCII");
    let terminal = File::options().read(true).write(true).open(path).expect("it can be opened");
    (File::from(keyboard), terminal)
}
