//! The connections that a server has open.

use parking_lot::Mutex;
use rt_runtime::AbortHandle;
use rt_runtime::time::{Instant, timeout};
use slab::Slab;
use std::collections::HashMap;
use std::fmt;
use std::future::poll_fn;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// What a handler knows of its connection besides the stream.
pub struct Connection<A> {
    peer: A,
    number: u64,
    connections: Connections<A>,
}

impl<A> Connection<A> {
    /// Whom it is from.
    pub fn peer_addr(&self) -> &A {
        &self.peer
    }

    /// Whether the server is ending.
    pub fn is_draining(&self) -> bool {
        self.connections.0.lock().is_draining
    }

    /// Waits until the server is ending: time to finish what is under way and to close. One at a time may wait.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn draining(&self) {
        poll_fn(|cx| self.poll_draining(cx)).await;
    }

    /// [`draining`](Connection::draining), for futures written by hand. The waker of the last call is woken.
    pub fn poll_draining(&self, cx: &mut Context<'_>) -> Poll<()> {
        // A waker's clone is its owner's code: not under the lock.
        let waker = cx.waker().clone();
        let mut table = self.connections.0.lock();
        if table.is_draining {
            drop(table);
            return Poll::Ready(());
        }
        let replaced = table.told.insert(self.number, waker);
        drop(table);
        drop(replaced);
        Poll::Pending
    }
}

impl<A> Drop for Connection<A> {
    fn drop(&mut self) {
        let waker = self.connections.0.lock().told.remove(&self.number);
        drop(waker);
    }
}

impl<A: fmt::Debug> fmt::Debug for Connection<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("peer", &self.peer).finish_non_exhaustive()
    }
}

/// How a server ended that was shut down gracefully.
///
/// Its text is a sentence that names who was late.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Drained<A> {
    /// How many connections were handed to the handler.
    pub accepted: u64,
    /// How many connections were closed at once, because there was no descriptor for them.
    pub refused: u64,
    /// The connections that were open still at the end of the time to drain; they were aborted.
    pub late: Vec<Late<A>>,
}

/// A connection that did not end in time.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Late<A> {
    /// Whom it was from.
    pub peer: A,
    /// How long it had been open.
    pub open_for: Duration,
}

impl<A: fmt::Debug> fmt::Display for Drained<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} connections served, {} refused", self.accepted, self.refused)?;
        let mut before = ", aborted because they did not end in time: ";
        for Late { peer, open_for } in &self.late {
            write!(f, "{before}{peer:?} (open for {open_for:.1?})")?;
            before = ", ";
        }
        Ok(())
    }
}

/// All that are open, shared by the server and them.
pub(super) struct Connections<A>(Arc<Mutex<Table<A>>>);

struct Table<A> {
    open: Slab<Open<A>>,
    /// How many have been opened; also the number of the latest.
    accepted: u64,
    is_draining: bool,
    /// Those who wait for the server's end, by number. Who has a [`Connection`] may keep it for longer than it is open.
    told: HashMap<u64, Waker>,
    /// Whether one has ended since the server asked to be told.
    has_ended: bool,
    /// The server, when it waits for one to end.
    server: Option<Waker>,
}

struct Open<A> {
    number: u64,
    peer: A,
    since: Instant,
    abort: Option<AbortHandle>,
}

/// Where one stands in the table. The number tells it from a later one in the same place.
#[derive(Clone, Copy)]
pub(super) struct Place {
    key: usize,
    number: u64,
}

impl<A> Table<A> {
    fn get_mut(&mut self, place: Place) -> Option<&mut Open<A>> {
        self.open.get_mut(place.key).filter(|open| open.number == place.number)
    }
}

impl<A> Clone for Connections<A> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<A> Connections<A> {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Table {
            open: Slab::new(),
            accepted: 0,
            is_draining: false,
            told: HashMap::new(),
            has_ended: false,
            server: None,
        })))
    }

    /// Enters one; it counts as open until its guard is dropped.
    pub(super) fn open(&self, peer: A) -> (Connection<A>, Guard<A>)
    where
        A: Clone,
    {
        let since = Instant::now();
        let open_peer = peer.clone();
        let mut table = self.0.lock();
        table.accepted += 1;
        let number = table.accepted;
        let key = table.open.insert(Open { number, peer: open_peer, since, abort: None });
        drop(table);
        let place = Place { key, number };
        (Connection { peer, number, connections: self.clone() }, Guard { place, connections: self.clone() })
    }

    /// Keeps what aborts the task of the latest, unless that has ended already.
    pub(super) fn keep(&self, place: Place, abort: AbortHandle) {
        if let Some(open) = self.0.lock().get_mut(place) {
            open.abort = Some(abort);
        }
    }

    /// Waits until fewer than `limit` are open.
    pub(super) fn poll_fewer_than(&self, limit: usize, cx: &Context<'_>) -> Poll<()> {
        if limit == usize::MAX {
            return Poll::Ready(());
        }
        self.poll_until(|table| table.open.len() < limit, cx)
    }

    /// From now on, [`poll_ended`](Self::poll_ended) tells of connections that end.
    pub(super) fn note_ends(&self) {
        self.0.lock().has_ended = false;
    }

    pub(super) fn poll_ended(&self, cx: &Context<'_>) -> Poll<()> {
        self.poll_until(|table| table.has_ended, cx)
    }

    /// Looks again whenever a connection has ended.
    fn poll_until(&self, is_so: impl Fn(&Table<A>) -> bool, cx: &Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        let mut table = self.0.lock();
        let (result, unused) =
            if is_so(&table) { (Poll::Ready(()), Some(waker)) } else { (Poll::Pending, table.server.replace(waker)) };
        // A waker may be the last that keeps a task, and is not dropped under the lock.
        drop(table);
        drop(unused);
        result
    }

    /// Tells all that it is over, waits for them, and aborts those that take too long.
    pub(super) async fn drain(&self, patience: Duration, refused: u64) -> Drained<A>
    where
        A: Clone,
    {
        self.tell_all();
        let _ = timeout(patience, poll_fn(|cx| self.poll_fewer_than(1, cx))).await;
        let now = Instant::now();
        let mut late = Vec::new();
        let mut aborts = Vec::new();
        let mut table = self.0.lock();
        for (_, open) in &mut table.open {
            late.push(Late { peer: open.peer.clone(), open_for: now.duration_since(open.since) });
            aborts.extend(open.abort.take());
        }
        let accepted = table.accepted;
        drop(table);
        aborts.iter().for_each(AbortHandle::abort);
        Drained { accepted, refused, late }
    }

    fn tell_all(&self) {
        let mut table = self.0.lock();
        table.is_draining = true;
        let wakers = mem::take(&mut table.told);
        drop(table);
        wakers.into_values().for_each(Waker::wake);
    }
}

/// Stands for a connection that is open; held by its task, and dropped after the stream.
pub(super) struct Guard<A> {
    place: Place,
    connections: Connections<A>,
}

impl<A> Guard<A> {
    pub(super) fn place(&self) -> Place {
        self.place
    }
}

impl<A> Drop for Guard<A> {
    fn drop(&mut self) {
        let mut table = self.connections.0.lock();
        let ended = table.open.try_remove(self.place.key);
        let server = mem::take(&mut table.server);
        table.has_ended = true;
        drop(table);
        drop(ended);
        if let Some(server) = server {
            server.wake();
        }
    }
}
