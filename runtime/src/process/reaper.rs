//! Waits for the children that nobody else will wait for.
//!
//! One thread, which exists only while there are such children, is blocked in `poll` on their descriptors and on a bell. Nobody joins
//! it, so it does not hold up exit.

use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};

use super::awaited::Awaited;
use crate::signal::unix::Signal;

static REAPER: Reaper =
    Reaper { state: Mutex::new(State { arrived: Vec::new(), ids: Vec::new(), bell: None }), reaped: Condvar::new() };

/// A child whose handle is gone.
pub(super) struct Orphan {
    child: std::process::Child,
    notice: Notice,
    _awaited: Awaited,
}

enum Notice {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    Descriptor(OwnedFd),
    Signal(Signal),
}

/// Takes a child to wait for.
pub(super) fn adopt(orphan: Orphan) {
    let mut state = REAPER.state();
    state.ids.push(orphan.child.id());
    state.arrived.push(orphan);
    REAPER.attend(state);
}

/// Has another try where the system had no thread or descriptors for the reaper.
pub(super) fn attend() {
    let state = REAPER.state();
    if !state.arrived.is_empty() {
        REAPER.attend(state);
    }
}

/// Blocks until the reaper does not know a child with this id: for tests.
#[doc(hidden)]
pub fn __wait_until_reaped(id: u32) {
    let mut state = REAPER.state();
    while state.ids.contains(&id) {
        state = REAPER.reaped.wait(state).unwrap_or_else(PoisonError::into_inner);
    }
}

struct Reaper {
    state: Mutex<State>,
    /// Notified when something leaves `State::ids`.
    reaped: Condvar,
}

struct State {
    /// Those that the thread has not taken.
    arrived: Vec<Orphan>,
    /// All of them.
    ids: Vec<u32>,
    /// Wakes the thread; `None` while there is none.
    bell: Option<Arc<Bell>>,
}

impl Reaper {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sees to it that the thread takes what has arrived.
    fn attend(&'static self, mut state: MutexGuard<'static, State>) {
        if let Some(bell) = &state.bell {
            return bell.ring();
        }
        match self.start() {
            Ok(bell) => state.bell = Some(bell),
            // Out of descriptors or threads. What has ended by now needs neither; for the others the next child to be started or
            // dropped tries again.
            Err(_) => {
                let State { arrived, ids, .. } = &mut *state;
                reap(arrived, |id| ids.retain(|other| *other != id));
                self.reaped.notify_all();
            }
        }
    }

    fn start(&'static self) -> io::Result<Arc<Bell>> {
        let (near, far) = UnixStream::pair()?;
        near.set_nonblocking(true)?;
        far.set_nonblocking(true)?;
        let bell = Arc::new(Bell(near));
        let waker = Waker::from(Arc::clone(&bell));
        thread::Builder::new().name("rt-reaper".to_owned()).spawn(move || self.serve(&far, &waker))?;
        Ok(bell)
    }

    fn serve(&self, mut bell: &UnixStream, waker: &Waker) {
        let mut orphans = Vec::new();
        loop {
            // First the bell, then what it tells of.
            while bell.read(&mut [0; 64]).is_ok_and(|count| count > 0) {}
            orphans.append(&mut self.state().arrived);
            for orphan in &mut orphans {
                orphan.listen(waker);
            }
            reap(&mut orphans, |id| self.state().ids.retain(|other| *other != id));
            let mut state = self.state();
            let is_done = orphans.is_empty() && state.arrived.is_empty();
            if is_done {
                state.bell = None;
            }
            self.reaped.notify_all();
            drop(state);
            if is_done {
                return;
            }
            wait_for_news(bell, &orphans);
        }
    }
}

/// Waits for those that have ended, and names each.
fn reap(orphans: &mut Vec<Orphan>, mut tell: impl FnMut(u32)) {
    orphans.retain_mut(|orphan| {
        // An error says that somebody else has waited for it.
        let is_running = matches!(orphan.child.try_wait(), Ok(None));
        if !is_running {
            tell(orphan.child.id());
        }
        is_running
    });
}

fn wait_for_news(bell: &UnixStream, orphans: &[Orphan]) {
    let descriptors = orphans.iter().filter_map(Orphan::descriptor);
    let mut watched: Vec<_> = descriptors.map(|descriptor| PollFd::new(descriptor, PollFlags::IN)).collect();
    watched.push(PollFd::new(bell, PollFlags::IN));
    match poll(&mut watched, None) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        // Out of memory, or more descriptors than the limit was lowered to.
        Err(_) => thread::sleep(Duration::from_millis(100)),
    }
}

impl Orphan {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(super) fn with_descriptor(child: std::process::Child, descriptor: OwnedFd, awaited: Awaited) -> Self {
        Self { child, notice: Notice::Descriptor(descriptor), _awaited: awaited }
    }

    pub(super) fn with_listener(child: std::process::Child, listener: Signal, awaited: Awaited) -> Self {
        Self { child, notice: Notice::Signal(listener), _awaited: awaited }
    }

    fn descriptor(&self) -> Option<&OwnedFd> {
        match &self.notice {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Notice::Descriptor(descriptor) => Some(descriptor),
            Notice::Signal(_) => None,
        }
    }

    /// Has the bell rung by a signal that comes from now on.
    fn listen(&mut self, waker: &Waker) {
        match &mut self.notice {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Notice::Descriptor(_) => {}
            Notice::Signal(listener) => while listener.poll_recv(&mut Context::from_waker(waker)).is_ready() {},
        }
    }
}

struct Bell(UnixStream);

impl Bell {
    fn ring(&self) {
        // Full: it rings already.
        let _ = (&self.0).write(&[1]);
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}
