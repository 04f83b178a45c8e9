//! Crowds of clients that mean no good: what they cost, that others are served meanwhile, and that they leave nothing behind. A process
//! of its own, for its memory.
//!
//! Ten thousand are in memory, where no descriptors run out; over TCP there are as many as a process may usually have.

#[path = "../../tests/support/flavor.rs"]
mod flavor;
#[path = "../../tests/support/counting.rs"]
mod counting;

use counting::held;
use futures_util::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use rt::io::{DuplexStream, duplex};
use rt::net::TcpStream;
use rt::protocol::{
    ConnectionLost, LineHandler, LineReceiver, Lines, Protocol, ProtocolHandle, Transport, WriteLimits, drive,
    for_protocol, listen_tcp,
};
use rt::task::{unconstrained, yield_now};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

const CLIENTS: usize = 10_000;
/// What a connection in memory holds in each direction, besides what the protocol's side does.
const PIPE: usize = 256;
/// More than an idle connection takes, with its pipe.
const IDLE: usize = 4 * PIPE + 1024;
/// Less than any allocation that each client could leave.
const A_WORD_EACH: usize = CLIENTS * size_of::<usize>();

/// Runs `future` while no other test runs: memory and descriptors are the process's.
fn alone<F: Future>(future: F) -> F::Output {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    flavor::block_on(future)
}

/// How many protocols there are.
#[derive(Clone, Default)]
struct Alive(Rc<Cell<usize>>);

impl Alive {
    fn one_more(&self) -> Guest {
        self.0.set(self.0.get() + 1);
        Guest(self.clone())
    }

    async fn none(&self) {
        while self.0.get() > 0 {
            yield_now().await;
        }
    }
}

/// Part of a protocol.
struct Guest(Alive);

impl Drop for Guest {
    fn drop(&mut self) {
        self.0.0.set(self.0.0.get() - 1);
    }
}

struct Echo {
    _guest: Guest,
    limits: WriteLimits,
}

impl Protocol for Echo {
    fn connection_made(&mut self, transport: &Transport) {
        transport.set_write_limits(self.limits);
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data);
    }
}

/// Sends lines back, and notes why it was lost.
struct EchoLines {
    _guest: Guest,
    lost: Rc<RefCell<Vec<ConnectionLost>>>,
}

impl LineHandler for EchoLines {
    fn line_received(&mut self, lines: &mut Lines<'_>, line: &[u8]) {
        lines.send_line(line);
    }

    fn connection_lost(&mut self, _: &mut Lines<'_>, reason: &ConnectionLost) {
        self.lost.borrow_mut().push(reason.clone());
    }
}

/// Clients in memory, and the protocols at the other ends.
struct Crowd<P> {
    clients: Vec<DuplexStream>,
    handles: Vec<ProtocolHandle<P>>,
}

impl<P: Protocol> Crowd<P> {
    fn of(count: usize, mut protocol: impl FnMut() -> P) -> Self {
        let mut crowd = Crowd { clients: Vec::with_capacity(count), handles: Vec::with_capacity(count) };
        for _ in 0..count {
            let (near, far) = duplex(PIPE);
            crowd.clients.push(near);
            crowd.handles.push(drive(far, protocol()));
        }
        crowd
    }

    /// Each client sends as much of `bytes` as is taken at once; then everybody has a turn. How many bytes were taken.
    async fn send(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        for some in self.clients.chunks_mut(100) {
            let mut send = || some.iter_mut().map(|client| send_now(client, bytes)).sum();
            taken += unconstrained(poll_fn(|_| Poll::<usize>::Ready(send()))).await;
            yield_now().await;
        }
        everybodys_turn().await;
        taken
    }

    /// The most that any of the protocols has written and not sent.
    fn most_unsent(&self) -> usize {
        self.handles.iter().map(|handle| handle.transport().unsent()).max().unwrap_or_default()
    }
}

/// How much of `bytes` a stream takes without waiting.
fn send_now(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> usize {
    match Pin::new(stream).poll_write(&mut Context::from_waker(Waker::noop()), bytes) {
        Poll::Ready(Ok(count)) => count,
        Poll::Ready(Err(_)) | Poll::Pending => 0,
    }
}

/// All that is ready now on this thread has run when this is over, and what that made ready.
async fn everybodys_turn() {
    for _ in 0..3 {
        yield_now().await;
    }
}

/// Somebody among them who only wants to be served.
async fn is_served(client: &mut (impl AsyncRead + AsyncWrite + Unpin), word: &[u8]) {
    client.write_all(word).await.unwrap();
    let mut answer = vec![0; word.len()];
    client.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, word);
}

/// Runs `attack` twice: the first fills pools, which stay; the second must leave nothing.
async fn leaves_nothing(mut attack: impl AsyncFnMut()) {
    attack().await;
    let before = held();
    attack().await;
    assert!(held() < before + A_WORD_EACH as isize, "{} bytes more than before", held() - before);
}

/// Clients send what is to be answered until nobody takes any more.
async fn never_read(count: usize, limits: WriteLimits) {
    let alive = Alive::default();
    let before = held();
    let mut crowd = Crowd::of(count, || Echo { _guest: alive.one_more(), limits });
    let (mut honest, far) = duplex(PIPE);
    drive(far, Echo { _guest: alive.one_more(), limits });

    while crowd.send(&[b'x'; PIPE]).await > 0 {
        is_served(&mut honest, b"meanwhile").await;
    }
    let each = (held() - before) as usize / count;
    assert!(crowd.most_unsent() <= limits.high, "{} of {limits:?}", crowd.most_unsent());
    assert!(crowd.most_unsent() > limits.low, "{} of {limits:?}", crowd.most_unsent());
    assert!(each <= 2 * limits.high + IDLE, "{each} bytes for each of {count}, with {limits:?}");
    is_served(&mut honest, b"and afterwards").await;

    drop((crowd, honest));
    alive.none().await;
    everybodys_turn().await;
}

#[test]
fn ten_thousand_that_never_read() {
    // As much as the usual limits allow would be a gigabyte.
    let limits = WriteLimits { low: 2 * 1024, high: 8 * 1024, cap: None };
    alone(leaves_nothing(async || never_read(CLIENTS, limits).await));
}

#[test]
fn hundreds_that_never_read_with_the_usual_limits() {
    alone(leaves_nothing(async || never_read(300, WriteLimits::default()).await));
}

#[test]
fn ten_thousand_that_send_one_byte_at_a_time() {
    const LINE: &[u8] = b"a line of sixty bytes, which is given out with patience.\r\n";
    alone(leaves_nothing(async || {
        let (alive, lost) = (Alive::default(), Rc::default());
        let lines =
            || LineReceiver::new(EchoLines { _guest: alive.one_more(), lost: Rc::clone(&lost) }).max_length(1024);
        let before = held();
        let mut crowd = Crowd::of(CLIENTS, lines);
        let (mut honest, far) = duplex(PIPE);
        drive(far, lines());
        for byte in LINE.chunks(1) {
            assert_eq!(crowd.send(byte).await, CLIENTS);
            is_served(&mut honest, b"meanwhile\r\n").await;
            let each = (held() - before) as usize / CLIENTS;
            assert!(each <= IDLE + 2 * LINE.len(), "{each} bytes for each");
        }
        for client in &mut crowd.clients {
            let mut answer = [0; LINE.len()];
            client.read_exact(&mut answer).await.unwrap();
            assert_eq!(answer, LINE);
        }
        drop((crowd, honest));
        alive.none().await;
        assert_eq!(lost.borrow().len(), CLIENTS + 1);
        everybodys_turn().await;
    }));
}

#[test]
fn ten_thousand_that_send_a_line_without_end() {
    const LONGEST: usize = 4 * 1024;
    alone(leaves_nothing(async || {
        let (alive, lost) = (Alive::default(), Rc::default());
        let lines =
            || LineReceiver::new(EchoLines { _guest: alive.one_more(), lost: Rc::clone(&lost) }).max_length(LONGEST);
        let before = held();
        let mut crowd = Crowd::of(CLIENTS, lines);
        let (mut honest, far) = duplex(PIPE);
        drive(far, lines());
        let mut most = 0;
        while crowd.send(&[b'x'; PIPE]).await > 0 {
            is_served(&mut honest, b"meanwhile\r\n").await;
            most = most.max((held() - before) as usize / CLIENTS);
        }
        assert!(most <= LONGEST + IDLE, "{most} bytes for each");
        assert!(most > LONGEST / 2, "{most} bytes for each: that was not much of a line");
        assert_eq!(lost.borrow().len(), CLIENTS, "all but the honest one are thrown out");
        assert!(lost.borrow().iter().all(ConnectionLost::is_clean));
        is_served(&mut honest, b"and afterwards\r\n").await;

        drop((crowd, honest));
        alive.none().await;
        drop(lost);
        everybodys_turn().await;
    }));
}

/// At once; in the middle of a line; with answers that they did not read.
#[test]
fn ten_thousand_that_vanish() {
    alone(leaves_nothing(async || {
        let (alive, lost) = (Alive::default(), Rc::default());
        let lines = || LineReceiver::new(EchoLines { _guest: alive.one_more(), lost: Rc::clone(&lost) });
        let (mut honest, far) = duplex(PIPE);
        drive(far, lines());
        for words in [&[][..], b"half a li", &[b"answer this\r\n".repeat(19)].concat()] {
            let mut crowd = Crowd::of(CLIENTS / 3, lines);
            crowd.send(words).await;
            crowd.send(words).await;
            drop(crowd);
            is_served(&mut honest, b"meanwhile\r\n").await;
        }
        drop(honest);
        alive.none().await;
        assert_eq!(lost.borrow().len(), CLIENTS / 3 * 3 + 1);
        drop(lost);
        everybodys_turn().await;
    }));
}

/// Over TCP they leave no descriptor either. The system's buffers take more than the protocols do.
#[cfg(target_os = "linux")]
#[test]
fn hundreds_over_tcp_that_never_read() {
    const CLIENTS: usize = 200;
    let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();

    alone(async {
        let alive = Alive::default();
        let limits = WriteLimits::default();
        let transports = Rc::new(RefCell::new(Vec::new()));
        let factory = {
            let (alive, transports) = (alive.clone(), Rc::clone(&transports));
            for_protocol(move || Remembered {
                echo: Echo { _guest: alive.one_more(), limits },
                all: transports.clone(),
            })
        };
        let port = listen_tcp("127.0.0.1:0", factory).unwrap();
        let address = port.host().ip().unwrap();
        let mut honest = TcpStream::connect(address).await.unwrap();
        is_served(&mut honest, b"before").await;
        // Each worker has the descriptors that it needs for timers.
        flavor::timers_everywhere().await;
        let before = descriptors();

        let mut clients = Vec::new();
        for _ in 0..CLIENTS {
            clients.push(TcpStream::connect(address).await.unwrap());
        }
        let is_held_back = |transport: &Transport| transport.unsent() + 4 * 1024 > limits.high;
        // The first is the honest one's.
        while transports.borrow().len() <= CLIENTS || !transports.borrow()[1..].iter().all(is_held_back) {
            for client in &mut clients {
                let _ = client.try_write(&[b'x'; 16 * 1024]);
            }
            is_served(&mut honest, b"meanwhile").await;
        }
        assert!(transports.borrow().iter().all(|transport| transport.unsent() <= limits.high));

        drop(clients);
        while alive.0.get() > 1 {
            is_served(&mut honest, b"and afterwards").await;
        }
        transports.borrow_mut().clear();
        assert_eq!(descriptors(), before);
        port.stop_listening().await.unwrap();
    });
}

/// An echo whose transport is remembered.
struct Remembered {
    echo: Echo,
    all: Rc<RefCell<Vec<Transport>>>,
}

impl Protocol for Remembered {
    fn connection_made(&mut self, transport: &Transport) {
        self.echo.connection_made(transport);
        self.all.borrow_mut().push(transport.clone());
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        self.echo.data_received(transport, data);
    }
}
