//! Two protocols, a stream that is ready when it likes, and random actions on both sides: the promises of a connection hold in any order
//! of things.

#[path = "../../tests/support/flavor.rs"]
mod flavor;

use futures_util::io::{AsyncRead, AsyncWrite};
use rt::deferred::unhandled;
use rt::io::{DuplexStream, duplex};
use rt::protocol::{ConnectionLost, Producer, Protocol, ProtocolHandle, Transport, WriteLimits, drive};
use rt::task::yield_now;
use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

const PROGRAMS: u64 = 200;
const ACTIONS: usize = 60;
/// If nothing comes in so many turns, it is stuck.
const PATIENCE: usize = 2_000;

/// Numbers that look like chance (xorshift64*).
#[derive(Clone)]
struct Chance(Rc<Cell<u64>>);

impl Chance {
    fn new(seed: u64) -> Self {
        Self(Rc::new(Cell::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)))
    }

    /// Less than `limit`.
    fn below(&self, limit: usize) -> usize {
        let mut state = self.0.get();
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        self.0.set(state);
        (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % limit
    }

    fn one_in(&self, count: usize) -> bool {
        self.below(count) == 0
    }
}

/// A stream that is ready when it likes, moves as much as it likes, and sometimes holds what was written until it is flushed.
struct Moody {
    stream: DuplexStream,
    chance: Chance,
    held: Vec<u8>,
}

impl Moody {
    fn is_in_the_mood(&self, cx: &Context<'_>) -> bool {
        let is_ready = !self.chance.one_in(4);
        if !is_ready {
            cx.waker().wake_by_ref();
        }
        is_ready
    }

    fn poll_held(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.held.is_empty() {
            let count = std::task::ready!(Pin::new(&mut self.stream).poll_write(cx, &self.held))?;
            self.held.drain(..count);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Moody {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        if !self.is_in_the_mood(cx) {
            return Poll::Pending;
        }
        let most = 1 + self.chance.below(buf.len().max(1));
        let length = buf.len().min(most);
        Pin::new(&mut self.stream).poll_read(cx, &mut buf[..length])
    }
}

impl AsyncWrite for Moody {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if !self.is_in_the_mood(cx) {
            return Poll::Pending;
        }
        std::task::ready!(self.poll_held(cx))?;
        let count = 1 + self.chance.below(buf.len());
        if self.chance.one_in(3) {
            self.held.extend_from_slice(&buf[..count]);
            return Poll::Ready(Ok(count));
        }
        Pin::new(&mut self.stream).poll_write(cx, &buf[..count])
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_in_the_mood(cx) {
            return Poll::Pending;
        }
        self.poll_held(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_in_the_mood(cx) {
            return Poll::Pending;
        }
        std::task::ready!(self.poll_held(cx))?;
        Pin::new(&mut self.stream).poll_close(cx)
    }
}

/// What is known of one side.
#[derive(Default)]
struct Side {
    is_made: Cell<bool>,
    is_in_event: Cell<bool>,
    lost: Cell<u32>,
    read_lost: Cell<u32>,
    write_lost: Cell<u32>,
    dropped: Cell<u32>,
    /// How many bytes were written and read, by the protocol and through streams. The n-th byte is known by its place.
    written: Cell<usize>,
    read: Cell<usize>,
    is_taken: Cell<bool>,
    drains: Cell<u32>,
    drained: Cell<u32>,
    closed: Cell<u32>,
}

impl Side {
    fn bytes(&self, count: usize) -> Vec<u8> {
        let from = self.written.replace(self.written.get() + count);
        (from..from + count).map(byte).collect()
    }

    /// Checks bytes that came.
    fn take(&self, data: &[u8]) {
        let from = self.read.replace(self.read.get() + data.len());
        let expected: Vec<u8> = (from..from + data.len()).map(byte).collect();
        assert!(data == expected, "the bytes from {from} on are others");
    }
}

fn byte(place: usize) -> u8 {
    (place % 251) as u8
}

struct Checked {
    side: Rc<Side>,
    chance: Chance,
    answers: bool,
    /// Itself, as users do.
    _transport: Option<Transport>,
}

impl Checked {
    fn event(&self, what: &str, f: impl FnOnce(&Side)) {
        let side = &*self.side;
        assert!(!side.is_in_event.replace(true), "{what} within another event");
        assert!(side.is_made.get() && side.lost.get() == 0, "{what} before the first or after the last event");
        f(side);
        side.is_in_event.set(false);
    }
}

impl Protocol for Checked {
    fn connection_made(&mut self, transport: &Transport) {
        assert!(!self.side.is_made.replace(true), "made twice");
        self._transport = Some(transport.clone());
        self.event("made", |_| ());
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        let chance = &self.chance;
        self.event("data", |side| {
            assert!(!side.is_taken.get(), "data while the connection is a stream");
            assert_eq!(side.read_lost.get(), 0, "data after the end");
            assert!(!transport.is_paused(), "data while paused");
            let used = if chance.one_in(8) { chance.below(data.len()) } else { data.len() };
            side.take(&data[..used]);
            if used < data.len() {
                // Some of it was too much.
                let stream = transport.take_stream(&data[used..]).unwrap();
                stream.give_back(b"");
            }
            if self.answers && !chance.one_in(3) {
                transport.write(&side.bytes(chance.below(data.len() * 2)));
            }
            if chance.one_in(10) {
                transport.pause_producing();
            }
        });
    }

    fn connection_lost(&mut self, transport: &Transport, _: &ConnectionLost) {
        self.event("lost", |side| {
            transport.write(b"too late");
            transport.lose_connection();
            transport.resume_producing();
            side.lost.set(side.lost.get() + 1);
        });
    }

    fn read_connection_lost(&mut self, _: &Transport) {
        self.event("read lost", |side| {
            assert_eq!(side.read_lost.replace(1), 0, "the end of reading is told twice");
        });
    }

    fn write_connection_lost(&mut self, _: &Transport) {
        self.event("write lost", |side| {
            assert_eq!(side.write_lost.replace(1), 0, "the end of writing is told twice");
        });
    }

    fn reading_resumed(&mut self, transport: &Transport) {
        self.event("resumed", |side| {
            assert!(!side.is_taken.get() && !transport.is_paused());
        });
    }
}

impl Drop for Checked {
    fn drop(&mut self) {
        assert!(!self.side.is_in_event.get() && self.side.lost.get() == 1);
        self.side.dropped.set(self.side.dropped.get() + 1);
        // The connection is gone, and takes it.
        let transport = self._transport.take().unwrap();
        transport.write(b"too late");
        transport.abort_connection();
        assert!(!transport.is_connected());
    }
}

/// Calls its transport in every callback.
struct Busy {
    transport: Transport,
    side: Rc<Side>,
    chance: Chance,
    left: Cell<u32>,
}

impl Producer for Busy {
    fn resume_producing(&self) {
        if self.left.get() == 0 {
            return self.transport.unregister_producer();
        }
        self.left.set(self.left.get() - 1);
        self.transport.write(&self.side.bytes(1 + self.chance.below(3000)));
        let _ = self.transport.unsent();
    }

    fn pause_producing(&self) {
        let _ = (self.transport.unsent(), self.transport.is_paused());
    }

    fn stop_producing(&self) {
        self.transport.unregister_producer();
        self.transport.stop_producer();
    }
}

/// One side: its protocol, and who acts on it from outside.
struct Actor {
    handle: ProtocolHandle<Checked>,
    side: Rc<Side>,
    chance: Chance,
}

impl Actor {
    fn new(stream: DuplexStream, chance: &Chance, answers: bool) -> Self {
        let side = Rc::<Side>::default();
        let protocol = Checked { side: side.clone(), chance: chance.clone(), answers, _transport: None };
        let handle = drive(Moody { stream, chance: chance.clone(), held: Vec::new() }, protocol);
        let told = side.clone();
        drop(handle.transport().closed().add_callback(move |_| {
            assert_eq!((told.lost.get(), told.dropped.get()), (1, 1), "closed before the protocol was told");
            told.closed.set(told.closed.get() + 1);
        }));
        Self { handle, side, chance: chance.clone() }
    }

    /// Does something that does not end the connection.
    async fn act(&self) {
        let (side, chance) = (&self.side, &self.chance);
        let transport = self.handle.transport();
        match chance.below(12) {
            0..3 => transport.write(&side.bytes(chance.below(5000))),
            3 => {
                let parts = [side.bytes(chance.below(50)), side.bytes(0), side.bytes(chance.below(50))];
                transport.write_sequence(&parts);
            }
            4 => transport.pause_producing(),
            5 | 6 => transport.resume_producing(),
            7 => {
                let left = Cell::new(chance.below(5) as u32);
                let (side, chance) = (side.clone(), chance.clone());
                let busy = Busy { transport: transport.clone(), side, chance: chance.clone(), left };
                // A push producer that does not know when to write has written its last already.
                let is_pull = chance.one_in(2);
                if transport.register_producer(busy, !is_pull).is_ok() && !is_pull {
                    transport.unregister_producer();
                }
            }
            8 => {
                side.drains.set(side.drains.get() + 1);
                let (done, failed) = (side.clone(), side.clone());
                let writes = transport.clone();
                let writer = side.clone();
                drop(transport.drained().add_callbacks(
                    move |()| {
                        done.drained.set(done.drained.get() + 1);
                        writes.write(&writer.bytes(3));
                    },
                    move |_| failed.drained.set(failed.drained.get() + 1),
                ));
            }
            9 => self.use_stream().await,
            10 => {
                let limits = [(0, 0), (0, 100), (100, 10), (16_384, 65_536), (1000, 5000)];
                let (low, high) = limits[chance.below(limits.len())];
                transport.set_write_limits(WriteLimits { low, high, cap: None });
            }
            _ => {
                let _ = self.handle.with(|_, transport| transport.write(&side.bytes(chance.below(10))));
            }
        }
    }

    /// Takes the connection as a stream, uses it a little, and gives it back.
    async fn use_stream(&self) {
        let (side, chance) = (&self.side, &self.chance);
        let Ok(mut stream) = self.handle.transport().take_stream(b"") else { return };
        side.is_taken.set(true);
        let mut unread = Vec::new();
        for _ in 0..chance.below(4) {
            if chance.one_in(2) {
                // Some protocol bytes may get in between, as this waits: the place of these is known when they are taken.
                let polled = std::future::poll_fn(|cx| {
                    let count = 1 + chance.below(500);
                    let from = side.written.get();
                    let bytes: Vec<u8> = (from..from + count).map(byte).collect();
                    Poll::Ready(match Pin::new(&mut stream).poll_write(cx, &bytes) {
                        Poll::Ready(Ok(count)) => {
                            side.written.set(from + count);
                            true
                        }
                        Poll::Ready(Err(error)) => panic!("{error}"),
                        Poll::Pending => false,
                    })
                })
                .await;
                if !polled {
                    yield_now().await;
                }
            } else {
                let mut buffer = vec![0; 1 + chance.below(300)];
                let read =
                    std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut stream).poll_read(cx, &mut buffer))).await;
                if let Poll::Ready(read) = read {
                    unread.extend_from_slice(&buffer[..read.unwrap()]);
                }
                yield_now().await;
            }
        }
        let used = chance.below(unread.len() + 1);
        side.take(&unread[..used]);
        side.is_taken.set(false);
        stream.give_back(&unread[used..]);
    }

    fn is_over(&self) -> bool {
        self.side.closed.get() > 0
    }

    fn check_end(&self) {
        let side = &self.side;
        assert_eq!((side.lost.get(), side.dropped.get(), side.closed.get()), (1, 1, 1));
        assert_eq!(side.drained.get(), side.drains.get(), "a Deferred of `drained` fires once");
    }
}

/// Waits until `is_so`, while nobody may be held back by who was asked to pause.
async fn wait(actors: &[&Actor], what: &str, is_so: impl Fn() -> bool) {
    let progress = || actors.iter().map(|actor| actor.side.read.get()).sum::<usize>();
    let (mut before, mut waited) = (progress(), 0);
    while waited < PATIENCE {
        if is_so() {
            return;
        }
        match progress() {
            now if now == before => waited += 1,
            now => (before, waited) = (now, 0),
        }
        for actor in actors {
            actor.handle.transport().resume_producing();
        }
        yield_now().await;
    }
    panic!("stuck: {what}");
}

async fn program(seed: u64) {
    let chance = Chance::new(seed);
    let (near, far) = duplex([1, 7, 100, 4096, 65_536][chance.below(5)]);
    // Two that both answer may hold each other back, and are allowed to.
    let answering = chance.below(3);
    let (near, far) = (Actor::new(near, &chance, answering == 1), Actor::new(far, &chance, answering == 2));
    let both = [&near, &far];
    for _ in 0..ACTIONS {
        both[chance.below(2)].act().await;
        for _ in 0..chance.below(3) {
            yield_now().await;
        }
    }
    match chance.below(4) {
        // All comes through, both ways, when both close in good order.
        0..2 => {
            wait(&both, "what is written is not sent", || {
                both.iter().all(|actor| actor.handle.transport().unsent() == 0)
                    && near.side.written == far.side.read
                    && far.side.written == near.side.read
            })
            .await;
            near.handle.transport().lose_write_connection();
            wait(&both, "the end is not seen", || far.side.read_lost.get() == 1 && near.side.write_lost.get() == 1)
                .await;
            far.handle.transport().write(&far.side.bytes(1000));
            if chance.one_in(2) {
                far.handle.transport().lose_write_connection();
            } else {
                far.handle.transport().lose_connection();
            }
            wait(&both, "the last words are not seen", || near.side.read_lost.get() == 1).await;
            assert_eq!(far.side.written, near.side.read);
        }
        2 => {
            near.handle.transport().abort_connection();
            near.handle.transport().abort_connection();
        }
        _ => {
            // What is written is still sent; who did not read the answers must not hold that up.
            far.handle.transport().set_write_limits(WriteLimits { low: 0, high: usize::MAX, cap: None });
            let stream = near.handle.transport().take_stream(b"");
            near.side.is_taken.set(true);
            drop(stream.unwrap());
        }
    }
    // The other one has its end when it has taken or lost everything, and closes.
    wait(&both, "the connection does not end", || {
        for actor in both {
            if actor.side.read_lost.get() == 1 {
                actor.handle.transport().lose_connection();
            }
        }
        both.iter().all(|actor| actor.is_over())
    })
    .await;
    both.iter().for_each(|actor| actor.check_end());
}

#[test]
fn whatever_happens_the_promises_hold() {
    for seed in 0..PROGRAMS {
        println!("program {seed}");
        let ((), reports) = unhandled::capture(|| rt::block_on(program(seed)));
        assert!(reports.is_empty(), "program {seed}: {}", reports[0]);
    }
}

#[test]
fn the_runtime_ends_in_the_middle_and_everybody_is_told_once() {
    for seed in 0..PROGRAMS {
        let sides = Rc::new(RefCell::new(Vec::new()));
        let ((), reports) = unhandled::capture(|| {
            flavor::one_thread().block_on(async {
                let chance = Chance::new(seed);
                let (near, far) = duplex(100);
                let (near, far) = (Actor::new(near, &chance, true), Actor::new(far, &chance, false));
                sides.borrow_mut().extend([near.side.clone(), far.side.clone()]);
                for _ in 0..chance.below(30) {
                    [&near, &far][chance.below(2)].act().await;
                }
            });
        });
        assert!(reports.is_empty(), "program {seed}: {}", reports[0]);
        for side in sides.take() {
            assert_eq!((side.lost.get(), side.dropped.get(), side.closed.get()), (1, 1, 1), "program {seed}");
            assert_eq!(side.drained.get(), side.drains.get(), "program {seed}");
        }
    }
}
