//! Lines, however they come.

use rt::io::{AsyncReadExt, AsyncWriteExt, duplex};
use rt::protocol::{
    ConnectionLost, LineHandler, LineOnlyReceiver, LineProtocol, LineReceiver, Lines, Transport, drive, send_line,
};
use rt::testing::StringTransportWithDisconnection as Connection;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// What was received, one word each. It does what lines say: `raw N` takes N raw bytes, `pause`, `stop`, `quit`, `clear`, `until X` makes X the
/// delimiter.
#[derive(Clone, Default)]
struct Log {
    words: Rc<RefCell<Vec<String>>>,
    missing: Rc<RefCell<usize>>,
}

impl Log {
    fn note(&self, word: &str, data: &[u8]) {
        let text = format!("{word} {}", data.escape_ascii());
        let mut words = self.words.borrow_mut();
        match words.last_mut() {
            // Raw bytes come in pieces of any size.
            Some(last) if word == "raw" && last.starts_with("raw ") => last.push_str(&text[4..]),
            _ => words.push(text),
        }
    }

    fn take(&self) -> Vec<String> {
        self.words.take()
    }
}

impl LineHandler for Log {
    fn line_received(&mut self, lines: &mut Lines<'_>, line: &[u8]) {
        self.note("line", line);
        let text = String::from_utf8_lossy(line).into_owned();
        match text.split_once(' ').unwrap_or((&text, "")) {
            ("raw", count) => {
                *self.missing.borrow_mut() = count.parse().unwrap();
                lines.set_raw_mode();
            }
            ("until", delimiter) => lines.set_delimiter(delimiter.as_bytes()),
            ("pause", _) => lines.pause_producing(),
            ("stop", _) => lines.stop_producing(),
            ("quit", _) => lines.lose_connection(),
            ("clear", _) => {
                let cleared = lines.clear_line_buffer();
                self.note("cleared", &cleared);
            }
            _ => {}
        }
    }

    fn raw_data_received(&mut self, lines: &mut Lines<'_>, data: &[u8]) {
        let mut missing = self.missing.borrow_mut();
        let (raw, rest) = data.split_at(data.len().min(*missing));
        *missing -= raw.len();
        if *missing == 0 {
            lines.set_line_mode(rest);
        }
        self.note("raw", raw);
    }

    fn line_length_exceeded(&mut self, lines: &mut Lines<'_>, line: &[u8]) {
        self.note("too long:", line);
        lines.lose_connection();
    }

    fn connection_lost(&mut self, _: &mut Lines<'_>, reason: &ConnectionLost) {
        self.note("lost", format!("{reason}").as_bytes());
    }
}

fn receiver() -> (Log, Connection<LineReceiver<Log>>) {
    let log = Log::default();
    (log.clone(), Connection::new(LineReceiver::new(log)))
}

/// What comes of these pieces, up to the closing of the connection; each pause is ended at once.
fn received<const RAW: bool>(receiver: LineProtocol<Log, RAW>, pieces: &[&[u8]]) -> Vec<String> {
    let log = receiver.handler().clone();
    let connection = Connection::new(receiver);
    for piece in pieces {
        let transport = connection.handle().transport();
        if !transport.is_disconnecting() {
            connection.data_received(piece);
        }
        while transport.is_paused() {
            connection.handle().with(|receiver, transport| receiver.resume_producing(transport)).unwrap();
        }
    }
    log.take()
}

#[test]
fn every_cut_in_three_gives_the_same() {
    let streams: [&[u8]; 4] = [
        b"one\r\n\r\n\rtwo\n\r\r\nraw 5\r\nab\r\ncthree\r\n",
        b"pause\r\nraw 0\r\nraw 2\r\nxypause\r\npause\r\nfour\r\n",
        b"until aab\r\naaabaaaabuntil \naabx\ny\n",
        b"a\r\n0123456789\r\n01234567890\r\nb\r\n",
    ];
    for stream in streams {
        let build = || LineReceiver::new(Log::default()).max_length(10);
        let mut expected = received(build(), &[stream]);
        cut_excess(&mut expected);
        for first in 0..=stream.len() {
            for second in first..=stream.len() {
                let pieces = [&stream[..first], &stream[first..second], &stream[second..]];
                let mut words = received(build(), &pieces);
                cut_excess(&mut words);
                assert_eq!(words, expected, "{pieces:?}");
            }
        }
    }
}

/// How much of a line that is too long has come when that is known depends on the pieces.
fn cut_excess(words: &mut [String]) {
    words.iter_mut().filter(|word| word.starts_with("too long")).for_each(|word| word.truncate(8));
}

#[test]
fn every_cut_in_three_gives_the_same_without_raw_mode() {
    let stream = b"one\n\n\ntwo\npause\nthree\nuntil ababa\nabababaxababaababa";
    let build = || LineOnlyReceiver::new(Log::default()).delimiter(b"\n");
    let expected = received(build(), &[stream]);
    assert_eq!(expected.last().unwrap(), "line ");
    for first in 0..=stream.len() {
        for second in first..=stream.len() {
            let pieces = [&stream[..first], &stream[first..second], &stream[second..]];
            assert_eq!(received(build(), &pieces), expected, "{pieces:?}");
        }
    }
}

#[test]
fn longest_line_that_is_allowed() {
    let line = [b'x'; 16384];
    let (log, connection) = receiver();
    connection.data_received(&line);
    connection.data_received(b"\r");
    connection.data_received(b"\n");
    assert_eq!(log.take().len(), 1);
    connection.data_received(&line);
    connection.data_received(b"x\n");
    assert!(log.take()[0].starts_with("too long: xxx"));
    assert!(connection.handle().transport().is_disconnecting());
}

#[test]
fn line_too_long_comes_with_all_behind_it() {
    let log = Log::default();
    let connection = Connection::new(LineReceiver::new(log.clone()).max_length(4));
    connection.data_received(b"abcd\r\nab");
    connection.data_received(b"cde\r\nnever\r\n");
    assert_eq!(log.take(), ["line abcd", "too long: abcde\\r\\nnever\\r\\n"]);
}

#[test]
fn line_too_long_comes_alone_without_raw_mode() {
    let log = Log::default();
    let connection = Connection::new(LineOnlyReceiver::new(log.clone()).max_length(4));
    connection.data_received(b"abcd\r\nabcde\r\nnever\r\n");
    assert_eq!(log.take(), ["line abcd", "too long: abcde"]);
}

#[test]
fn lines_behind_one_that_closes() {
    let (log, connection) = receiver();
    connection.data_received(b"one\r\nquit\r\nnever\r\n");
    assert_eq!(log.take(), ["line one", "line quit"]);
}

#[test]
fn stop_within_a_line() {
    let (log, connection) = receiver();
    connection.data_received(b"stop\r\nnever\r\n");
    connection
        .handle()
        .with(|receiver, transport| receiver.with(transport, |_, lines| assert!(lines.is_paused())))
        .unwrap();
    assert_eq!(log.take(), ["line stop"]);
}

#[test]
fn clear_within_a_line_takes_what_is_behind_it() {
    let (log, connection) = receiver();
    connection.data_received(b"cle");
    connection.data_received(b"ar\r\none\r\ntwo");
    connection.data_received(b"three\r\n");
    assert_eq!(log.take(), ["line clear", "cleared one\\r\\ntwo", "line three"]);
}

#[test]
fn paused_lines_wait_and_what_comes_waits_behind_them() {
    let (log, connection) = receiver();
    connection.data_received(b"pause\r\none\r\ntw");
    connection.data_received(b"o\r\nthree\r\nfo");
    assert_eq!(log.take(), ["line pause"]);
    connection.handle().with(|receiver, transport| receiver.resume_producing(transport)).unwrap();
    assert_eq!(log.take(), ["line one", "line two", "line three"]);
    connection.data_received(b"ur\r\n");
    assert_eq!(log.take(), ["line four"]);
}

#[test]
fn mode_set_from_outside() {
    let (log, connection) = receiver();
    let with = |f: fn(&mut Lines<'_>)| {
        connection.handle().with(|receiver, transport| receiver.with(transport, |_, lines| f(lines))).unwrap();
    };
    connection.data_received(b"one\r\npart");
    *log.missing.borrow_mut() = 6;
    with(|lines| lines.set_raw_mode());
    connection.data_received(b"ly raw\r\n");
    assert_eq!(log.take(), ["line one", "raw partly", "line  raw"]);
    with(|lines| lines.set_line_mode(b"given\r\nto "));
    connection.data_received(b"it\r\n");
    assert_eq!(log.take(), ["line given", "line to it"]);
}

/// Gives back more than it was given, and from elsewhere.
struct Extra(Vec<Vec<u8>>);

impl LineHandler for Extra {
    fn connection_made(&mut self, lines: &mut Lines<'_>) {
        lines.set_line_mode(b"made\r\n");
    }

    fn line_received(&mut self, lines: &mut Lines<'_>, line: &[u8]) {
        self.0.push(line.to_vec());
        match line {
            b"extend" => lines.set_line_mode(b" extended\r\n"),
            b"raw" => lines.set_raw_mode(),
            _ => {}
        }
    }

    fn raw_data_received(&mut self, lines: &mut Lines<'_>, data: &[u8]) {
        lines.set_line_mode(&data[1..]);
        lines.set_line_mode(b"more\r\n");
    }
}

#[test]
fn extra_bytes_come_behind_what_is_there() {
    let connection = Connection::new(LineReceiver::new(Extra(Vec::new())));
    connection.data_received(b"extend\r\none\r\ntwo");
    connection.data_received(b"raw\r\n!three\r\n");
    let received = connection.handle().with(|receiver, _| receiver.handler().0.clone()).unwrap();
    let expected: [&[u8]; 7] = [b"made", b"extend", b"one", b"two extended", b"raw", b"three", b"more"];
    assert_eq!(received, expected);
}

#[test]
#[should_panic = "a LineOnlyReceiver has no raw mode: take a LineReceiver"]
fn raw_mode_where_there_is_none() {
    Connection::new(LineOnlyReceiver::new(Log::default())).data_received(b"raw 1\r\n");
}

#[test]
#[should_panic = "a delimiter has at least one byte"]
fn empty_delimiter() {
    let _ = LineReceiver::new(Log::default()).delimiter(b"");
}

#[test]
fn sending_from_inside_and_outside() {
    let connection = Connection::new(LineReceiver::new(Extra(Vec::new())).delimiter(b"\n"));
    connection.handle().with(|receiver, transport| receiver.send_line(transport, b"by the receiver")).unwrap();
    connection
        .handle()
        .with(|receiver, transport| receiver.with(transport, |_, lines| lines.send_line(b"by its lines")))
        .unwrap();
    send_line(&connection.handle().transport(), b"by the transport", b"\r\n");
    let sent = connection.string_transport().value();
    assert_eq!(sent, b"by the receiver\nby its lines\nby the transport\r\n");
}

#[test]
fn receivers_are_small() {
    assert!(size_of::<LineReceiver<()>>() <= 72, "{}", size_of::<LineReceiver<()>>());
}

/// On a real connection: a handler pauses, and somebody who has only the transport resumes.
struct Slow(Log);

impl LineHandler for Slow {
    fn line_received(&mut self, lines: &mut Lines<'_>, line: &[u8]) {
        self.0.line_received(lines, line);
        lines.pause_producing();
        let transport: Transport = lines.transport().clone();
        rt::time::call_later(Duration::from_secs(1), move || transport.resume_producing());
    }
}

#[rt::test(start_paused = true)]
async fn each_line_pauses_and_a_timer_resumes() {
    let (near, mut far) = duplex(1024);
    let log = Log::default();
    let begin = rt::time::Instant::now();
    let handle = drive(near, LineReceiver::new(Slow(log.clone())));
    far.write_all(b"one\r\ntwo\r\nthree\r\n").await.unwrap();
    far.write_all(b"four\r\n").await.unwrap();
    rt::time::advance(Duration::from_millis(3500)).await;
    assert_eq!(log.take(), ["line one", "line two", "line three", "line four"]);
    assert_eq!(begin.elapsed(), Duration::from_millis(3500));
    assert!(handle.transport().is_connected());
}

#[rt::test(start_paused = true)]
async fn pause_from_outside_holds_lines_that_have_come() {
    let (near, mut far) = duplex(1024);
    let log = Log::default();
    let transport = drive(near, LineReceiver::new(log.clone())).transport();
    far.write_all(b"pause\r\none\r\n").await.unwrap();
    rt::time::advance(Duration::from_secs(1)).await;
    assert_eq!(log.take(), ["line pause"]);
    assert!(transport.is_paused());
    transport.resume_producing();
    transport.pause_producing();
    rt::time::advance(Duration::from_secs(1)).await;
    assert_eq!(log.take(), [""; 0]);
    transport.resume_producing();
    rt::time::advance(Duration::from_secs(1)).await;
    assert_eq!(log.take(), ["line one"]);
    transport.lose_connection();
    assert_eq!(far.read(&mut [0; 8]).await.unwrap(), 0);
}

/// Has the connection taken over after `take`, in raw mode after `raw`; what was read from the stream is a word, too.
struct Takes(Log);

impl Takes {
    fn take(&self, lines: &mut Lines<'_>, unread: &[u8]) {
        let (log, mut stream) = (self.0.clone(), lines.take_stream(unread).unwrap());
        rt::spawn_local(async move {
            let mut body = [0; 4];
            stream.read_exact(&mut body).await?;
            log.note("stream", &body);
            stream.give_back(b"");
            std::io::Result::Ok(())
        });
    }
}

impl LineHandler for Takes {
    fn line_received(&mut self, lines: &mut Lines<'_>, line: &[u8]) {
        self.0.note("line", line);
        match line {
            b"take" => self.take(lines, b""),
            b"raw" => lines.set_raw_mode(),
            _ => {}
        }
    }

    fn raw_data_received(&mut self, lines: &mut Lines<'_>, data: &[u8]) {
        self.0.note("raw", &data[..1]);
        self.take(lines, &data[1..]);
        lines.set_line_mode(b"");
    }

    fn connection_lost(&mut self, _: &mut Lines<'_>, reason: &ConnectionLost) {
        self.0.note("lost", reason.to_string().as_bytes());
    }
}

#[test]
fn taken_as_a_stream_with_lines_that_have_come_already() {
    let all = b"take\r\na\r\nb1\r\nraw\r\nrc\r\nd2\r\n";
    for cut in 0..=all.len() {
        rt::block_on(async {
            let (log, (mut near, far)) = (Log::default(), duplex(64));
            let handle = drive(far, LineReceiver::new(Takes(log.clone())));
            near.write_all(&all[..cut]).await.unwrap();
            rt::task::yield_now().await;
            near.write_all(&all[cut..]).await.unwrap();
            near.close().await.unwrap();
            handle.transport().closed().await.unwrap();
            let words = log.take();
            let expected = ["line take", "stream a\\r\\nb", "line 1", "line raw", "raw r", "stream c\\r\\nd", "line 2"];
            assert_eq!(words[..words.len() - 1], expected, "cut at {cut}");
        });
    }
}

#[test]
fn one_that_cannot_be_taken_goes_on_with_its_lines() {
    struct Refused(Log);
    impl LineHandler for Refused {
        fn line_received(&mut self, lines: &mut Lines<'_>, line: &[u8]) {
            self.0.note("line", line);
            assert!(lines.take_stream(b"").is_err(), "a double has no stream");
        }
    }
    let log = Log::default();
    Connection::new(LineReceiver::new(Refused(log.clone()))).data_received(b"one\r\ntwo\r\n");
    assert_eq!(log.take(), ["line one", "line two"]);
}
