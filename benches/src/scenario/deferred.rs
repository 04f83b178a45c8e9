//! Deferreds beside boxed closures and beside oneshot channels.
//!
//! Every callback here captures 24 bytes, which is what counts as small; the floor's closures are the very same ones.

use std::cell::Cell;
use std::future::{Future, ready};
use std::hint::black_box;
use std::rc::Rc;

use futures_util::future::join_all;
use rt::deferred::{ensure_deferred, gather_results};
use rt::{Deferred, Failure, Resolver};

use super::memory::resident_bytes;
use super::{Case, FLOOR, OURS, Scenario, Target, Unit, Work};
use crate::meter::{Sample, measure, measure_prepared};
use crate::subject::{Floor, Rt, Subject, Tokio};

/// The scenarios of this theme.
pub const ALL: &[&Scenario] = &[
    &FIRE,
    &ADD_FIRED,
    &SUCCEED_ADD,
    &CHAIN,
    &AWAIT_FIRED,
    &AWAIT_PENDING,
    &COROUTINE,
    &COROUTINE_PREPARED,
    &GATHER,
    &GATHER_PREPARED,
    &MEMORY,
];

/// A Deferred is made, gets three callbacks, and is fired.
pub static FIRE: Scenario = Scenario {
    name: "deferred-fire",
    title: "make a Deferred, add 3 callbacks, fire",
    batches: 1_000,
    targets: &[Target::Share(FLOOR, 1.)],
    ..Scenario::DEFAULT
};

/// A Deferred that has its result gets three callbacks.
pub static ADD_FIRED: Scenario =
    Scenario { name: "deferred-add-fired", title: "add 3 callbacks to a fired Deferred", ..FIRE };

/// The same with a new Deferred each time.
pub static SUCCEED_ADD: Scenario =
    Scenario { name: "deferred-succeed-add", title: "make a fired Deferred, add 3 callbacks", ..FIRE };

/// A thousand callbacks on one Deferred, which is fired then.
pub static CHAIN: Scenario = Scenario {
    name: "deferred-chain",
    title: "a chain of 1,000 callbacks, per callback",
    targets: &[Target::Share(FLOOR, 1.5)],
    ..FIRE
};

/// A local task fires a Deferred and then awaits it.
pub static AWAIT_FIRED: Scenario = Scenario {
    name: "deferred-await",
    title: "make, fire, then await, in a local task",
    targets: &[Target::Share(ONESHOT, 0.5), Target::Share(TOKIO_ONESHOT, 0.5)],
    ..FIRE
};

/// A local task waits for a Deferred that another one fires.
pub static AWAIT_PENDING: Scenario = Scenario {
    name: "deferred-await-pending",
    title: "make, await in a local task, fire in another",
    batches: 200,
    targets: &[],
    ..FIRE
};

/// A coroutine that makes three fired Deferreds and awaits them, beside a local task that does so.
pub static COROUTINE: Scenario = Scenario {
    name: "deferred-coroutine",
    title: "coroutine that awaits 3 fired Deferreds",
    batches: 300,
    targets: &[Target::Share(SPAWN_LOCAL, 0.5)],
    ..FIRE
};

/// The same; the Deferreds were made before.
pub static COROUTINE_PREPARED: Scenario =
    Scenario { name: "deferred-coroutine-prepared", title: "the same with Deferreds made before", ..COROUTINE };

/// A hundred fired Deferreds are made and gathered.
pub static GATHER: Scenario = Scenario {
    name: "deferred-gather",
    title: "gather 100 fired Deferreds, per Deferred",
    batches: 2_000,
    targets: &[Target::Share(JOIN_ALL, 2.)],
    ..FIRE
};

/// The same; the Deferreds and the ready futures were made before.
pub static GATHER_PREPARED: Scenario =
    Scenario { name: "deferred-gather-prepared", title: "the same with Deferreds made before", ..GATHER };

/// Resident memory of a Deferred with three callbacks that waits to be fired.
pub static MEMORY: Scenario = Scenario {
    name: "deferred-memory",
    title: "a pending Deferred with 3 callbacks",
    unit: Unit::Bytes,
    batches: 100_000,
    most_rounds: 5,
    targets: &[Target::AtMost(256.)],
    ..Scenario::DEFAULT
};

/// Plain calls of the same closures.
const DIRECT: &str = "direct";
/// futures' oneshot channel on rt.
const ONESHOT: &str = "oneshot";
/// tokio's oneshot channel on rt.
const TOKIO_ONESHOT: &str = "tokio-oneshot";
/// `rt::spawn_local`.
const SPAWN_LOCAL: &str = "spawn_local";
/// futures' `join_all` on rt.
const JOIN_ALL: &str = "join_all";

/// Operations in a batch.
const OPS: u64 = 1_000;
/// How many are gathered at once.
const GATHERED: usize = 100;

/// All of them: a Deferred is of no runtime, and so is most of what it is held against.
pub fn cases() -> Vec<Case> {
    let case = |scenario, subject, work| Case { scenario, subject, unavailable: || None, work: Work::Measure(work) };
    vec![
        case(&FIRE, FLOOR, |batches| in_a_loop(batches, boxed_calls)),
        case(&FIRE, DIRECT, |batches| in_a_loop(batches, direct_calls)),
        case(&FIRE, OURS, |batches| in_a_loop(batches, fire)),
        case(&ADD_FIRED, FLOOR, |batches| in_a_loop(batches, boxed_calls)),
        case(&ADD_FIRED, DIRECT, |batches| in_a_loop(batches, direct_calls)),
        case(&ADD_FIRED, OURS, add_fired),
        case(&SUCCEED_ADD, FLOOR, |batches| in_a_loop(batches, boxed_calls)),
        case(&SUCCEED_ADD, OURS, |batches| in_a_loop(batches, succeed_add)),
        case(&CHAIN, FLOOR, |batches| Floor::block_on(measure(batches, OPS, async || boxed_chain()))),
        case(&CHAIN, OURS, |batches| Floor::block_on(measure(batches, OPS, async || chain()))),
        case(&AWAIT_FIRED, OURS, await_fired::<Deferreds>),
        case(&AWAIT_FIRED, ONESHOT, await_fired::<Futures>),
        case(&AWAIT_FIRED, TOKIO_ONESHOT, await_fired::<Tokios>),
        case(&AWAIT_FIRED, Tokio::NAME, await_fired_on_tokio),
        case(&AWAIT_PENDING, OURS, await_pending::<Deferreds>),
        case(&AWAIT_PENDING, ONESHOT, await_pending::<Futures>),
        case(&AWAIT_PENDING, TOKIO_ONESHOT, await_pending::<Tokios>),
        case(&COROUTINE, OURS, |batches| Rt::block_on(coroutines::<Ensured>(batches))),
        case(&COROUTINE, SPAWN_LOCAL, |batches| Rt::block_on(coroutines::<Spawned>(batches))),
        case(&COROUTINE, Tokio::NAME, |batches| on_tokio(coroutines::<SpawnedOnTokio>(batches))),
        case(&COROUTINE_PREPARED, OURS, |batches| Rt::block_on(coroutines_prepared::<Ensured>(batches))),
        case(&COROUTINE_PREPARED, SPAWN_LOCAL, |batches| Rt::block_on(coroutines_prepared::<Spawned>(batches))),
        case(&COROUTINE_PREPARED, Tokio::NAME, |batches| on_tokio(coroutines_prepared::<SpawnedOnTokio>(batches))),
        case(&GATHER, OURS, gather),
        case(&GATHER, JOIN_ALL, all_joined),
        case(&GATHER_PREPARED, OURS, gather_prepared),
        case(&GATHER_PREPARED, JOIN_ALL, all_joined_prepared),
        case(&MEMORY, OURS, memory),
    ]
}

// Callbacks.

/// A small callback.
#[inline(always)]
fn callback(number: u64) -> impl FnOnce(u64) -> u64 + 'static {
    let captured = [black_box(number); 3];
    move |value| (value + captured[0]) ^ captured[1] ^ captured[2]
}

fn in_a_loop(batches: u64, operation: impl Fn() + 'static) -> Sample {
    Floor::block_on(measure(batches, OPS, async move || {
        for _ in 0..OPS {
            operation();
        }
    }))
}

type Boxed = Box<dyn FnOnce(u64) -> u64>;

fn boxed_calls() {
    let callbacks: [Boxed; 3] = [Box::new(callback(1)), Box::new(callback(2)), Box::new(callback(3))];
    black_box(black_box(callbacks).into_iter().fold(1, |value, callback| callback(value)));
}

fn direct_calls() {
    black_box(callback(3)(callback(2)(callback(1)(1))));
}

fn fire() {
    let (deferred, resolver) = Deferred::new();
    let deferred = deferred.add_callback(callback(1)).add_callback(callback(2)).add_callback(callback(3));
    let deferred = black_box(deferred);
    resolver.callback(black_box(1)).expect("the first firing");
    drop(black_box(deferred));
}

fn add_fired(batches: u64) -> Sample {
    let mut kept = Some(Deferred::succeed(1));
    Floor::block_on(measure(batches, OPS, async move || {
        let mut deferred = kept.take().expect("it is put back");
        for _ in 0..OPS {
            deferred = deferred.add_callback(callback(1)).add_callback(callback(2)).add_callback(callback(3));
            deferred = black_box(deferred);
        }
        kept = Some(deferred);
    }))
}

fn succeed_add() {
    let deferred = black_box(Deferred::succeed(black_box(1)));
    drop(black_box(deferred.add_callback(callback(1)).add_callback(callback(2)).add_callback(callback(3))));
}

fn boxed_chain() {
    let callbacks: Vec<Boxed> = (0..OPS).map(|number| Box::new(callback(number)) as Boxed).collect();
    black_box(black_box(callbacks).into_iter().fold(1, |value, callback| callback(value)));
}

fn chain() {
    let (mut deferred, resolver) = Deferred::new();
    for number in 0..OPS {
        deferred = deferred.add_callback(callback(number));
    }
    let deferred = black_box(deferred);
    resolver.callback(black_box(1)).expect("the first firing");
    drop(black_box(deferred));
}

// Awaiting.

/// One value from one place to another, on one thread.
trait OneShot: 'static {
    type Sender: 'static;
    type Receiver: 'static;

    fn pair() -> (Self::Sender, Self::Receiver);
    fn send(sender: Self::Sender, value: u64);
    fn receive(receiver: Self::Receiver) -> impl Future<Output = u64>;
}

struct Deferreds;

impl OneShot for Deferreds {
    type Sender = Resolver<u64>;
    type Receiver = Deferred<u64>;

    fn pair() -> (Resolver<u64>, Deferred<u64>) {
        let (deferred, resolver) = Deferred::new();
        (resolver, deferred)
    }

    fn send(resolver: Resolver<u64>, value: u64) {
        resolver.callback(value).expect("the first firing");
    }

    async fn receive(deferred: Deferred<u64>) -> u64 {
        deferred.await.expect("a value")
    }
}

struct Futures;

impl OneShot for Futures {
    type Sender = futures_channel::oneshot::Sender<u64>;
    type Receiver = futures_channel::oneshot::Receiver<u64>;

    fn pair() -> (Self::Sender, Self::Receiver) {
        futures_channel::oneshot::channel()
    }

    fn send(sender: Self::Sender, value: u64) {
        sender.send(value).expect("a receiver");
    }

    async fn receive(receiver: Self::Receiver) -> u64 {
        receiver.await.expect("a value")
    }
}

struct Tokios;

impl OneShot for Tokios {
    type Sender = tokio::sync::oneshot::Sender<u64>;
    type Receiver = tokio::sync::oneshot::Receiver<u64>;

    fn pair() -> (Self::Sender, Self::Receiver) {
        tokio::sync::oneshot::channel()
    }

    fn send(sender: Self::Sender, value: u64) {
        sender.send(value).expect("a receiver");
    }

    async fn receive(receiver: Self::Receiver) -> u64 {
        receiver.await.expect("a value")
    }
}

fn await_fired<O: OneShot>(batches: u64) -> Sample {
    Rt::block_on(measure(batches, OPS, async || {
        rt::spawn_local(send_and_receive::<O>()).await.expect("no task panics");
    }))
}

fn await_fired_on_tokio(batches: u64) -> Sample {
    on_tokio(measure(batches, OPS, async || {
        tokio::task::spawn_local(send_and_receive::<Tokios>()).await.expect("no task panics");
    }))
}

async fn send_and_receive<O: OneShot>() {
    for number in 0..OPS {
        let (sender, receiver) = black_box(O::pair());
        O::send(sender, black_box(number));
        black_box(O::receive(receiver).await);
    }
}

fn await_pending<O: OneShot>(batches: u64) -> Sample {
    Rt::block_on(measure(batches, OPS, async || {
        let place = Rc::new(Cell::new(None));
        let receiving = rt::spawn_local({
            let place = place.clone();
            async move {
                for _ in 0..OPS {
                    let (sender, receiver) = O::pair();
                    place.set(Some(sender));
                    black_box(O::receive(receiver).await);
                }
            }
        });
        let sending = rt::spawn_local(async move {
            let mut sent = 0;
            while sent < OPS {
                if let Some(sender) = place.take() {
                    O::send(sender, black_box(sent));
                    sent += 1;
                }
                rt::task::yield_now().await;
            }
        });
        receiving.await.expect("no task panics");
        sending.await.expect("no task panics");
    }))
}

// Coroutines.

/// What starts a future on this thread and waits for what it returns.
trait Starter: 'static {
    type Started: 'static;

    fn start(future: impl Future<Output = Result<u64, Failure>> + 'static) -> Self::Started;
    fn wait(started: Self::Started) -> impl Future<Output = u64>;
}

struct Ensured;

impl Starter for Ensured {
    type Started = Deferred<u64>;

    fn start(future: impl Future<Output = Result<u64, Failure>> + 'static) -> Deferred<u64> {
        ensure_deferred(future)
    }

    async fn wait(started: Deferred<u64>) -> u64 {
        started.await.expect("a value")
    }
}

struct Spawned;

impl Starter for Spawned {
    type Started = rt::JoinHandle<Result<u64, Failure>>;

    fn start(future: impl Future<Output = Result<u64, Failure>> + 'static) -> Self::Started {
        rt::spawn_local(future)
    }

    async fn wait(started: Self::Started) -> u64 {
        started.await.expect("no task panics").expect("a value")
    }
}

struct SpawnedOnTokio;

impl Starter for SpawnedOnTokio {
    type Started = tokio::task::JoinHandle<Result<u64, Failure>>;

    fn start(future: impl Future<Output = Result<u64, Failure>> + 'static) -> Self::Started {
        tokio::task::spawn_local(future)
    }

    async fn wait(started: Self::Started) -> u64 {
        started.await.expect("no task panics").expect("a value")
    }
}

async fn coroutines<S: Starter>(batches: u64) -> Sample {
    measure(batches, OPS, async || {
        let started: Vec<_> = (0..OPS)
            .map(|_| S::start(async { sum(Deferred::succeed(1), Deferred::succeed(2), Deferred::succeed(3)).await }))
            .collect();
        for started in started {
            black_box(S::wait(started).await);
        }
    })
    .await
}

async fn coroutines_prepared<S: Starter>(batches: u64) -> Sample {
    let prepare = || (0..OPS).map(|_| [1, 2, 3].map(Deferred::succeed)).collect::<Vec<_>>();
    measure_prepared(batches, OPS, prepare, async |deferreds| {
        let started: Vec<_> = deferreds.into_iter().map(|[one, two, three]| S::start(sum(one, two, three))).collect();
        for started in started {
            black_box(S::wait(started).await);
        }
    })
    .await
}

async fn sum(one: Deferred<u64>, two: Deferred<u64>, three: Deferred<u64>) -> Result<u64, Failure> {
    Ok(one.await? + two.await? + three.await?)
}

fn on_tokio(future: impl Future<Output = Sample> + 'static) -> Sample {
    Tokio::block_on(async { tokio::task::LocalSet::new().run_until(future).await })
}

// Gathering.

fn fired() -> Vec<Deferred<u64>> {
    (0..GATHERED as u64).map(|number| Deferred::succeed(black_box(number))).collect()
}

fn gather(batches: u64) -> Sample {
    Rt::block_on(measure(batches, GATHERED as u64, async || {
        black_box(gather_results(fired()).await.expect("values"));
    }))
}

fn gather_prepared(batches: u64) -> Sample {
    Rt::block_on(measure_prepared(batches.div_ceil(10), 10 * GATHERED as u64, ten(fired), async |prepared| {
        for deferreds in prepared {
            black_box(gather_results(deferreds).await.expect("values"));
        }
    }))
}

fn ready_futures() -> Vec<std::future::Ready<u64>> {
    (0..GATHERED as u64).map(|number| ready(black_box(number))).collect()
}

fn all_joined(batches: u64) -> Sample {
    Rt::block_on(measure(batches, GATHERED as u64, async || {
        black_box(join_all(ready_futures()).await);
    }))
}

fn all_joined_prepared(batches: u64) -> Sample {
    Rt::block_on(measure_prepared(batches.div_ceil(10), 10 * GATHERED as u64, ten(ready_futures), async |prepared| {
        for futures in prepared {
            black_box(join_all(futures).await);
        }
    }))
}

/// So that reading the clock weighs little.
fn ten<T>(make: fn() -> T) -> impl Fn() -> [T; 10] {
    move || std::array::from_fn(|_| make())
}

// Memory.

fn memory(count: u64) -> Sample {
    let pending_one = || {
        let (deferred, resolver) = Deferred::<u64>::new();
        (deferred.add_callback(callback(1)).add_callback(callback(2)).add_callback(callback(3)), resolver)
    };
    // The list is no part of what is weighed, so it is resident before.
    let mut pending: Vec<_> = (0..count).map(|_| None).collect();
    let before = resident_bytes();
    for place in &mut pending {
        *place = Some(pending_one());
    }
    let sample = Sample::of((resident_bytes() - before) as f64 / count as f64);
    drop(black_box(pending));
    sample
}
