//! The task of a port: it sends what waits, receives, and tells the protocol.

use super::place::{Event, Place, Tells};
use super::{DatagramAddress, DatagramTransport};
use crate::accept::{Pause, Trouble};
use crate::protocol::ConnectionLost;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

pub(super) struct Task<P, A: DatagramAddress, T: Tells<P, A>> {
    place: Rc<Place<P, A>>,
    transport: DatagramTransport<A>,
    tells: T,
    /// Datagrams that came with one during which the protocol paused, and how many of them it has.
    held: Option<(A::Batch, usize)>,
    /// After an error that may pass.
    pause: Pause,
    is_over: bool,
}

impl<P, A: DatagramAddress, T: Tells<P, A>> Task<P, A, T> {
    pub(super) fn new(place: Rc<Place<P, A>>, tells: T) -> Self {
        let transport = DatagramTransport::new(place.state.clone());
        Self { place, transport, tells, held: None, pause: Pause::new(), is_over: false }
    }

    fn event(&self, event: Event<'_, A>) {
        self.place.event(self.tells, &self.transport, event);
    }

    /// One round; pending when nothing is left to do now.
    fn poll_round(&mut self, socket: &A::Socket, cx: &mut Context<'_>) -> Poll<()> {
        let state = &self.place.state;
        // Whether it has to wait for room says nothing about receiving.
        let _ = state.poll_flush(socket, cx);
        // What the protocol writes again at once may fail again at once: others have their turn in between.
        if state.has_news() {
            ready!(rt_runtime::poll_proceed(cx));
        }
        if state.take_refused() {
            self.event(Event::Refused);
            return Poll::Ready(());
        }
        let failures = state.take_failures();
        if !failures.is_empty() {
            for (to, error) in failures {
                self.event(Event::SendFailed(to, error));
            }
            return Poll::Ready(());
        }
        if state.is_paused() {
            return Poll::Pending;
        }
        let (batch, first) = match self.held.take() {
            Some(held) => held,
            None => match self.poll_receive(socket, cx) {
                Poll::Ready(Some(batch)) => (batch, 0),
                Poll::Ready(None) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            },
        };
        self.deliver(batch, first);
        Poll::Ready(())
    }

    /// `None` after an error that is dealt with.
    fn poll_receive(&mut self, socket: &A::Socket, cx: &mut Context<'_>) -> Poll<Option<A::Batch>> {
        if self.pause.poll(cx).is_pending() {
            return Poll::Pending;
        }
        let mut batch = A::batch();
        let received = A::poll_receive(socket, cx, &mut batch);
        match received {
            Poll::Ready(Ok(count)) => {
                self.pause = Pause::new();
                // The first is counted already.
                let _ = (1..count).try_for_each(|_| match rt_runtime::poll_proceed(cx) {
                    Poll::Ready(()) => Some(()),
                    Poll::Pending => None,
                });
                return Poll::Ready(Some(batch));
            }
            Poll::Ready(Err(error)) => self.not_received(error),
            Poll::Pending => {
                A::recycle(batch);
                return Poll::Pending;
            }
        }
        A::recycle(batch);
        Poll::Ready(None)
    }

    fn not_received(&mut self, error: io::Error) {
        let state = &self.place.state;
        match Trouble::of(&error) {
            _ if state.is_refusal(&error) => state.set_refused(),
            _ if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            // The network's, about a datagram that was sent.
            Trouble::Connection => {}
            Trouble::Resources => self.pause.begin(),
            Trouble::Listener => state.end(ConnectionLost::from(error)),
        }
    }

    /// Hands out datagrams until there are no more, or the protocol wants no more.
    fn deliver(&mut self, batch: A::Batch, first: usize) {
        let state = &self.place.state;
        let wants_more = || !state.is_paused() && state.ending().is_none();
        let delivered = A::deliver(&batch, first, |data, from| {
            self.event(Event::Datagram(data, from));
            wants_more()
        });
        if state.is_paused() && state.ending().is_none() {
            self.held = Some((batch, first + delivered));
        } else {
            A::recycle(batch);
        }
    }

    /// The last event, and the end of the socket.
    fn finish(&mut self, reason: &ConnectionLost) {
        self.is_over = true;
        if let Some((batch, _)) = self.held.take() {
            A::recycle(batch);
        }
        self.place.state.close_socket();
        self.event(Event::Stop(reason));
        self.place.drop_protocol();
        self.place.state.is_over(reason);
    }
}

impl<P, A: DatagramAddress, T: Tells<P, A>> Future for Task<P, A, T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        this.place.state.set_task(cx);
        // Somebody calls the protocol and drives the runtime within that.
        if this.place.protocol.try_borrow_mut().is_err() {
            this.place.state.set_busy();
            return Poll::Pending;
        }
        let Some(socket) = this.place.state.socket() else { return Poll::Ready(()) };
        loop {
            if let Some(reason) = this.place.state.ending() {
                drop(socket);
                this.finish(&reason);
                return Poll::Ready(());
            }
            if this.poll_round(&socket, cx).is_pending() && this.place.state.ending().is_none() {
                return Poll::Pending;
            }
        }
    }
}

impl<P, A: DatagramAddress, T: Tells<P, A>> Unpin for Task<P, A, T> {}

impl<P, A: DatagramAddress, T: Tells<P, A>> Drop for Task<P, A, T> {
    fn drop(&mut self) {
        // The runtime ends.
        if !self.is_over {
            self.place.state.end(ConnectionLost::Aborted);
            let reason = self.place.state.ending().unwrap_or(ConnectionLost::Aborted);
            self.finish(&reason);
        }
    }
}
