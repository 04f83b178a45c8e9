//! Lines, netstrings and strings behind their length.

use std::cell::RefCell;
use std::rc::Rc;

use rt::Resolver;
use rt::protocol::{
    Address, ConnectionLost, Factory, Int32StringReceiver, LineHandler, LineReceiver, Lines, NetstringReceiver, Port,
    Protocol, StreamClientEndpoint, StringHandler, Strings, TcpClientEndpoint, listen_tcp,
};

use crate::twisted::{Script, Twisted, block_on};

/// What this side saw.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) strings: Vec<Vec<u8>>,
    pub(crate) lost: Option<ConnectionLost>,
}

/// This side: it sends back what comes, last byte first, if it is the server; the client sends its strings, and hangs up when as many
/// have come back.
pub(crate) struct Side {
    seen: Rc<RefCell<Seen>>,
    sends: Option<Vec<Vec<u8>>>,
    done: Option<Resolver<()>>,
}

/// What the receivers have in common, as [`Side`] needs it.
trait Sends {
    fn send(&mut self, string: &[u8]);
    fn hang_up(&mut self);
}

impl Sends for Lines<'_> {
    fn send(&mut self, string: &[u8]) {
        self.send_line(string);
    }

    fn hang_up(&mut self) {
        self.lose_connection();
    }
}

impl Sends for Strings<'_> {
    fn send(&mut self, string: &[u8]) {
        self.send_string(string).expect("strings that fit");
    }

    fn hang_up(&mut self) {
        self.lose_connection();
    }
}

impl Side {
    fn made(&mut self, peer: &mut impl Sends) {
        for string in self.sends.iter().flatten() {
            peer.send(string);
        }
    }

    fn came(&mut self, peer: &mut impl Sends, string: &[u8]) {
        let mut seen = self.seen.borrow_mut();
        seen.strings.push(string.to_vec());
        match &self.sends {
            None => peer.send(&string.iter().rev().copied().collect::<Vec<u8>>()),
            Some(sent) if seen.strings.len() == sent.len() => peer.hang_up(),
            Some(_) => {}
        }
    }

    fn lost(&mut self, reason: &ConnectionLost) {
        self.seen.borrow_mut().lost = Some(reason.clone());
        if let Some(done) = self.done.take() {
            done.callback(()).expect("once");
        }
    }
}

impl LineHandler for Side {
    fn connection_made(&mut self, lines: &mut Lines<'_>) {
        self.made(lines);
    }

    fn line_received(&mut self, lines: &mut Lines<'_>, line: &[u8]) {
        self.came(lines, line);
    }

    fn connection_lost(&mut self, _: &mut Lines<'_>, reason: &ConnectionLost) {
        self.lost(reason);
    }
}

impl StringHandler for Side {
    fn connection_made(&mut self, strings: &mut Strings<'_>) {
        self.made(strings);
    }

    fn string_received(&mut self, strings: &mut Strings<'_>, string: &[u8]) {
        self.came(strings, string);
    }

    fn connection_lost(&mut self, _: &mut Strings<'_>, reason: &ConnectionLost) {
        self.lost(reason);
    }
}

/// The three formats, as the scripts call them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Format {
    Lines,
    Netstrings,
    Int32,
}

impl Format {
    pub(crate) const ALL: [Format; 3] = [Format::Lines, Format::Netstrings, Format::Int32];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Format::Lines => "lines",
            Format::Netstrings => "netstrings",
            Format::Int32 => "int32",
        }
    }

    /// Twisted's limits, which are ours as well.
    fn longest(self) -> usize {
        if self == Format::Lines { 16_384 } else { 99_999 }
    }

    fn protocol(self, side: Side) -> Box<dyn Protocol> {
        match self {
            Format::Lines => Box::new(LineReceiver::new(side)),
            Format::Netstrings => Box::new(NetstringReceiver::new(side)),
            Format::Int32 => Box::new(Int32StringReceiver::new(side)),
        }
    }

    /// Empty and full, bytes of all kinds, the longest that is allowed, and many.
    pub(crate) fn strings(self) -> Vec<Vec<u8>> {
        let all_bytes = (0..=255).filter(|byte| self != Format::Lines || !b"\r\n".contains(byte)).collect();
        let mut strings = vec![b"hello".to_vec(), Vec::new(), all_bytes, vec![b'x'; self.longest()]];
        strings.extend((0..500_u32).map(|number| number.to_string().into_bytes()));
        strings
    }
}

/// What makes this side's protocol for its one connection, and tells when that is over.
pub(crate) fn side(format: Format, sends: Option<Vec<Vec<u8>>>) -> (Once, Rc<RefCell<Seen>>, rt::Deferred<()>) {
    let seen = Rc::<RefCell<Seen>>::default();
    let (over, done) = rt::Deferred::new();
    let side = Side { seen: seen.clone(), sends, done: Some(done) };
    (Once(Some(format.protocol(side))), seen, over)
}

pub(crate) struct Once(Option<Box<dyn Protocol>>);

impl Factory for Once {
    type Protocol = Box<dyn Protocol>;

    fn build_protocol(&mut self, _: &Address) -> Option<Box<dyn Protocol>> {
        self.0.take()
    }
}

pub(crate) fn port_of(port: &Port) -> String {
    port.host().ip().expect("an IP address").port().to_string()
}

pub(crate) fn received(strings: &[Vec<u8>]) -> Vec<String> {
    strings.iter().map(|string| format!("received {}", hex(string))).collect()
}

pub(crate) fn reversed(strings: &[Vec<u8>]) -> Vec<Vec<u8>> {
    strings.iter().map(|string| string.iter().rev().copied().collect()).collect()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Without printing the longest of them.
#[track_caller]
pub(crate) fn same<T: PartialEq>(what: &str, ours: &[T], theirs: &[T]) {
    let differs = ours.iter().zip(theirs).position(|(ours, theirs)| ours != theirs);
    assert_eq!((ours.len(), differs), (theirs.len(), None), "{what}");
}

/// The other side sends `strings`, and both sides see all of them come and go.
pub(crate) async fn client_sends(
    mut client: Script,
    strings: &[Vec<u8>],
    seen: &RefCell<Seen>,
    over: rt::Deferred<()>,
) {
    client.write(strings.iter().map(|string| hex(string))).await;
    let (ended, mut told) = rt::join!(over.into_future(), client.rest());
    ended.unwrap();
    assert_eq!(told.pop().as_deref(), Some("lost ConnectionDone"));
    same("what the client saw", &told, &received(&reversed(strings)));
    same("what the server saw", &seen.borrow().strings, strings);
    assert!(seen.borrow().lost.as_ref().unwrap().is_clean());
}

/// The other side gets `strings`, and both sides see all of them come and go.
pub(crate) async fn server_answers(server: Script, strings: &[Vec<u8>], seen: &RefCell<Seen>, over: rt::Deferred<()>) {
    let (ended, mut told) = rt::join!(over.into_future(), server.rest());
    ended.unwrap();
    assert_eq!(told.pop().as_deref(), Some("lost ConnectionDone"));
    same("what the server saw", &told, &received(strings));
    same("what the client saw", &seen.borrow().strings, &reversed(strings));
    assert!(seen.borrow().lost.as_ref().unwrap().is_clean());
}

#[test]
fn twisted_client_and_our_server() {
    let Some(twisted) = Twisted::find() else { return };
    for format in Format::ALL {
        block_on(async {
            let strings = format.strings();
            let (factory, seen, over) = side(format, None);
            let port = listen_tcp("127.0.0.1:0", factory).unwrap();
            let client = twisted.start("strings.py", [format.name(), "connect", &port_of(&port)]);
            client_sends(client, &strings, &seen, over).await;
        });
    }
}

#[test]
fn our_client_and_twisted_server() {
    let Some(twisted) = Twisted::find() else { return };
    for format in Format::ALL {
        block_on(async {
            let strings = format.strings();
            let mut server = twisted.start("strings.py", [format.name(), "serve"]);
            let endpoint = TcpClientEndpoint::new(("127.0.0.1", server.port().await));
            let (factory, seen, over) = side(format, Some(strings.clone()));
            endpoint.connect(factory).await.unwrap();
            server_answers(server, &strings, &seen, over).await;
        });
    }
}

/// Each side refuses from the other what is longer than the limit, and hangs up.
#[test]
fn too_long_for_either_side() {
    let Some(twisted) = Twisted::find() else { return };
    for format in Format::ALL {
        block_on(async {
            let strings = [b"short".to_vec(), vec![b'x'; format.longest() + 1], b"not seen".to_vec()];

            let (factory, seen, over) = side(format, None);
            let port = listen_tcp("127.0.0.1:0", factory).unwrap();
            let mut client = twisted.start("strings.py", [format.name(), "connect", &port_of(&port)]);
            client.write(strings.iter().map(|string| hex(string))).await;
            let (ended, told) = rt::join!(over.into_future(), client.rest());
            ended.unwrap();
            assert!(told.last().unwrap().starts_with("lost "), "{format:?}: {told:?}");
            same("what our server saw", &seen.borrow().strings, &strings[..1]);

            let mut server = twisted.start("strings.py", [format.name(), "serve"]);
            let endpoint = TcpClientEndpoint::new(("127.0.0.1", server.port().await));
            let (factory, _, over) = side(format, Some(strings.to_vec()));
            endpoint.connect(factory).await.unwrap();
            let (ended, mut told) = rt::join!(over.into_future(), server.rest());
            ended.unwrap();
            assert!(told.pop().unwrap().starts_with("lost "));
            same("what Twisted's server saw", &told, &received(&strings[..1]));
        });
    }
}
