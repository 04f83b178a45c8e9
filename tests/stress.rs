//! Everything at random, from many threads at once: spawn, wake, abort, join, time out, connect and close. What comes out is counted:
//! every message arrives or is dropped with its channel, every future and output is dropped once, every join has a reason.
//!
//! It takes about a second for each flavor; with `RT_STRESS_SECONDS=n` so many seconds. `RT_STRESS_SEED=n` repeats the choices of a
//! run (not their interleaving); the seed is printed.

use std::future::{pending, poll_fn};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use futures_util::io::{AsyncReadExt, AsyncWriteExt};
use rt::net::{TcpListener, TcpStream};
use rt::runtime::{Builder, Handle, Runtime};
use rt::task::{JoinHandle, JoinSet, yield_now};
use rt::time::{sleep, timeout};

/// What is made and dropped, sent and received.
#[derive(Default)]
struct Counts {
    made: AtomicU64,
    dropped: AtomicU64,
    sent: AtomicU64,
    received: AtomicU64,
    echoed: AtomicU64,
    ended: AtomicU64,
    cancelled: AtomicU64,
    panicked: AtomicU64,
    meant_to_panic: AtomicU64,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::SeqCst)
}

/// Made and dropped once.
struct Guard(Arc<Counts>);

impl Guard {
    fn new(counts: &Arc<Counts>) -> Self {
        count(&counts.made);
        Self(Arc::clone(counts))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        count(&self.0.dropped);
    }
}

/// Splitmix64.
#[derive(Clone)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// For another task: its own sequence.
    fn fork(&mut self) -> Self {
        Self(self.next())
    }
}

/// What the tasks of one run share.
struct World {
    counts: Arc<Counts>,
    messages: async_channel::Sender<Guard>,
    inbox: async_channel::Receiver<Guard>,
    /// Wakers of tasks that wait for anybody.
    wakers: Mutex<Vec<Waker>>,
    address: std::net::SocketAddr,
    many_threads: bool,
}

/// One thing, of some that tasks do. Boxed, because it is its own part.
fn act(world: Arc<World>, mut random: Random, depth: u32) -> std::pin::Pin<Box<dyn Future<Output = Guard> + Send>> {
    Box::pin(async move {
        let guard = Guard::new(&world.counts);
        match random.below(if depth == 0 { 8 } else { 13 }) {
            0 => yield_now().await,
            1 => {
                let nap = Duration::from_micros(random.below(300));
                let start = Instant::now();
                sleep(nap).await;
                assert!(start.elapsed() >= nap, "a sleep is never early");
            }
            2 => {
                count(&world.counts.sent);
                world.messages.send(Guard::new(&world.counts)).await.unwrap();
            }
            3 => {
                if let Ok(message) = world.inbox.try_recv() {
                    count(&world.counts.received);
                    drop(message);
                }
            }
            4 => {
                // Woken by whoever comes next, or by the timer.
                let mut left = false;
                let woken = poll_fn(|cx| {
                    if std::mem::replace(&mut left, true) {
                        return Poll::Ready(());
                    }
                    world.wakers.lock().unwrap().push(cx.waker().clone());
                    Poll::Pending
                });
                _ = timeout(Duration::from_micros(200), woken).await;
            }
            5 => {
                let waker = world.wakers.lock().unwrap().pop();
                if let Some(waker) = waker {
                    waker.wake();
                }
            }
            6 => {
                if random.below(4) == 0 {
                    count(&world.counts.meant_to_panic);
                    panic!("at random");
                }
            }
            7 => {
                let inner = Guard::new(&world.counts);
                _ = timeout(Duration::from_micros(random.below(100)), async move {
                    let _inner = inner;
                    pending::<()>().await;
                })
                .await;
            }
            8 => echo(&world, &mut random).await,
            9 => {
                let children = (0..random.below(6)).map(|_| {
                    let child = rt::spawn(act(Arc::clone(&world), random.fork(), depth - 1));
                    (child, random.below(3))
                });
                for (child, fate) in children.collect::<Vec<_>>() {
                    match fate {
                        0 => drop(child),
                        1 => {
                            child.abort();
                            tally(&world.counts, child).await;
                        }
                        _ => tally(&world.counts, child).await,
                    }
                }
            }
            10 => {
                let mut set = JoinSet::new();
                for _ in 0..random.below(8) {
                    set.spawn(act(Arc::clone(&world), random.fork(), depth - 1));
                }
                for _ in 0..random.below(8) {
                    _ = set.join_next().await;
                }
            }
            11 => {
                let inner = Guard::new(&world.counts);
                let call = rt::spawn_blocking(move || drop(inner));
                if random.below(2) == 0 {
                    _ = call.await;
                }
            }
            _ => {
                if world.many_threads && random.below(2) == 0 {
                    let child = rt::spawn(act(Arc::clone(&world), random.fork(), depth - 1));
                    rt::task::block_in_place(|| Handle::current().block_on(tally(&world.counts, child)));
                } else {
                    let (counts, inner) = (Arc::clone(&world.counts), Guard::new(&world.counts));
                    let task = rt::spawn_pinned(0, move || async move {
                        let local = std::rc::Rc::new(inner);
                        let other = std::rc::Rc::clone(&local);
                        rt::spawn_local(async move { drop(other) });
                        yield_now().await;
                        Guard::new(&counts)
                    });
                    // Worker 0 may be the very one that waits.
                    drop(task.unwrap());
                }
            }
        }
        guard
    })
}

/// Waits for a task, and notes why it ended.
async fn tally(counts: &Counts, task: JoinHandle<Guard>) {
    match task.await {
        Ok(guard) => {
            drop(guard);
            count(&counts.ended);
        }
        Err(error) if error.is_cancelled() => count(&counts.cancelled),
        Err(error) => {
            assert!(error.to_string().ends_with("at random"), "{error}");
            count(&counts.panicked);
        }
    }
}

/// A connection of its own: what is sent comes back, unless it is closed early.
async fn echo(world: &World, random: &mut Random) {
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    let sent = vec![random.next() as u8; 1 + random.below(5_000) as usize];
    if random.below(4) == 0 {
        _ = stream.write_all(&sent).await;
        return;
    }
    stream.write_all(&sent).await.unwrap();
    stream.close().await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, sent);
    count(&world.counts.echoed);
}

async fn serve(listener: TcpListener) {
    while let Ok((mut stream, _)) = listener.accept().await {
        rt::spawn(async move {
            let mut buffer = [0; 1024];
            while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                if stream.write_all(&buffer[..length]).await.is_err() {
                    return;
                }
            }
        });
    }
}

/// Panics that are meant are not printed.
fn quiet() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let others = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if info.payload().downcast_ref() != Some(&"at random") {
                others(info);
            }
        }));
    });
}

fn stress(runtime: Runtime, many_threads: bool, seed: u64) {
    quiet();
    let counts = Arc::<Counts>::default();
    let (messages, inbox) = async_channel::bounded(64);
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let world = World { counts: Arc::clone(&counts), messages, inbox, wakers: Mutex::default(), address, many_threads };
    let world = Arc::new(world);
    runtime.spawn(serve(listener));
    // Takes what others leave in the channel, so that senders get on.
    let drain = {
        let (inbox, counts) = (world.inbox.clone(), Arc::clone(&counts));
        runtime.spawn(async move {
            while let Ok(message) = inbox.recv().await {
                count(&counts.received);
                drop(message);
            }
        })
    };
    let seconds = std::env::var("RT_STRESS_SECONDS").ok().map(|text| text.parse().expect("a number of seconds"));
    let end = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    thread::scope(|scope| {
        for number in 0..4 {
            let (world, runtime) = (Arc::clone(&world), &runtime);
            let mut random = Random(seed.wrapping_add(number));
            scope.spawn(move || {
                let mut rounds = 0;
                while end.map_or(rounds < 60, |end| Instant::now() < end) {
                    rounds += 1;
                    let spawned: Vec<_> = (0..1 + random.below(20))
                        .map(|_| runtime.spawn(act(Arc::clone(&world), random.fork(), 3)))
                        .collect();
                    let switch = spawned[0].abort_handle();
                    let joined = async {
                        for task in spawned {
                            tally(&world.counts, task).await;
                        }
                    };
                    // On the current-thread flavor somebody has to drive.
                    runtime.block_on(async {
                        if random.below(2) == 0 {
                            switch.abort();
                        }
                        joined.await;
                    });
                }
            });
        }
    });
    // Some more, which the runtime's end cuts short.
    let mut random = Random(!seed);
    for _ in 0..200 {
        drop(runtime.spawn(act(Arc::clone(&world), random.fork(), 3)));
    }
    drop(runtime);
    assert!(drain.is_finished());
    let panicked_unseen = read(&counts.meant_to_panic) - read(&counts.panicked);
    drop(drain);
    world.wakers.lock().unwrap().clear();
    let left = std::iter::from_fn(|| world.inbox.try_recv().ok()).map(drop).count() as u64;
    // A sender that was cut short has counted its message, which went with its future.
    assert!(read(&counts.received) + left <= read(&counts.sent));
    drop(world);
    // Blocking calls that were running end by themselves.
    while read(&counts.dropped) != read(&counts.made) {
        thread::yield_now();
    }
    println!(
        "made {}, ended {}, cancelled {}, panicked {} (+{panicked_unseen}), messages {} of {}, echoes {}",
        read(&counts.made),
        read(&counts.ended),
        read(&counts.cancelled),
        read(&counts.panicked),
        read(&counts.received),
        read(&counts.sent),
        read(&counts.echoed),
    );
    assert!(read(&counts.ended) > 0 && read(&counts.echoed) > 0 && read(&counts.received) > 0);
}

fn seed() -> u64 {
    let seed = std::env::var("RT_STRESS_SEED").ok().map(|text| text.parse().expect("a number"));
    let seed = seed.unwrap_or_else(|| Instant::now().elapsed().as_nanos() as u64 ^ u64::from(std::process::id()));
    println!("RT_STRESS_SEED={seed}");
    seed
}

#[test]
fn on_one_thread() {
    stress(Builder::new_current_thread().on_stall(|_| ()).build().unwrap(), false, seed());
}

#[test]
fn on_many_threads() {
    for workers in [1, 2, 4, 8] {
        // A busy machine stalls us, too.
        let runtime = Builder::new_multi_thread().worker_threads(workers).on_stall(|_| ()).build().unwrap();
        stress(runtime, true, seed());
    }
}
