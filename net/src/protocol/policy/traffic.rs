//! What comes and goes, written down.

use super::wrapping::factory_by_field;
use super::{Policy, ProtocolWrapper, Wrapper, WrappingFactory};
use crate::protocol::{Address, Backend, ClientFactory, ConnectionLost, Factory, Transport};
use rt_deferred::{Deferred, Failure};
use std::cell::RefCell;
use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::rc::Rc;

/// A factory whose connections are written down, line by line: `C` what the client, or whoever the peer is, sends, `S` what the
/// protocol does, each with the number of the connection.
///
/// ```text
/// *
/// C 1: b"GET / HTTP/1.0\r\n"
/// S 1: b"HTTP/1.0 404"
/// SV 1: [b" Not Found", b"\r\n"]
/// S 1: *
/// C 1: the connection was closed
/// ```
///
/// It is for finding faults: lines are written while the thread waits. When one cannot be written, the error is reported as an
/// [unhandled failure](rt_deferred::unhandled), and that connection is not written down any more.
///
/// Counterpart: `twisted.protocols.policies.TrafficLoggingFactory`; with `to_tracing` also `SpewingFactory`.
///
/// ```
/// use rt::protocol::policy::TrafficLoggingFactory;
/// use rt::protocol::{Address, Factory};
/// use rt::testing::{AccumulatingProtocol, StringTransportWithDisconnection};
///
/// # fn main() -> std::io::Result<()> {
/// let prefix = std::env::temp_dir().join("rt-traffic");
/// let mut factory = TrafficLoggingFactory::to_files(|_: &Address| AccumulatingProtocol::new(), &prefix);
/// let connection = StringTransportWithDisconnection::new(factory.build_protocol(&Address::Memory).unwrap());
/// connection.data_received(b"hello\n");
///
/// let file = std::env::temp_dir().join("rt-traffic-1");
/// assert_eq!(std::fs::read_to_string(&file)?, "*\nC 1: b\"hello\\n\"\n");
/// # std::fs::remove_file(file)
/// # }
/// ```
pub struct TrafficLoggingFactory<F> {
    factory: WrappingFactory<F, Logging>,
}

/// Where the lines of one connection go.
type Sink = Box<dyn FnMut(&str) -> io::Result<()>>;

impl<F: Factory> TrafficLoggingFactory<F> {
    /// Hands each line, without its end, to the function that `open` makes for the connection; it is given the number of the
    /// connection, from 1 on. An error of `open` closes the connection, and is reported.
    pub fn new<L>(factory: F, mut open: impl FnMut(u64) -> io::Result<L> + 'static) -> Self
    where
        L: FnMut(&str) -> io::Result<()> + 'static,
    {
        let open = Box::new(move |number| open(number).map(|line| Box::new(line) as Sink));
        Self { factory: WrappingFactory::new(factory, Logging { open, length_limit: None, count: 0 }) }
    }

    /// Writes to files that are called like `prefix` with `-1`, `-2` and so on. Files of that name are overwritten.
    pub fn to_files(factory: F, prefix: impl Into<PathBuf>) -> Self {
        let prefix = prefix.into();
        Self::new(factory, move |number| {
            let mut name = prefix.clone().into_os_string();
            name.push(format!("-{number}"));
            let mut file = File::create(name)?;
            Ok(move |line: &str| file.write_all(format!("{line}\n").as_bytes()))
        })
    }

    /// Makes events of `tracing` at the level of debugging.
    #[cfg(feature = "tracing")]
    pub fn to_tracing(factory: F) -> Self {
        Self::new(factory, |_| {
            Ok(|line: &str| {
                tracing::debug!(target: "rt::protocol::traffic", "{line}");
                Ok(())
            })
        })
    }

    /// Bytes that come or go in one piece are written down as far as to the first `bytes`, and what is left is counted. No limit
    /// unless told otherwise.
    pub fn length_limit(mut self, bytes: usize) -> Self {
        self.factory.policy_mut().length_limit = Some(bytes);
        self
    }
}

factory_by_field!(TrafficLoggingFactory, ProtocolWrapper<F::Protocol, TrafficLog>);

struct Logging {
    open: Box<dyn FnMut(u64) -> io::Result<Sink>>,
    length_limit: Option<usize>,
    count: u64,
}

impl Policy for Logging {
    type Wrapper = TrafficLog;

    fn wrap(&mut self, _: &Address) -> Option<TrafficLog> {
        self.count += 1;
        let sink = (self.open)(self.count).map_err(report).ok()?;
        Some(TrafficLog { sink: RefCell::new(Some(sink)), number: self.count, length_limit: self.length_limit })
    }
}

/// What a [`TrafficLoggingFactory`] does on one connection.
pub struct TrafficLog {
    /// `None` after an error.
    sink: RefCell<Option<Sink>>,
    number: u64,
    length_limit: Option<usize>,
}

impl TrafficLog {
    fn line(&self, line: fmt::Arguments<'_>) {
        // Taken for the time of the call, which is the user's.
        let Some(mut sink) = self.sink.take() else { return };
        match sink(&line.to_string()) {
            Ok(()) => *self.sink.borrow_mut() = Some(sink),
            Err(error) => report(error),
        }
    }

    fn bytes(&self, data: &[u8]) -> String {
        let (shown, more) = match self.length_limit {
            Some(limit) if data.len() > limit => (&data[..limit], format!("<{} more>", data.len() - limit)),
            _ => (data, String::new()),
        };
        format!("b\"{}\"{more}", shown.escape_ascii())
    }
}

impl Wrapper for TrafficLog {
    fn layer(self: Rc<Self>, lower: &Transport) -> Transport {
        Transport::new(Rc::new(Layer { lower: lower.clone(), log: self }))
    }

    fn connection_made(&self, _: &Transport) {
        self.line(format_args!("*"));
    }

    fn data_received(&self, _: &Transport, data: &[u8]) {
        self.line(format_args!("C {}: {}", self.number, self.bytes(data)));
    }

    fn connection_lost(&self, _: &Transport, reason: &ConnectionLost) {
        self.line(format_args!("C {}: {reason}", self.number));
    }
}

impl fmt::Debug for TrafficLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrafficLog").field("number", &self.number).finish_non_exhaustive()
    }
}

struct Layer {
    lower: Transport,
    log: Rc<TrafficLog>,
}

impl Backend for Layer {
    fn lower(&self) -> Option<&Transport> {
        Some(&self.lower)
    }

    fn write(&self, data: &[u8]) {
        self.log.line(format_args!("S {}: {}", self.log.number, self.log.bytes(data)));
        self.lower.write(data);
    }

    fn write_sequence(&self, parts: &[&[u8]]) {
        let shown: Vec<_> = parts.iter().map(|part| self.log.bytes(part)).collect();
        self.log.line(format_args!("SV {}: [{}]", self.log.number, shown.join(", ")));
        self.lower.backend().write_sequence(parts);
    }

    fn lose_connection(&self) {
        self.log.line(format_args!("S {}: *", self.log.number));
        self.lower.lose_connection();
    }
}

/// Nobody is there to handle it.
fn report(error: io::Error) {
    drop(Deferred::<()>::fail(Failure::new(error)));
}
