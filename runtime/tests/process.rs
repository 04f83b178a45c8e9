//! Children from start to end: waiting, signals, kill on drop, and what becomes of a child that nobody waits for.
#![cfg(unix)]

#[path = "../../tests/support/flavor.rs"]
mod flavor;

use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind};
use std::os::unix::process::ExitStatusExt;
use std::pin::pin;
use std::process::Stdio;
use std::task::Poll;

use futures_util::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use rt_runtime::process::{__wait_until_reaped, Child, ChildStdout, Command};
use rt_runtime::signal::unix::SignalKind;
use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions, waitpid};

const KILL: SignalKind = SignalKind::from_raw(9);

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

/// A child that ends when its standard input does.
fn waits_for_end_of_input() -> Child {
    Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap()
}

/// Nobody can wait for this process any more: it is no child, so no zombie either.
fn assert_gone(id: u32) {
    let id = Pid::from_raw(id.try_into().unwrap()).unwrap();
    assert_eq!(waitpid(Some(id), WaitOptions::NOHANG).unwrap_err(), Errno::CHILD);
}

async fn line(stdout: ChildStdout) -> String {
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).await.unwrap();
    line
}

#[test]
fn exit_code_stays_the_same() {
    flavor::block_on(async {
        let mut child = shell("exit 7").spawn().unwrap();
        assert!(child.id().is_some());
        for _ in 0..3 {
            assert_eq!(child.wait().await.unwrap().code(), Some(7));
            assert_eq!(child.try_wait().unwrap().unwrap().code(), Some(7));
        }
        assert_eq!(child.id(), None);
    });
}

#[test]
fn status_closes_the_pipes() {
    flavor::block_on(async {
        let mut command = shell("cat; exit 3");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        assert_eq!(command.status().await.unwrap().code(), Some(3));
    });
}

#[test]
fn wait_closes_standard_input() {
    flavor::block_on(async {
        let mut child = waits_for_end_of_input();
        assert!(child.try_wait().unwrap().is_none());
        assert!(child.wait().await.unwrap().success());
        assert!(child.stdin.is_none());
    });
}

#[test]
fn wait_that_is_dropped_at_every_poll() {
    flavor::block_on(async {
        let mut child = waits_for_end_of_input();
        let mut stdin = child.stdin.take();
        let mut polls = 0;
        let status = poll_fn(|cx| {
            let result = pin!(child.wait()).poll(cx);
            polls += 1;
            if polls == 3 {
                drop(stdin.take());
            } else if polls < 3 {
                cx.waker().wake_by_ref();
            }
            result
        });
        assert!(status.await.unwrap().success());
        assert!(polls > 3);
        assert!(child.wait().await.unwrap().success());
    });
}

#[test]
fn end_of_a_child_that_has_already_ended() {
    flavor::block_on(async {
        let mut child = shell("echo bye").stdout(Stdio::piped()).spawn().unwrap();
        // The pipe is closed, then the process ends: a child that is killed by nobody ends soon.
        child.stdout.take().unwrap().read_to_end(&mut Vec::new()).await.unwrap();
        let id = child.id().unwrap();
        assert!(child.wait().await.unwrap().success());
        assert_gone(id);
    });
}

#[test]
fn child_that_ignores_a_request_to_end_is_killed() {
    flavor::block_on(async {
        let mut child = shell("trap '' TERM; echo ready; while :; do read line; echo still here; done")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut said = String::new();
        stdout.read_line(&mut said).await.unwrap();
        child.signal(SignalKind::terminate()).unwrap();
        stdin.write_all(b"\n").await.unwrap();
        stdout.read_line(&mut said).await.unwrap();
        assert_eq!(said, "ready\nstill here\n");
        child.kill().await.unwrap();
        assert_eq!(child.wait().await.unwrap().signal(), Some(9));
    });
}

#[test]
fn signals_after_the_end() {
    flavor::block_on(async {
        let mut child = waits_for_end_of_input();
        assert_eq!(child.signal(SignalKind::from_raw(63)).unwrap_err().kind(), ErrorKind::InvalidInput);
        child.wait().await.unwrap();
        let error = child.start_kill().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("waited for"), "{error}");
        assert_eq!(child.kill().await.unwrap_err().kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn killed_twice() {
    flavor::block_on(async {
        let mut child = waits_for_end_of_input();
        child.start_kill().unwrap();
        child.start_kill().unwrap();
        assert_eq!(child.wait().await.unwrap().signal(), Some(9));
    });
}

#[test]
fn kill_on_drop() {
    flavor::block_on(async {
        let mut command = shell("echo ready; exec sleep 1000");
        let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        assert!(command.get_kill_on_drop());
        let id = child.id().unwrap();
        assert_eq!(line(child.stdout.take().unwrap()).await, "ready\n");
        drop(child);
        __wait_until_reaped(id);
        assert_gone(id);
    });
}

#[test]
fn dropped_child_goes_on_and_is_reaped() {
    flavor::block_on(async {
        let mut child =
            shell("read line; echo got $line").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let id = child.id().unwrap();
        let (mut stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        drop(child);
        stdin.write_all(b"it\n").await.unwrap();
        assert_eq!(line(stdout).await, "got it\n");
        __wait_until_reaped(id);
        assert_gone(id);
    });
}

#[test]
fn dropped_after_its_wait_was_pending() {
    flavor::block_on(async {
        let mut child = waits_for_end_of_input();
        let (id, stdin) = (child.id().unwrap(), child.stdin.take());
        assert!(poll_once(child.wait()).await.is_none());
        drop(child);
        drop(stdin);
        __wait_until_reaped(id);
        assert_gone(id);
    });
}

#[test]
fn dropped_future_of_output_kills_the_child_if_asked_to() {
    flavor::block_on(async {
        let output = Command::new("cat").stdin(Stdio::piped()).kill_on_drop(true).output();
        drop(output);
        let mut child = shell("exec sleep 1000").stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let (id, _stdin) = (child.id().unwrap(), child.stdin.take());
        let mut collecting = Box::pin(child.wait_with_output());
        assert!(poll_once(collecting.as_mut()).await.is_none());
        drop(collecting);
        __wait_until_reaped(id);
        assert_gone(id);
    });
}

#[test]
fn many_orphans_end_in_any_order() {
    let mut children: Vec<_> = (0..20).map(|_| waits_for_end_of_input()).collect();
    let ids: Vec<_> = children.iter().map(|child| child.id().unwrap()).collect();
    let mut inputs: Vec<_> = children.iter_mut().map(|child| child.stdin.take()).collect();
    drop(children);
    for n in [19, 0, 7, 8, 3] {
        inputs[n] = None;
        __wait_until_reaped(ids[n]);
        assert_gone(ids[n]);
    }
    drop(inputs);
    for id in ids {
        __wait_until_reaped(id);
        assert_gone(id);
    }
}

#[test]
fn child_outlives_a_runtime_and_is_waited_for_in_the_next() {
    let mut child = waits_for_end_of_input();
    let stdin = child.stdin.take();
    flavor::block_on(async { assert!(poll_once(child.wait()).await.is_none()) });
    assert!(child.try_wait().unwrap().is_none());
    flavor::block_on(async {
        let mut waiting = Box::pin(child.wait());
        assert!(poll_once(waiting.as_mut()).await.is_none());
        drop(stdin);
        assert!(waiting.await.unwrap().success());
    });
}

#[test]
fn runtime_that_is_dropped_while_a_task_waits() {
    let mut child = waits_for_end_of_input();
    let (id, stdin) = (child.id().unwrap(), child.stdin.take());
    let runtime = flavor::runtime();
    runtime.block_on(async {
        let task = rt_runtime::spawn(async move { child.wait().await });
        rt_runtime::yield_now().await;
        drop(task);
    });
    drop(runtime);
    drop(stdin);
    __wait_until_reaped(id);
    assert_gone(id);
}

#[test]
fn process_group_is_signalled_as_a_whole() {
    flavor::block_on(async {
        let mut child = shell("sleep 1000 & echo $!; wait").process_group(0).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).await.unwrap();
        let grandchild: i32 = line.trim().parse().unwrap();
        let group = rustix::process::getpgid(Pid::from_raw(grandchild)).unwrap();
        assert_eq!(group.as_raw_pid() as u32, child.id().unwrap());
        child.signal_group(SignalKind::terminate()).unwrap();
        assert_eq!(child.wait().await.unwrap().signal(), Some(15));
        // The grandchild has the other end, too: the pipe ends when both are gone.
        assert_eq!(stdout.read_to_end(&mut Vec::new()).await.unwrap(), 0);
        assert_eq!(child.signal_group(KILL).unwrap_err().kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn group_that_the_child_does_not_lead() {
    let child = waits_for_end_of_input();
    let error = child.signal_group(KILL).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("process_group(0)"), "{error}");
}

#[test]
fn program_that_is_not_there() {
    let error = Command::new("no-such-program-here").spawn().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("\"no-such-program-here\""), "{error}");
    let error = Command::new("cat").current_dir("/no/such/directory").spawn().unwrap_err();
    assert!(error.to_string().contains("\"/no/such/directory\""), "{error}");
    let source = std::error::Error::source(error.get_ref().unwrap()).unwrap();
    assert_eq!(source.downcast_ref::<io::Error>().unwrap().raw_os_error(), Some(Errno::NOENT.raw_os_error()));
    flavor::block_on(async {
        assert_eq!(Command::new("/").output().await.unwrap_err().kind(), ErrorKind::PermissionDenied);
        assert_eq!(Command::new("/no/program").status().await.unwrap_err().kind(), ErrorKind::NotFound);
    });
}

#[test]
fn environment_directory_and_name() {
    flavor::block_on(async {
        let mut std = std::process::Command::new("/bin/sh");
        std.args(["-c", "echo $0 $A $B $C $HOME; pwd"]);
        let mut command = Command::from(std);
        command.env_clear().env("A", "1").envs([("B", "2"), ("C", "3")]).env_remove("C").current_dir("/").arg0("name");
        command.as_std_mut().stdin(Stdio::null());
        let output = command.output().await.unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "name 1 2\n/\n");
        assert_eq!(command.as_std().get_program(), "/bin/sh");
        assert_eq!(command.into_std().get_args().count(), 2);
    });
}

#[test]
fn user_and_group_that_one_has_anyway() {
    flavor::block_on(async {
        let (user, group) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
        let output = shell("id -u; id -g").uid(user).gid(group).output().await.unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{user}\n{group}\n"));
    });
}

#[test]
fn children_of_many_tasks() {
    flavor::block_on(async {
        let tasks: Vec<_> = (0..20)
            .map(|n| rt_runtime::spawn(async move { shell(&format!("exit {n}")).status().await.unwrap().code() }))
            .collect();
        for (n, task) in tasks.into_iter().enumerate() {
            assert_eq!(task.await.unwrap(), Some(n as i32));
        }
    });
}

/// `None` if it is pending.
async fn poll_once<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}
