//! The same and more on two workers: what passes, and what all threads use.
//!
//! These run where the system puts them, on all processors; servers run on one, their load on another.

mod channel;
mod handlers;
mod stuck;

use super::tcp;
use super::{Case, FLOOR, Load, OURS, OURS_MULTI, Scenario, Target, Unit, Work};
use super::{memory, spawn, time, wake};
use crate::subject::{
    Rt, RtMulti, RtMultiLocal, RtMultiProtocol, Service, SmolMulti, StaticMulti, Subject, Tcp, Threaded, Timers,
    TokioMulti,
};

/// The scenarios of this theme.
pub const ALL: &[&Scenario] = &[
    &JOIN,
    &CHAIN,
    &LOCAL,
    &REMOTE,
    &PAIRS,
    &YIELD,
    &RING,
    &CHANNEL,
    &DROPPED,
    &SLEEPS,
    &ECHO_64,
    &ECHO_1000,
    &ECHO_64_TAIL,
    &ECHO_1000_TAIL,
    &STUCK_WAKE,
    &STUCK_SOCKET,
    &SLOW_HANDLERS,
    &IDLE_PROCESS,
    &IDLE_CONNECTIONS,
];

/// Those of [`ALL`] that are timed in the process that runs them.
pub const TIMED: &[&Scenario] = &[&JOIN, &CHAIN, &LOCAL, &REMOTE, &PAIRS, &YIELD, &RING, &CHANNEL, &DROPPED, &SLEEPS];

const OURS_MULTI_PROTOCOL: &str = "multi-protocol";
const TOKIO: &str = "tokio-multi";
const STATIC: &str = "static-multi";

const MULTI: Scenario = Scenario { unit: Unit::WallPerOp, ours: OURS_MULTI, tolerance: 0.1, ..Scenario::DEFAULT };
/// A tail of latencies is far noisier than a cost: more is measured in a sample, and less often.
const TAIL: Scenario = Scenario { unit: Unit::Latency, most_rounds: 5, ..MULTI };

/// Samples are longer than those of one thread: the kernel counts the time of threads that run at the moment in ticks.
static JOIN: Scenario = Scenario {
    name: "multi-spawn-join",
    title: "2 workers: spawn + join 1,000 tasks",
    batches: 2_000,
    targets: &[
        Target::Share(TOKIO, 1. / 2.4),
        Target::CpuShare(TOKIO, 1. / 2.4),
        Target::Share(STATIC, 1.),
        Target::CpuShare(STATIC, 1.),
    ],
    ..MULTI
};

static CHAIN: Scenario = Scenario {
    name: "multi-spawn-chain",
    title: "2 workers: chained spawn 1,000 deep",
    batches: 2_000,
    targets: &[Target::Share(TOKIO, 1. / 2.5), Target::CpuShare(TOKIO, 1. / 2.5)],
    ..MULTI
};

static LOCAL: Scenario = Scenario {
    name: "multi-spawn-local",
    title: "2 workers: spawn_local + join beside spawn",
    batches: 2_000,
    ours: "spawn_local",
    targets: &[Target::Share(OURS_MULTI, 0.6), Target::CpuShare(OURS_MULTI, 0.6)],
    ..MULTI
};

static REMOTE: Scenario = Scenario {
    name: "multi-spawn-remote",
    title: "2 workers: spawn from a plain thread",
    batches: 1_000,
    targets: &[Target::Share(TOKIO, 1. / 2.6), Target::CpuShare(TOKIO, 1. / 2.6)],
    ..MULTI
};

static PAIRS: Scenario = Scenario {
    name: "multi-ping-pong",
    title: "2 workers: ping-pong of 1,000 pairs",
    batches: 500,
    targets: &[Target::Share(TOKIO, 1. / 1.7), Target::CpuShare(TOKIO, 1. / 1.7)],
    ..MULTI
};

static YIELD: Scenario = Scenario {
    name: "multi-yield",
    title: "2 workers: yield_now, 200 tasks",
    batches: 50,
    targets: &[Target::Share(TOKIO, 1. / 2.), Target::CpuShare(TOKIO, 1. / 2.)],
    ..MULTI
};

static RING: Scenario = Scenario {
    name: "multi-wake-ring",
    title: "2 workers: wake hop round 64 tasks",
    batches: 50,
    targets: &[Target::Share(TOKIO, 1. / 1.4), Target::CpuShare(TOKIO, 1. / 1.4)],
    ..MULTI
};

/// More workers must not make a channel dearer than one does.
static CHANNEL: Scenario = Scenario {
    name: "multi-channel",
    title: "2 workers: async-channel, 4 producers to 1",
    batches: 50,
    targets: &[Target::CpuShare(OURS, 1.2)],
    ..MULTI
};

static DROPPED: Scenario = Scenario {
    name: "multi-timeout-dropped",
    title: "2 workers: timeout made, polled once, dropped",
    batches: 1_000,
    targets: &[Target::AtMost(70.), Target::CpuAtMost(70.)],
    ..MULTI
};

/// Most of what passes is waiting, so only CPU time is compared.
static SLEEPS: Scenario = Scenario {
    name: "multi-sleeps",
    title: "2 workers: 50,000 sleeps over 50 ms",
    unit: Unit::CpuPerOp,
    batches: 3,
    targets: &[Target::Share(TOKIO, 1. / 4.)],
    ..MULTI
};

static ECHO_64: Scenario = Scenario {
    name: "multi-tcp-echo-64",
    title: "TCP echo, 64 connections, 2 workers on 1 core",
    batches: 60_000,
    targets: &[Target::Share(FLOOR, 1.03)],
    also: &[(OURS_MULTI_PROTOCOL, &[Target::Share(OURS_MULTI, 1.), Target::Share(FLOOR, 1.05)])],
    // On one processor it is as exact as the scenarios of one worker.
    ..Scenario { ours: OURS_MULTI, ..Scenario::DEFAULT }
};

static ECHO_1000: Scenario =
    Scenario { name: "multi-tcp-echo-1000", title: "TCP echo, 1,000 connections, 2 workers", ..ECHO_64 };

static ECHO_64_TAIL: Scenario = Scenario {
    name: "multi-tcp-p99-64",
    title: "p99 of echoes, 64 connections, 2 workers",
    batches: 60_000,
    targets: &[Target::Share(OURS, 1.5)],
    ..TAIL
};

static ECHO_1000_TAIL: Scenario =
    Scenario { name: "multi-tcp-p99-1000", title: "p99 of echoes, 1,000 connections, 2 workers", ..ECHO_64_TAIL };

/// The figure is the longest of 40: the percentile of so few.
static STUCK_WAKE: Scenario = Scenario {
    name: "multi-stuck-wake",
    title: "p99 of wakes by a task that then blocks 50 ms",
    batches: 40,
    most_rounds: 3,
    targets: &[Target::AtMost(2_000.)],
    ..TAIL
};

static STUCK_SOCKET: Scenario =
    Scenario { name: "multi-stuck-socket", title: "p99 of socket events, its worker blocks 50 ms", ..STUCK_WAKE };

static SLOW_HANDLERS: Scenario = Scenario {
    name: "multi-slow-handlers",
    title: "p99.9 of messages, 1 % of handlers take 5 ms",
    batches: 10_000,
    targets: &[Target::Share(TOKIO, 1. / 5.)],
    ..TAIL
};

static IDLE_PROCESS: Scenario = Scenario {
    name: "multi-idle-process",
    title: "2 workers: wake-ups of an idle process",
    ours: OURS_MULTI,
    ..memory::IDLE_PROCESS
};

static IDLE_CONNECTIONS: Scenario =
    Scenario { name: "multi-idle-connections", title: "2 workers: wake-ups, 10,000 idle connections", ..IDLE_PROCESS };

/// The cases of these subjects, whose futures may go from thread to thread: which only shows where their types are known. Each
/// says how it runs them.
macro_rules! many_threads {
    ($($subject:ident::$run:ident { $($scenario:ident = $body:expr;)+ })+) => {
        vec![$($(
            Case::new::<$subject>(&$scenario, Work::MeasureThreads(|batches| {
                let body = $body;
                $subject::$run(body(batches))
            })),
        )+)+]
    };
}

/// All of them. tokio is measured with the root future as a task, and in `block_on` where it is the faster for that.
pub fn cases() -> Vec<Case> {
    let mut cases = many_threads! {
        RtMulti::run {
            JOIN = spawn::join::<RtMulti>;
            CHAIN = spawn::chain::<RtMulti>;
            LOCAL = spawn::join::<RtMulti>;
            REMOTE = |batches| spawn::spawn_remotely::<RtMulti>(batches, None);
            PAIRS = wake::pairs::<RtMulti>;
            YIELD = wake::yields::<RtMulti>;
            RING = wake::ring::<RtMulti>;
            CHANNEL = channel::many_to_one::<RtMulti>;
            DROPPED = time::dropped::<RtMulti>;
            SLEEPS = time::sleeps::<RtMulti>;
            STUCK_WAKE = stuck::woken::<RtMulti>;
            STUCK_SOCKET = stuck::readable::<RtMulti>;
            SLOW_HANDLERS = handlers::latency::<RtMulti>;
        }
        RtMultiLocal::run {
            LOCAL = spawn::join::<RtMultiLocal>;
        }
        TokioMulti::run {
            JOIN = spawn::join::<TokioMulti>;
            CHAIN = spawn::chain::<TokioMulti>;
            REMOTE = |batches| spawn::spawn_remotely::<TokioMulti>(batches, None);
            YIELD = wake::yields::<TokioMulti>;
            RING = wake::ring::<TokioMulti>;
            SLEEPS = time::sleeps::<TokioMulti>;
            STUCK_WAKE = stuck::woken::<TokioMulti>;
            STUCK_SOCKET = stuck::readable::<TokioMulti>;
            SLOW_HANDLERS = handlers::latency::<TokioMulti>;
        }
        TokioMulti::block_on {
            PAIRS = wake::pairs::<TokioMulti>;
            CHANNEL = channel::many_to_one::<TokioMulti>;
            DROPPED = time::dropped::<TokioMulti>;
        }
        SmolMulti::run {
            DROPPED = time::dropped::<SmolMulti>;
            SLEEPS = time::sleeps::<SmolMulti>;
            STUCK_WAKE = stuck::woken::<SmolMulti>;
            STUCK_SOCKET = stuck::readable::<SmolMulti>;
            SLOW_HANDLERS = handlers::latency::<SmolMulti>;
        }
        StaticMulti::run {
            JOIN = spawn::join::<StaticMulti>;
            CHAIN = spawn::chain::<StaticMulti>;
            REMOTE = |batches| spawn::spawn_remotely::<StaticMulti>(batches, None);
            PAIRS = wake::pairs::<StaticMulti>;
            YIELD = wake::yields::<StaticMulti>;
            RING = wake::ring::<StaticMulti>;
            CHANNEL = channel::many_to_one::<StaticMulti>;
        }
    };
    let one_thread = |batches| Rt::block_on(channel::many_to_one::<Rt>(batches));
    cases.push(Case::new::<Rt>(&CHANNEL, Work::Measure(one_thread)));
    cases.extend([idle::<RtMulti>(), idle::<TokioMulti>(), idle::<SmolMulti>()].concat());
    cases.extend([servers::<RtMulti>(), servers::<TokioMulti>(), servers::<SmolMulti>(), servers::<Rt>()].concat());
    cases.extend(servers::<RtMultiProtocol>());
    let floor = || tcp::serve_floor(Service::Echo);
    cases.extend(echoes(floor).map(|(scenario, work)| Case { scenario, subject: FLOOR, unavailable: || None, work }));
    cases
}

fn servers<S: Tcp>() -> Vec<Case> {
    echoes(|| tcp::serve::<S>(Service::Echo)).map(|(scenario, work)| Case::new::<S>(scenario, work)).to_vec()
}

fn echoes(serve: fn()) -> [(&'static Scenario, Work); 4] {
    let load = |connections| Load::Echo { connections, in_flight: 1 };
    [
        (&ECHO_64, Work::Serve(serve, load(64))),
        (&ECHO_1000, Work::Serve(serve, load(1_000))),
        (&ECHO_64_TAIL, Work::ServeTail(serve, load(64), 99.)),
        (&ECHO_1000_TAIL, Work::ServeTail(serve, load(1_000), 99.)),
    ]
}

fn idle<S: Tcp + Timers>() -> Vec<Case> {
    vec![
        Case::new::<S>(&IDLE_PROCESS, Work::Idle(memory::idle_process::<S>)),
        Case::new::<S>(&IDLE_CONNECTIONS, Work::ServeIdle(|| tcp::serve::<S>(Service::Echo), 10_000)),
    ]
}
