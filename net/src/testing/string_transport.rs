//! A transport that keeps what is written to it.

use super::lost::Lost;
use crate::protocol::{Address, AlreadyRegistered, Backend, ConnectionLost, Producer, Transport, WriteLimits};
use rt_deferred::Deferred;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::mem;
use std::rc::Rc;

/// What a [`StringTransport`] was asked for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Request {
    /// Bytes were written; those of `write_sequence` in one piece.
    Write(Vec<u8>),
    /// [`Transport::lose_connection`].
    LoseConnection,
    /// [`Transport::lose_write_connection`].
    LoseWriteConnection,
    /// [`Transport::abort_connection`], or [`Transport::abort_with`] another reason.
    AbortConnection(ConnectionLost),
    /// [`Transport::pause_producing`].
    PauseProducing,
    /// [`Transport::resume_producing`].
    ResumeProducing,
    /// [`Transport::stop_producing`].
    StopProducing,
    /// A producer was registered; whether it is a push producer.
    RegisterProducer(bool),
    /// [`Transport::unregister_producer`].
    UnregisterProducer,
    /// [`Transport::set_tcp_no_delay`].
    SetTcpNoDelay(bool),
    /// [`Transport::set_tcp_keep_alive`].
    SetTcpKeepAlive(bool),
}

/// What a [`StringTransport`] does as a producer of what it reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProducerState {
    /// It reads.
    #[default]
    Producing,
    /// It was told to pause.
    Paused,
    /// It was told to stop.
    Stopped,
}

/// A transport that keeps what is written to it and notes what is asked of it. A cheap handle.
///
/// It does nothing by itself: a producer that is registered is not called, and `lose_connection` loses nothing. Once the test has
/// said that the connection is [lost](StringTransport::set_lost), requests are ignored, as those to any transport are.
///
/// Counterpart: `twisted.internet.testing.StringTransport`.
///
/// ```
/// use rt::protocol::{Protocol, Transport};
/// use rt::testing::StringTransport;
///
/// struct Echo;
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
///         transport.write(data);
///     }
/// }
///
/// let double = StringTransport::new();
/// Echo.data_received(&double.transport(), b"hello");
/// assert_eq!(double.value(), b"hello");
/// ```
#[derive(Clone, Default)]
pub struct StringTransport {
    state: Rc<State>,
}

type Observer = Rc<dyn Fn(&Request)>;

#[derive(Default)]
struct State {
    written: RefCell<Vec<u8>>,
    requests: RefCell<Vec<Request>>,
    observer: RefCell<Option<Observer>>,
    peer: RefCell<Address>,
    host: RefCell<Address>,
    unsent: Cell<usize>,
    limits: Cell<WriteLimits>,
    is_disconnecting: Cell<bool>,
    aborted: RefCell<Option<ConnectionLost>>,
    producer_state: Cell<ProducerState>,
    /// The connection is gone, or its protocol is being told so.
    is_gone: Cell<bool>,
    /// Who writes at this transport's pace; whether it is a push producer.
    producer: RefCell<Option<(Rc<dyn Producer>, bool)>>,
    lost: Lost,
}

impl StringTransport {
    /// A transport that nothing was written to.
    pub fn new() -> Self {
        Self::default()
    }

    /// What a protocol is given.
    pub fn transport(&self) -> Transport {
        Transport::new(self.state.clone())
    }

    /// All that was written since [`clear`](StringTransport::clear).
    pub fn value(&self) -> Vec<u8> {
        self.state.written.borrow().clone()
    }

    /// Forgets what was written.
    pub fn clear(&self) {
        self.state.written.borrow_mut().clear();
    }

    /// What was asked for since the last call of this, in order.
    pub fn take_requests(&self) -> Vec<Request> {
        mem::take(&mut *self.state.requests.borrow_mut())
    }

    /// Has `f` told of each request, at once and in place of an earlier one: so a test plays a peer that reacts.
    ///
    /// ```
    /// use rt::protocol::ConnectionLost;
    /// use rt::testing::{Request, StringTransport};
    ///
    /// let double = StringTransport::new();
    /// let connection = double.clone();
    /// double.on_request(move |request| {
    ///     if let Request::LoseConnection = request {
    ///         connection.set_lost(ConnectionLost::Done);
    ///     }
    /// });
    /// double.transport().lose_connection();
    /// assert!(!double.transport().is_connected());
    /// ```
    pub fn on_request(&self, f: impl Fn(&Request) + 'static) {
        let former = self.state.observer.replace(Some(Rc::new(f)));
        drop(former);
    }

    /// The producer that is registered.
    pub fn producer(&self) -> Option<Rc<dyn Producer>> {
        self.state.producer.borrow().as_ref().map(|(producer, _)| producer.clone())
    }

    /// Whether the producer that is registered is a push producer; `None` without a producer.
    pub fn is_streaming(&self) -> Option<bool> {
        self.state.producer.borrow().as_ref().map(|(_, is_streaming)| *is_streaming)
    }

    /// What it was told to do as a producer of what it reads.
    pub fn producer_state(&self) -> ProducerState {
        self.state.producer_state.get()
    }

    /// What [`Transport::peer`] says from here on; [`Address::Memory`] at first.
    pub fn set_peer(&self, peer: impl Into<Address>) {
        *self.state.peer.borrow_mut() = peer.into();
    }

    /// What [`Transport::host`] says from here on; [`Address::Memory`] at first.
    pub fn set_host(&self, host: impl Into<Address>) {
        *self.state.host.borrow_mut() = host.into();
    }

    /// What [`Transport::unsent`] says from here on, 0 at first; [`Transport::drained`] goes by it.
    ///
    /// ```
    /// use rt::testing::{StringTransport, assert_no_result, success_result_of};
    ///
    /// let double = StringTransport::new();
    /// double.set_unsent(100_000);
    /// let drained = double.transport().drained();
    /// assert_no_result(&drained);
    /// double.set_unsent(0);
    /// success_result_of(drained);
    /// ```
    pub fn set_unsent(&self, bytes: usize) {
        self.state.unsent.set(bytes);
        if self.state.has_drained() {
            self.state.lost.has_drained();
        }
    }

    /// Why it was aborted, if it was.
    pub(super) fn aborted(&self) -> Option<ConnectionLost> {
        self.state.aborted.borrow().clone()
    }

    /// The connection is gone, but nobody was told so.
    pub(super) fn set_gone(&self) {
        self.state.is_gone.set(true);
    }

    /// The connection is gone from here on: [`Transport::closed`] fires.
    pub fn set_lost(&self, reason: ConnectionLost) {
        self.set_gone();
        self.state.lost.set(reason);
    }
}

impl fmt::Debug for StringTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StringTransport").field("requests", &self.state.requests.borrow()).finish_non_exhaustive()
    }
}

impl State {
    /// Does and notes what was asked, unless the connection is gone. Whether there was still one to ask.
    fn note(&self, request: Request, effect: impl FnOnce()) -> bool {
        if self.is_gone.get() {
            return false;
        }
        effect();
        self.requests.borrow_mut().push(request.clone());
        let observer = self.observer.borrow().clone();
        observer.inspect(|observer| observer(&request));
        true
    }

    fn has_drained(&self) -> bool {
        self.unsent.get() <= self.limits.get().low
    }
}

impl Backend for State {
    fn write(&self, data: &[u8]) {
        self.note(Request::Write(data.to_vec()), || self.written.borrow_mut().extend_from_slice(data));
    }

    fn write_sequence(&self, parts: &[&[u8]]) {
        self.write(&parts.concat());
    }

    fn lose_connection(&self) {
        self.note(Request::LoseConnection, || self.is_disconnecting.set(true));
    }

    fn lose_write_connection(&self) {
        self.note(Request::LoseWriteConnection, || {});
    }

    fn abort_connection(&self, reason: ConnectionLost) {
        self.note(Request::AbortConnection(reason.clone()), || {
            self.is_disconnecting.set(true);
            self.aborted.borrow_mut().get_or_insert(reason);
        });
    }

    fn register_producer(&self, producer: Rc<dyn Producer>, streaming: bool) -> Result<(), AlreadyRegistered> {
        if self.producer.borrow().is_some() {
            return Err(AlreadyRegistered);
        }
        let register = || *self.producer.borrow_mut() = Some((producer.clone(), streaming));
        if !self.note(Request::RegisterProducer(streaming), register) {
            producer.stop_producing();
        }
        Ok(())
    }

    fn unregister_producer(&self) {
        let producer = self.producer.take();
        self.note(Request::UnregisterProducer, || drop(producer));
    }

    fn stop_producer(&self) {
        let producer = self.producer.take();
        if let Some((producer, _)) = producer {
            producer.stop_producing();
        }
    }

    fn pause_producing(&self) {
        self.note(Request::PauseProducing, || self.producer_state.set(ProducerState::Paused));
    }

    fn resume_producing(&self) {
        self.note(Request::ResumeProducing, || self.producer_state.set(ProducerState::Producing));
    }

    fn stop_producing(&self) {
        self.note(Request::StopProducing, || {
            self.producer_state.set(ProducerState::Stopped);
            self.is_disconnecting.set(true);
        });
    }

    fn is_paused(&self) -> bool {
        self.producer_state.get() == ProducerState::Paused
    }

    fn is_connected(&self) -> bool {
        !self.is_gone.get()
    }

    fn is_disconnecting(&self) -> bool {
        self.is_disconnecting.get() || self.is_gone.get()
    }

    fn unsent(&self) -> usize {
        self.unsent.get()
    }

    fn peer(&self) -> Address {
        self.peer.borrow().clone()
    }

    fn host(&self) -> Address {
        self.host.borrow().clone()
    }

    fn drained(&self) -> Deferred<()> {
        self.lost.drained(self.has_drained())
    }

    fn closed(&self) -> Deferred<ConnectionLost> {
        self.lost.closed()
    }

    fn write_limits(&self) -> WriteLimits {
        self.limits.get()
    }

    fn set_write_limits(&self, limits: WriteLimits) {
        self.limits.set(limits);
    }

    fn set_tcp_no_delay(&self, on: bool) -> io::Result<()> {
        self.note(Request::SetTcpNoDelay(on), || {});
        Ok(())
    }

    fn set_tcp_keep_alive(&self, on: bool) -> io::Result<()> {
        self.note(Request::SetTcpKeepAlive(on), || {});
        Ok(())
    }
}
