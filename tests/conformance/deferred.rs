//! A program of the corpus `deferred`: its handles, ops, behaviours and actions.

mod coroutine;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::panic::catch_unwind;
use std::rc::Rc;
use std::time::Duration;

use rt::deferred::{
    Clock, Control, DeferredList, DeferredLock, DeferredQueue, DeferredSemaphore, ListResult, Outcome, State,
    ensure_deferred, maybe_deferred, race, unhandled,
};
use rt::{Deferred, Resolver};
use serde_json::{Map, Value as Json, json};

use crate::Replay;
use crate::value::{NULL, Result, Value, canonical, failure, kind, list, number, show, show_failure, text};

/// Runs the ops of a case.
pub(crate) fn run(case: &Json) -> Replay {
    let ops = list(&case["ops"]);
    let ((trace, end, left, enders), lost) = unhandled::capture(|| {
        let program = Rc::new(Program::default());
        for op in ops {
            program.op(op);
            program.now.set(program.now.get() + 1);
        }
        let end = program.final_state();
        program.clear();
        (program.trace.take(), end, Rc::downgrade(&program), program.enders.take())
    });
    let has_leak = left.strong_count() > 0;
    if has_leak {
        // Two that are chained to each other own each other, until somebody ends one: after the recording, and silently.
        unhandled::capture(|| enders.iter().for_each(Control::cancel));
    }
    let mut lost: Vec<Json> = lost.iter().map(|unhandled| show_failure(&unhandled.failure)).collect();
    lost.sort_by_key(canonical);
    let lost = lost.into_iter().map(|failure| json!([ops.len(), "unhandled", failure]));
    Replay { trace: trace.into_iter().chain(lost).collect(), end, has_leak }
}

#[derive(Default)]
pub(crate) struct Program {
    /// The index of the op that runs.
    now: Cell<usize>,
    trace: RefCell<Vec<Json>>,
    deferreds: RefCell<BTreeMap<u64, Deferred<Value>>>,
    controls: RefCell<BTreeMap<u64, Control>>,
    /// Controls through which nothing is paused, so that they keep nothing alive.
    enders: RefCell<Vec<Control>>,
    /// Nothing that still runs is part of the program.
    is_over: Cell<bool>,
    resolvers: RefCell<BTreeMap<u64, Resolver<Value>>>,
    pauses: RefCell<BTreeMap<u64, u64>>,
    locks: RefCell<BTreeMap<u64, DeferredLock>>,
    semaphores: RefCell<BTreeMap<u64, DeferredSemaphore>>,
    queues: RefCell<BTreeMap<u64, DeferredQueue<Value>>>,
    clock: Clock,
    /// All that was captured, used or not, and what was consumed: nobody uses it again, but it is there until the end.
    captures: RefCell<Vec<Rc<Captured>>>,
    consumed: RefCell<Vec<Deferred<()>>>,
}

/// The Deferreds that what an op made has captured.
#[derive(Default)]
pub(crate) struct Captured(RefCell<BTreeMap<u64, Deferred<Value>>>);

impl Captured {
    pub(crate) fn take(&self, index: u64) -> Deferred<Value> {
        self.0.borrow_mut().remove(&index).unwrap_or_else(|| panic!("{index} is captured once"))
    }
}

/// A part of an op with what the op has captured: a behaviour, or a coroutine's script.
#[derive(Clone)]
pub(crate) struct Scope {
    pub(crate) program: Rc<Program>,
    pub(crate) captured: Rc<Captured>,
}

impl Program {
    pub(crate) fn event(&self, event: Json) {
        let Json::Array(mut event) = event else { unreachable!("an event is an array") };
        event.insert(0, json!(self.now.get()));
        self.trace.borrow_mut().push(Json::Array(event));
    }

    fn op(self: &Rc<Self>, op: &Json) {
        let scope = self.capture(op);
        let name = text(&op["op"]);
        let index = op["d"].as_u64();
        let own = || index.expect("the op names a deferred");
        let made = match name {
            "new" => Some(self.new_deferred(own(), op)),
            "succeed" => Some(Deferred::succeed(Value::of(&op["v"]))),
            "fail" => Some(Deferred::fail(failure(op))),
            "tower" => {
                let (mut top, resolver) = Deferred::new();
                self.resolvers.borrow_mut().insert(own(), resolver);
                for _ in 0..number(&op["n"]) {
                    let (next, resolver) = Deferred::<Value>::new();
                    let next = next.add_callback(move |_| top);
                    resolver.callback(NULL).expect("it was made a line ago");
                    top = next;
                }
                Some(top)
            }
            "maybe_deferred" => {
                let call = scope.behaviour(&op["b"]);
                Some(maybe_deferred(move || call(Ok(NULL))))
            }
            "maybe_coroutine" | "ensure_deferred" | "inline_callbacks" => Some(coroutine::start(scope, op)),
            "ensure_passthrough" => Some(ensure_deferred(scope.captured.take(number(&op["of"])))),
            "gather_results" => {
                let members = scope.members(op).consume_errors(op["consume_errors"] == true);
                Some(members.gather().try_callback(|values| Ok(Value::Array(values))))
            }
            "deferred_list" => {
                let members = scope
                    .members(op)
                    .fire_on_one_callback(op["fire_on_one_callback"] == true)
                    .fire_on_one_errback(op["fire_on_one_errback"] == true)
                    .consume_errors(op["consume_errors"] == true);
                Some(members.start().try_callback(|results| Ok(list_value(results))))
            }
            "race" => {
                let members = list(&op["ds"]).iter().map(|d| scope.captured.take(number(d)));
                let pair = |(index, value)| Ok(Value::Array(vec![Value::Plain(json!(index)), value]));
                Some(race(members).try_callback(pair))
            }
            "lock_acquire" => Some(self.acquire_lock(number(&op["lock"]))),
            "sem_acquire" => Some(self.acquire_semaphore(number(&op["sem"]))),
            "lock_run" => {
                let (lock, call) = (self.lock(number(&op["lock"])), scope.behaviour(&op["b"]));
                Some(lock.run(move || call(Ok(NULL))))
            }
            "sem_run" => {
                let (semaphore, call) = (self.semaphore(number(&op["sem"])), scope.behaviour(&op["b"]));
                Some(semaphore.run(move || call(Ok(NULL))))
            }
            "queue_get" => {
                let queue = number(&op["queue"]);
                let got = self.queue(queue).get();
                got.inspect_err(|_| self.event(json!(["misuse", "QueueUnderflow", "queue_get", queue]))).ok()
            }
            _ => {
                self.command(name, op, &scope);
                None
            }
        };
        if let Some(deferred) = made {
            self.controls.borrow_mut().insert(own(), deferred.control());
            self.enders.borrow_mut().push(deferred.control());
            self.deferreds.borrow_mut().insert(own(), deferred);
        }
    }

    /// The ops that make no deferred.
    fn command(self: &Rc<Self>, name: &str, op: &Json, scope: &Scope) {
        let index = || number(&op["d"]);
        match name {
            "callback" => self.fire(index(), Ok(Value::of(&op["v"]))),
            "errback" => self.fire(index(), Err(failure(op))),
            "add_callback" | "add_errback" | "add_both" => self.add(index(), &name[4..], &op["b"], scope),
            "add_callbacks" => {
                let good = scope.behaviour(&op["cb"]);
                let bad = (!op["eb"].is_null()).then(|| scope.behaviour(&op["eb"]));
                self.change(index(), |deferred| match bad {
                    Some(bad) => deferred.add_callbacks(move |v| good(Ok(v)), move |f| bad(Err(f))),
                    None => deferred.add_callback(move |v| good(Ok(v))),
                });
            }
            "add_timeout" => {
                let duration = Duration::from_millis(number(&op["ms"]));
                let late = (!op["on_timeout"].is_null()).then(|| scope.behaviour(&op["on_timeout"]));
                self.change(index(), |deferred| match late {
                    Some(late) => deferred.add_timeout_with(duration, &self.clock, late),
                    None => deferred.add_timeout(duration, &self.clock),
                });
            }
            "chain_deferred" => {
                let to = self.resolver(number(&op["to"]));
                if op["consume"] == true {
                    let rest = scope.captured.take(index()).chain_deferred(to);
                    self.consumed.borrow_mut().push(rest);
                } else {
                    self.change(index(), |deferred| deferred.chain_deferred(to).try_callback(|()| Ok(NULL)));
                }
            }
            "pause" | "unpause" | "cancel" | "lock_release" | "sem_release" | "queue_put" => self.touch(name, op),
            "advance" => self.clock.advance(Duration::from_millis(number(&op["ms"]))),
            "lock_new" => {
                self.locks.borrow_mut().insert(number(&op["lock"]), DeferredLock::new());
            }
            "sem_new" => {
                let name = number(&op["sem"]);
                let tokens = op["n"].as_u64().map_or(0, |n| usize::try_from(n).expect("tokens fit"));
                match quietly(move || DeferredSemaphore::new(tokens)) {
                    Some(semaphore) => drop(self.semaphores.borrow_mut().insert(name, semaphore)),
                    None => self.event(json!(["misuse", "ValueError", "sem_new", name])),
                }
            }
            "queue_new" => {
                let limit = |json: &Json| json.as_u64().map(|n| usize::try_from(n).expect("a limit fits"));
                let queue = DeferredQueue::with_limits(limit(&op["size"]), limit(&op["backlog"]));
                self.queues.borrow_mut().insert(number(&op["queue"]), queue);
            }
            _ => panic!("an op that the schema does not have: {name}"),
        }
    }

    /// What both ops and actions do with a handle that they do not consume.
    fn touch(&self, name: &str, node: &Json) {
        match name {
            "cancel" => self.control(number(&node["d"])).cancel(),
            "pause" => {
                let index = number(&node["d"]);
                *self.pauses.borrow_mut().entry(index).or_default() += 1;
                self.control(index).pause();
            }
            "unpause" => {
                let index = number(&node["d"]);
                let has_pause = self.pauses.borrow_mut().get_mut(&index).filter(|count| **count > 0).map(|n| *n -= 1);
                match has_pause {
                    Some(()) => self.control(index).unpause(),
                    None => self.event(json!(["skip", "unpause", index])),
                }
            }
            "lock_release" => {
                let lock = number(&node["lock"]);
                if self.lock(lock).release().is_err() {
                    self.event(json!(["misuse", "AssertionError", name, lock]));
                }
            }
            "sem_release" => {
                let semaphore = number(&node["sem"]);
                if self.semaphore(semaphore).release().is_err() {
                    self.event(json!(["misuse", "AssertionError", name, semaphore]));
                }
            }
            "queue_put" => {
                let queue = number(&node["queue"]);
                if self.queue(queue).put(Value::of(&node["v"])).is_err() {
                    self.event(json!(["misuse", "QueueOverflow", name, queue]));
                }
            }
            _ => panic!("an action that the schema does not have: {name}"),
        }
    }

    fn new_deferred(self: &Rc<Self>, index: u64, op: &Json) -> Deferred<Value> {
        let canceller = op["canceller"].clone();
        let (deferred, resolver) = if canceller.is_null() {
            Deferred::new()
        } else {
            let scope = Scope { program: self.clone(), captured: Rc::default() };
            Deferred::with_canceller(move |resolver: &Resolver<Value>| {
                if scope.program.is_over.get() {
                    return;
                }
                scope.program.event(json!(["canceller", index]));
                for action in list(&canceller["acts"]) {
                    scope.act(action).expect("the action of a canceller is never strict");
                }
                // It may have been fired meanwhile, by others.
                let _ = match text(&canceller["do"]) {
                    "callback" => resolver.callback(Value::of(&canceller["v"])),
                    "errback" => resolver.errback(failure(&canceller)),
                    _ => Ok(()),
                };
            })
        };
        self.resolvers.borrow_mut().insert(index, resolver);
        deferred
    }

    fn fire(&self, index: u64, result: Result) {
        if self.resolver(index).resolve(result).is_err() {
            self.event(json!(["misuse", "AlreadyCalled", "fire", index]));
        }
    }

    fn add(self: &Rc<Self>, index: u64, how: &str, behaviour: &Json, scope: &Scope) {
        let call = scope.behaviour(behaviour);
        self.change(index, |deferred| match how {
            "callback" => deferred.add_callback(move |value| call(Ok(value))),
            "errback" => deferred.add_errback(move |failure| call(Err(failure))),
            _ => deferred.add_both(call),
        });
    }

    /// Adds to a deferred of the table. What is added runs when the handle is back in the table, so that a callback
    /// finds it there.
    fn change(&self, index: u64, add: impl FnOnce(Deferred<Value>) -> Deferred<Value>) {
        let deferred = self.deferreds.borrow_mut().remove(&index).expect("the program still owns it");
        let control = deferred.control();
        control.pause();
        let deferred = add(deferred);
        self.deferreds.borrow_mut().insert(index, deferred);
        control.unpause();
    }

    /// Moves what an op takes out of the table.
    fn capture(self: &Rc<Self>, op: &Json) -> Scope {
        let captured = Rc::new(Captured::default());
        let mut indices = Vec::new();
        named(op, &mut indices);
        indices.extend(op["ds"].as_array().into_iter().flatten().map(number));
        if op["op"] == "ensure_passthrough" {
            indices.push(number(&op["of"]));
        }
        if op["op"] == "chain_deferred" && op["consume"] == true {
            indices.push(number(&op["d"]));
        }
        for index in indices {
            let deferred = self.deferreds.borrow_mut().remove(&index).expect("no deferred is moved twice");
            captured.0.borrow_mut().insert(index, deferred);
        }
        self.captures.borrow_mut().push(captured.clone());
        Scope { program: self.clone(), captured }
    }

    fn final_state(&self) -> Json {
        let mut end = Map::new();
        for (index, deferred) in self.deferreds.take() {
            let (state, deferred) = match deferred.state() {
                State::Pending => (json!({ "state": "pending" }), deferred),
                State::Chained => (json!({ "state": "blocked", "why": "chained" }), deferred),
                State::Succeeded | State::Failed => {
                    let seen = Rc::new(RefCell::new(Json::Null));
                    let see = seen.clone();
                    let deferred = deferred.add_both(move |outcome: Result| {
                        let state = if outcome.is_ok() { "result" } else { "failure" };
                        *see.borrow_mut() = json!({ "state": state, "outcome": show(&outcome) });
                        outcome
                    });
                    (seen.take(), deferred)
                }
                _ => (json!({ "state": "blocked", "why": "paused" }), deferred),
            };
            end.insert(index.to_string(), state);
            self.deferreds.borrow_mut().insert(index, deferred);
        }
        Json::Object(end)
    }

    /// Gives up all handles. Producers that are left are detached.
    fn clear(&self) {
        let resolvers = self.resolvers.take();
        resolvers.into_values().for_each(Resolver::detach);
        let locks = self.locks.take();
        locks.into_values().for_each(DeferredLock::detach);
        let semaphores = self.semaphores.take();
        semaphores.into_values().for_each(DeferredSemaphore::detach);
        let queues = self.queues.take();
        queues.into_values().for_each(DeferredQueue::detach);
        drop(self.deferreds.take());
        self.captures.take().iter().for_each(|captured| drop(captured.0.take()));
        drop(self.consumed.take());
        drop(self.controls.take());
        self.is_over.set(true);
        for call in self.clock.delayed_calls() {
            call.cancel().expect("it is waiting");
        }
    }

    fn control(&self, index: u64) -> Control {
        self.controls.borrow()[&index].clone()
    }

    fn resolver(&self, index: u64) -> Resolver<Value> {
        self.resolvers.borrow()[&index].clone()
    }

    pub(crate) fn lock(&self, name: u64) -> DeferredLock {
        self.locks.borrow()[&name].clone()
    }

    fn semaphore(&self, name: u64) -> DeferredSemaphore {
        self.semaphores.borrow()[&name].clone()
    }

    pub(crate) fn queue(&self, name: u64) -> DeferredQueue<Value> {
        self.queues.borrow()[&name].clone()
    }

    pub(crate) fn acquire_lock(&self, name: u64) -> Deferred<Value> {
        self.lock(name).acquire().try_callback(move |_| Ok(Value::Plain(json!(format!("@lock{name}")))))
    }

    pub(crate) fn acquire_semaphore(&self, name: u64) -> Deferred<Value> {
        self.semaphore(name).acquire().try_callback(move |_| Ok(Value::Plain(json!(format!("@sem{name}")))))
    }
}

impl Scope {
    /// A behaviour as a callback.
    fn behaviour(&self, behaviour: &Json) -> impl FnOnce(Result) -> Outcome<Value> + 'static {
        let (scope, behaviour) = (self.clone(), behaviour.clone());
        move |input| {
            if scope.program.is_over.get() {
                return Outcome::Value(NULL);
            }
            scope.program.event(json!(["cb", behaviour["label"], show(&input)]));
            for action in list(&behaviour["acts"]) {
                if let Err(failure) = scope.act(action) {
                    return Outcome::Failure(failure);
                }
            }
            scope.outcome(&behaviour["ret"], input)
        }
    }

    fn outcome(self, ret: &Json, input: Result) -> Outcome<Value> {
        let program = &self.program;
        match text(&ret["r"]) {
            "const" => Outcome::Value(Value::of(&ret["v"])),
            "input" | "reraise" => input.into(),
            "wrap" => Outcome::Value(Value::Array(vec![input.unwrap_or_else(Value::Failure)])),
            "raise" | "failure" => Outcome::Failure(failure(ret)),
            "trap" => match input {
                Err(failure) if list(&ret["kinds"]).iter().any(|k| *k == kind(&failure)) => {
                    Outcome::Value(Value::of(&ret["v"]))
                }
                input => input.into(),
            },
            "deferred" => self.captured.take(number(&ret["d"])).into(),
            "succeed" => Deferred::succeed(Value::of(&ret["v"])).into(),
            "fail" => Deferred::fail(failure(ret)).into(),
            "queue_get" => match program.queue(number(&ret["queue"])).get() {
                Ok(deferred) => deferred.into(),
                Err(error) => Outcome::Failure(error.into()),
            },
            "lock_acquire" => program.acquire_lock(number(&ret["lock"])).into(),
            "sem_acquire" => program.acquire_semaphore(number(&ret["sem"])).into(),
            "coroutine" => coroutine::start(self, ret).into(),
            other => panic!("a return that the schema does not have: {other}"),
        }
    }

    /// An action; an error is what it raises.
    pub(crate) fn act(&self, action: &Json) -> Result<()> {
        let program = &self.program;
        match text(&action["a"]) {
            name @ ("fire" | "fail") => {
                let index = number(&action["d"]);
                let result = if name == "fire" { Ok(Value::of(&action["v"])) } else { Err(failure(action)) };
                if action["strict"] == true {
                    program.resolver(index).resolve(result)?;
                } else {
                    program.fire(index, result);
                }
            }
            "add" => {
                let index = number(&action["d"]);
                let is_there = program.deferreds.borrow().contains_key(&index);
                match is_there {
                    true => program.add(index, text(&action["how"]), &action["b"], self),
                    false => program.event(json!(["gone", index])),
                }
            }
            name => program.touch(name, action),
        }
        Ok(())
    }

    fn members(&self, op: &Json) -> DeferredList<Value> {
        DeferredList::new(list(&op["ds"]).iter().map(|d| self.captured.take(number(d))))
    }
}

fn list_value(results: ListResult<Value>) -> Value {
    let plain = |json: Json| Value::Plain(json);
    match results {
        ListResult::First { index, value } => Value::Array(vec![value, plain(json!(index))]),
        ListResult::All(results) => {
            let pair = |result: Result| match result {
                Ok(value) => Value::Array(vec![plain(json!(true)), value]),
                Err(failure) => Value::Array(vec![plain(json!(false)), Value::Failure(failure)]),
            };
            Value::Array(results.into_iter().map(pair).collect())
        }
    }
}

/// The deferreds that behaviours return and coroutines await, anywhere in an op.
fn named(node: &Json, indices: &mut Vec<u64>) {
    match node {
        Json::Object(map) => {
            if map.get("r").is_some_and(|r| r == "deferred") || map.get("s").is_some_and(|s| s == "await") {
                indices.push(number(&map["d"]));
            }
            // A value is data, whatever it looks like.
            map.iter().filter(|(key, _)| *key != "v").for_each(|(_, node)| named(node, indices));
        }
        Json::Array(nodes) => nodes.iter().for_each(|node| named(node, indices)),
        _ => {}
    }
}

/// Calls what may panic, without the panic's text on stderr.
fn quietly<T>(call: impl FnOnce() -> T + std::panic::UnwindSafe) -> Option<T> {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let result = catch_unwind(call).ok();
    std::panic::set_hook(hook);
    result
}
