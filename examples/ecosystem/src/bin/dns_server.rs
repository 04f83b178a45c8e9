//! A name server with authority for one small zone, over UDP and TCP.
//!
//! ```text
//! dns_server 127.0.0.1:5353 example. 'www A 192.0.2.1' 'www AAAA 2001:db8::1' 'www TXT some words' @more.txt
//! dig @127.0.0.1 -p 5353 www.example
//! ```
//!
//! A record is a name within the zone (`@` is the zone itself), a type of A, AAAA or TXT, and a value; `@more.txt` reads records from
//! a file, one a line. Ctrl-C ends it.

use futures_util::io::{AsyncReadExt, AsyncWriteExt};
use hickory_proto::op::{Edns, Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{SOA, TXT};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use rt::net::{TcpListener, TcpStream, UdpSocket, serve};
use rt::time::{Duration, timeout};
use std::collections::BTreeMap;
use std::error::Error;
use std::future::IntoFuture;
use std::io;
use std::sync::Arc;

const USAGE: &str = "usage: dns_server ADDRESS ZONE [RECORD | @FILE]...";

/// How long answers may be kept, in seconds.
const TTL: u32 = 300;
/// What is sent by UDP at most, and what we say that we take: it passes through every network in one piece.
const LARGEST_DATAGRAM: u16 = 1232;
/// What a client takes that says nothing of it.
const SMALLEST_DATAGRAM: u16 = 512;
const CONNECTIONS: usize = 64;
/// How long a TCP client may keep silent, or not read.
const PATIENCE: Duration = Duration::from_secs(10);

type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

#[rt::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(address), Some(zone)) = (arguments.next(), arguments.next()) else { return Err(USAGE.into()) };
    let mut zone = Zone::new(&zone)?;
    for argument in arguments {
        match argument.strip_prefix('@').filter(|rest| !rest.starts_with(' ')) {
            Some(file) => {
                let lines = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
                lines.lines().filter(|line| !line.trim().is_empty()).try_for_each(|line| zone.add(line))?;
            }
            None => zone.add(&argument)?,
        }
    }
    let (udp, tcp) = bind(&address).await?;
    println!("Answering on {}", tcp.local_addr()?);

    let zone = Arc::new(zone);
    let for_tcp = zone.clone();
    let over_tcp = serve(tcp, move |stream, _| over_tcp(stream, for_tcp.clone())).connection_limit(CONNECTIONS);
    rt::select! {
        ended = over_udp(udp, &zone) => ended?,
        ended = over_tcp.into_future() => drop(ended?),
        interrupted = rt::signal::ctrl_c() => interrupted?,
    }
    println!("Ended");
    Ok(())
}

/// Both on one port. A free one that TCP was given may be taken in UDP, so that some are tried.
async fn bind(address: &str) -> io::Result<(UdpSocket, TcpListener)> {
    let mut tries = 0;
    loop {
        let tcp = TcpListener::bind(address).await?;
        match UdpSocket::bind(tcp.local_addr()?).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && address.ends_with(":0") && tries < 20 => {
                tries += 1
            }
            udp => return Ok((udp?, tcp)),
        }
    }
}

async fn over_udp(socket: UdpSocket, zone: &Zone) -> io::Result<()> {
    let mut datagram = vec![0; 4096];
    loop {
        let (length, client) = match socket.recv_from(&mut datagram).await {
            Ok(received) => received,
            // What the network says of an answer that was sent.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => continue,
            Err(error) => return Err(error),
        };
        let Some(answer) = zone.answer(&datagram[..length], Over::Udp) else { continue };
        // A client that cannot be sent to asks again, or is gone.
        let _ = socket.send_to(&answer, client).await;
    }
}

/// Questions and answers over one connection, each behind its length.
async fn over_tcp(mut stream: TcpStream, zone: Arc<Zone>) -> Result<()> {
    while let Some(question) = timeout(PATIENCE, next_question(&mut stream)).await?? {
        let Some(answer) = zone.answer(&question, Over::Tcp) else { break };
        let mut framed = u16::try_from(answer.len())?.to_be_bytes().to_vec();
        framed.extend(answer);
        timeout(PATIENCE, stream.write_all(&framed)).await??;
    }
    Ok(())
}

/// `None` at the end of the connection.
async fn next_question(stream: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 2];
    if stream.read(&mut length[..1]).await? == 0 {
        return Ok(None);
    }
    stream.read_exact(&mut length[1..]).await?;
    let mut question = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut question).await?;
    Ok(Some(question))
}

/// By what a question came, which says how long its answer may be.
#[derive(Clone, Copy, PartialEq)]
enum Over {
    Udp,
    Tcp,
}

/// A name and all below it.
struct Zone {
    apex: Name,
    start_of_authority: Record,
    /// By name in lower case.
    records: BTreeMap<Name, Vec<Record>>,
}

impl Zone {
    fn new(apex: &str) -> Result<Self> {
        let mut apex = Name::from_str_relaxed(apex)?.to_lowercase();
        apex.set_fqdn(true);
        let (server, mailbox) = (apex.prepend_label("ns")?, apex.prepend_label("hostmaster")?);
        let authority = SOA::new(server, mailbox, 1, 3600, 600, 86400, TTL);
        let start_of_authority = Record::from_rdata(apex.clone(), TTL, RData::SOA(authority));
        let records = BTreeMap::from([(apex.clone(), vec![start_of_authority.clone()])]);
        Ok(Self { apex, start_of_authority, records })
    }

    /// Adds a record in writing: a name, a type and a value.
    fn add(&mut self, line: &str) -> Result<()> {
        let parts = first_word(line).and_then(|(name, rest)| first_word(rest).map(|(kind, value)| (name, kind, value)));
        let Some((name, kind, value)) = parts else {
            return Err(format!("{line:?} is not a name, a type and a value").into());
        };
        let name = match name {
            "@" => self.apex.clone(),
            name => Name::from_str_relaxed(name)?.to_lowercase().append_domain(&self.apex)?,
        };
        let data = match kind {
            "A" => RData::A(value.parse().map_err(|_| format!("{value:?} is not an IPv4 address"))?),
            "AAAA" => RData::AAAA(value.parse().map_err(|_| format!("{value:?} is not an IPv6 address"))?),
            "TXT" => RData::TXT(TXT::from_bytes(value.as_bytes().chunks(255).collect())),
            _ => return Err(format!("{kind:?} is not one of A, AAAA and TXT").into()),
        };
        self.records.entry(name.clone()).or_default().push(Record::from_rdata(name, TTL, data));
        Ok(())
    }

    /// The answer to a message; none to what is not a question at all.
    fn answer(&self, message: &[u8], over: Over) -> Option<Vec<u8>> {
        let (response, room) = match Message::from_vec(message) {
            Ok(request) if request.metadata.message_type == MessageType::Response => return None,
            Ok(request) => (self.response(&request), room(&request, over)),
            Err(_) => (refusal_of_nonsense(message)?, SMALLEST_DATAGRAM),
        };
        let bytes = response.to_vec().ok()?;
        if bytes.len() <= usize::from(room) { Some(bytes) } else { response.truncate().to_vec().ok() }
    }

    fn response(&self, request: &Message) -> Message {
        let mut response = Message::response(request.metadata.id, request.metadata.op_code);
        response.metadata.recursion_desired = request.metadata.recursion_desired;
        response.add_queries(request.queries.iter().cloned());
        if request.edns.is_some() {
            let mut edns = Edns::new();
            edns.set_max_payload(LARGEST_DATAGRAM);
            response.set_edns(edns);
        }
        response.metadata.response_code = match &request.queries[..] {
            _ if request.version() > 0 => ResponseCode::BADVERS,
            _ if request.metadata.op_code != OpCode::Query => ResponseCode::NotImp,
            [question] if question.query_class() != DNSClass::IN || !self.apex.zone_of(question.name()) => {
                ResponseCode::Refused
            }
            [question] => {
                response.metadata.authoritative = true;
                self.look_up(question.name(), question.query_type(), &mut response)
            }
            _ => ResponseCode::FormErr,
        };
        response
    }

    fn look_up(&self, name: &Name, wanted: RecordType, response: &mut Message) -> ResponseCode {
        let here = self.records.get(&name.to_lowercase());
        let records =
            here.into_iter().flatten().filter(|record| [record.record_type(), RecordType::ANY].contains(&wanted));
        // Spelled as it was asked for.
        response.add_answers(records.cloned().map(|mut record| {
            record.name = name.clone();
            record
        }));
        if !response.answers.is_empty() {
            return ResponseCode::NoError;
        }
        // It says how long nothing may be remembered.
        response.add_authority(self.start_of_authority.clone());
        let is_on_the_way = || self.records.keys().any(|key| name.zone_of(key));
        if here.is_some() || is_on_the_way() { ResponseCode::NoError } else { ResponseCode::NXDomain }
    }
}

/// The first word and what follows, if something does.
fn first_word(text: &str) -> Option<(&str, &str)> {
    let (word, rest) = text.trim().split_once(char::is_whitespace)?;
    Some((word, rest.trim_start()))
}

/// How many bytes the answer may have.
fn room(request: &Message, over: Over) -> u16 {
    match over {
        Over::Tcp => u16::MAX,
        Over::Udp => request.max_payload().min(LARGEST_DATAGRAM),
    }
}

/// Says so to the sender of what looks like a question from afar only.
fn refusal_of_nonsense(message: &[u8]) -> Option<Message> {
    let [id_high, id_low, flags, ..] = *message.first_chunk::<12>()?;
    let is_question = flags & 0x80 == 0;
    let id = u16::from_be_bytes([id_high, id_low]);
    is_question.then(|| Message::error_msg(id, OpCode::Query, ResponseCode::FormErr))
}
