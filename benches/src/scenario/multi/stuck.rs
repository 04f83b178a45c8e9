//! What waits while a worker is stuck in one poll and another is idle.

use std::future::poll_fn;
use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use futures_channel::oneshot;
use futures_util::task::AtomicWaker;
use smol::future::zip;

use super::handlers::connection;
use crate::meter::{Sample, percentile};
use crate::subject::{Sockets, Timers};

/// How long a worker is stuck.
const BLOCK: Duration = Duration::from_millis(50);
/// How long a worker has been stuck when something happens to a socket.
const LATER: Duration = Duration::from_millis(5);
/// What the runtime has to rest in between: hardly, a little, and long enough for all of it to fall asleep.
const RESTS: [Duration; 3] = [Duration::from_millis(1), Duration::from_millis(20), Duration::from_millis(150)];

/// A task wakes another and then blocks; how long until that one is polled.
pub(super) async fn woken<S: Timers>(repeats: u64) -> Sample {
    #[derive(Default)]
    struct Table {
        task: AtomicWaker,
        woken: OnceLock<Instant>,
    }

    let mut times = Vec::with_capacity(repeats as usize);
    for rest in RESTS.into_iter().cycle().take(repeats as usize) {
        S::sleep(rest).await;
        let table = Arc::new(Table::default());
        let (wait, waits) = oneshot::channel();
        let (report, time) = oneshot::channel();
        let waiting = S::spawn({
            let table = table.clone();
            async move {
                let mut wait = Some(wait);
                let time = poll_fn(|cx| {
                    table.task.register(cx.waker());
                    if let Some(woken) = table.woken.get() {
                        return Poll::Ready(woken.elapsed());
                    }
                    wait.take().map(|wait| wait.send(()));
                    Poll::Pending
                });
                report.send(time.await).expect("the root future waits");
            }
        });
        waits.await.expect("the task waits");
        let blocking = S::spawn(async move {
            table.woken.set(Instant::now()).expect("nobody else does");
            table.task.wake();
            thread::sleep(BLOCK);
        });
        times.push(time.await.expect("the task reports"));
        S::join(waiting).await;
        S::join(blocking).await;
    }
    Sample::of(percentile(&mut times, 99.))
}

/// A task waits for a socket, then its worker is stuck in another task, then the socket becomes readable; how long until the
/// first task has read it.
pub(super) async fn readable<S: Sockets + Timers>(repeats: u64) -> Sample {
    let written = Arc::new(Mutex::new(None));
    let (write, writer) = writer(written.clone());
    let mut times = Vec::with_capacity(repeats as usize);
    for rest in RESTS.into_iter().cycle().take(repeats as usize) {
        S::sleep(rest).await;
        let (ours, theirs) = connection().expect("a connection over the loopback");
        let (wait, waits) = oneshot::channel();
        let (block, blocks) = oneshot::channel();
        let write = write.clone();
        let blocking = S::spawn(async move {
            wait.send(()).expect("the root future waits");
            blocks.await.expect("the worker is to be stuck");
            write.send(theirs).expect("the writer waits");
            thread::sleep(BLOCK);
        });
        waits.await.expect("the task waits");
        let (report, time) = oneshot::channel();
        let written = written.clone();
        let reading = S::spawn(async move {
            let mut stream = S::adopt(ours).expect("a connection");
            // Once the read is pending, the other task is woken: it is the next that this worker runs.
            let (count, ()) = zip(S::read(&mut stream), async { block.send(()).expect("the other task waits") }).await;
            assert_eq!(count.expect("the connection holds"), 1);
            let written: Option<Instant> = written.lock().expect("nobody panics").take();
            report.send(written.expect("set before it wrote").elapsed()).expect("the root future waits");
        });
        times.push(time.await.expect("the task reports"));
        S::join(reading).await;
        S::join(blocking).await;
    }
    drop(write);
    writer.join().expect("the writer does not panic");
    Sample::of(percentile(&mut times, 99.))
}

/// A thread that writes to connections a while after it got them, and notes when.
fn writer(written: Arc<Mutex<Option<Instant>>>) -> (mpsc::Sender<std::net::TcpStream>, thread::JoinHandle<()>) {
    let (write, to_write) = mpsc::channel::<std::net::TcpStream>();
    let thread = thread::spawn(move || {
        for mut stream in to_write {
            thread::sleep(LATER);
            *written.lock().expect("nobody panics") = Some(Instant::now());
            stream.write_all(&[1]).expect("the connection holds");
        }
    });
    (write, thread)
}
