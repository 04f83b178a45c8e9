//! Protocols over child processes.
#![cfg(unix)]

#[path = "../../tests/support/flavor.rs"]
mod flavor;

use flavor::block_on;
use rt_deferred::unhandled;
use rt_net::protocol::{
    ChildFd, ConnectionLost, HandleError, ProcessEnd, ProcessHandle, ProcessProtocol, ProcessTransport, Producer,
    WriteLimits, spawn_process, spawn_process_with_fds,
};
use rt_runtime::process::Command;
use rt_runtime::signal::unix::SignalKind;
use rt_runtime::yield_now;
use std::cell::{Cell, RefCell};
use std::io::ErrorKind;
use std::rc::Rc;

type Trace = Rc<RefCell<Vec<String>>>;

/// What the protocol calls within one of its events.
type Within = Box<dyn Fn() -> HandleError>;

/// Writes down what happens, and does with each piece of output what `act` says.
struct Traced<F> {
    trace: Trace,
    act: F,
}

impl<F: FnMut(&ProcessTransport, &[u8]) + 'static> Traced<F> {
    fn new(act: F) -> (Self, Trace) {
        let trace = Trace::default();
        (Self { trace: trace.clone(), act }, trace)
    }

    fn note(&self, what: String) {
        self.trace.borrow_mut().push(what);
    }
}

impl<F: FnMut(&ProcessTransport, &[u8]) + 'static> ProcessProtocol for Traced<F> {
    fn connection_made(&mut self, _: &ProcessTransport) {
        self.note("made".to_owned());
    }

    fn child_data_received(&mut self, transport: &ProcessTransport, child_fd: i32, data: &[u8]) {
        self.note(format!("{child_fd}: {}", String::from_utf8_lossy(data).trim_end()));
        (self.act)(transport, data);
    }

    fn child_connection_lost(&mut self, _: &ProcessTransport, child_fd: i32, reason: &ConnectionLost) {
        match reason {
            ConnectionLost::Done => self.note(format!("{child_fd} closed")),
            _ => self.note(format!("{child_fd} lost: {reason}")),
        }
    }

    fn process_exited(&mut self, _: &ProcessTransport, reason: &ProcessEnd) {
        self.note(format!("exited: {reason}"));
    }

    fn process_ended(&mut self, _: &ProcessTransport, reason: &ProcessEnd) {
        self.note(format!("ended: {reason}"));
    }
}

fn ignore(_: &ProcessTransport, _: &[u8]) {}

fn sh(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

const CLEAN: &str = "the process exited in good order";

/// What happened, with the events between the first and the last, which have no order among themselves, sorted.
fn sorted(trace: &Trace) -> Vec<String> {
    let mut trace = trace.borrow().clone();
    let last = trace.len() - 1;
    trace[1..last].sort();
    trace
}

#[test]
fn all_events_of_a_short_life() {
    block_on(async {
        let (protocol, trace) = Traced::new(ignore);
        let process = spawn_process(sh("echo out; echo err >&2; read line"), protocol).unwrap();
        assert_eq!(*trace.borrow(), ["made"], "within spawn_process");
        process.transport().write(b"a line\n");
        assert!(process.ended().await.unwrap().is_clean());
        let expected = [
            "made",
            "0 closed",
            "1 closed",
            "1: out",
            "2 closed",
            "2: err",
            &format!("exited: {CLEAN}"),
            &format!("ended: {CLEAN}"),
        ];
        assert_eq!(sorted(&trace), expected);
        let at = |what: &str| trace.borrow().iter().position(|noted| noted == what).unwrap();
        assert!(at("1: out") < at("1 closed"));
        assert_eq!(process.with(|_, _| ()), Err(HandleError::Lost));
        assert!(process.ended().await.unwrap().is_clean());
        let transport = process.transport();
        assert_eq!(transport.pid(), None);
        assert_eq!(transport.signal_process(SignalKind::terminate()).unwrap_err().kind(), ErrorKind::InvalidInput);
        transport.write(b"thrown away");
        assert!(transport.drained().await.is_err());
    });
}

#[test]
fn there_and_back_through_cat() {
    block_on(async {
        let (protocol, trace) = Traced::new(|transport: &ProcessTransport, data: &[u8]| match data {
            b"one" => transport.write(b"two"),
            _ => transport.close_stdin(),
        });
        let process = spawn_process(Command::new("cat"), protocol).unwrap();
        process.transport().write(b"one");
        process.ended().await.unwrap();
        let out: Vec<_> = trace.borrow().iter().filter(|noted| noted.starts_with("1:")).cloned().collect();
        assert_eq!(out, ["1: one", "1: two"]);
    });
}

#[test]
fn exit_codes_and_signals() {
    block_on(async {
        let end = spawn_process(sh("exit 7"), Traced::new(ignore).0).unwrap().ended().await.unwrap();
        assert_eq!((end.is_clean(), end.exit_code(), end.signal()), (false, Some(7), None));
        let process = spawn_process(sh("read line"), Traced::new(ignore).0).unwrap();
        process.transport().signal_process(SignalKind::terminate()).unwrap();
        let end = process.ended().await.unwrap();
        assert_eq!((end.is_clean(), end.exit_code(), end.signal()), (false, None, Some(15)));
        assert_eq!(end.to_string(), "the process was ended by signal 15");
        let process = spawn_process(sh("read line"), Traced::new(ignore).0).unwrap();
        process.transport().kill().unwrap();
        assert_eq!(process.ended().await.unwrap().signal(), Some(9));
    });
}

#[test]
fn output_that_comes_after_the_exit() {
    block_on(async {
        // The grandchild has the pipes until it is told to go on, which it is when the child has exited.
        let (protocol, trace) = Traced::new(ignore);
        let process = spawn_process(sh("exec 3<&0; (read line <&3; echo $line) & exit 2"), protocol).unwrap();
        let exited = || trace.borrow().iter().any(|noted| noted.starts_with("exited"));
        while !exited() {
            yield_now().await;
        }
        assert!(process.with(|_, transport| assert_eq!(transport.pid(), None)).is_ok());
        process.transport().write(b"posthumous\n");
        assert_eq!(process.ended().await.unwrap().exit_code(), Some(2));
        let trace = trace.borrow();
        let at = |what: &str| trace.iter().position(|noted| noted == what).unwrap();
        assert!(at("exited: the process ended with exit code 2") < at("1: posthumous"));
        assert_eq!(trace.last().unwrap(), "ended: the process ended with exit code 2");
    });
}

#[test]
fn process_that_closes_its_input_early() {
    block_on(async {
        let (protocol, trace) = Traced::new(ignore);
        let process = spawn_process(sh("exec <&-; echo closed; exec sleep 1000"), protocol).unwrap();
        // Nothing was written: its end is noticed all the same.
        while !trace.borrow().iter().any(|noted| noted == "0 closed") {
            yield_now().await;
        }
        process.transport().kill().unwrap();
        process.ended().await.unwrap();
    });
}

#[test]
fn input_that_is_not_read_to_its_end() {
    block_on(async {
        let (protocol, trace) = Traced::new(ignore);
        let process = spawn_process(sh("head -c 1 >/dev/null"), protocol).unwrap();
        process.transport().write(&vec![b'x'; 1 << 20]);
        assert!(process.ended().await.unwrap().is_clean());
        let lost = trace.borrow().iter().find(|noted| noted.starts_with("0 lost")).cloned().unwrap();
        assert!(lost.contains("Broken pipe"), "{lost}");
    });
}

#[test]
fn much_input_arrives_whole() {
    block_on(async {
        let (protocol, trace) = Traced::new(ignore);
        let process = spawn_process(sh("wc -c | tr -d ' '"), protocol).unwrap();
        let transport = process.transport();
        for _ in 0..40 {
            transport.write(&[0; 100_000]);
        }
        transport.close_stdin();
        process.ended().await.unwrap();
        assert!(trace.borrow().contains(&"1: 4000000".to_owned()), "{trace:?}");
    });
}

/// A process that writes for ever, and a protocol that does not want it: the process waits, and nothing piles up here.
#[test]
fn output_without_end_that_is_paused() {
    block_on(async {
        let taken = Rc::new(Cell::new(0));
        let (protocol, _trace) = {
            let taken = taken.clone();
            Traced::new(move |transport: &ProcessTransport, data: &[u8]| {
                taken.set(taken.get() + data.len());
                transport.pause_producing();
            })
        };
        let process = spawn_process(Command::new("yes"), protocol).unwrap();
        let mut before = 0;
        for _ in 0..5 {
            while taken.get() == before {
                yield_now().await;
            }
            // One piece for each time that it was resumed.
            let now = taken.get();
            assert!(now - before <= 64 * 1024, "{}", now - before);
            for _ in 0..100 {
                yield_now().await;
            }
            assert_eq!(taken.get(), now);
            before = now;
            process.transport().resume_producing();
        }
        // Without anybody who reads, its next write ends it.
        process.transport().lose_connection();
        assert_eq!(process.ended().await.unwrap().signal(), Some(13));
    });
}

#[test]
fn process_that_never_reads() {
    block_on(async {
        let (protocol, trace) = Traced::new(ignore);
        let process = spawn_process(sh("exec sleep 1000"), protocol).unwrap();
        let transport = process.transport();
        let stdin = transport.child_fd(0).unwrap();
        stdin.set_write_limits(WriteLimits { cap: Some(1 << 20), ..WriteLimits::default() });
        for _ in 0..100 {
            transport.write(&[0; 65_536]);
            assert!(transport.unsent() <= 1 << 21);
            yield_now().await;
        }
        // What it got must not pass for everything.
        assert_eq!(process.ended().await.unwrap().signal(), Some(9));
        assert!(trace.borrow().iter().any(|noted| noted.starts_with("0 lost: the peer does not read")), "{trace:?}");
    });
}

#[test]
fn producer_at_the_pace_of_standard_input() {
    /// Writes pieces when it is told to, and so many.
    struct Pieces {
        transport: ProcessTransport,
        left: Cell<u32>,
        stopped: Rc<Cell<bool>>,
    }
    impl Producer for Pieces {
        fn resume_producing(&self) {
            let left = self.left.get();
            if left == 0 {
                self.transport.unregister_producer();
                self.transport.close_stdin();
                return;
            }
            self.left.set(left - 1);
            self.transport.write(&[b'x'; 10_000]);
            assert!(self.transport.unsent() <= 10_000, "one piece at a time");
        }
        fn stop_producing(&self) {
            self.stopped.set(true);
        }
    }
    block_on(async {
        let (protocol, trace) = Traced::new(ignore);
        let process = spawn_process(sh("wc -c | tr -d ' '"), protocol).unwrap();
        let transport = process.transport();
        let stopped = Rc::new(Cell::new(false));
        let pieces = || Pieces { transport: transport.clone(), left: Cell::new(100), stopped: stopped.clone() };
        transport.register_producer(pieces(), false).unwrap();
        assert!(transport.register_producer(pieces(), false).is_err());
        process.ended().await.unwrap();
        assert!(trace.borrow().contains(&"1: 1000000".to_owned()), "{trace:?}");
        assert!(!stopped.get());
        transport.register_producer(pieces(), true).unwrap();
        assert!(stopped.get(), "there is nobody to produce for");
    });
}

#[test]
fn method_that_panics() {
    let (end, lost) = unhandled::capture(|| {
        block_on(async {
            let (protocol, trace) = Traced::new(|_: &ProcessTransport, _: &[u8]| panic!("out of ink"));
            let mut command = Command::new("yes");
            command.kill_on_drop(true);
            let process = spawn_process(command, protocol).unwrap();
            let end = process.ended().await.unwrap();
            let trace = trace.borrow();
            assert_eq!(trace.len(), 3, "{trace:?}");
            assert_eq!(trace[2], "ended: the protocol of the process panicked: panicked: out of ink");
            assert_eq!(process.transport().pid(), None);
            end
        })
    });
    assert!(matches!(end, ProcessEnd::Panicked(_)));
    assert_eq!(lost.len(), 1);
    assert!(lost[0].place().file().ends_with("process_protocol.rs"));
}

#[test]
fn method_that_panics_after_the_pipes() {
    struct Late;
    impl ProcessProtocol for Late {
        fn process_exited(&mut self, _: &ProcessTransport, _: &ProcessEnd) {
            panic!("too late");
        }
    }
    let (end, lost) =
        unhandled::capture(|| block_on(async { spawn_process(sh("exit 0"), Late).unwrap().ended().await.unwrap() }));
    assert!(end.is_clean(), "it had exited before");
    assert_eq!(lost.len(), 1);
}

#[test]
fn runtime_ends() {
    let (protocol, trace) = Traced::new(ignore);
    let runtime = rt_runtime::runtime::Builder::new_current_thread().build().unwrap();
    let mut command = Command::new("cat");
    command.kill_on_drop(true);
    let process = runtime.block_on(async { spawn_process(command, protocol).unwrap() });
    let pid = process.transport().pid().unwrap();
    drop(runtime);
    assert_eq!(trace.borrow().len(), 5, "{trace:?}");
    assert_eq!(trace.borrow()[4], "ended: the runtime ended before the process");
    assert_eq!(process.with(|_, _| ()), Err(HandleError::Lost));
    rt_runtime::process::__wait_until_reaped(pid);
}

#[test]
fn handle_that_is_dropped() {
    block_on(async {
        let (protocol, trace) = Traced::new(|transport: &ProcessTransport, _: &[u8]| transport.close_stdin());
        let transport = {
            let process: ProcessHandle<_> = spawn_process(Command::new("cat"), protocol).unwrap();
            process.transport()
        };
        transport.write(b"still here");
        transport.ended().await.unwrap();
        assert!(trace.borrow().contains(&"1: still here".to_owned()));
    });
}

#[test]
fn called_from_outside_and_from_within() {
    block_on(async {
        let inside: Rc<RefCell<Option<Within>>> = Rc::default();
        let (protocol, trace) = Traced::new({
            let inside = inside.clone();
            move |transport: &ProcessTransport, _: &[u8]| {
                assert_eq!(inside.borrow().as_ref().expect("it is set")(), HandleError::Busy);
                transport.close_stdin();
            }
        });
        let process = spawn_process(Command::new("cat"), protocol).unwrap();
        let same = process.clone();
        *inside.borrow_mut() = Some(Box::new(move || same.with(|_, _| ()).unwrap_err()));
        process.with(|_, transport| transport.write(b"hello")).unwrap();
        assert!(process.ended().await.unwrap().is_clean());
        assert!(trace.borrow().contains(&"1: hello".to_owned()));
        // The cycle that this test made.
        inside.take();
    });
}

#[test]
fn program_that_does_not_exist() {
    block_on(async {
        let (protocol, trace) = Traced::new(ignore);
        let error = spawn_process(Command::new("/no/such/program"), protocol).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("/no/such/program"), "{error}");
        assert!(trace.borrow().is_empty());
    });
}

#[test]
fn streams_without_pipes_are_what_the_command_says() {
    block_on(async {
        let (protocol, trace) = Traced::new(ignore);
        let mut command = sh("cat; echo to nobody >&2");
        command.stdin(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        let process = spawn_process_with_fds(command, [(1, ChildFd::Read)], protocol).unwrap();
        assert!(process.transport().child_fd(0).is_none());
        process.transport().write(b"ignored");
        process.ended().await.unwrap();
        assert_eq!(sorted(&trace)[..2], ["made", "1 closed"]);
        assert_eq!(trace.borrow().len(), 4);
    });
}

#[test]
fn numbers_that_can_not_be() {
    block_on(async {
        let refused = |numbers: Vec<(i32, ChildFd)>| {
            let (protocol, trace) = Traced::new(ignore);
            let error = spawn_process_with_fds(sh("exit 0"), numbers, protocol).unwrap_err();
            assert!(trace.borrow().is_empty());
            error
        };
        let twice = refused(vec![(1, ChildFd::Read), (1, ChildFd::Read)]);
        assert_eq!(twice.kind(), ErrorKind::InvalidInput);
        assert!(twice.to_string().contains("descriptor 1 of the process is there twice"), "{twice}");
        let negative = refused(vec![(-1, ChildFd::Read)]);
        assert!(negative.to_string().contains("-1 is no descriptor"), "{negative}");
        #[cfg(not(feature = "child-fds"))]
        assert_eq!(refused(vec![(3, ChildFd::Read)]).kind(), ErrorKind::Unsupported);
    });
}

#[cfg(feature = "child-fds")]
#[test]
fn descriptors_beyond_the_standard_ones() {
    block_on(async {
        let (protocol, trace) = Traced::new(|transport: &ProcessTransport, _: &[u8]| transport.close_child_fd(4));
        let fds = [(3, ChildFd::Read), (4, ChildFd::Write), (7, ChildFd::Read)];
        let process = spawn_process_with_fds(sh("cat <&4 >&3; echo end >&7"), fds, protocol).unwrap();
        process.transport().write_to_child(4, b"around");
        process.ended().await.unwrap();
        let expected = [
            "made",
            "3 closed",
            "3: around",
            "4 closed",
            "7 closed",
            "7: end",
            &format!("exited: {CLEAN}"),
            &format!("ended: {CLEAN}"),
        ];
        assert_eq!(sorted(&trace), expected);
    });
}
