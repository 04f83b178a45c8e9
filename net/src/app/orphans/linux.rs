//! Children that nobody waits for, as Linux tells of them.

use rt_runtime::process::{__is_awaited, __unless_awaited};
use rt_runtime::time::Instant;
use rustix::process::{Pid, WaitOptions, getpid, set_child_subreaper, waitpid};
use std::collections::HashMap;
use std::fs;
use std::io;
use std::time::Duration;

/// Before those are looked at again that could not be reaped: one whose first thread has ended and others have not, say.
const AGAIN: Duration = Duration::from_millis(100);

/// The orphans of this process.
pub(super) struct Orphans {
    grace: Duration,
    /// When those were seen first that have ended and are nobody's.
    ended: HashMap<u32, Instant>,
}

impl Orphans {
    /// From now on this process is given the orphans below it, if it is not process 1.
    pub(super) fn adopt(grace: Duration) -> io::Result<Self> {
        if !is_process_1() {
            set_child_subreaper(Some(getpid()))?;
        }
        Ok(Self { grace, ended: HashMap::new() })
    }

    /// Reaps those whose time has come, and tells which; and when to look again without being asked.
    pub(super) fn reap(&mut self) -> (Vec<u32>, Option<Duration>) {
        let (now, ended) = (Instant::now(), ended_children());
        self.ended.retain(|id, _| ended.contains(id));
        let mut reaped = Vec::new();
        for id in ended {
            let since = *self.ended.entry(id).or_insert(now);
            if now.duration_since(since) >= self.grace && __unless_awaited(id, || wait_for(id)) == Some(true) {
                self.ended.remove(&id);
                reaped.push(id);
            }
        }
        (reaped, (!self.ended.is_empty()).then_some(self.grace.max(AGAIN)))
    }
}

pub(super) fn is_process_1() -> bool {
    getpid().is_init()
}

/// Children of this process that have ended, but for those that somebody is known to wait for.
fn ended_children() -> Vec<u32> {
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let ids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(|id| is_ended_child(*id) && !__is_awaited(*id)).collect()
}

fn is_ended_child(id: u32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{id}/stat")) else { return false };
    // `number (name) state parent …`, where the name may contain anything.
    let Some((_, rest)) = stat.rsplit_once(')') else { return false };
    let mut fields = rest.split_whitespace();
    fields.next() == Some("Z") && fields.next().and_then(|id| id.parse().ok()) == Some(std::process::id())
}

fn wait_for(id: u32) -> bool {
    let pid = i32::try_from(id).ok().and_then(Pid::from_raw);
    matches!(waitpid(pid, WaitOptions::NOHANG), Ok(Some(_)))
}
