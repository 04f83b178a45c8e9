//! The streams of children: every kind, pipelines, and output that is collected.
#![cfg(unix)]

#[path = "../../tests/support/flavor.rs"]
mod flavor;

use std::fs::File;
use std::future::{Future, poll_fn};
use std::io::{ErrorKind, IoSlice, IoSliceMut, Read, Seek, SeekFrom};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::pin::{Pin, pin};
use std::process::Stdio;

use futures_util::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use rt_runtime::process::{__wait_until_reaped, Command, OutputTooLong};
use rustix::fs::{OFlags, fcntl_getfl};

/// More than a pipe holds.
const MUCH: usize = 1_000_000;

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

#[test]
fn pipeline_of_two() {
    flavor::block_on(async {
        let mut sort = Command::new("sort").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let sorted: Stdio = sort.stdout.take().unwrap().try_into().unwrap();
        let count = Command::new("uniq").arg("-c").stdin(sorted).output();
        let mut input = sort.stdin.take().unwrap();
        input.write_all(b"pear\napple\npear\n").await.unwrap();
        input.close().await.unwrap();
        let output = count.await.unwrap();
        let counted = String::from_utf8(output.stdout).unwrap();
        let words: Vec<_> = counted.split_whitespace().collect();
        assert_eq!(words, ["1", "apple", "2", "pear"]);
        assert!(sort.wait().await.unwrap().success());
    });
}

#[test]
fn standard_error_and_input_of_another_child() {
    flavor::block_on(async {
        let mut last = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let into: Stdio = last.stdin.take().unwrap().try_into().unwrap();
        let mut first = shell("echo to stderr >&2").stderr(Stdio::piped()).spawn().unwrap();
        let from: Stdio = first.stderr.take().unwrap().try_into().unwrap();
        assert!(Command::new("cat").stdin(from).stdout(into).status().await.unwrap().success());
        assert_eq!(last.wait_with_output().await.unwrap().stdout, b"to stderr\n");
    });
}

#[test]
fn null_and_files() {
    flavor::block_on(async {
        let mut input = temporary();
        std::io::Write::write_all(&mut input, b"from a file").unwrap();
        input.seek(SeekFrom::Start(0)).unwrap();
        let mut output = temporary();
        let mut command = Command::new("cat");
        command.stdin(input).stdout(output.try_clone().unwrap()).stderr(Stdio::null());
        assert!(command.status().await.unwrap().success());
        let mut text = String::new();
        output.seek(SeekFrom::Start(0)).unwrap();
        output.read_to_string(&mut text).unwrap();
        assert_eq!(text, "from a file");
        let output = Command::new("cat").stdin(Stdio::null()).output().await.unwrap();
        assert_eq!((output.stdout, output.stderr), (Vec::new(), Vec::new()));
    });
}

#[test]
fn inherited_streams_are_no_pipes() {
    flavor::block_on(async {
        let mut command = shell("true");
        command.stdin(Stdio::inherit()).stdout(Stdio::inherit()).stderr(Stdio::inherit());
        let mut child = command.spawn().unwrap();
        assert!(child.stdin.is_none() && child.stdout.is_none() && child.stderr.is_none());
        assert!(child.wait().await.unwrap().success());
    });
}

#[test]
fn more_than_pipes_hold_on_both_streams() {
    flavor::block_on(async {
        let script = format!("head -c {MUCH} /dev/zero >&2; head -c {MUCH} /dev/zero; head -c {MUCH} /dev/zero >&2");
        let output = shell(&script).output().await.unwrap();
        assert_eq!((output.stdout.len(), output.stderr.len()), (MUCH, 2 * MUCH));
        assert!(output.status.success());
    });
}

#[test]
fn much_goes_through_a_child() {
    flavor::block_on(async {
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let bytes: Vec<u8> = (0..MUCH).map(|n| (n % 251) as u8).collect();
        let sent = bytes.clone();
        let writing = rt_runtime::spawn(async move { stdin.write_all(&sent).await });
        let output = child.wait_with_output().await.unwrap();
        writing.await.unwrap().unwrap();
        assert!(output.stdout == bytes);
    });
}

/// Every future of reading and writing is dropped after its first poll; the bytes arrive once and in order.
#[test]
fn reads_and_writes_that_are_dropped_at_every_poll() {
    flavor::block_on(async {
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (mut stdin, mut stdout) = (child.stdin.take(), child.stdout.take().unwrap());
        let bytes: Vec<u8> = (0..MUCH).map(|n| (n % 251) as u8).collect();
        let (mut written, mut read, mut chunk) = (0, Vec::new(), vec![0; 10_000]);
        poll_fn(|cx| {
            loop {
                let mut moved = false;
                if let Some(pipe) = &mut stdin {
                    let end = MUCH.min(written + 7_000);
                    if let std::task::Poll::Ready(count) = pin!(pipe.write(&bytes[written..end])).poll(cx) {
                        written += count.unwrap();
                        moved = true;
                    }
                    if written == MUCH {
                        stdin = None;
                    }
                }
                if let std::task::Poll::Ready(count) = pin!(stdout.read(&mut chunk)).poll(cx) {
                    let count = count.unwrap();
                    read.extend_from_slice(&chunk[..count]);
                    moved = true;
                    if count == 0 {
                        return std::task::Poll::Ready(());
                    }
                }
                if !moved {
                    return std::task::Poll::Pending;
                }
            }
        })
        .await;
        assert!(read == bytes);
        assert!(child.wait().await.unwrap().success());
    });
}

#[test]
fn several_buffers_at_a_time() {
    flavor::block_on(async {
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let bufs = [IoSlice::new(b"ab"), IoSlice::new(b"cd")];
        assert_eq!(poll_fn(|cx| Pin::new(&mut stdin).poll_write_vectored(cx, &bufs)).await.unwrap(), 4);
        let (mut first, mut second) = ([0; 3], [0; 3]);
        let mut room = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
        assert_eq!(poll_fn(|cx| Pin::new(&mut stdout).poll_read_vectored(cx, &mut room)).await.unwrap(), 4);
        assert_eq!((&first, &second[..1]), (b"abc", &b"d"[..]));
        drop(stdin);
        assert!(child.wait().await.unwrap().success());
    });
}

#[test]
fn more_buffers_than_the_system_takes() {
    flavor::block_on(async {
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let sent: Vec<u8> = (0..3000).map(|n| (n % 251) as u8).collect();
        let slices: Vec<IoSlice<'_>> = sent.chunks(1).map(IoSlice::new).collect();
        let mut written = 0;
        while written < sent.len() {
            written += poll_fn(|cx| Pin::new(&mut stdin).poll_write_vectored(cx, &slices[written..])).await.unwrap();
        }
        let mut received = vec![0; sent.len()];
        let mut read = 0;
        while read < received.len() {
            let mut room: Vec<IoSliceMut<'_>> = received[read..].chunks_mut(1).map(IoSliceMut::new).collect();
            read += poll_fn(|cx| Pin::new(&mut stdout).poll_read_vectored(cx, &mut room)).await.unwrap();
        }
        assert_eq!(received, sent);
        drop(stdin);
        assert!(child.wait().await.unwrap().success());
    });
}

#[test]
fn closed_input_can_not_be_written_to() {
    flavor::block_on(async {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.close().await.unwrap();
        assert_eq!(stdin.write(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
        assert_eq!(stdin.into_owned_fd().unwrap_err().kind(), ErrorKind::BrokenPipe);
        assert!(child.wait().await.unwrap().success());
    });
}

#[test]
fn child_that_does_not_read_breaks_the_pipe() {
    flavor::block_on(async {
        let mut child = shell("exec 0<&-; echo closed").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let output = child.wait_with_output().await.unwrap();
        assert_eq!(output.stdout, b"closed\n");
        let error = stdin.write_all(&vec![0; MUCH]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn only_this_side_is_in_non_blocking_mode() {
    let mut command = Command::new("cat");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let is_nonblocking = |descriptor: &dyn AsFd| fcntl_getfl(descriptor).unwrap().contains(OFlags::NONBLOCK);
    let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    assert!(is_nonblocking(&stdin) && is_nonblocking(&stdout) && is_nonblocking(child.stderr.as_ref().unwrap()));
    assert!(stdin.as_raw_fd() != stdout.as_raw_fd());
    let back: [OwnedFd; 2] = [stdin.into_owned_fd().unwrap(), stdout.into_owned_fd().unwrap()];
    assert!(!is_nonblocking(&back[0]) && !is_nonblocking(&back[1]));
    #[cfg(target_os = "linux")]
    for n in 0..3 {
        let info = std::fs::read_to_string(format!("/proc/{}/fdinfo/{n}", child.id().unwrap())).unwrap();
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap();
        let flags = u32::from_str_radix(flags.trim(), 8).unwrap();
        assert_eq!(flags & OFlags::NONBLOCK.bits(), 0);
    }
}

#[test]
fn output_of_just_the_limit() {
    flavor::block_on(async {
        let output = shell("printf 12345; printf 123 >&2").output_limit(5).output().await.unwrap();
        assert_eq!((&output.stdout[..], &output.stderr[..]), (&b"12345"[..], &b"123"[..]));
        let output = shell("head -c 100000 /dev/zero").output_limit(None).output().await.unwrap();
        assert_eq!(output.stdout.len(), 100_000);
        assert!(shell("true").output_limit(0).output().await.is_ok());
    });
}

#[test]
fn output_beyond_the_limit() {
    flavor::block_on(async {
        for (script, stream) in
            [("printf 12; exec yes >&2", "standard error"), ("printf 12 >&2; exec yes", "standard output")]
        {
            let child =
                shell(script).stdout(Stdio::piped()).stderr(Stdio::piped()).output_limit(70_000).spawn().unwrap();
            let id = child.id().unwrap();
            let error = child.wait_with_output().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::FileTooLarge);
            let text = error.to_string();
            assert!(text.contains("70000 bytes") && text.contains(stream) && text.contains("output_limit"), "{text}");
            let inner = error.into_inner().unwrap().downcast::<OutputTooLong>().unwrap();
            let most = inner.stdout().len().max(inner.stderr().len());
            assert_eq!((most, inner.limit()), (70_000, 70_000));
            // It finds its pipe closed, ends, and is no zombie.
            __wait_until_reaped(id);
        }
    });
}

fn temporary() -> File {
    rustix::fs::memfd_create("test", rustix::fs::MemfdFlags::CLOEXEC).unwrap().into()
}
