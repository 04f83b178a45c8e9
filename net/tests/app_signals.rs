//! Signals that come at the wrong time, and supervisors that do not listen. Each test is a process of its own.

#![cfg(unix)]

use std::cell::{Cell, RefCell};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use rt::app::{Application, Exit, Phase, SystemEvent, run_here};
use rt::service::{Service, ServiceHandle};
use rt::task::yield_now;
use rt::{Deferred, Failure, Resolver};
use rustix::process::{Signal, getpid, kill_process};

/// Set in the process that plays the part.
const ROLE: &str = "RT_TEST_SIGNALS";

/// Runs the part in a process of its own.
fn alone(test: &str, prepare: impl FnOnce(&mut Command), part: impl FnOnce()) {
    if std::env::var_os(ROLE).is_some() {
        return part();
    }
    let mut command = Command::new(std::env::current_exe().expect("the path of this test"));
    command.args(["--exact", test, "--nocapture"]).env(ROLE, "1").env_remove("NOTIFY_SOCKET").stdin(Stdio::null());
    prepare(&mut command);
    let output = command.output().expect("it ran");
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

fn send(signal: Signal) {
    kill_process(getpid(), signal).unwrap();
}

/// Waits in the method that the test says, and counts its configurations.
#[derive(Clone, Default)]
struct Slow {
    waits_in: &'static str,
    configured: Rc<Cell<u32>>,
    going_on: Rc<RefCell<Option<Resolver<()>>>>,
}

impl Slow {
    async fn wait_if(&self, method: &str) -> Result<(), Failure> {
        if self.waits_in != method || self.configured.get() > 0 {
            return Ok(());
        }
        let (deferred, resolver) = Deferred::new();
        *self.going_on.borrow_mut() = Some(resolver);
        deferred.await
    }

    /// It has begun to wait, and goes on when this is fired.
    async fn begins(&self) -> Resolver<()> {
        loop {
            if let Some(resolver) = &*self.going_on.borrow() {
                return resolver.clone();
            }
            yield_now().await;
        }
    }
}

impl Service for Slow {
    async fn start_service(&self, _: &ServiceHandle<Self>) -> Result<(), Failure> {
        self.wait_if("start").await
    }
    async fn reconfigure(&self, _: &ServiceHandle<Self>) -> Result<(), Failure> {
        self.wait_if("reconfigure").await?;
        self.configured.set(self.configured.get() + 1);
        Ok(())
    }
}

/// Runs an application with `service` in it, and `test` besides.
fn run_with(service: Slow, test: impl Future<Output = ()> + 'static) -> Exit {
    rt::block_on(async {
        let application = Application::new("app").deadline(Duration::from_secs(60));
        ServiceHandle::new(service).set_service_parent(application.services()).unwrap();
        drop(rt::spawn_local(test));
        run_here(application).await
    })
}

/// The next `SIGHUP` has come, and the application has had its turns since.
async fn came(hangups: &mut rt::signal::unix::Signal) {
    hangups.recv().await;
    for _ in 0..10 {
        yield_now().await;
    }
}

#[test]
fn hangup_while_it_starts_or_reconfigures_is_not_lost() {
    alone(
        "hangup_while_it_starts_or_reconfigures_is_not_lost",
        |_| (),
        || {
            for (waits_in, times) in [("start", 1), ("reconfigure", 2)] {
                let slow = Slow { waits_in, ..Slow::default() };
                let configured = slow.configured.clone();
                let (service, mut hangups) =
                    (slow.clone(), rt::signal::unix::signal(Signal::HUP.as_raw().into()).unwrap());
                let exit = run_with(slow, async move {
                    // With a bound, for an application that loses one.
                    let all = rt::time::timeout(Duration::from_secs(10), async {
                        if waits_in == "start" {
                            service.begins().await;
                        }
                        send(Signal::HUP);
                        came(&mut hangups).await;
                        let going_on = service.begins().await;
                        if waits_in == "reconfigure" {
                            send(Signal::HUP);
                            came(&mut hangups).await;
                        }
                        going_on.callback(()).unwrap();
                        while service.configured.get() < times {
                            yield_now().await;
                        }
                    });
                    let _ = all.await;
                    send(Signal::TERM);
                });
                assert_eq!((exit, configured.get()), (Exit::Stopped, times), "{waits_in}");
            }
        },
    );
}

#[test]
fn signals_while_it_starts() {
    alone(
        "signals_while_it_starts",
        |_| (),
        || {
            let slow = Slow { waits_in: "start", ..Slow::default() };
            let service = slow.clone();
            let exit = run_with(slow, async move {
                service.begins().await;
                send(Signal::TERM);
            });
            assert_eq!(exit, Exit::Stopped);
        },
    );
}

#[test]
fn supervisor_that_does_not_read() {
    use std::os::unix::net::UnixDatagram;
    let path = std::env::temp_dir().join(format!("rt-app-{}.notify", std::process::id()));
    let supervisor = std::env::var_os(ROLE).is_none().then(|| UnixDatagram::bind(&path).unwrap());
    let prepare = |command: &mut Command| _ = command.env("NOTIFY_SOCKET", &path);
    alone("supervisor_that_does_not_read", prepare, || {
        // It has no room for anything.
        let full = UnixDatagram::unbound().unwrap();
        full.set_nonblocking(true).unwrap();
        let address = std::env::var_os("NOTIFY_SOCKET").unwrap();
        while full.send_to(b"STATUS=full", &address).is_ok() {}
        let application = Application::new("app");
        let handle = application.handle();
        application.handle().add_system_event_trigger(Phase::After, SystemEvent::Startup, move || handle.stop());
        assert_eq!(rt::block_on(run_here(application)), Exit::Stopped);
    });
    if supervisor.is_some() {
        std::fs::remove_file(&path).unwrap();
    }
}
