//! What is measured: the scenarios, by theme, and which subject takes part in which.

pub mod deferred;
pub mod framing;
pub mod http;
mod load;
pub mod memory;
pub mod multi;
pub mod names;
pub mod spawn;
pub mod tcp;
pub mod time;
pub mod tls;
pub mod udp;
pub mod unix;
pub mod wake;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

use futures_util::task::AtomicWaker;

pub use load::Load;

use crate::meter::Sample;
use crate::subject::{
    Compio, Floor, Glommio, Monoio, MonoioEpoll, RtProtocol, Smol, SmolExecutor, StaticExecutor, StaticLocalExecutor,
    Subject, Tokio,
};

/// The name of the subject that most targets are for.
pub const OURS: &str = "rt";
/// The name of the subject that the targets of [`multi`] are for.
pub const OURS_MULTI: &str = "rt-multi";
/// The name of the subject whose servers are Protocols.
pub const OURS_PROTOCOL: &str = "rt-protocol";
/// The name of the floor's column.
pub const FLOOR: &str = "floor";

/// One thing that a runtime does, and how fast `rt` should do it.
#[derive(Debug)]
pub struct Scenario {
    /// How `--only` and the results name it.
    pub name: &'static str,
    /// What it does, for people.
    pub title: &'static str,
    /// What its figure is.
    pub unit: Unit,
    /// How often the work is repeated in one sample.
    pub batches: u64,
    /// Scenarios that take long settle for fewer rounds.
    pub most_rounds: usize,
    /// The subject that the targets are for.
    pub ours: &'static str,
    /// All of these have to hold for it.
    pub targets: &'static [Target],
    /// Other subjects that have targets.
    pub also: &'static [(&'static str, &'static [Target])],
    /// How much more than a share of another subject's figure is put down to noise.
    pub tolerance: f64,
}

impl Scenario {
    /// What most scenarios have in common.
    const DEFAULT: Self = Self {
        name: "",
        title: "",
        unit: Unit::CpuPerOp,
        batches: 100,
        most_rounds: usize::MAX,
        ours: OURS,
        targets: &[],
        also: &[],
        tolerance: 0.03,
    };
}

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// CPU nanoseconds of all threads of the subject's process, per operation.
    CpuPerOp,
    /// Nanoseconds that pass per operation, for subjects with several threads; what all of them use stands beside it.
    WallPerOp,
    /// Microseconds between what was done for somebody and the moment he has it.
    Latency,
    /// Microseconds between a deadline and the wake-up.
    Lateness,
    /// Resident bytes of each of many.
    Bytes,
    /// Threads beside the one that runs the runtime.
    Threads,
    /// Calls of the system's resolver.
    Lookups,
    /// Context switches of the process in one second.
    Switches,
}

impl Unit {
    /// How the table and the chart print it.
    pub fn label(self) -> &'static str {
        match self {
            Self::CpuPerOp => "CPU ns per op",
            Self::WallPerOp => "wall ns per op (CPU of all threads)",
            Self::Latency => "µs",
            Self::Lateness => "µs late",
            Self::Bytes => "resident bytes each",
            Self::Threads => "threads",
            Self::Lookups => "lookups",
            Self::Switches => "switches per second",
        }
    }
}

/// What the figure of ours is held against. Those that name a subject allow for noise.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// At most this share of what the subject takes.
    Share(&'static str, f64),
    /// At most this share of what the best of the others takes, the floor not counted.
    Best(f64),
    /// At most this.
    AtMost(f64),
    /// At most this share of the CPU time that the subject takes, where the figure is another one.
    CpuShare(&'static str, f64),
    /// At most this much CPU time, where the figure is another one.
    CpuAtMost(f64),
}

/// A scenario done by a subject.
#[derive(Clone, Copy)]
pub struct Case {
    /// What.
    pub scenario: &'static Scenario,
    /// By whom.
    pub subject: &'static str,
    /// Why it cannot run on this machine.
    pub unavailable: fn() -> Option<String>,
    /// The work.
    pub work: Work,
}

/// How a case is run.
#[derive(Clone, Copy)]
pub enum Work {
    /// Measures this many batches on one thread.
    Measure(fn(u64) -> Sample),
    /// Measures this many batches on several threads, which bind themselves to processors if they are to be bound.
    MeasureThreads(fn(u64) -> Sample),
    /// Serves until it is killed and prints its address; who looks on puts this load on it.
    Serve(fn(), Load),
    /// Serves as well; the figure is how long the requests take: this percentile.
    ServeTail(fn(), Load, f64),
    /// Serves as well; who looks on opens so many connections, leaves them alone, and counts the context switches.
    ServeIdle(fn(), usize),
    /// Serves as well and sends each client a byte; who looks on weighs the process per connection, of so many.
    ServeMemory(fn(), usize),
    /// Serves as well and sends each client a byte; who looks on sends on so many connections for as long as the server takes it, reads
    /// nothing, and weighs the process per connection.
    ServeDeaf(fn(), usize),
    /// Does nothing until it is killed, after a line that says so; who looks on counts its context switches.
    Idle(fn()),
}

impl Case {
    fn new<S: Subject>(scenario: &'static Scenario, work: Work) -> Self {
        Self { scenario, subject: S::NAME, unavailable: S::unavailable, work }
    }

    /// How `--only` sees it.
    pub fn path(&self) -> String {
        format!("{}/{}", self.scenario.name, self.subject)
    }
}

macro_rules! cases {
    ($($subject:ty: $($theme:ident::$cases:ident)+;)*) => {
        [$($($theme::$cases::<$subject>()),+),*].concat()
    };
}

/// All cases, those of a scenario side by side.
pub fn roster() -> Vec<Case> {
    let mut cases: Vec<Case> = cases! {
        Floor: spawn::cases wake::cases time::cases memory::cases;
        Tokio: spawn::cases spawn::remote wake::cases wake::threads time::cases tcp::cases memory::cases memory::idle
            udp::cases unix::cases tls::cases http::cases names::cases memory::connections memory::deaf;
        Smol: spawn::cases wake::cases wake::threads time::cases tcp::cases memory::cases memory::idle
            udp::one_by_one unix::cases names::cases memory::connections;
        SmolExecutor: spawn::cases spawn::remote wake::cases wake::threads memory::cases memory::idle;
        StaticLocalExecutor: spawn::cases wake::cases wake::threads;
        StaticExecutor: spawn::cases spawn::remote wake::cases wake::threads;
        Monoio: spawn::cases wake::cases time::cases tcp::cases memory::cases memory::idle
            udp::one_by_one memory::connections;
        MonoioEpoll: tcp::cases udp::one_by_one memory::connections;
        Glommio: spawn::cases wake::cases wake::threads time::cases tcp::cases memory::cases memory::idle;
        Compio: spawn::cases wake::cases wake::threads time::cases tcp::cases memory::cases memory::idle;
    };
    cases.extend(spawn::floor());
    cases.extend(wake::floor());
    cases.extend([tcp::floor(), udp::floor(), unix::floor()].concat());
    {
        use crate::subject::Rt;
        cases.extend::<Vec<Case>>(cases! {
            Rt: spawn::cases spawn::remote wake::cases wake::threads time::cases tcp::cases memory::cases memory::idle
                udp::cases unix::cases tls::cases http::cases names::cases memory::connections memory::deaf;
        });
    }
    cases.extend::<Vec<Case>>(cases! {
        RtProtocol: tcp::cases unix::cases tls::cases memory::connections memory::deaf;
    });
    cases.extend(multi::cases());
    cases.extend(deferred::cases());
    cases.extend(framing::cases());
    let columns = [FLOOR, OURS_PROTOCOL, OURS_MULTI, OURS];
    cases.sort_by_key(|case| columns.iter().position(|&name| name == case.subject).unwrap_or(columns.len()));
    let sockets = [tcp::ALL, udp::ALL, unix::ALL, tls::ALL, http::ALL, names::ALL].concat();
    let scenarios =
        [spawn::ALL, wake::ALL, time::ALL, &sockets, memory::ALL, multi::ALL, deferred::ALL, framing::ALL].concat();
    cases.sort_by_key(|case| scenarios.iter().position(|scenario| scenario.name == case.scenario.name));
    cases
}

/// Tasks that are to be done; one future waits for the last.
pub(crate) struct Countdown {
    left: AtomicU64,
    waiting: AtomicWaker,
}

impl Countdown {
    pub(crate) fn new(count: u64) -> Arc<Self> {
        Arc::new(Self { left: AtomicU64::new(count), waiting: AtomicWaker::new() })
    }

    pub(crate) fn one_less(&self) {
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.waiting.wake();
        }
    }

    pub(crate) async fn done(&self) {
        std::future::poll_fn(|cx| {
            self.waiting.register(cx.waker());
            if self.left.load(Ordering::Acquire) == 0 { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}
