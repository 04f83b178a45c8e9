//! One process of a monitor.

use super::event::{self, OutputStream, ProcessEvent};
use super::lines::read_lines;
use rt_deferred::{Deferred, Reactor, ReactorTime, Resolver};
use rt_runtime::process::{Child, Command};
use rt_runtime::signal::unix::SignalKind;
use rt_runtime::spawn_local;
use rustix::process::Signal;
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::rc::Rc;
use std::time::Duration;

pub(super) struct Rules {
    pub(super) threshold: Duration,
    pub(super) kill_time: Duration,
    pub(super) min_restart_delay: Duration,
    pub(super) max_restart_delay: Duration,
    pub(super) clock: Rc<dyn ReactorTime>,
    pub(super) on_event: OnEvent,
    pub(super) on_line: Option<OnLine>,
}

type OnEvent = Box<dyn Fn(&str, &ProcessEvent)>;

type OnLine = Rc<dyn Fn(&str, OutputStream, &[u8])>;

impl Default for Rules {
    fn default() -> Self {
        Self {
            threshold: Duration::from_secs(1),
            kill_time: Duration::from_secs(5),
            min_restart_delay: Duration::from_secs(1),
            max_restart_delay: Duration::from_secs(3600),
            clock: Rc::new(Reactor),
            on_event: Box::new(event::print),
            on_line: None,
        }
    }
}

pub(super) struct Monitored {
    rules: Rc<Rules>,
    name: String,
    command: RefCell<Command>,
    /// Whether it is to be started again when it ends.
    is_wanted: Cell<bool>,
    /// Before the next start, if it ends too early.
    delay: Cell<Duration>,
    state: RefCell<State>,
    /// Who waits for its end.
    stopping: RefCell<Vec<Resolver<()>>>,
}

enum State {
    Idle,
    /// With what takes the start back.
    Waiting(Box<dyn FnOnce()>),
    Running {
        child: Rc<RefCell<Child>>,
        /// With what takes the kill back.
        killing: Option<Box<dyn FnOnce()>>,
    },
}

impl Monitored {
    pub(super) fn new(rules: Rc<Rules>, name: &str, command: Command) -> Rc<Self> {
        let delay = Cell::new(rules.min_restart_delay);
        Rc::new(Self {
            rules,
            name: name.to_owned(),
            command: RefCell::new(command),
            is_wanted: Cell::new(false),
            delay,
            state: RefCell::new(State::Idle),
            stopping: RefCell::default(),
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn id(&self) -> Option<u32> {
        match &*self.state.borrow() {
            State::Running { child, .. } => child.borrow().id(),
            _ => None,
        }
    }

    /// Starts it, unless it runs or is about to; if it is just being ended, when that is over.
    pub(super) fn start(self: &Rc<Self>) {
        self.is_wanted.set(true);
        if matches!(*self.state.borrow(), State::Idle) {
            self.spawn();
        }
    }

    /// Ends it for good; fires when it has ended.
    pub(super) fn stop(self: &Rc<Self>) -> Deferred<()> {
        self.is_wanted.set(false);
        let waiting = match &mut *self.state.borrow_mut() {
            State::Running { .. } => None,
            other => Some(std::mem::replace(other, State::Idle)),
        };
        match waiting {
            Some(State::Waiting(take_back)) => take_back(),
            Some(_) => {}
            None => {
                let (deferred, resolver) = Deferred::new();
                self.stopping.borrow_mut().push(resolver);
                self.end();
                return deferred;
            }
        }
        Deferred::succeed(())
    }

    /// Tells it to end, and kills it if it does not.
    pub(super) fn end(self: &Rc<Self>) {
        let child = match &*self.state.borrow() {
            State::Running { child, killing: None, .. } => child.clone(),
            _ => return,
        };
        // An error says that it has ended: that is about to be noticed.
        let _ = child.borrow().signal(SignalKind::terminate());
        let kill = Box::new(move || {
            let _ = child.borrow().signal(SignalKind::from_raw(Signal::KILL.as_raw()));
        });
        let take_back = self.rules.clock.call_later(self.rules.kill_time, kill);
        if let State::Running { killing, .. } = &mut *self.state.borrow_mut() {
            *killing = Some(take_back);
        }
    }

    fn spawn(self: &Rc<Self>) {
        let started = self.rules.clock.now();
        let spawned = {
            let mut command = self.command.borrow_mut();
            if self.rules.on_line.is_some() {
                command.stdout(Stdio::piped()).stderr(Stdio::piped());
            }
            command.spawn()
        };
        let mut child = match spawned {
            Ok(child) => child,
            Err(error) => return self.ended(started, Err(error)),
        };
        if let Some(on_line) = &self.rules.on_line {
            let lines = |stream| {
                let (process, on_line) = (self.clone(), on_line.clone());
                move |line: &[u8]| on_line(&process.name, stream, line)
            };
            child.stdout.take().map(|output| spawn_local(read_lines(output, lines(OutputStream::Stdout))));
            child.stderr.take().map(|output| spawn_local(read_lines(output, lines(OutputStream::Stderr))));
        }
        let id = child.id().unwrap_or_default();
        let child = Rc::new(RefCell::new(child));
        *self.state.borrow_mut() = State::Running { child: child.clone(), killing: None };
        let process = self.clone();
        drop(spawn_local(async move {
            // Borrowed for each poll only: signals are sent to it meanwhile.
            let status = poll_fn(|cx| pin!(child.borrow_mut().wait()).poll(cx)).await;
            drop(child);
            process.ended(started, status);
        }));
        (self.rules.on_event)(&self.name, &ProcessEvent::Started { id });
    }

    fn ended(self: &Rc<Self>, started: Duration, status: io::Result<ExitStatus>) {
        let former = self.state.replace(State::Idle);
        if let State::Running { killing: Some(take_back), .. } = former {
            take_back();
        }
        // Those who wait for this end, not for that of a process which is started in what follows.
        let _stopping = Stopping(self.stopping.take());
        let lived = status.is_ok().then(|| self.rules.clock.now().saturating_sub(started));
        let restart_in = self.is_wanted.get().then(|| self.next_delay(lived));
        if let Some(delay) = restart_in {
            let process = self.clone();
            let start = Box::new(move || process.spawn());
            let take_back = self.rules.clock.call_later(delay, start);
            *self.state.borrow_mut() = State::Waiting(take_back);
        }
        let event = match status {
            Ok(status) => ProcessEvent::Exited { status, restart_in },
            Err(error) => ProcessEvent::Failed { error, restart_in },
        };
        (self.rules.on_event)(&self.name, &event);
    }

    /// `lived`: for how long, if it could be started.
    fn next_delay(&self, lived: Option<Duration>) -> Duration {
        let delay = self.delay.get();
        if lived.is_some_and(|lived| lived >= self.rules.threshold) {
            self.delay.set(self.rules.min_restart_delay);
            return Duration::ZERO;
        }
        self.delay.set(delay.saturating_mul(2).min(self.rules.max_restart_delay));
        delay
    }
}

/// Who waits for an end: told when this is dropped, also when who is told of the event panics.
struct Stopping(Vec<Resolver<()>>);

impl Drop for Stopping {
    fn drop(&mut self) {
        for resolver in self.0.drain(..) {
            let _ = resolver.callback(());
        }
    }
}
