//! Requests over connections that stay; the answers are all of one length.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use rustix::io::ioctl_fionbio;

use super::endpoint::Endpoint;
use super::{Generator, HTTP1_REQUEST, received, wait};

/// Requests that are written at once.
const MOST: usize = 64;

/// Clients that have the same number of requests under way at all times.
pub(super) struct Exchange<S> {
    epoll: Epoll,
    clients: Vec<Client<S>>,
    in_flight: u64,
    /// [`MOST`] requests.
    requests: Vec<u8>,
    /// Bytes of an answer.
    answer: usize,
    buffer: Vec<u8>,
    /// How long the requests took, if that is to be known.
    times: Option<Vec<Duration>>,
}

struct Client<S> {
    stream: S,
    /// When the last requests were sent, if that is to be known.
    sent: Option<Instant>,
    /// Bytes of an answer that is not whole yet.
    partial: usize,
}

impl<S: Read + Write + AsFd> Exchange<S> {
    /// Connects. How long answers are is learnt from the first.
    pub(super) fn connect(
        endpoint: &impl Endpoint<Stream = S>,
        connections: usize,
        in_flight: usize,
        request: &[u8],
    ) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let mut clients = Vec::with_capacity(connections);
        let mut answer = None;
        for key in 0..connections {
            let mut stream = endpoint.open()?;
            stream.write_all(request)?;
            let len = if request == HTTP1_REQUEST { http1_answer(&mut stream)? } else { echo(&mut stream, request)? };
            if *answer.get_or_insert(len) != len {
                return Err(io::Error::new(ErrorKind::InvalidData, "the answers differ in length"));
            }
            ioctl_fionbio(&stream, true)?;
            epoll.add(&stream, EpollEvent::new(EpollFlags::EPOLLIN, key as u64))?;
            clients.push(Client { stream, sent: None, partial: 0 });
        }
        Ok(Self {
            epoll,
            clients,
            in_flight: in_flight as u64,
            requests: request.repeat(MOST),
            answer: answer.unwrap_or(request.len()),
            buffer: vec![0; 64 << 10],
            times: None,
        })
    }
}

impl<S: Read + Write + AsFd + Send> Generator for Exchange<S> {
    fn run(&mut self, requests: u64) -> io::Result<()> {
        let Self { epoll, clients, in_flight, requests: bytes, answer, buffer, times } = self;
        let request = bytes.len() / MOST;
        // So few always fit: the answers to all before them have been read.
        let of = |count: u64| &bytes[..count as usize * request];
        let now = if times.is_some() { || Some(Instant::now()) } else { || None };
        let mut to_send = requests;
        let mut unanswered = requests;
        for client in clients.iter_mut() {
            let count = to_send.min(*in_flight);
            client.sent = now();
            client.send(of(count))?;
            to_send -= count;
        }
        while unanswered > 0 {
            let mut events = [EpollEvent::empty(); 256];
            for event in wait(epoll, &mut events)? {
                let client = &mut clients[event.data() as usize];
                client.partial += received(client.stream.read(buffer))?;
                let answers = (client.partial / *answer) as u64;
                client.partial %= *answer;
                if answers == 0 {
                    continue;
                }
                unanswered -= answers;
                let took = client.sent.map(|sent| sent.elapsed());
                times.as_mut().zip(took).into_iter().for_each(|(times, took)| times.push(took));
                client.sent = now();
                let count = to_send.min(answers);
                client.send(of(count))?;
                to_send -= count;
            }
        }
        Ok(())
    }

    fn run_timed(&mut self, requests: u64) -> io::Result<Vec<Duration>> {
        self.times = Some(Vec::with_capacity(requests as usize));
        self.run(requests)?;
        Ok(self.times.take().unwrap_or_default())
    }
}

impl<S: Write> Client<S> {
    fn send(&mut self, requests: &[u8]) -> io::Result<()> {
        if requests.is_empty() { Ok(()) } else { self.stream.write_all(requests) }
    }
}

/// Reads the request back.
fn echo(stream: &mut impl Read, request: &[u8]) -> io::Result<usize> {
    let mut answer = vec![0; request.len()];
    stream.read_exact(&mut answer)?;
    if answer == request { Ok(answer.len()) } else { Err(io::Error::new(ErrorKind::InvalidData, "this is no echo")) }
}

/// Reads an answer that says its length; head and body have so many bytes.
fn http1_answer(stream: &mut impl Read) -> io::Result<usize> {
    let refuse =
        |head: &[u8]| io::Error::new(ErrorKind::InvalidData, format!("answered {:?}", String::from_utf8_lossy(head)));
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    if !head.starts_with(b"HTTP/1.1 200 ") {
        return Err(refuse(&head));
    }
    let text = String::from_utf8_lossy(&head).to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    let mut body = vec![0; length.ok_or_else(|| refuse(&head))?];
    stream.read_exact(&mut body)?;
    Ok(head.len() + body.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_an_answer_with_its_head() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        let mut rest = [&answer[..], b"HTTP"].concat();
        let mut stream = &rest[..];
        assert_eq!(http1_answer(&mut stream).unwrap(), answer.len());
        assert_eq!(stream, b"HTTP");
        rest[9] = b'5';
        assert!(http1_answer(&mut &rest[..]).unwrap_err().to_string().starts_with("answered \"HTTP/1.1 500 OK"));
    }
}
