//! Descriptors beyond the standard three.
#![cfg(all(unix, feature = "child-fds"))]

#[path = "../../tests/support/flavor.rs"]
mod flavor;

use std::io::ErrorKind;
use std::os::fd::{AsRawFd, OwnedFd};

use rt_runtime::process::{Command, FdMapping};

fn pipe() -> (OwnedFd, OwnedFd) {
    rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap()
}

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

fn mapping(parent_fd: OwnedFd, child_fd: i32) -> FdMapping {
    FdMapping { parent_fd, child_fd }
}

#[test]
fn two_are_swapped() {
    flavor::block_on(async {
        let ((first_out, first_in), (second_out, second_in)) = (pipe(), pipe());
        rustix::io::write(&first_in, b"first\n").unwrap();
        rustix::io::write(&second_in, b"second\n").unwrap();
        let (a, b) = (first_out.as_raw_fd(), second_out.as_raw_fd());
        let mut command = shell("head -n 1 </dev/fd/$0; head -n 1 </dev/fd/$1");
        command.args([a.to_string(), b.to_string()]);
        command.fd_mappings([mapping(first_out, b), mapping(second_out, a)]).unwrap();
        // More than once.
        let output = command.output().await.unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "second\nfirst\n");
        rustix::io::write(&first_in, b"1\n").unwrap();
        rustix::io::write(&second_in, b"2\n").unwrap();
        assert_eq!(command.output().await.unwrap().stdout, b"2\n1\n");
    });
}

#[test]
fn nothing_else_is_inherited() {
    flavor::block_on(async {
        let (out, _in) = pipe();
        let number = 37;
        let mut list = shell("for n in $(seq 3 50); do test -e /dev/fd/$n && echo $n; done; true");
        // What this process itself has inherited as it is goes on.
        let inherited = String::from_utf8(list.output().await.unwrap().stdout).unwrap();
        let output = list.fd_mappings([mapping(out, number)]).unwrap().output().await.unwrap();
        let given = String::from_utf8(output.stdout).unwrap();
        let more: Vec<_> = given.lines().filter(|line| !inherited.lines().any(|other| other == *line)).collect();
        assert_eq!(more, [number.to_string()]);
    });
}

/// The pipe by which a failure to execute is told would get the lowest free numbers, which are also those that are asked for.
#[test]
fn program_that_is_not_there_is_told_whatever_the_numbers() {
    let (out, input) = pipe();
    for number in 3..40 {
        let mut command = Command::new("no-such-program-here");
        command.fd_mappings([mapping(input.try_clone().unwrap(), number)]).unwrap();
        assert_eq!(command.spawn().unwrap_err().kind(), ErrorKind::NotFound, "with {number}");
    }
    drop(input);
    assert_eq!(rustix::io::read(&out, &mut [0; 64]).unwrap(), 0);
}

#[test]
fn mappings_that_are_refused() {
    let (out, input) = pipe();
    let mut command = shell("true");
    let error = command.fd_mappings([mapping(out.try_clone().unwrap(), 2)]).unwrap_err();
    assert!(error.to_string().contains("begin at 3"), "{error}");
    let twice = [mapping(out.try_clone().unwrap(), 5), mapping(input, 5)];
    let error = command.fd_mappings(twice).unwrap_err();
    assert!(error.to_string().contains("5, 5"), "{error}");
    command.fd_mappings([mapping(out.try_clone().unwrap(), 5)]).unwrap();
    let error = command.fd_mappings([mapping(out, 6)]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("together"), "{error}");
}
