//! What was measured on, and who else was using it.

use std::fs;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::unistd::{SysconfVar, sysconf};

/// The machine, in words.
pub(super) struct Machine {
    pub(super) processor: String,
    pub(super) processors: usize,
    pub(super) kernel: String,
    pub(super) load_before: String,
}

impl Machine {
    pub(super) fn look() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        let info = read("/proc/cpuinfo");
        let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
        let load = read("/proc/loadavg");
        Self {
            processor: model.map_or("an unknown processor", |(_, name)| name.trim()).to_owned(),
            processors: std::thread::available_parallelism().map_or(1, Into::into),
            kernel: read("/proc/sys/kernel/osrelease"),
            load_before: load.split(' ').next().unwrap_or_default().to_owned(),
        }
    }
}

/// Watches how much of the machine other processes use.
pub(super) struct Others {
    since: Instant,
    busy: Duration,
    own: Duration,
}

impl Others {
    pub(super) fn start() -> Self {
        Self { since: Instant::now(), busy: busy(), own: own() }
    }

    /// How many processors others kept busy on average. The kernel counts this in ticks of about 10 ms.
    pub(super) fn stop(self) -> f64 {
        let busy = busy().saturating_sub(self.busy);
        let own = own().saturating_sub(self.own);
        busy.saturating_sub(own).as_secs_f64() / self.since.elapsed().as_secs_f64()
    }
}

/// What all processors did so far but idle, including what a hypervisor took away.
fn busy() -> Duration {
    let ticks_per_second = sysconf(SysconfVar::CLK_TCK).ok().flatten().unwrap_or(100) as f64;
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let Some(all) = stat.lines().next() else { return Duration::ZERO };
    let ticks: Vec<f64> = all.split_whitespace().skip(1).filter_map(|word| word.parse().ok()).collect();
    let [user, nice, system, _idle, _iowait, irq, softirq, steal, ..] = ticks[..] else { return Duration::ZERO };
    Duration::from_secs_f64((user + nice + system + irq + softirq + steal) / ticks_per_second)
}

/// What this process and the children it has waited for did so far.
fn own() -> Duration {
    [UsageWho::RUSAGE_SELF, UsageWho::RUSAGE_CHILDREN]
        .into_iter()
        .filter_map(|who| getrusage(who).ok())
        .flat_map(|usage| [usage.user_time(), usage.system_time()])
        .map(|time| Duration::from_micros((time.tv_sec() * 1_000_000 + time.tv_usec()).cast_unsigned()))
        .sum()
}
