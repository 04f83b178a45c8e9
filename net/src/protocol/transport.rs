//! What a protocol may ask of its connection.

#[cfg(feature = "tls")]
use super::StartTls;
use super::{Address, AlreadyRegistered, ConnectionLost, ConnectionStream, Consumer, Producer};
#[cfg(feature = "tls")]
use crate::tls::rustls::{CommonState, pki_types::CertificateDer};
use rt_deferred::Deferred;
use std::fmt;
use std::io;
use std::rc::Rc;

/// A connection, as a protocol sees it: what it may ask of it. A cheap handle that may be cloned and kept.
///
/// It records what it is asked, never blocks, and never calls the protocol: what comes of it comes when the protocol has returned.
/// On a connection that is gone every request is ignored.
///
/// Counterpart: `ITransport` and its kin.
#[derive(Clone)]
pub struct Transport(Rc<dyn Backend>);

impl Transport {
    /// A transport over what does the work: a connection, a layer over another transport, or a test's double.
    pub fn new(backend: Rc<dyn Backend>) -> Self {
        Self(backend)
    }

    /// Sends `data` after what was written before.
    ///
    /// What the system does not take waits, up to a limit: see [`WriteLimits`]. After
    /// [`lose_connection`](Transport::lose_connection) it is still sent if the connection is not closed yet; after the connection is
    /// gone, and after [`lose_write_connection`](Transport::lose_write_connection) took effect, it is thrown away.
    pub fn write(&self, data: &[u8]) {
        self.0.write(data);
    }

    /// [`write`](Transport::write) for several parts, one after the other.
    pub fn write_sequence<I: IntoIterator<Item: AsRef<[u8]>>>(&self, parts: I) {
        let parts: Vec<_> = parts.into_iter().collect();
        let parts: Vec<&[u8]> = parts.iter().map(AsRef::as_ref).collect();
        self.0.write_sequence(&parts);
    }

    /// Closes the connection when what was written is sent and no producer waits to be resumed. Nothing is read any more.
    ///
    /// A pull producer keeps it open until it is unregistered, and so does a push producer that was told to pause. One that was not is
    /// told to stop when all is sent, as with Twisted.
    pub fn lose_connection(&self) {
        self.0.lose_connection();
    }

    /// Closes the writing side when what was written is sent; reading goes on.
    pub fn lose_write_connection(&self) {
        self.0.lose_write_connection();
    }

    /// Closes the connection at once: what was not sent is thrown away, and a TCP peer sees a reset.
    pub fn abort_connection(&self) {
        self.0.abort_connection(ConnectionLost::Aborted);
    }

    /// [`abort_connection`](Transport::abort_connection), with the reason that the protocol gets to see.
    pub fn abort_with(&self, reason: ConnectionLost) {
        self.0.abort_connection(reason);
    }

    /// Where the other end is.
    pub fn peer(&self) -> Address {
        self.0.peer()
    }

    /// Where this end is.
    pub fn host(&self) -> Address {
        self.0.host()
    }

    /// Whether the connection is not gone yet.
    pub fn is_connected(&self) -> bool {
        self.0.is_connected()
    }

    /// Whether [`lose_connection`](Transport::lose_connection) or [`abort_connection`](Transport::abort_connection) was called, or the
    /// connection is gone.
    pub fn is_disconnecting(&self) -> bool {
        self.0.is_disconnecting()
    }

    /// How many bytes were written and not yet taken by the system.
    pub fn unsent(&self) -> usize {
        self.0.unsent()
    }

    /// Registers who produces at the pace of this transport; `streaming` says that it is a push producer. A pull producer is
    /// told to resume at once. On a connection that is gone it is told to stop at once.
    ///
    /// # Errors
    ///
    /// There is one already.
    pub fn register_producer(
        &self,
        producer: impl Producer + 'static,
        streaming: bool,
    ) -> Result<(), AlreadyRegistered> {
        self.0.register_producer(Rc::new(producer), streaming)
    }

    /// The producer has written its last. A connection that is to be closed is closed when all is sent.
    pub fn unregister_producer(&self) {
        self.0.unregister_producer();
    }

    /// Stops and unregisters the producer, if there is one.
    pub fn stop_producer(&self) {
        self.0.stop_producer();
    }

    /// Reads no more until [`resume_producing`](Transport::resume_producing): the peer is held back by its own limits.
    pub fn pause_producing(&self) {
        self.0.pause_producing();
    }

    /// Reads again. Ignored on a connection that is being closed.
    pub fn resume_producing(&self) {
        self.0.resume_producing();
    }

    /// [`lose_connection`](Transport::lose_connection), in the words of a producer.
    pub fn stop_producing(&self) {
        self.0.stop_producing();
    }

    /// Whether reading is paused by [`pause_producing`](Transport::pause_producing).
    pub fn is_paused(&self) -> bool {
        self.0.is_paused()
    }

    /// Fires when at most [`WriteLimits::low`] bytes wait to be sent, at once if that is so now. It fails with the
    /// [`ConnectionLost`] if that comes first.
    ///
    /// Counterpart: asyncio's `StreamWriter.drain`.
    pub fn drained(&self) -> Deferred<()> {
        self.0.drained()
    }

    /// Fires with the reason when the connection is gone, after the protocol was told; at once if it is.
    pub fn closed(&self) -> Deferred<ConnectionLost> {
        self.0.closed()
    }

    /// How much may wait to be sent.
    pub fn write_limits(&self) -> WriteLimits {
        self.0.write_limits()
    }

    /// Changes how much may wait to be sent.
    pub fn set_write_limits(&self, limits: WriteLimits) {
        self.0.set_write_limits(limits);
    }

    /// Sends small writes at once instead of collecting them while earlier ones are not acknowledged (`TCP_NODELAY`).
    ///
    /// # Errors
    ///
    /// [`Unsupported`](io::ErrorKind::Unsupported) if this is no TCP connection; those of `setsockopt`.
    pub fn set_tcp_no_delay(&self, on: bool) -> io::Result<()> {
        self.0.set_tcp_no_delay(on)
    }

    /// Asks the system to find out whether an idle peer is still there (`SO_KEEPALIVE`).
    ///
    /// # Errors
    ///
    /// [`Unsupported`](io::ErrorKind::Unsupported) if this is no TCP connection; those of `setsockopt`.
    pub fn set_tcp_keep_alive(&self, on: bool) -> io::Result<()> {
        self.0.set_tcp_keep_alive(on)
    }

    /// Puts the connection under TLS, when what was written before is sent. What is written from here on goes under TLS;
    /// nothing is read until the handshake is over and
    /// [`handshake_completed`](crate::protocol::Protocol::handshake_completed) was told. A handshake that fails ends the
    /// connection with [`ConnectionLost::Tls`].
    ///
    /// # Errors
    ///
    /// TLS was started already; the connection is gone;
    /// [`Unsupported`](io::ErrorKind::Unsupported) if this is no connection of its own.
    ///
    /// Counterpart: `ITLSTransport.startTLS`.
    #[cfg(feature = "tls")]
    pub fn start_tls(&self, tls: StartTls) -> io::Result<()> {
        self.0.start_tls(tls)
    }

    /// The certificates that the peer proved itself with, its own first; none if it did not, and without TLS.
    ///
    /// Counterpart: `getPeerCertificate`.
    #[cfg(feature = "tls")]
    pub fn peer_certificates(&self) -> Vec<CertificateDer<'static>> {
        self.look_at_tls(|session| session.peer_certificates().map(<[_]>::to_vec)).unwrap_or_default()
    }

    /// The protocol that both sides agreed on by ALPN.
    ///
    /// Counterpart: `INegotiated.negotiatedProtocol`.
    #[cfg(feature = "tls")]
    pub fn negotiated_protocol(&self) -> Option<Vec<u8>> {
        self.look_at_tls(|session| session.alpn_protocol().map(<[_]>::to_vec))
    }

    #[cfg(feature = "tls")]
    fn look_at_tls<R>(&self, look: impl Fn(&CommonState) -> Option<R>) -> Option<R> {
        let mut seen = None;
        self.0.tls_session(&mut |session| seen = look(session));
        seen
    }

    /// Takes the connection over as a stream. What the protocol wrote before is sent first; it gets no bytes until the stream is
    /// given back. `unread` is what the stream reads first: from within `data_received`, the bytes that the protocol did not use.
    ///
    /// What lies over the connection sees nothing of what goes by the stream: it is neither logged nor throttled, and counts as
    /// silence for a [`TimeoutFactory`](crate::protocol::policy::TimeoutFactory) and for a
    /// [`Timeout`](crate::protocol::policy::Timeout) that was not turned off.
    ///
    /// # Errors
    ///
    /// It is taken already, gone, or on its way under TLS; [`Unsupported`](io::ErrorKind::Unsupported) if this is a double.
    ///
    /// # Examples
    ///
    /// A protocol that reads a line, and lets async code have the rest of the connection:
    ///
    /// ```
    /// use rt::io::{AsyncReadExt, AsyncWriteExt, copy, duplex};
    /// use rt::protocol::{Protocol, Transport, drive};
    ///
    /// struct EchoAfterHello;
    /// impl Protocol for EchoAfterHello {
    ///     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
    ///         let Some(end) = data.iter().position(|byte| *byte == b'\n') else { return };
    ///         let stream = transport.take_stream(&data[end + 1..]).expect("it is not taken yet");
    ///         rt::spawn_local(async move {
    ///             let (reader, mut writer) = stream.split();
    ///             copy(reader, &mut writer).await
    ///         });
    ///     }
    /// }
    ///
    /// # fn main() -> std::io::Result<()> {
    /// # rt::block_on(async {
    /// let (mut near, far) = duplex(1024);
    /// drive(far, EchoAfterHello);
    /// near.write_all(b"hello\nand more").await?;
    /// near.close().await?;
    /// let mut answer = String::new();
    /// near.read_to_string(&mut answer).await?;
    /// assert_eq!(answer, "and more");
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn take_stream(&self, unread: &[u8]) -> io::Result<ConnectionStream> {
        self.0.clone().take_stream(unread)
    }

    /// What does the work.
    pub fn backend(&self) -> &Rc<dyn Backend> {
        &self.0
    }
}

/// A transport is a producer of what it reads: registered with another transport, it reads at that one's pace.
impl Producer for Transport {
    fn resume_producing(&self) {
        Transport::resume_producing(self);
    }

    fn pause_producing(&self) {
        Transport::pause_producing(self);
    }

    fn stop_producing(&self) {
        Transport::stop_producing(self);
    }
}

impl Consumer for Transport {
    fn write(&self, data: &[u8]) {
        Transport::write(self, data);
    }

    fn register_producer(&self, producer: Rc<dyn Producer>, streaming: bool) -> Result<(), AlreadyRegistered> {
        self.0.register_producer(producer, streaming)
    }

    fn unregister_producer(&self) {
        Transport::unregister_producer(self);
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").field("peer", &self.peer()).finish_non_exhaustive()
    }
}

/// How much a connection may hold of what was written and not sent, in bytes.
///
/// Above `high`, the connection is not read while what [`data_received`](crate::protocol::Protocol::data_received) writes does not
/// drain, down to `low`: a peer that sends requests and does not read the answers is held back. After an answer that is longer than
/// what it answers, one thing more is read, if another such answer is within `cap`: the peer may have to be read for it to go on.
/// Above `cap` the connection is aborted, with [`ConnectionLost::WriteLimit`].
///
/// Two sides that answer everything that comes, also while they do not get rid of their own answers, hold each other back for ever. If
/// that is how they talk, raise `high`: with `usize::MAX` nobody is held back.
///
/// `high` is also what a push producer may write before it is told to pause: Twisted's `bufferSize`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteLimits {
    /// 16 KiB by default.
    pub low: usize,
    /// 64 KiB by default.
    pub high: usize,
    /// 16 MiB by default; `None` leaves it to the memory of the machine.
    pub cap: Option<usize>,
}

impl Default for WriteLimits {
    fn default() -> Self {
        Self { low: 16 * 1024, high: 64 * 1024, cap: Some(16 * 1024 * 1024) }
    }
}

/// What does the work behind a [`Transport`]: a connection, a layer over another transport, a double for tests.
///
/// A layer names what it lies on in [`lower`](Backend::lower); every method that it does not write goes there. Without one, what is
/// not written does nothing.
pub trait Backend {
    /// The transport that this is a layer over.
    fn lower(&self) -> Option<&Transport> {
        None
    }

    /// See [`Transport::write`].
    fn write(&self, data: &[u8]) {
        self.lower().inspect(|lower| lower.0.write(data));
    }

    /// See [`Transport::write_sequence`].
    fn write_sequence(&self, parts: &[&[u8]]) {
        self.lower().inspect(|lower| lower.0.write_sequence(parts));
    }

    /// See [`Transport::lose_connection`].
    fn lose_connection(&self) {
        self.lower().inspect(|lower| lower.0.lose_connection());
    }

    /// See [`Transport::lose_write_connection`].
    fn lose_write_connection(&self) {
        self.lower().inspect(|lower| lower.0.lose_write_connection());
    }

    /// See [`Transport::abort_with`].
    fn abort_connection(&self, reason: ConnectionLost) {
        self.lower().inspect(|lower| lower.0.abort_connection(reason));
    }

    /// See [`Transport::register_producer`].
    fn register_producer(&self, producer: Rc<dyn Producer>, streaming: bool) -> Result<(), AlreadyRegistered> {
        self.lower().map_or(Ok(()), |lower| lower.0.register_producer(producer, streaming))
    }

    /// See [`Transport::unregister_producer`].
    fn unregister_producer(&self) {
        self.lower().inspect(|lower| lower.0.unregister_producer());
    }

    /// See [`Transport::stop_producer`].
    fn stop_producer(&self) {
        self.lower().inspect(|lower| lower.0.stop_producer());
    }

    /// See [`Transport::pause_producing`].
    fn pause_producing(&self) {
        self.lower().inspect(|lower| lower.0.pause_producing());
    }

    /// See [`Transport::resume_producing`].
    fn resume_producing(&self) {
        self.lower().inspect(|lower| lower.0.resume_producing());
    }

    /// See [`Transport::stop_producing`].
    fn stop_producing(&self) {
        self.lower().inspect(|lower| lower.0.stop_producing());
    }

    /// See [`Transport::is_paused`].
    fn is_paused(&self) -> bool {
        self.lower().is_some_and(Transport::is_paused)
    }

    /// See [`Transport::is_connected`].
    fn is_connected(&self) -> bool {
        self.lower().is_some_and(Transport::is_connected)
    }

    /// See [`Transport::is_disconnecting`].
    fn is_disconnecting(&self) -> bool {
        self.lower().is_some_and(Transport::is_disconnecting)
    }

    /// See [`Transport::unsent`].
    fn unsent(&self) -> usize {
        self.lower().map_or(0, Transport::unsent)
    }

    /// See [`Transport::peer`].
    fn peer(&self) -> Address {
        self.lower().map_or(Address::Memory, Transport::peer)
    }

    /// See [`Transport::host`].
    fn host(&self) -> Address {
        self.lower().map_or(Address::Memory, Transport::host)
    }

    /// See [`Transport::drained`].
    fn drained(&self) -> Deferred<()> {
        self.lower().map_or_else(|| Deferred::succeed(()), Transport::drained)
    }

    /// See [`Transport::closed`].
    fn closed(&self) -> Deferred<ConnectionLost> {
        self.lower().map_or_else(|| Deferred::succeed(ConnectionLost::Done), Transport::closed)
    }

    /// See [`Transport::write_limits`].
    fn write_limits(&self) -> WriteLimits {
        self.lower().map_or_else(WriteLimits::default, Transport::write_limits)
    }

    /// See [`Transport::set_write_limits`].
    fn set_write_limits(&self, limits: WriteLimits) {
        self.lower().inspect(|lower| lower.set_write_limits(limits));
    }

    /// See [`Transport::set_tcp_no_delay`].
    fn set_tcp_no_delay(&self, on: bool) -> io::Result<()> {
        self.lower().map_or_else(no_socket, |lower| lower.set_tcp_no_delay(on))
    }

    /// See [`Transport::set_tcp_keep_alive`].
    fn set_tcp_keep_alive(&self, on: bool) -> io::Result<()> {
        self.lower().map_or_else(no_socket, |lower| lower.set_tcp_keep_alive(on))
    }

    /// See [`Transport::start_tls`].
    #[cfg(feature = "tls")]
    fn start_tls(&self, tls: StartTls) -> io::Result<()> {
        match self.lower() {
            Some(lower) => lower.start_tls(tls),
            None => Err(unsupported("this transport cannot go under TLS")),
        }
    }

    /// Lets `look` see the TLS session, if there is one.
    #[cfg(feature = "tls")]
    fn tls_session(&self, look: &mut dyn FnMut(&CommonState)) {
        if let Some(lower) = self.lower() {
            lower.0.tls_session(look);
        }
    }

    /// See [`Transport::take_stream`].
    fn take_stream(self: Rc<Self>, unread: &[u8]) -> io::Result<ConnectionStream> {
        match self.lower() {
            Some(lower) => lower.take_stream(unread),
            None => Err(unsupported("this transport is no stream")),
        }
    }
}

fn no_socket() -> io::Result<()> {
    Err(unsupported("this transport is no TCP connection"))
}

fn unsupported(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, why)
}
