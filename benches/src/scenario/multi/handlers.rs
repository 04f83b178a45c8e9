//! Messages to many handlers, a few of which take long.

use std::array;
use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use futures_channel::oneshot;

use crate::meter::{Sample, percentile};
use crate::subject::Sockets;

const HANDLERS: usize = 64;
/// On average; they come when they come, whether those before have been handled or not.
const BETWEEN_MESSAGES: Duration = Duration::from_micros(500);
/// One message in so many takes its handler [`SLOW`]. They are spread evenly: were they random, both workers would be busy with
/// them often enough to make the percentile, and it would tell about queueing instead of the runtime.
const SLOW_ONE_IN: u64 = 100;
/// It blocks: with a handler that computes, the generator and two workers, two processors would be too few, and the tail would
/// be the kernel's scheduler's.
const SLOW: Duration = Duration::from_millis(5);

/// How long messages wait for their handlers: those that are no slow ones.
pub(super) async fn latency<S: Sockets>(messages: u64) -> Sample {
    let start = Instant::now();
    let busy: Arc<[AtomicBool; HANDLERS]> = Arc::new(array::from_fn(|_| AtomicBool::new(false)));
    let (streams, tasks): (Vec<_>, Vec<_>) = (0..HANDLERS)
        .map(|index| {
            let (ours, theirs) = connection().expect("a connection over the loopback");
            let (report, times) = oneshot::channel();
            let busy = busy.clone();
            let task = S::spawn(async move {
                let stream = S::adopt(ours).expect("a connection");
                report.send(handle::<S>(stream, &busy[index], start).await).expect("the root future waits");
            });
            (theirs, (task, times))
        })
        .unzip();
    let generator = thread::spawn(move || generate(messages, streams, &busy, start));
    let mut all = Vec::with_capacity(messages as usize);
    for (task, times) in tasks {
        all.extend(times.await.expect("the handler reports"));
        S::join(task).await;
    }
    generator.join().expect("the generator does not panic");
    Sample::of(percentile(&mut all, 99.9))
}

/// A connection over the loopback, without Nagle's delays; the first end does not block.
pub(super) fn connection() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let theirs = TcpStream::connect(listener.local_addr()?)?;
    let (ours, _) = listener.accept()?;
    ours.set_nonblocking(true)?;
    ours.set_nodelay(true)?;
    theirs.set_nodelay(true)?;
    Ok((ours, theirs))
}

/// How long each message took to get here that asked for nothing slow.
async fn handle<S: Sockets>(mut stream: S::Stream, busy: &AtomicBool, start: Instant) -> Vec<Duration> {
    let mut times = Vec::new();
    while S::read(&mut stream).await.expect("the connection holds") == Message::BYTES {
        let now = start.elapsed();
        let message = Message::decode(stream.as_ref());
        if message.slow {
            thread::sleep(SLOW);
        } else {
            times.push(now - message.sent);
        }
        busy.store(false, Ordering::Release);
    }
    times
}

/// Sends messages at random moments to handlers that have none: waiting behind a slow one of the same handler is its own.
fn generate(messages: u64, mut streams: Vec<TcpStream>, busy: &[AtomicBool; HANDLERS], start: Instant) {
    let mut random = Random(1);
    let mut due = start.elapsed();
    let mut next = 0;
    for number in 1..=messages {
        due += BETWEEN_MESSAGES.mul_f64(-(1. - random.next()).ln());
        thread::sleep(due.saturating_sub(start.elapsed()));
        while busy[next].load(Ordering::Acquire) {
            next = (next + 1) % HANDLERS;
        }
        busy[next].store(true, Ordering::Relaxed);
        let message = Message { slow: number % SLOW_ONE_IN == 0, sent: start.elapsed() };
        streams[next].write_all(&message.encode()).expect("the connection holds");
        next = (next + 1) % HANDLERS;
    }
}

struct Message {
    slow: bool,
    sent: Duration,
}

impl Message {
    const BYTES: usize = 9;

    fn encode(&self) -> [u8; Self::BYTES] {
        let mut bytes = [u8::from(self.slow); Self::BYTES];
        bytes[1..].copy_from_slice(&(self.sent.as_nanos() as u64).to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Self {
        let nanos = array::from_fn(|index| bytes[1 + index]);
        Self { slow: bytes[0] != 0, sent: Duration::from_nanos(u64::from_le_bytes(nanos)) }
    }
}

/// The same messages in every sample: Knuth's linear congruential generator.
struct Random(u64);

impl Random {
    /// From 0 to below 1.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}
