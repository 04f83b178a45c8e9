//! The way that is taken where the system has no descriptors of processes: by `SIGCHLD`.

use std::future::poll_fn;
use std::process::{Command, Stdio};
use std::task::{Context, Waker};

use futures_executor::block_on;
use rustix::process::{Pid, Signal, WaitOptions, waitpid};

use super::__wait_until_reaped;
use super::exit::{Notice, Process};
use crate::signal::unix::SignalKind;

/// A child that ends with its standard input, which is the second value.
fn child(kill_on_drop: bool) -> (Process, Option<std::process::ChildStdin>) {
    let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
    let stdin = child.stdin.take();
    (Process::with_notice(child, Notice::by_signal().unwrap(), kill_on_drop), stdin)
}

fn assert_gone(id: u32) {
    let id = Pid::from_raw(id.try_into().unwrap()).unwrap();
    assert_eq!(waitpid(Some(id), WaitOptions::NOHANG).unwrap_err(), rustix::io::Errno::CHILD);
}

#[test]
fn end_is_noticed() {
    let (mut process, stdin) = child(false);
    assert!(process.poll_wait(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(stdin);
    assert!(block_on(poll_fn(|cx| process.poll_wait(cx))).unwrap().success());
    assert!(process.try_wait().unwrap().unwrap().success());
    assert_eq!(process.id(), None);
}

#[test]
fn end_of_another_child_is_none_of_this_one() {
    let (mut first, first_stdin) = child(false);
    let (mut second, second_stdin) = child(false);
    assert!(second.poll_wait(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(first_stdin);
    assert!(block_on(poll_fn(|cx| first.poll_wait(cx))).unwrap().success());
    assert!(second.poll_wait(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(second_stdin);
    assert!(block_on(poll_fn(|cx| second.poll_wait(cx))).unwrap().success());
}

#[test]
fn signal_hits_the_child() {
    use std::os::unix::process::ExitStatusExt;
    let (mut process, _stdin) = child(false);
    process.signal(SignalKind::terminate()).unwrap();
    assert_eq!(block_on(poll_fn(|cx| process.poll_wait(cx))).unwrap().signal(), Some(Signal::TERM.as_raw()));
    assert!(process.signal(SignalKind::terminate()).is_err());
}

#[test]
fn orphan_is_reaped() {
    let (process, stdin) = child(false);
    let id = process.id().unwrap();
    drop(process);
    drop(stdin);
    __wait_until_reaped(id);
    assert_gone(id);
}

#[test]
fn killed_orphan_is_reaped() {
    let (process, _stdin) = child(true);
    let id = process.id().unwrap();
    drop(process);
    __wait_until_reaped(id);
    assert_gone(id);
}
