//! An application that is the parent of orphans: as process 1, and because it asked for them.

#![cfg(target_os = "linux")]

use std::cell::RefCell;
use std::process::{Command as StdCommand, Stdio};
use std::rc::Rc;
use std::time::Duration;

use rt::app::{Application, Exit, Notice, NoticeKind, Phase, SystemEvent, run_here};
use rt::io::AsyncReadExt;
use rt::process::Command;
use rt::{Deferred, Failure};

/// Set in the process that plays the part.
const ROLE: &str = "RT_TEST_ORPHANS";

#[test]
fn process_1_reaps_orphans_and_leaves_children_to_their_handles() {
    if std::env::var_os(ROLE).is_some() {
        assert_eq!(std::process::id(), 1);
        return play(Application::new("init"));
    }
    let here = std::env::current_exe().expect("the path of this test");
    let test = "process_1_reaps_orphans_and_leaves_children_to_their_handles";
    let unshare = |arguments: &[&str]| {
        let mut command = StdCommand::new("unshare");
        command.args(["--pid", "--fork", "--mount-proc"]).args(arguments);
        command.env(ROLE, "1").stdin(Stdio::null()).output()
    };
    if !unshare(&["true"]).is_ok_and(|output| output.status.success()) {
        println!("not tested: this process may not make a namespace of process ids");
        return;
    }
    let output = unshare(&[here.to_str().expect("a path in UTF-8"), "--exact", test, "--nocapture"]).expect("it ran");
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
fn orphans_that_were_asked_for() {
    if std::env::var_os(ROLE).is_some() {
        return play(Application::new("init").reap_orphans(true));
    }
    // In a process of its own: who becomes a parent of orphans is one for good.
    let here = std::env::current_exe().expect("the path of this test");
    let mut command = StdCommand::new(here);
    command.args(["--exact", "orphans_that_were_asked_for", "--nocapture"]).env(ROLE, "1").stdin(Stdio::null());
    let output = command.output().expect("it ran");
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

fn play(application: Application) {
    let reaped: Rc<RefCell<Vec<String>>> = Rc::default();
    let (seen, told) = (Deferred::new(), reaped.clone());
    let (first_orphan, resolver) = seen;
    let application = application.orphan_grace(Duration::ZERO).on_notice(move |notice: &Notice| {
        if notice.kind() == NoticeKind::Reaped {
            told.borrow_mut().push(notice.to_string());
            let _ = resolver.callback(());
        }
    });
    let handle = application.handle();
    application.handle().add_system_event_trigger(Phase::After, SystemEvent::Startup, move || async move {
        // Ends at once, and is not waited for before the end.
        let mut kept = Command::new("sh").args(["-c", "exit 9"]).spawn()?;
        // Ends, and leaves a process behind that goes on until its input ends.
        let mut parent = Command::new("sh")
            .args(["-c", "exec 3<&0; cat <&3 >/dev/null & echo $!; exit 7"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = parent.stdin.take();
        let mut output = String::new();
        parent.stdout.take().expect("a pipe").read_to_string(&mut output).await?;
        assert_eq!(parent.wait().await?.code(), Some(7));
        drop(input);
        first_orphan.await?;
        assert_eq!(*reaped.borrow(), [format!("init: process {} has ended, an orphan", output.trim())]);
        assert_eq!(kept.wait().await?.code(), Some(9));
        handle.stop();
        Ok::<_, Failure>(())
    });
    let exit = rt::deferred::unhandled::capture(|| rt::block_on(run_here(application)));
    assert!(exit.1.is_empty(), "{:?}", exit.1);
    assert_eq!(exit.0, Exit::Stopped);
}
