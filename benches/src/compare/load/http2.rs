//! `GET /` by HTTP/2: prepared frames, and of what comes back only the frames' heads are looked at.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};

use super::endpoint::Endpoint;
use super::{Generator, received, wait};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// `:method: GET`, `:scheme: http` and `:path: /` are in HPACK's table; `:authority` is written out, and not to be remembered.
const HEADERS: &[u8] = b"\x82\x86\x84\x01\x09localhost";

/// Bytes of a frame's head: length (3), type, flags, stream (4).
const HEAD: usize = 9;
const DATA: u8 = 0;
const HEADERS_FRAME: u8 = 1;
const SETTINGS: u8 = 4;
const WINDOW_UPDATE: u8 = 8;
/// Of `DATA` and `HEADERS`.
const END_STREAM: u8 = 1;
/// Of `HEADERS`.
const END_HEADERS: u8 = 4;
/// Of `SETTINGS`.
const ACK: u8 = 1;

/// Clients with the same number of streams at all times.
pub(super) struct Http2 {
    epoll: Epoll,
    clients: Vec<Client>,
    streams: u64,
    buffer: Vec<u8>,
}

struct Client {
    stream: TcpStream,
    /// The next stream's number; clients have the odd ones.
    next: u32,
    frames: Frames,
    /// What is to be sent, kept for its memory.
    outgoing: Vec<u8>,
}

/// What comes back, in pieces of any length.
#[derive(Default)]
struct Frames {
    /// The head of a frame, as far as it has come.
    head: Vec<u8>,
    /// Bytes of a frame that are still to come, and to be passed over.
    payload: usize,
}

/// What a frame is about, for us.
#[derive(Debug, PartialEq, Eq)]
enum Event {
    /// An answer is complete.
    Answered,
    /// The server's settings, which want to be acknowledged.
    Settings,
    /// Nothing that a client has to do something about.
    Other,
}

impl Http2 {
    pub(super) fn connect(address: SocketAddr, connections: usize, streams: usize) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let mut clients = Vec::with_capacity(connections);
        let mut buffer = vec![0; 256 << 10];
        for key in 0..connections {
            let mut client = Client {
                stream: address.open()?,
                next: 1,
                frames: Frames::default(),
                outgoing: [PREFACE, &frame(SETTINGS, 0, 0, &[]), &whole_window()].concat(),
            };
            client.request(1)?;
            while client.receive(&mut buffer)? == 0 {}
            client.stream.set_nonblocking(true)?;
            epoll.add(&client.stream, EpollEvent::new(EpollFlags::EPOLLIN, key as u64))?;
            clients.push(client);
        }
        Ok(Self { epoll, clients, streams: streams as u64, buffer })
    }
}

impl Generator for Http2 {
    fn run(&mut self, requests: u64) -> io::Result<()> {
        let mut to_send = requests;
        let mut unanswered = requests;
        for client in &mut self.clients {
            let count = to_send.min(self.streams);
            client.request(count)?;
            to_send -= count;
        }
        while unanswered > 0 {
            let mut events = [EpollEvent::empty(); 256];
            for event in wait(&self.epoll, &mut events)? {
                let client = &mut self.clients[event.data() as usize];
                let answers = client.receive(&mut self.buffer)?;
                unanswered -= answers;
                let count = to_send.min(answers);
                client.request(count)?;
                to_send -= count;
            }
        }
        Ok(())
    }
}

impl Client {
    /// Begins so many streams, and sends what else there is.
    fn request(&mut self, streams: u64) -> io::Result<()> {
        for _ in 0..streams {
            self.outgoing.extend(frame(HEADERS_FRAME, END_HEADERS | END_STREAM, self.next, HEADERS));
            self.next += 2;
        }
        if !self.outgoing.is_empty() {
            // It fits: a request is 24 bytes, and the answers to all before these have been read.
            self.stream.write_all(&self.outgoing)?;
            self.outgoing.clear();
        }
        Ok(())
    }

    /// How many answers were completed by what there was to read.
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<u64> {
        let count = received(self.stream.read(buffer))?;
        let mut answers = 0;
        let mut bytes = &buffer[..count];
        while let Some(event) = self.frames.next(&mut bytes)? {
            match event {
                Event::Answered => answers += 1,
                Event::Settings => self.outgoing.extend(frame(SETTINGS, ACK, 0, &[])),
                Event::Other => {}
            }
        }
        Ok(answers)
    }
}

impl Frames {
    /// The next frame whose head is complete; takes what it has read off `bytes`.
    fn next(&mut self, bytes: &mut &[u8]) -> io::Result<Option<Event>> {
        let (_, rest) = bytes.split_at(self.payload.min(bytes.len()));
        self.payload -= bytes.len() - rest.len();
        let (head, rest) = rest.split_at((HEAD - self.head.len()).min(rest.len()));
        self.head.extend_from_slice(head);
        *bytes = rest;
        let &[a, b, c, kind, flags, ..] = &self.head[..] else { return Ok(None) };
        if self.head.len() < HEAD {
            return Ok(None);
        }
        self.head.clear();
        self.payload = u32::from_be_bytes([0, a, b, c]) as usize;
        match kind {
            DATA | HEADERS_FRAME if flags & END_STREAM != 0 => Ok(Some(Event::Answered)),
            SETTINGS if flags & ACK == 0 => Ok(Some(Event::Settings)),
            DATA | HEADERS_FRAME | SETTINGS | WINDOW_UPDATE => Ok(Some(Event::Other)),
            // RST_STREAM, GOAWAY, or something that would have to be answered.
            _ => Err(io::Error::new(ErrorKind::InvalidData, format!("a frame of type {kind} was not expected"))),
        }
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = (payload.len() as u32).to_be_bytes();
    [&[a, b, c, kind, flags], &stream.to_be_bytes()[..], payload].concat()
}

/// Opens the window of the connection as wide as it can be, which is enough for 400 million answers of five bytes.
fn whole_window() -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, 0, &(i32::MAX as u32 - 65_535).to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_in_pieces_of_any_length() {
        let answer = [
            frame(SETTINGS, 0, 0, &[0; 6]),
            frame(HEADERS_FRAME, END_HEADERS, 1, &[0x88]),
            frame(DATA, END_STREAM, 1, b"hello"),
            frame(SETTINGS, ACK, 0, &[]),
        ]
        .concat();
        for len in 1..=answer.len() {
            let mut frames = Frames::default();
            let mut events = Vec::new();
            for mut piece in answer.chunks(len) {
                while let Some(event) = frames.next(&mut piece).unwrap() {
                    events.push(event);
                }
                assert!(piece.is_empty(), "all was taken, in pieces of {len}");
            }
            assert_eq!(events, [Event::Settings, Event::Other, Event::Answered, Event::Other], "in pieces of {len}");
        }
    }

    #[test]
    fn a_server_that_gives_up() {
        let mut frames = Frames::default();
        let goaway = frame(7, 0, 0, &[0; 8]);
        assert!(frames.next(&mut &goaway[..]).unwrap_err().to_string().contains("type 7"));
    }
}
