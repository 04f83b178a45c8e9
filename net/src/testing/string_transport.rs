//! A transport that keeps what is written to it.

use crate::protocol::{Address, AlreadyRegistered, Backend, ConnectionLost, Producer, Transport};
use rt_deferred::{Deferred, Resolver};
use std::cell::{Cell, RefCell};
use std::fmt;
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
}

/// A transport that keeps what is written to it and notes what is asked of it. A cheap handle.
///
/// It does nothing by itself: a producer that is registered is not called.
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
    is_disconnecting: Cell<bool>,
    is_paused: Cell<bool>,
    producer: RefCell<Option<Rc<dyn Producer>>>,
    lost: RefCell<Option<ConnectionLost>>,
    waiting: RefCell<Vec<Resolver<ConnectionLost>>>,
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
        self.state.producer.borrow().clone()
    }

    /// The connection is gone from here on: [`Transport::closed`] fires.
    pub fn set_lost(&self, reason: ConnectionLost) {
        *self.state.lost.borrow_mut() = Some(reason.clone());
        for waiting in self.state.waiting.take() {
            let _ = waiting.callback(reason.clone());
        }
    }
}

impl fmt::Debug for StringTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StringTransport").field("requests", &self.state.requests.borrow()).finish_non_exhaustive()
    }
}

impl State {
    fn note(&self, request: Request) {
        self.requests.borrow_mut().push(request.clone());
        let observer = self.observer.borrow().clone();
        observer.inspect(|observer| observer(&request));
    }
}

impl Backend for State {
    fn write(&self, data: &[u8]) {
        self.written.borrow_mut().extend_from_slice(data);
        self.note(Request::Write(data.to_vec()));
    }

    fn write_sequence(&self, parts: &[&[u8]]) {
        self.write(&parts.concat());
    }

    fn lose_connection(&self) {
        self.is_disconnecting.set(true);
        self.note(Request::LoseConnection);
    }

    fn lose_write_connection(&self) {
        self.note(Request::LoseWriteConnection);
    }

    fn abort_connection(&self, reason: ConnectionLost) {
        self.is_disconnecting.set(true);
        self.note(Request::AbortConnection(reason));
    }

    fn register_producer(&self, producer: Rc<dyn Producer>, streaming: bool) -> Result<(), AlreadyRegistered> {
        if self.producer.borrow().is_some() {
            return Err(AlreadyRegistered);
        }
        *self.producer.borrow_mut() = Some(producer);
        self.note(Request::RegisterProducer(streaming));
        Ok(())
    }

    fn unregister_producer(&self) {
        let producer = self.producer.take();
        drop(producer);
        self.note(Request::UnregisterProducer);
    }

    fn stop_producer(&self) {
        let producer = self.producer.take();
        if let Some(producer) = producer {
            producer.stop_producing();
        }
    }

    fn pause_producing(&self) {
        self.is_paused.set(true);
        self.note(Request::PauseProducing);
    }

    fn resume_producing(&self) {
        self.is_paused.set(false);
        self.note(Request::ResumeProducing);
    }

    fn stop_producing(&self) {
        self.is_disconnecting.set(true);
        self.note(Request::StopProducing);
    }

    fn is_paused(&self) -> bool {
        self.is_paused.get()
    }

    fn is_connected(&self) -> bool {
        self.lost.borrow().is_none()
    }

    fn is_disconnecting(&self) -> bool {
        self.is_disconnecting.get()
    }

    fn peer(&self) -> Address {
        Address::Memory
    }

    fn host(&self) -> Address {
        Address::Memory
    }

    fn closed(&self) -> Deferred<ConnectionLost> {
        if let Some(reason) = &*self.lost.borrow() {
            return Deferred::succeed(reason.clone());
        }
        let (deferred, resolver) = Deferred::new();
        self.waiting.borrow_mut().push(resolver);
        deferred
    }
}
