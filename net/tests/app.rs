//! Applications in virtual time: phases, deadlines, and who is late. Signals are in the tests of the example `service`.

#![cfg(unix)]

use std::cell::RefCell;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use rt::app::{Application, Exit, Notice, NoticeKind, Phase, SystemEvent, run_here};
use rt::service::{Service, ServiceHandle};
use rt::signal::unix::SignalKind;
use rt::{Builder, Deferred, Failure};

type Trace = Rc<RefCell<Vec<String>>>;

/// An application that notes what it says, without the start of the first line, which has a number in it.
fn noted(trace: &Trace) -> Application {
    let trace = trace.clone();
    Application::new("app").on_notice(move |notice: &Notice| match notice.kind() {
        NoticeKind::Progress if notice.to_string().starts_with("app: starting") => {}
        kind => trace.borrow_mut().push(format!("{kind:?} {notice}")),
    })
}

fn run_in_virtual_time(application: Application) -> Exit {
    Builder::new_current_thread().start_paused(true).build().unwrap().block_on(run_here(application))
}

struct Never(&'static str);

impl Never {
    async fn wait() -> Result<(), Failure> {
        let (never, resolver) = Deferred::new();
        resolver.detach();
        never.await
    }
}

impl Service for Never {
    async fn start_service(&self, _: &ServiceHandle<Self>) -> Result<(), Failure> {
        if self.0 == "start" { Self::wait().await } else { Ok(()) }
    }
    async fn stop_service(&self, _: &ServiceHandle<Self>) -> Result<(), Failure> {
        if self.0 == "stop" { Self::wait().await } else { Ok(()) }
    }
}

fn stop_when_started(application: &Application) {
    let handle = application.handle();
    application.handle().add_system_event_trigger(Phase::After, SystemEvent::Startup, move || {
        // Behind all that are there.
        let stopping = handle.clone();
        handle.add_system_event_trigger(Phase::After, SystemEvent::Startup, move || stopping.stop());
    });
}

#[test]
fn phases_in_order_each_waiting_for_the_one_before() {
    struct Part(Trace);
    impl Service for Part {
        async fn start_service(&self, _: &ServiceHandle<Self>) -> Result<(), Failure> {
            self.0.borrow_mut().push("service up".to_owned());
            Ok(())
        }
        async fn stop_service(&self, _: &ServiceHandle<Self>) -> Result<(), Failure> {
            rt::time::sleep(Duration::from_secs(1)).await;
            self.0.borrow_mut().push("service down".to_owned());
            Ok(())
        }
    }
    let trace = Trace::default();
    let application = noted(&trace);
    let handle = application.handle();
    for event in [SystemEvent::Shutdown, SystemEvent::Startup] {
        for phase in [Phase::After, Phase::During, Phase::Before] {
            let trace = trace.clone();
            handle.add_system_event_trigger(phase, event, move || async move {
                rt::time::sleep(Duration::from_secs(2)).await;
                trace.borrow_mut().push(format!("{phase:?} {event:?}"));
            });
        }
    }
    let taken_back =
        handle.add_system_event_trigger(Phase::Before, SystemEvent::Startup, || -> () { unreachable!("taken back") });
    assert!(handle.remove_system_event_trigger(taken_back));
    assert!(!handle.remove_system_event_trigger(taken_back));
    ServiceHandle::new(Part(trace.clone())).set_service_parent(application.services()).unwrap();
    stop_when_started(&application);
    assert_eq!(run_in_virtual_time(application), Exit::Stopped);
    let expected = [
        "Before Startup",
        "service up",
        "During Startup",
        "After Startup",
        "Progress app: started",
        "Progress app: stopping, as it was asked to",
        "service down",
        "Before Shutdown",
        "During Shutdown",
        "After Shutdown",
        "Progress app: stopped",
    ];
    assert_eq!(*trace.borrow(), expected);
}

#[test]
fn deadline_names_all_who_are_late() {
    let trace = Trace::default();
    let application = noted(&trace).deadline(Duration::from_secs(8));
    for (name, when) in [("late", "stop"), ("quick", "")] {
        ServiceHandle::named(name, Never(when)).set_service_parent(application.services()).unwrap();
    }
    let (handle, line) = (application.handle(), line!() + 1);
    handle.add_system_event_trigger(Phase::Before, SystemEvent::Shutdown, Never::wait);
    stop_when_started(&application);
    assert_eq!(run_in_virtual_time(application), Exit::Late);
    let late = format!("late: app/late, the trigger before shutdown of net/tests/app.rs:{line}:12");
    let expected = [
        "Progress app: started".to_owned(),
        "Progress app: stopping, as it was asked to".to_owned(),
        format!("Late app: still stopping after 4s; {late}"),
        format!("Late app: not stopped within 8s; {late}"),
        "Progress app: ended at the deadline".to_owned(),
    ];
    assert_eq!(*trace.borrow(), expected);
}

#[test]
fn service_that_does_not_start_ends_it_and_stops_the_others() {
    struct Broken(Trace);
    impl Service for Broken {
        async fn privileged_start_service(&self, _: &ServiceHandle<Self>) -> Result<(), Failure> {
            Err("port 80 is taken".into())
        }
        async fn stop_service(&self, _: &ServiceHandle<Self>) -> Result<(), Failure> {
            self.0.borrow_mut().push("stopped".to_owned());
            Ok(())
        }
    }
    let trace = Trace::default();
    let application = noted(&trace);
    ServiceHandle::named("web", Broken(trace.clone())).set_service_parent(application.services()).unwrap();
    assert_eq!(run_in_virtual_time(application), Exit::StartFailed);
    let expected = [
        "Failed app: could not start: app/web: port 80 is taken",
        "stopped",
        "Progress app: stopped, after it could not start",
    ];
    assert_eq!(*trace.borrow(), expected);
}

#[test]
fn stop_while_it_starts() {
    let trace = Trace::default();
    let application = noted(&trace);
    let starting = ServiceHandle::named("starting", Never("start"));
    starting.set_service_parent(application.services()).unwrap();
    let handle = application.handle();
    application.handle().add_system_event_trigger(Phase::Before, SystemEvent::Startup, move || {
        drop(rt::spawn_local(async move {
            rt::time::sleep(Duration::from_secs(1)).await;
            handle.stop();
        }));
    });
    assert_eq!(run_in_virtual_time(application), Exit::Stopped);
    assert_eq!(*trace.borrow(), ["Progress app: stopping, as it was asked to", "Progress app: stopped"]);
    assert!(!starting.is_running());
}

#[test]
fn trigger_that_fails_is_told_by_the_exit_and_stops_nothing() {
    let trace = Trace::default();
    let application = noted(&trace);
    let handle = application.handle();
    handle.add_system_event_trigger(Phase::Before, SystemEvent::Shutdown, || Err::<(), _>("no light"));
    let after = trace.clone();
    handle
        .add_system_event_trigger(Phase::After, SystemEvent::Shutdown, move || after.borrow_mut().push("after".into()));
    stop_when_started(&application);
    let (exit, reported) = rt::deferred::unhandled::capture(|| run_in_virtual_time(application));
    assert_eq!(exit, Exit::StopFailed);
    assert_eq!(reported.len(), 1);
    assert_eq!(trace.borrow()[2..], ["after", "Progress app: stopped, not in good order"]);
}

#[test]
fn exit_codes() {
    let codes = [
        (Exit::Stopped, 0),
        (Exit::StartFailed, 1),
        (Exit::StopFailed, 2),
        (Exit::Late, 3),
        (Exit::Interrupted(SignalKind::interrupt()), 130),
        (Exit::Interrupted(SignalKind::terminate()), 143),
    ];
    for (exit, code) in codes {
        assert_eq!(ExitCode::from(exit), ExitCode::from(code));
    }
}

#[test]
fn trigger_that_has_finished_is_not_late() {
    let trace = Trace::default();
    let application = noted(&trace).deadline(Duration::from_secs(8));
    let handle = application.handle();
    handle.add_system_event_trigger(Phase::Before, SystemEvent::Shutdown, || ());
    let line = line!() + 1;
    handle.add_system_event_trigger(Phase::Before, SystemEvent::Shutdown, Never::wait);
    stop_when_started(&application);
    assert_eq!(run_in_virtual_time(application), Exit::Late);
    let late = format!("late: the trigger before shutdown of net/tests/app.rs:{line}:12");
    assert_eq!(trace.borrow()[3], format!("Late app: not stopped within 8s; {late}"));
}

#[test]
fn trigger_that_was_cancelled_with_the_start_is_not_late() {
    let trace = Trace::default();
    let application = noted(&trace).deadline(Duration::from_secs(8));
    ServiceHandle::named("late", Never("stop")).set_service_parent(application.services()).unwrap();
    let handle = application.handle();
    handle.add_system_event_trigger(Phase::Before, SystemEvent::Startup, Never::wait);
    let stopping = handle.clone();
    handle.add_system_event_trigger(Phase::Before, SystemEvent::Startup, move || {
        drop(rt::spawn_local(async move {
            rt::time::sleep(Duration::from_secs(1)).await;
            stopping.stop();
        }));
    });
    assert_eq!(run_in_virtual_time(application), Exit::Late);
    assert_eq!(trace.borrow()[2], "Late app: not stopped within 8s; late: app/late");
}

#[test]
fn triggers_that_were_not_called_keep_nothing() {
    struct Kept(#[expect(dead_code, reason = "it is counted")] Rc<()>);
    impl Service for Kept {
        async fn privileged_start_service(&self, _: &ServiceHandle<Self>) -> Result<(), Failure> {
            Err("port 80 is taken".into())
        }
    }
    let (count, trace) = (Rc::new(()), Trace::default());
    let application = noted(&trace);
    ServiceHandle::new(Kept(count.clone())).set_service_parent(application.services()).unwrap();
    stop_when_started(&application);
    assert_eq!(run_in_virtual_time(application), Exit::StartFailed);
    assert_eq!(Rc::strong_count(&count), 1);
}

#[test]
fn deadline_of_zero() {
    for (when, exit) in [("", Exit::Stopped), ("stop", Exit::Late)] {
        let application = noted(&Trace::default()).deadline(Duration::ZERO);
        ServiceHandle::named("one", Never(when)).set_service_parent(application.services()).unwrap();
        stop_when_started(&application);
        assert_eq!(run_in_virtual_time(application), exit);
    }
}

/// A path of this test's own, with nothing there.
fn pid_file(test: &str) -> std::path::PathBuf {
    let path = std::env::temp_dir().join(format!("rt-app-{}-{test}.pid", std::process::id()));
    let _ = std::fs::remove_file(&path);
    path
}

/// How it ends that is to have this pid file, and its last line but one.
fn run_with_pid_file(path: &std::path::Path) -> (Exit, String) {
    let trace = Trace::default();
    let application = noted(&trace).pid_file(path);
    stop_when_started(&application);
    let exit = run_in_virtual_time(application);
    let said = trace.borrow().iter().find(|said| said.starts_with("Failed")).cloned();
    (exit, said.unwrap_or_default())
}

#[test]
fn pid_file_with_something_else_in_it_is_left_alone() {
    let path = pid_file("else");
    for text in ["root:x:0:0\n", "-1\n", "99999999999\n", "0"] {
        std::fs::write(&path, text).unwrap();
        let (exit, said) = run_with_pid_file(&path);
        assert_eq!(exit, Exit::StartFailed, "{text}");
        assert!(said.contains("is no process id") && said.contains(&path.display().to_string()), "{said}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn pid_file_that_is_left_over_is_taken() {
    let path = pid_file("left");
    // What a crash of the system leaves; no process has the highest number.
    for text in ["", "\n", "\0\0\0\0", "2147483647\n", &format!("{}\n", std::process::id())] {
        std::fs::write(&path, text).unwrap();
        assert_eq!(run_with_pid_file(&path), (Exit::Stopped, String::new()), "{text:?}");
        assert!(!path.exists());
    }
}

#[test]
fn pid_file_that_is_no_file() {
    let directory = std::env::temp_dir();
    assert_eq!(run_with_pid_file(&directory).0, Exit::StartFailed);
    let (exit, said) = run_with_pid_file(std::path::Path::new("/dev/null"));
    assert_eq!(exit, Exit::StartFailed);
    assert!(said.contains("/dev/null: it is no regular file"), "{said}");
    let (exit, said) = run_with_pid_file(&directory.join("no such directory").join("pid"));
    assert_eq!(exit, Exit::StartFailed);
    assert!(said.contains("no such directory/pid"), "{said}");
}

#[test]
fn pid_file_that_another_process_has_by_now_is_left_to_it() {
    let path = pid_file("other");
    let application = noted(&Trace::default()).pid_file(&path);
    let taken = path.clone();
    application.handle().add_system_event_trigger(Phase::Before, SystemEvent::Startup, move || {
        assert_eq!(std::fs::read_to_string(&taken).unwrap().trim(), std::process::id().to_string());
        std::fs::remove_file(&taken).unwrap();
        std::fs::write(&taken, "1\n").unwrap();
    });
    stop_when_started(&application);
    assert_eq!(run_in_virtual_time(application), Exit::Stopped);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "1\n");
    std::fs::remove_file(&path).unwrap();
}
