//! `ProcessMonitor`, with real processes and a clock that the test moves.

#![cfg(unix)]

use std::rc::Rc;
use std::time::Duration;

use rt::deferred::{Clock, DeferredQueue, success_result_of};
use rt::process::Command;
use rt::service::{OutputStream, ProcessEvent, ProcessMonitor, ServiceHandle};

const SECOND: Duration = Duration::from_secs(1);

/// A monitor on `clock`, and what it tells.
fn monitor(clock: &Clock) -> (ProcessMonitor, Rc<DeferredQueue<String>>) {
    let events = Rc::new(DeferredQueue::new());
    let told = events.clone();
    let monitor = ProcessMonitor::new().clock(clock).on_event(move |name, event| {
        let text = match event {
            // The number is another one each time.
            ProcessEvent::Started { .. } => "started".to_owned(),
            other => other.to_string(),
        };
        told.put(format!("{name} {text}")).expect("there is room");
    });
    (monitor, events)
}

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

#[rt::test]
async fn process_that_ends_too_early_waits_longer_each_time() {
    let clock = Clock::new();
    let (monitor, events) = monitor(&clock);
    let monitor = ServiceHandle::new(monitor.restart_delay(SECOND, 3 * SECOND));
    monitor.add_process("early", shell("exit 3")).unwrap();
    drop(monitor.start_service());
    for delay in [1, 2, 3, 3] {
        assert_eq!(events.get().unwrap().await.unwrap(), "early started");
        let expected = format!("early ended: exit status: 3; starting it again in {delay}s");
        assert_eq!(events.get().unwrap().await.unwrap(), expected);
        assert_eq!(clock.delayed_calls()[0].time() - clock.now(), delay * SECOND);
        clock.advance(delay * SECOND);
    }
    // Stopped while the last one runs or has ended, whichever it is.
    monitor.stop_service().await.unwrap();
    assert!(clock.delayed_calls().is_empty());
    assert_eq!(monitor.processes(), [("early".to_owned(), None)]);
}

#[rt::test]
async fn process_that_lived_long_enough_is_started_again_at_once() {
    let clock = Clock::new();
    let (monitor, events) = monitor(&clock);
    let monitor = ServiceHandle::new(monitor);
    monitor.add_process("worker", shell("exec sleep 1000")).unwrap();
    drop(monitor.start_service());
    assert_eq!(events.get().unwrap().await.unwrap(), "worker started");
    clock.advance(SECOND);
    assert!(monitor.restart_process("worker"));
    assert!(!monitor.restart_process("nobody"));
    let ended = events.get().unwrap().await.unwrap();
    assert!(ended.starts_with("worker ended: ") && ended.ends_with("; starting it again"), "{ended}");
    clock.advance(Duration::ZERO);
    assert_eq!(events.get().unwrap().await.unwrap(), "worker started");
    monitor.stop_service().await.unwrap();
    let ended = events.get().unwrap().await.unwrap();
    assert!(ended.contains("signal: 15"), "{ended}");
}

#[rt::test]
async fn process_that_does_not_want_to_end_is_killed() {
    let clock = Clock::new();
    let (monitor, events) = monitor(&clock);
    let lines = Rc::new(DeferredQueue::new());
    let told = lines.clone();
    let monitor = monitor.kill_time(5 * SECOND).on_line(move |name, stream, line| {
        told.put((name.to_owned(), stream, String::from_utf8_lossy(line).into_owned())).expect("there is room");
    });
    let monitor = ServiceHandle::new(monitor);
    // It says when it is deaf to `SIGTERM`.
    monitor.add_process("deaf", shell("trap '' TERM; echo deaf >&2; exec sleep 1000")).unwrap();
    drop(monitor.start_service());
    assert_eq!(events.get().unwrap().await.unwrap(), "deaf started");
    assert_eq!(lines.get().unwrap().await.unwrap(), ("deaf".to_owned(), OutputStream::Stderr, "deaf".to_owned()));
    let stopped = monitor.stop_service();
    assert!(!stopped.state().has_result());
    clock.advance(5 * SECOND);
    stopped.await.unwrap();
    let ended = events.get().unwrap().await.unwrap();
    assert!(ended.contains("signal: 9"), "{ended}");
}

#[rt::test]
async fn process_that_can_not_be_started_is_tried_again() {
    let clock = Clock::new();
    let (monitor, events) = monitor(&clock);
    let monitor = ServiceHandle::new(monitor);
    drop(monitor.start_service());
    monitor.add_process("missing", Command::new("/nonexistent/program")).unwrap();
    let failed = events.get().unwrap().await.unwrap();
    assert!(failed.starts_with("missing failed: ") && failed.ends_with("; starting it again in 1s"), "{failed}");
    assert!(monitor.add_process("missing", Command::new("true")).is_err());
    assert!(monitor.remove_process("missing"));
    assert!(clock.delayed_calls().is_empty());
    monitor.add_process("missing", shell("exec sleep 1000")).unwrap();
    assert_eq!(events.get().unwrap().await.unwrap(), "missing started");
    monitor.stop_service().await.unwrap();
}

#[test]
fn monitor_without_processes() {
    let monitor = ServiceHandle::new(ProcessMonitor::new());
    success_result_of(monitor.start_service());
    assert!(monitor.is_running() && monitor.processes().is_empty());
    assert!(success_result_of(monitor.stop_service()).is_clean());
}

#[rt::test]
async fn process_that_can_not_be_started_waits_whatever_the_threshold() {
    let clock = Clock::new();
    let (monitor, events) = monitor(&clock);
    let monitor = ServiceHandle::new(monitor.threshold(Duration::ZERO));
    drop(monitor.start_service());
    monitor.add_process("missing", Command::new("/nonexistent/program")).unwrap();
    for delay in [1, 2] {
        let failed = events.get().unwrap().await.unwrap();
        assert!(failed.ends_with(&format!("; starting it again in {delay}s")), "{failed}");
        clock.advance(delay * SECOND);
    }
    monitor.stop_service().await.unwrap();
}

#[test]
fn stop_ends_though_the_one_who_is_told_panics() {
    let ((), reported) = rt::deferred::unhandled::capture(|| {
        rt::block_on(async {
            let monitor = ProcessMonitor::new().on_event(|_, event| {
                if let ProcessEvent::Exited { .. } = event {
                    panic!("not interested")
                }
            });
            let monitor = ServiceHandle::new(monitor);
            monitor.add_process("worker", shell("exec sleep 1000")).unwrap();
            drop(monitor.start_service());
            let stopped = rt::time::timeout(Duration::from_secs(60), monitor.stop_service()).await;
            assert!(stopped.expect("it ends").unwrap().is_clean());
            assert!(monitor.processes()[0].1.is_none());
        });
    });
    assert_eq!(reported.len(), 1, "{reported:?}");
}

#[rt::test]
async fn started_and_stopped_again_by_the_one_who_is_told_of_the_end() {
    use std::cell::RefCell;
    type Monitor = ServiceHandle<ProcessMonitor>;
    let own: Rc<RefCell<Option<Monitor>>> = Rc::default();
    let second = Rc::new(RefCell::new(None));
    let (client, stopping) = (own.clone(), second.clone());
    let monitor = ProcessMonitor::new().on_event(move |_, event| {
        let ProcessEvent::Exited { .. } = event else { return };
        if let Some(monitor) = client.take() {
            drop(monitor.start_service());
            let stopped = monitor.stop_service();
            // What runs when that has fired.
            *stopping.borrow_mut() = Some(stopped.add_callback(move |_| monitor.processes()[0].1));
        }
    });
    let monitor = ServiceHandle::new(monitor);
    *own.borrow_mut() = Some(monitor.clone());
    monitor.add_process("worker", shell("exec sleep 1000")).unwrap();
    drop(monitor.start_service());
    monitor.stop_service().await.unwrap();
    let stopped = second.take().expect("it was told of the first end");
    assert_eq!(stopped.await.unwrap(), None);
}
