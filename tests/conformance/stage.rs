//! What the programs of several corpora stand on: a virtual clock, Deferreds that the script fires, and what was seen.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::Deref;
use std::rc::Rc;
use std::time::Duration;

use rt::deferred::{Clock, Outcome, unhandled};
use rt::{Deferred, Failure, Resolver};
use serde_json::{Value as Json, json};

use crate::Replay;
use crate::value::{Value, failure, kind, list, number, show, text};

/// A program of a corpus, on its stage.
pub(crate) trait Program: Deref<Target = Rc<Stage>> + Default {
    fn op(self: &Rc<Self>, name: &str, op: &Json);

    fn final_state(&self) -> Json;

    /// Drops every handle.
    fn clear(&self);
}

/// Runs the ops of a case.
pub(crate) fn run<P: Program>(case: &Json) -> Replay {
    // Unhandled failures are not recorded in these corpora.
    let (replay, _) = unhandled::capture(|| {
        let program = Rc::new(P::default());
        let stage: Rc<Stage> = Rc::clone(&**program);
        for op in list(&case["ops"]) {
            program.op(text(&op["op"]), op);
            stage.now.set(stage.now.get() + 1);
        }
        let (trace, end) = (stage.trace.take().into(), program.final_state());
        // What is abandoned from here on is no part of the recordings.
        stage.resolvers.take().into_values().for_each(Resolver::detach);
        program.clear();
        stage.clear();
        // Two are held here: the stage's own, and the program's.
        Replay { trace, end, has_leak: Rc::strong_count(&program) > 1 || Rc::strong_count(&stage) > 2 }
    });
    replay
}

#[derive(Default)]
pub(crate) struct Stage {
    /// The index of the op that runs.
    now: Cell<usize>,
    trace: RefCell<Vec<Json>>,
    pub(crate) clock: Clock,
    deferreds: RefCell<BTreeMap<u64, Deferred<Value>>>,
    resolvers: RefCell<BTreeMap<u64, Resolver<Value>>>,
}

impl Stage {
    /// The ops that all of these corpora have; whether this is one.
    pub(crate) fn op(&self, name: &str, op: &Json) -> bool {
        match name {
            "advance" => self.clock.advance(duration(&op["ms"])),
            "new" => {
                let (deferred, resolver) = Deferred::new();
                self.deferreds.borrow_mut().insert(number(&op["d"]), deferred);
                self.resolvers.borrow_mut().insert(number(&op["d"]), resolver);
            }
            "fire" => {
                let fired = self.resolver(op).callback(Value::of(&op["v"]));
                self.guarded(name, number(&op["d"]), fired);
            }
            "fail" => {
                let fired = self.resolver(op).errback(failure(op));
                self.guarded(name, number(&op["d"]), fired);
            }
            _ => return false,
        }
        true
    }

    pub(crate) fn event(&self, what: Json) {
        let Json::Array(mut what) = what else { unreachable!("an event is an array") };
        what.splice(0..0, [json!(self.now.get()), json!(ms(self.clock.now()))]);
        self.trace.borrow_mut().push(Json::Array(what));
    }

    /// Notes an outcome under these words.
    pub(crate) fn watch(self: &Rc<Self>, deferred: Deferred<Value>, mut words: Vec<Json>) {
        let stage = Rc::clone(self);
        drop(deferred.add_both(move |outcome: Result<Value, Failure>| {
            words.push(show(&outcome));
            stage.event(Json::Array(words));
        }));
    }

    pub(crate) fn guarded<E: Into<Failure>>(&self, what: &str, which: u64, result: Result<(), E>) {
        if let Err(error) = result {
            self.event(json!(["misuse", kind(&error.into()), what, which]));
        }
    }

    /// What a return of the script comes to.
    pub(crate) fn outcome(&self, ret: &Json) -> Outcome<Value> {
        match text(&ret["r"]) {
            "const" => Outcome::Value(Value::of(&ret["v"])),
            "raise" => Outcome::Failure(failure(ret)),
            "deferred" => {
                let deferred = self.deferreds.borrow_mut().remove(&number(&ret["d"]));
                Outcome::Deferred(deferred.expect("each is returned by one entry"))
            }
            "succeed" => Outcome::Deferred(Deferred::succeed(Value::of(&ret["v"]))),
            "fail" => Outcome::Deferred(Deferred::fail(failure(ret))),
            other => panic!("a return that the schema does not have: {other}"),
        }
    }

    /// The same where only the end of it matters.
    pub(crate) fn unit(&self, ret: &Json) -> Outcome<()> {
        match self.outcome(ret) {
            Outcome::Value(_) => Outcome::Value(()),
            Outcome::Failure(failure) => Outcome::Failure(failure),
            Outcome::Deferred(deferred) => Outcome::Deferred(deferred.add_callback(drop)),
        }
    }

    fn resolver(&self, op: &Json) -> Resolver<Value> {
        self.resolvers.borrow()[&number(&op["d"])].clone()
    }

    /// Drops the Deferreds that nobody took, and what the clock still holds.
    fn clear(&self) {
        drop(self.deferreds.take());
        for call in self.clock.delayed_calls() {
            call.cancel().expect("it is waiting");
        }
    }
}

pub(crate) fn duration(ms: &Json) -> Duration {
    Duration::from_millis(number(ms))
}

pub(crate) fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).expect("milliseconds of a program")
}
