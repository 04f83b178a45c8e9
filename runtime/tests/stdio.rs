//! Standard output and standard error of a child process, which is this program again: every kind of file at the other end.
#![cfg(unix)]

#[path = "../../tests/support/flavor.rs"]
mod flavor;

use std::fs::File;
use std::future::poll_fn;
use std::io::{BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::pin::Pin;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::Poll;

use futures_util::io::{AsyncWrite, AsyncWriteExt};
use rt_runtime::runtime::Runtime;
use rt_runtime::stdio::{stderr, stdout};
use rustix::fs::{OFlags, fcntl_getfl};

/// More than pipes and sockets hold, and than is accepted.
const MUCH: usize = 1_000_000;

/// What a child does.
fn behave(what: &str) {
    match what {
        "much, and something else meanwhile" => block_on(async {
            let mut writing = Box::pin(async { stdout().write_all(&payload()).await });
            // As far as it goes while nobody reads.
            assert!(poll_fn(|cx| Poll::Ready(writing.as_mut().poll(cx).is_pending())).await);
            let others = rt_runtime::spawn(async { stderr().write_all(b"others go on\n").await });
            others.await.unwrap().unwrap();
            writing.await.unwrap();
        }),
        "much, without a flush" => block_on(async { stdout().write_all(&payload()).await.unwrap() }),
        "in turns with a handle's block_on" => {
            let runtime = runtime();
            runtime.handle().block_on(async { stdout().write_all(b"<one>").await.unwrap() });
            // Past all buffers: it would come first if the end of `block_on` did not wait.
            rustix::io::write(std::io::stdout(), b"<two>").unwrap();
            runtime.block_on(async { stdout().write_all(b"<three>").await.unwrap() });
            rustix::io::write(std::io::stdout(), b"<four>").unwrap();
        }
        "outside of a runtime" => {
            futures_executor::block_on(async {
                stdout().write_all(&payload()).await.unwrap();
                stdout().flush().await.unwrap();
            });
        }
        "in one runtime after the other" => {
            let mut stdout = stdout();
            for part in payload().chunks(MUCH / 4) {
                block_on(async { stdout.write_all(part).await.unwrap() });
            }
        }
        "what fails" => block_on(async {
            let mut stdout = stdout();
            let error = loop {
                if let Err(error) = stdout.write_all(&payload()).await {
                    break error;
                }
                if let Err(error) = stdout.flush().await {
                    break error;
                }
            };
            stderr().write_all(format!("error: {:?}\n", error.kind()).as_bytes()).await.unwrap();
        }),
        "what fails, on a full disk" => {
            fill_the_disk();
            behave("what fails");
        }
        "an error that nobody is told" => {
            fill_the_disk();
            block_on(async { stdout().write_all(b"x").await.unwrap() });
        }
        "writes that are dropped at every poll" => block_on(async {
            let (payload, mut stdout, mut written) = (payload(), stdout(), 0);
            while written < MUCH {
                let rest = &payload[written..MUCH.min(written + 10_000)];
                written += poll_fn(|cx| Pin::new(&mut stdout).poll_write(cx, rest)).await.unwrap();
            }
        }),
        other => panic!("{other} is nothing that a child can do"),
    }
}

/// A runtime that does not report polls which take long on a busy machine: standard error is what is looked at.
fn runtime() -> Runtime {
    flavor::builder().stall_threshold(std::time::Duration::MAX).build().unwrap()
}

fn block_on<F: Future>(future: F) -> F::Output {
    runtime().block_on(future)
}

/// Not from the start, when the test harness writes there.
fn fill_the_disk() {
    rustix::stdio::dup2_stdout(File::options().write(true).open("/dev/full").unwrap()).unwrap();
}

/// A payload that is found again among what the test harness writes.
fn payload() -> Vec<u8> {
    (0..MUCH).map(|n| b"<>{}[]#*+~"[n % 10]).collect()
}

fn is_payload(byte: &u8) -> bool {
    b"<>{}[]#*+~".contains(byte)
}

/// Does nothing as a test; in a child it is where everything happens.
#[test]
fn child() {
    if let Ok(what) = std::env::var("RT_TEST_STDIO") {
        behave(&what);
        std::process::exit(0);
    }
}

fn start(what: &str, stdout: impl Into<Stdio>) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env("RT_TEST_STDIO", what)
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The end of a child, of which its output is given: everything is there, once and in order.
fn end(mut child: Child, mut output: impl Read) {
    let mut bytes = Vec::new();
    output.read_to_end(&mut bytes).unwrap();
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    assert!(child.wait().unwrap().success(), "{errors}");
    bytes.retain(is_payload);
    assert_eq!(bytes.len(), MUCH);
    assert!(bytes == payload());
}

fn is_nonblocking(descriptor: impl AsFd) -> bool {
    fcntl_getfl(descriptor).unwrap().contains(OFlags::NONBLOCK)
}

/// A child whose output nobody reads goes on with something else.
fn slow_reader(reader: impl Read, writer: OwnedFd) {
    let shared = writer.try_clone().unwrap();
    let mut child = start("much, and something else meanwhile", writer);
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    errors.read_line(&mut line).unwrap();
    assert_eq!(line, "others go on\n");
    assert!(!is_nonblocking(&shared));
    child.stderr = Some(errors.into_inner());
    drop(shared);
    end(child, reader);
}

#[test]
fn pipe_that_is_read_late() {
    let (reader, writer) = std::io::pipe().unwrap();
    slow_reader(reader, writer.into());
}

#[test]
fn socket_that_is_read_late() {
    let (reader, writer) = UnixStream::pair().unwrap();
    slow_reader(reader, writer.into());
}

/// There is no way to write to it without waiting, so the thread does it.
#[test]
fn named_pipe_that_is_read_late() {
    let [reader, writer] = named_pipe(|path| {
        // Opening one end alone would wait for the other.
        let _both = File::options().read(true).write(true).open(path).unwrap();
        [File::open(path).unwrap(), File::options().write(true).open(path).unwrap()]
    });
    slow_reader(reader, writer.into());
}

#[test]
fn everything_is_written_at_the_end_of_block_on() {
    let mut file = temporary();
    let mut child = start("much, without a flush", file.try_clone().unwrap());
    // Not before its end.
    let mut errors = String::new();
    child.stderr.as_mut().unwrap().read_to_string(&mut errors).unwrap();
    assert!(child.wait().unwrap().success(), "{errors}");
    file.seek(SeekFrom::Start(0)).unwrap();
    end(child, file);
}

#[test]
fn order_of_what_several_write() {
    let pipe = named_pipe(|path| File::options().read(true).write(true).open(path).unwrap());
    for file in [temporary(), pipe] {
        let mut reader = file.try_clone().unwrap();
        let child = start("in turns with a handle's block_on", file);
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        let mut bytes = vec![0; 10_000];
        let _ = reader.seek(SeekFrom::Start(0));
        let count = reader.read(&mut bytes).unwrap();
        let text = String::from_utf8_lossy(&bytes[..count]);
        assert!(text.contains("<one><two><three><four>"), "{text}");
    }
}

#[test]
fn outside_of_a_runtime() {
    let mut child = start("outside of a runtime", Stdio::piped());
    let output = child.stdout.take().unwrap();
    end(child, output);
}

#[test]
fn handle_that_outlives_its_runtime() {
    let mut child = start("in one runtime after the other", Stdio::piped());
    let output = child.stdout.take().unwrap();
    end(child, output);
}

#[test]
fn dropped_writes() {
    let mut child = start("writes that are dropped at every poll", Stdio::piped());
    let output = child.stdout.take().unwrap();
    end(child, output);
    let file = temporary();
    let child = start("writes that are dropped at every poll", file.try_clone().unwrap());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let mut bytes = Vec::new();
    (&file).seek(SeekFrom::Start(0)).unwrap();
    (&file).read_to_end(&mut bytes).unwrap();
    bytes.retain(is_payload);
    assert!(bytes == payload());
}

#[test]
fn reader_that_goes_away() {
    let mut child = start("what fails", Stdio::piped());
    // It has begun.
    child.stdout.take().unwrap().read_exact(&mut [0; 1]).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), format!("error: {:?}\n", ErrorKind::BrokenPipe));
}

#[cfg(target_os = "linux")]
#[test]
fn disk_that_is_full() {
    let output = start("what fails, on a full disk", Stdio::piped()).wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), format!("error: {:?}\n", ErrorKind::StorageFull));
}

#[cfg(target_os = "linux")]
#[test]
fn error_at_the_end_is_reported() {
    let output = start("an error that nobody is told", Stdio::piped()).wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(errors.contains("what was written to standard output did not get there"), "{errors}");
}

/// What `open` opens of a new pipe with a name.
fn named_pipe<T>(open: impl FnOnce(&Path) -> T) -> T {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Relaxed);
    let name = format!("rt-pipe-{}-{count}", std::process::id());
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    let opened = open(&path);
    std::fs::remove_file(&path).unwrap();
    opened
}

fn temporary() -> File {
    rustix::fs::memfd_create("test", rustix::fs::MemfdFlags::CLOEXEC).unwrap().into()
}
