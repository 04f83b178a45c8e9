//! What moves the bytes between two ends.

use super::end::{ReadyEnd, Side};
use super::wire::Wire;
use crate::protocol::{Backend, ConnectionLost};
use rt_deferred::Clock;
use std::cell::Cell;
use std::fmt;
use std::io;
use std::rc::Rc;
use std::time::Duration;

/// More rounds than this are two protocols that answer each other for ever.
const MOST_ROUNDS: usize = 200_000;

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    ToServer,
    /// From the server to the client.
    ToClient,
}

/// What moves the bytes between the two ends of a connection in memory, and does what else the protocols asked for: a step at a
/// time, when it is told to. A cheap handle.
///
/// Each of the two ends sends into nothing but the other: what that one does not read stays
/// [unsent](crate::protocol::Transport::unsent).
///
/// What one sends to an end that is gone is thrown away, and answered by a reset in the next step, as TCP does it.
///
/// Counterpart: `twisted.test.iosim.IOPump`.
///
/// ```
/// use rt::testing::{AccumulatingProtocol, Direction, Pair};
///
/// let (client, server) = (AccumulatingProtocol::new(), AccumulatingProtocol::new());
/// let pair = Pair::new(client.clone(), server.clone());
/// let io = pair.io();
/// io.set_chunk_size(4);
/// client.transport().unwrap().write(b"chunked");
/// io.pump();
/// assert_eq!(server.data(), b"chun");
///
/// io.clog(Direction::ToServer);
/// assert!(!io.flush(), "nothing moves");
/// io.unclog(Direction::ToServer);
/// io.flush();
/// assert_eq!(server.pieces(), [4, 3]);
/// ```
#[derive(Clone)]
pub struct IoPump {
    inner: Rc<Inner>,
}

struct Inner {
    client: Rc<dyn Side>,
    server: Rc<dyn Side>,
    chunk_size: Cell<usize>,
    is_clogged: [Cell<bool>; 2],
    clock: Option<Clock>,
}

impl IoPump {
    /// Tells both that the connection is made: first the server, as in Twisted.
    pub(crate) fn connect(client: ReadyEnd, server: ReadyEnd, clock: Option<Clock>) -> Self {
        for end in [&server, &client] {
            end.side.connection_made();
            if end.wants_tls {
                end.side.handshake_completed();
            }
        }
        let inner = Inner {
            client: client.side,
            server: server.side,
            chunk_size: Cell::new(usize::MAX),
            is_clogged: Default::default(),
            clock,
        };
        Self { inner: Rc::new(inner) }
    }

    /// One step: what each had written before goes to the other, which is told; then what was asked of both is done, as far as it
    /// can be. Whether anything happened.
    ///
    /// With a clock, the calls that are due are made before.
    ///
    /// # Panics
    ///
    /// Within an event of one of the protocols. A panic of a protocol comes out of here.
    pub fn pump(&self) -> bool {
        if let Some(clock) = &self.inner.clock {
            clock.advance(Duration::ZERO);
        }
        let Inner { client, server, .. } = &*self.inner;
        let mut moved = [client, server].map(|end| let_in_coming_doom(&**end)) != [false, false];
        let (to_server, to_client) = (self.sendable(Direction::ToServer), self.sendable(Direction::ToClient));
        moved |= deliver(&**client, &**server, to_server);
        moved |= deliver(&**server, &**client, to_client);
        moved |= settle(&**client, server.wire());
        moved |= settle(&**server, client.wire());
        moved
    }

    /// [Steps](IoPump::pump) until nothing happens any more. Whether anything happened.
    ///
    /// # Panics
    ///
    /// After 200,000 steps, as the two seem to talk for ever; and as [`pump`](IoPump::pump) does.
    pub fn flush(&self) -> bool {
        until_nothing_moves(|| self.pump())
    }

    /// How many bytes come in one piece, and each way in one step, from here on: no limit at first. At least 1.
    pub fn set_chunk_size(&self, bytes: usize) {
        self.inner.chunk_size.set(bytes.max(1));
    }

    /// Nothing goes that way until [`unclog`](IoPump::unclog): no bytes, and not the news of their end.
    pub fn clog(&self, direction: Direction) {
        self.is_clogged(direction).set(true);
    }

    /// Bytes go that way again.
    pub fn unclog(&self, direction: Direction) {
        self.is_clogged(direction).set(false);
    }

    /// The network fails: in the next step both are told that the connection is [lost](ConnectionLost::Lost), by an error of this
    /// kind. What is under way is lost, too.
    pub fn cut(&self, kind: io::ErrorKind) {
        for end in [&self.inner.client, &self.inner.server] {
            *end.wire().coming_doom.borrow_mut() = Some(io::Error::from(kind).into());
        }
    }

    /// How many bytes were written and not delivered.
    pub fn unsent(&self, direction: Direction) -> usize {
        self.ends(direction).0.wire().unsent()
    }

    /// Whether both protocols were told that the connection is gone.
    pub fn is_over(&self) -> bool {
        self.inner.client.wire().is_over() && self.inner.server.wire().is_over()
    }

    /// Who sends that way, and who receives.
    fn ends(&self, direction: Direction) -> (&dyn Side, &dyn Side) {
        let Inner { client, server, .. } = &*self.inner;
        match direction {
            Direction::ToServer => (&**client, &**server),
            Direction::ToClient => (&**server, &**client),
        }
    }

    fn is_clogged(&self, direction: Direction) -> &Cell<bool> {
        &self.inner.is_clogged[direction as usize]
    }

    /// How many bytes go that way in this step; `None` if not even the end of them does.
    fn sendable(&self, direction: Direction) -> Option<usize> {
        let unsent = self.ends(direction).0.wire().unsent();
        (!self.is_clogged(direction).get()).then(|| unsent.min(self.inner.chunk_size.get()))
    }
}

/// Repeats the step; whether it did anything the first time.
pub(crate) fn until_nothing_moves(mut step: impl FnMut() -> bool) -> bool {
    for round in 0..MOST_ROUNDS {
        if !step() {
            return round > 0;
        }
    }
    panic!("there is no end of it: the protocols have exchanged {MOST_ROUNDS} pieces; use `pump` for such");
}

/// News of the last step arrives.
fn let_in_coming_doom(end: &dyn Side) -> bool {
    let doom = end.wire().coming_doom.take();
    let is_news = doom.is_some() && end.wire().is_connected();
    if let Some(reason) = doom {
        end.wire().give_up(reason);
    }
    is_news && tell_doom(end)
}

/// Bytes that were written before this step, or the news that there are no more.
fn deliver(from: &dyn Side, to: &dyn Side, sendable: Option<usize>) -> bool {
    let (sender, receiver) = (from.wire(), to.wire());
    let mut moved = false;
    if receiver.is_connected() && receiver.was_resumed.take() {
        to.reading_resumed();
        moved = true;
    }
    let Some(count) = sendable else { return moved };
    if receiver.is_over() {
        return moved | throw_away(sender);
    }
    if !receiver.reads() {
        return moved;
    }
    if sender.is_at_end() {
        receiver.is_read_closed.set(true);
        to.read_connection_lost();
        return true;
    }
    let data = sender.send(count);
    if !data.is_empty() {
        to.data_received(&data);
        moved = true;
    }
    moved
}

/// Nobody is there to take them.
fn throw_away(sender: &Wire) -> bool {
    let is_any = !sender.send(usize::MAX).is_empty();
    if is_any && !sender.is_disconnecting() {
        sender.reset();
    }
    is_any
}

/// What the protocol asked for, as far as it can be done now.
fn settle(end: &dyn Side, other: &Wire) -> bool {
    let wire = end.wire();
    wire.finish();
    if wire.closes_writing.take() {
        end.write_connection_lost();
        return true;
    }
    let is_clean = wire.doom.borrow().as_ref().is_some_and(ConnectionLost::is_clean);
    let moved = tell_doom(end);
    if moved && !is_clean && other.is_connected() {
        other.reset();
    }
    moved
}

/// Tells the protocol that the connection is gone, if it is and nobody has told it.
fn tell_doom(end: &dyn Side) -> bool {
    if end.wire().is_over() {
        return false;
    }
    let doom = end.wire().doom.borrow().clone();
    let is_any = doom.is_some();
    if let Some(reason) = doom {
        end.connection_lost(reason);
    }
    is_any
}

impl fmt::Debug for IoPump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IoPump")
            .field("to_server", &self.unsent(Direction::ToServer))
            .field("to_client", &self.unsent(Direction::ToClient))
            .field("is_over", &self.is_over())
            .finish()
    }
}
