//! Where a running protocol lives, and how each kind of protocol is told what happens.

use super::state::State;
use super::{ConnectedDatagramProtocol, DatagramAddress, DatagramProtocol, DatagramTransport};
use crate::protocol::ConnectionLost;
use rt_deferred::Failure;
use rt_deferred::unhandled::{Unhandled, report};
use std::cell::RefCell;
use std::io;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::rc::Rc;

/// A protocol and its socket.
pub(super) struct Place<P, A: DatagramAddress> {
    /// `None` once the socket is closed.
    pub(super) protocol: RefCell<Option<P>>,
    pub(super) state: Rc<State<A>>,
    /// Where the port was made: reports name it.
    pub(super) made: &'static Location<'static>,
}

/// Something happened on a socket.
pub(super) enum Event<'a, A> {
    Start,
    Datagram(&'a [u8], A),
    Refused,
    SendFailed(Option<A>, io::Error),
    Stop(&'a ConnectionLost),
}

/// How a kind of protocol is told.
pub(super) trait Tells<P, A: DatagramAddress>: Copy + 'static {
    fn tell(self, protocol: &mut P, transport: &DatagramTransport<A>, event: Event<'_, A>);
}

/// For a [`DatagramProtocol`].
#[derive(Clone, Copy)]
pub(super) struct Unconnected;

/// For a [`ConnectedDatagramProtocol`].
#[derive(Clone, Copy)]
pub(super) struct Connected;

impl<A: DatagramAddress, P: DatagramProtocol<A>> Tells<P, A> for Unconnected {
    fn tell(self, protocol: &mut P, transport: &DatagramTransport<A>, event: Event<'_, A>) {
        match event {
            Event::Start => protocol.start_protocol(transport),
            Event::Datagram(data, from) => protocol.datagram_received(transport, data, from),
            Event::Refused => protocol.connection_refused(transport),
            Event::SendFailed(to, error) => protocol.send_failed(transport, to, error),
            Event::Stop(reason) => protocol.stop_protocol(transport, reason),
        }
    }
}

impl<A: DatagramAddress, P: ConnectedDatagramProtocol<A>> Tells<P, A> for Connected {
    fn tell(self, protocol: &mut P, transport: &DatagramTransport<A>, event: Event<'_, A>) {
        match event {
            Event::Start => protocol.start_protocol(transport),
            Event::Datagram(data, _) => protocol.datagram_received(transport, data),
            Event::Refused => protocol.connection_refused(transport),
            Event::SendFailed(_, error) => protocol.send_failed(transport, error),
            Event::Stop(reason) => protocol.stop_protocol(transport, reason),
        }
    }
}

impl<P, A: DatagramAddress> Place<P, A> {
    /// Tells the protocol, unless it is gone. If it panics, that is reported, and the socket is to be closed.
    pub(super) fn event(&self, tells: impl Tells<P, A>, transport: &DatagramTransport<A>, event: Event<'_, A>) {
        let told = catch_unwind(AssertUnwindSafe(|| {
            if let Some(protocol) = &mut *self.protocol.borrow_mut() {
                tells.tell(protocol, transport, event);
            }
        }));
        if let Err(payload) = told {
            self.panicked(Failure::from_panic(payload));
        }
    }

    /// Drops the protocol.
    pub(super) fn drop_protocol(&self) {
        let protocol = self.protocol.take();
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(protocol))) {
            report(Unhandled::of_task(Failure::from_panic(payload), self.made));
        }
    }

    fn panicked(&self, failure: Failure) {
        report(Unhandled::of_task(failure.clone(), self.made));
        self.state.end(ConnectionLost::Panicked(failure));
    }
}
