//! What the tests of the reactor and of time stand on: a driver with a script.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};
use std::time::Duration;

use super::clock::Clock;
use super::driver::{Driver, DriverHandle, Heard};
use super::mio::MioDriver;
use super::{Reactor, Together, Wait};

/// What the driver was asked and what it is to answer.
#[derive(Default)]
pub(crate) struct Script {
    /// How it was to wait.
    pub(crate) waits: Mutex<Vec<Wait>>,
    /// What the alarm was set to.
    pub(crate) alarms: Mutex<Vec<Duration>>,
    /// The wakers that it finds in its next wait.
    pub(crate) events: Mutex<Vec<Waker>>,
    /// Called once, in the next wait that blocks, in the stead of another thread.
    pub(crate) meanwhile: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

/// A reactor that does what the script says, besides what it would do anyway.
pub(crate) fn scripted(start_paused: bool) -> (Reactor, Arc<Script>) {
    let (driver, script) = scripted_driver();
    (Reactor::new(driver, Arc::new(Clock::new(start_paused))), script)
}

/// Two of one runtime.
pub(crate) fn scripted_pair(start_paused: bool) -> ([Reactor; 2], [Arc<Script>; 2], Arc<Together>) {
    let ((first, script), (second, other_script)) = (scripted_driver(), scripted_driver());
    let (reactors, together) = Together::over(vec![first, second], Arc::new(Clock::new(start_paused)));
    let Ok(reactors) = <[Reactor; 2]>::try_from(reactors) else { panic!("as many as there are drivers") };
    (reactors, [script, other_script], together)
}

fn scripted_driver() -> (Box<dyn Driver>, Arc<Script>) {
    let script = Arc::<Script>::default();
    (Box::new(ScriptedDriver { system: MioDriver::new().unwrap(), script: Arc::clone(&script) }), script)
}

struct ScriptedDriver {
    system: MioDriver,
    script: Arc<Script>,
}

impl Driver for ScriptedDriver {
    fn wait(&mut self, how: Wait, woken: &mut Vec<Waker>) -> io::Result<Heard> {
        self.script.waits.lock().unwrap().push(how);
        woken.append(&mut self.script.events.lock().unwrap());
        if how == Wait::Block
            && let Some(meanwhile) = self.script.meanwhile.lock().unwrap().take()
        {
            meanwhile();
        }
        self.system.wait(if woken.is_empty() { how } else { Wait::Poll }, woken)
    }

    fn set_alarm(&mut self, after: Duration) {
        self.script.alarms.lock().unwrap().push(after);
        self.system.set_alarm(after);
    }

    fn handle(&self) -> &Arc<DriverHandle> {
        self.system.handle()
    }
}

/// A waker that tells whether it was woken.
#[derive(Debug, Default)]
pub(crate) struct Flag(AtomicBool);

impl Flag {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(crate) fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(Arc::clone(self))
    }

    /// Whether it was woken since this was asked last.
    pub(crate) fn take(&self) -> bool {
        self.0.swap(false, Ordering::SeqCst)
    }
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}
