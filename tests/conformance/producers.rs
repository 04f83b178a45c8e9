//! A program of the corpus `producers`: a connection's write buffer with its producer, and pull producers behind an adapter.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::panic::resume_unwind;
use std::rc::{Rc, Weak};
use std::task::Poll;
use std::time::Duration;

use rt::deferred::{Clock, Cooperator, SchedulerError, unhandled};
use rt::protocol::connection::{Connection, Outside};
use rt::protocol::{AlreadyRegistered, ConnectionLost, Consumer, Producer, PullToPush, WriteLimits};
use serde_json::{Value as Json, json};

use crate::Replay;
use crate::value::{list, number, text};

/// Runs the ops of a case.
pub(crate) fn run(case: &Json) -> Replay {
    // What a producer raises is reported; that is not recorded.
    let (replay, _) = unhandled::capture(|| {
        let program = Program::new(&case["setup"]);
        for op in list(&case["ops"]) {
            program.op(text(&op["op"]), op);
            program.now.set(program.now.get() + 1);
        }
        let (trace, end) = (program.trace.take().into(), program.final_state());
        program.adapter.take();
        program.producers.take();
        // The connection holds its producer, which holds the program.
        program.connection.stop_producer(&Nobody);
        Replay { trace, end, has_leak: Rc::strong_count(&program) > 1 }
    });
    replay
}

struct Program {
    now: Cell<usize>,
    trace: RefCell<Vec<Json>>,
    connection: Connection,
    /// `None` where pull producers go behind an adapter.
    send_limit: Option<usize>,
    clock: Clock,
    cooperator: Cooperator,
    adapter: RefCell<Option<PullToPush>>,
    producers: RefCell<BTreeMap<u64, Rc<Scripted>>>,
    /// Which one was registered last.
    registered: Cell<Option<u64>>,
}

/// A producer that acts by its script.
struct Scripted {
    id: u64,
    script: Json,
    calls: RefCell<BTreeMap<&'static str, usize>>,
    program: Weak<Program>,
}

/// After the end of a program nobody takes notice.
struct Nobody;

impl Program {
    fn new(setup: &Json) -> Rc<Self> {
        let high = setup["buffer_size"].as_u64().unwrap_or_default() as usize;
        let clock = Clock::new();
        let cooperator = Cooperator::new().clock(&clock).delay(Duration::from_millis(1)).terminate(|| || true);
        Rc::new(Self {
            now: Cell::default(),
            trace: RefCell::default(),
            connection: Connection::new(WriteLimits { low: 0, high, cap: None }),
            send_limit: setup["send_limit"].as_u64().map(|limit| limit as usize),
            clock,
            cooperator,
            adapter: RefCell::default(),
            producers: RefCell::default(),
            registered: Cell::new(None),
        })
    }

    fn event(&self, what: Json) {
        let Json::Array(mut what) = what else { unreachable!("an event is an array") };
        what.insert(0, json!(self.now.get()));
        self.trace.borrow_mut().push(Json::Array(what));
    }

    /// An op, or an action: most exist as both.
    fn op(self: &Rc<Self>, name: &str, op: &Json) {
        let connection = &self.connection;
        match name {
            "producer" => {
                let producer = Scripted {
                    id: number(&op["id"]),
                    script: op.clone(),
                    calls: RefCell::default(),
                    program: Rc::downgrade(self),
                };
                self.producers.borrow_mut().insert(producer.id, Rc::new(producer));
            }
            "register" => self.register(op),
            "unregister" => self.unregister(),
            "write" | "produce" if self.send_limit.is_none() => self.event(json!(["wrote", op["hex"]])),
            "write" | "produce" => connection.write(&bytes(&op["hex"]), &**self),
            "write_seq" => {
                let parts: Vec<_> = list(&op["hex"]).iter().map(bytes).collect();
                connection.write_sequence(&parts.iter().map(Vec::as_slice).collect::<Vec<_>>(), &**self);
            }
            "writable" => self.writable(op["window"].as_u64()),
            "lose" | "stop_reading" => connection.lose(&**self),
            "half_close" => connection.lose_write(&**self),
            "stop_consuming" => connection.stop_consuming(&**self),
            "lost" => connection.lost(broken(), &**self),
            "pause_reading" => connection.pause_reading(&**self),
            "resume_reading" => connection.resume_reading(&**self),
            "tick" => self.clock.pump((0..number(&op["n"])).map(|_| Duration::from_millis(1))),
            "pause" => self.guarded(name, self.adapter().pause_producing()),
            "resume" => self.guarded(name, self.adapter().resume_producing()),
            "stop" => self.adapter().stop_producing(),
            "raise" => resume_unwind(Box::new("raised")),
            other => panic!("an op that the schema does not have: {other}"),
        }
    }

    fn register(self: &Rc<Self>, op: &Json) {
        let id = number(&op["id"]);
        let producer = self.producers.borrow()[&id].clone();
        if self.send_limit.is_some() {
            let before = self.registered.replace(Some(id));
            if self.connection.register_producer(producer, op["streaming"] == true).is_err() {
                self.registered.set(before);
                self.event(json!(["misuse", "RuntimeError", "register"]));
            }
            return;
        }
        let adapter = PullToPush::new(producer, Behind(Rc::downgrade(self)));
        adapter.start_streaming_on(&self.cooperator);
        *self.adapter.borrow_mut() = Some(adapter);
    }

    fn unregister(&self) {
        if self.send_limit.is_some() {
            return self.connection.unregister_producer(self);
        }
        self.event(json!(["unregistered"]));
        let adapter = self.adapter.take();
        if let Some(adapter) = adapter {
            adapter.stop_streaming();
        }
    }

    fn adapter(&self) -> PullToPush {
        self.adapter.borrow().clone().expect("a producer is registered")
    }

    fn writable(&self, window: Option<u64>) {
        if !self.connection.is_writing() {
            return self.event(json!(["idle"]));
        }
        let limit = self.send_limit.expect("it is a connection");
        let pass = self.connection.write_pass_within(limit, self, |bytes| {
            Poll::Ready(match window {
                None => Err(io::ErrorKind::BrokenPipe.into()),
                Some(window) => {
                    let taken = bytes.len().min(window as usize);
                    self.event(json!(["wrote", hex(&bytes[..taken])]));
                    Ok(taken)
                }
            })
        });
        assert!(pass.is_ready(), "the outside never says that it takes nothing");
    }

    fn guarded(&self, name: &str, result: Result<(), SchedulerError>) {
        if let Err(error) = result {
            self.event(json!(["misuse", format!("{error:?}"), name]));
        }
    }

    fn final_state(&self) -> Json {
        if self.send_limit.is_none() {
            return json!({ "pending": self.clock.delayed_calls().len() });
        }
        let connection = &self.connection;
        json!({
            "connected": connection.is_connected(),
            "disconnecting": connection.is_disconnecting(),
            "unsent": connection.unsent(),
            "producer": connection.producer().and(self.registered.get()),
            "producer_paused": connection.is_producer_paused(),
            "reading": connection.is_reading(),
            "writing": connection.is_writing(),
        })
    }
}

impl Outside for Program {
    fn reading(&self, wanted: bool) {
        self.event(json!(["reading", wanted]));
    }

    fn writing(&self, wanted: bool) {
        self.event(json!(["writing", wanted]));
    }

    fn write_closed(&self) {
        self.event(json!(["write_closed"]));
    }

    fn lost(&self, reason: ConnectionLost) {
        self.event(json!(["lost", if reason.is_clean() { "done" } else { "lost" }]));
    }
}

impl Outside for Nobody {
    fn reading(&self, _: bool) {}
    fn writing(&self, _: bool) {}
    fn write_closed(&self) {}
    fn lost(&self, _: ConnectionLost) {}
}

/// The consumer of an adapter, which does not own the program that owns it.
struct Behind(Weak<Program>);

impl Consumer for Behind {
    fn write(&self, _: &[u8]) {
        unreachable!("producers write to the program");
    }

    fn register_producer(&self, _: Rc<dyn Producer>, _: bool) -> Result<(), AlreadyRegistered> {
        Ok(())
    }

    fn unregister_producer(&self) {
        if let Some(program) = self.0.upgrade() {
            program.unregister();
        }
    }
}

impl Scripted {
    fn call(&self, what: &'static str) {
        let Some(program) = self.program.upgrade() else { return };
        let number = {
            let mut calls = self.calls.borrow_mut();
            let calls = calls.entry(what).or_default();
            *calls += 1;
            *calls - 1
        };
        program.event(json!([what, self.id]));
        let script = list(&self.script[format!("on_{what}")]);
        let actions = match (script.get(number), what) {
            (Some(actions), _) => list(actions),
            (None, "resume") => list(&self.script["then"]),
            (None, _) => &[],
        };
        for action in actions {
            program.op(text(&action["a"]), action);
        }
    }
}

impl Producer for Scripted {
    fn resume_producing(&self) {
        self.call("resume");
    }

    fn pause_producing(&self) {
        self.call("pause");
    }

    fn stop_producing(&self) {
        self.call("stop");
    }
}

fn broken() -> ConnectionLost {
    io::Error::from(io::ErrorKind::BrokenPipe).into()
}

fn bytes(hex: &Json) -> Vec<u8> {
    let digits = text(hex).as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).expect("hex"), 16).expect("hex")).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
