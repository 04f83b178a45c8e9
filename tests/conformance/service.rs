//! A program of the corpus `service`: trees of services, and clients that connect again, on a virtual clock.

mod client;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
use std::time::Duration;

use rt::deferred::{Clock, unhandled};
use rt::protocol::ConnectionLost;
use rt::service::{Service, ServiceError, ServiceHandle, Stopped, backoff_policy};
use rt::{Deferred, Failure, Resolver};
use serde_json::{Value as Json, json};

use crate::Replay;
use crate::value::{NULL, Value, failure, kind, list, number, show, text};
use client::{Client, Connection};

/// Runs the ops of a case.
pub(crate) fn run(case: &Json) -> Replay {
    // Unhandled failures are not recorded in this corpus.
    let (replay, _) = unhandled::capture(|| {
        let program = Rc::new(Program::default());
        for op in list(&case["ops"]) {
            program.op(text(&op["op"]), op);
            program.now.set(program.now.get() + 1);
        }
        let (trace, end) = (program.trace.take().into(), program.final_state());
        // What is abandoned from here on is no part of the recordings.
        program.clear();
        Replay { trace, end, has_leak: Rc::strong_count(&program) > 1 }
    });
    replay
}

#[derive(Default)]
struct Program {
    /// The index of the op that runs.
    now: Cell<usize>,
    trace: RefCell<Vec<Json>>,
    clock: Clock,
    deferreds: RefCell<BTreeMap<u64, Deferred<Value>>>,
    resolvers: RefCell<BTreeMap<u64, Resolver<Value>>>,
    services: RefCell<BTreeMap<u64, ServiceHandle<Recorded>>>,
    clients: RefCell<BTreeMap<u64, Client>>,
    /// By client.
    connections: RefCell<BTreeMap<u64, Vec<Rc<dyn Connection>>>>,
    /// How many ops were `stop`.
    stops: Cell<usize>,
    /// The stops within the op that runs, in order: whose, and the how manieth of that service.
    stopping: RefCell<Vec<(Rc<About>, usize)>>,
}

/// A service that notes what is done to it. What it is besides is below it.
struct Recorded {
    program: Weak<Program>,
    about: Rc<About>,
}

struct About {
    id: u64,
    is_multi: bool,
    /// What its stops return.
    stops: Json,
    /// What they have returned so far, by ordinal.
    stopped: RefCell<Vec<Value>>,
}

impl Recorded {
    fn event(&self, what: &str) -> Rc<Program> {
        let program = self.program.upgrade().expect("the program runs");
        program.event(json!([what, self.about.id]));
        program
    }
}

impl Service for Recorded {
    async fn privileged_start_service(&self, _: &ServiceHandle<Self>) -> Result<(), Failure> {
        self.event("privileged_start");
        Ok(())
    }

    async fn start_service(&self, _: &ServiceHandle<Self>) -> Result<(), Failure> {
        self.event("start");
        Ok(())
    }

    async fn stop_service(&self, _: &ServiceHandle<Self>) -> Result<(), Failure> {
        let program = self.event("stop");
        let ordinal = self.about.stopped.borrow().len();
        self.about.stopped.borrow_mut().push(NULL);
        program.stopping.borrow_mut().push((self.about.clone(), ordinal));
        let Some(ret) = self.about.stops.get(ordinal) else { return Ok(()) };
        let value = program.outcome(ret);
        drop(program);
        let value = value.await?;
        self.about.stopped.borrow_mut()[ordinal] = value;
        Ok(())
    }
}

impl Program {
    fn event(&self, what: Json) {
        let Json::Array(mut what) = what else { unreachable!("an event is an array") };
        what.splice(0..0, [json!(self.now.get()), json!(ms(self.clock.now()))]);
        self.trace.borrow_mut().push(Json::Array(what));
    }

    fn op(self: &Rc<Self>, name: &str, op: &Json) {
        let id = || number(&op["id"]);
        match name {
            "advance" => self.clock.advance(duration(&op["ms"])),
            "new" => {
                let (deferred, resolver) = Deferred::new();
                self.deferreds.borrow_mut().insert(number(&op["d"]), deferred);
                self.resolvers.borrow_mut().insert(number(&op["d"]), resolver);
            }
            "fire" => {
                let fired = self.resolver(op).callback(Value::of(&op["v"]));
                self.guarded(name, number(&op["d"]), fired.map_err(Failure::from));
            }
            "fail" => {
                let fired = self.resolver(op).errback(failure(op));
                self.guarded(name, number(&op["d"]), fired.map_err(Failure::from));
            }
            "service" => self.add(op, false, &op["stops"]),
            "multi" => self.add(op, true, &Json::Null),
            "client" => {
                self.add(op, false, &Json::Null);
                self.add_client(op);
            }
            "set_name" => self.tree_guarded(name, id(), self.service(&op["id"]).set_name(op["name"].as_str())),
            "set_parent" => {
                let set = self.service(&op["id"]).set_service_parent(&self.service(&op["parent"]));
                self.tree_guarded(name, id(), set);
            }
            "disown" => {
                let stopped = self.stopping(|| self.service(&op["id"]).disown_service_parent());
                self.watch(stopped, vec![json!("disowned"), json!(id())]);
            }
            "privileged_start" => drop(self.service(&op["id"]).privileged_start_service()),
            "start" => drop(self.service(&op["id"]).start_service()),
            "stop" => {
                let ordinal = self.stops.replace(self.stops.get() + 1);
                let stopped = self.stopping(|| self.service(&op["id"]).stop_service());
                self.watch(stopped, vec![json!("stopped"), json!(id()), json!(ordinal)]);
            }
            "get_named" => match self.service(&op["id"]).service_named(text(&op["name"])) {
                Some(child) => self.event(json!(["named", id(), id_of(&child)])),
                None => self.event(json!(["misuse", "KeyError", name, id()])),
            },
            "children" => {
                let children: Vec<u64> = self.service(&op["id"]).services().iter().map(id_of).collect();
                self.event(json!(["children", id(), children]));
            }
            "running" => self.event(json!(["running", id(), self.service(&op["id"]).is_running()])),
            "when_connected" => self.when_connected(op),
            "drop" => self.lose_connections(op),
            "backoff" => {
                let policy = policy(op);
                let delays = list(&op["attempts"]).iter().map(|attempt| policy(attempt_number(attempt)));
                self.event(json!(["delays", delays.map(ms).collect::<Vec<_>>()]));
            }
            other => panic!("an op that the schema does not have: {other}"),
        }
    }

    fn add(self: &Rc<Self>, op: &Json, is_multi: bool, stops: &Json) {
        let about = About { id: number(&op["id"]), is_multi, stops: stops.clone(), stopped: RefCell::default() };
        let id = about.id;
        let service = ServiceHandle::new(Recorded { program: Rc::downgrade(self), about: Rc::new(about) });
        service.set_name(op["name"].as_str()).expect("it has no parent");
        self.services.borrow_mut().insert(id, service);
    }

    /// What a return of the script comes to.
    fn outcome(&self, ret: &Json) -> Deferred<Value> {
        match text(&ret["r"]) {
            "const" | "succeed" => Deferred::succeed(Value::of(&ret["v"])),
            "raise" | "fail" => Deferred::fail(failure(ret)),
            "deferred" => {
                let deferred = self.deferreds.borrow_mut().remove(&number(&ret["d"]));
                deferred.expect("each is returned by one entry")
            }
            other => panic!("a return that the schema does not have: {other}"),
        }
    }

    /// Stops something, and tells with what it stopped in the words of the recordings.
    fn stopping(&self, stop: impl FnOnce() -> Deferred<Stopped>) -> Deferred<Value> {
        self.stopping.borrow_mut().clear();
        let stopped = stop();
        let involved = self.stopping.take();
        stopped.add_callback(move |stopped| match involved.is_empty() {
            true => Ok(NULL),
            false => Ok::<_, Failure>(shown(&stopped, &mut involved.iter())),
        })
    }

    /// Notes an outcome under these words.
    fn watch(self: &Rc<Self>, deferred: Deferred<Value>, mut words: Vec<Json>) {
        let program = Rc::clone(self);
        drop(deferred.add_both(move |outcome: Result<Value, Failure>| {
            words.push(show(&outcome));
            program.event(Json::Array(words));
        }));
    }

    fn guarded(&self, what: &str, which: u64, result: Result<(), Failure>) {
        if let Err(error) = result {
            self.event(json!(["misuse", kind(&error), what, which]));
        }
    }

    fn tree_guarded(&self, what: &str, which: u64, result: Result<(), ServiceError>) {
        if result.is_err() {
            self.event(json!(["misuse", "RuntimeError", what, which]));
        }
    }

    fn service(&self, id: &Json) -> ServiceHandle<Recorded> {
        self.services.borrow()[&number(id)].clone()
    }

    fn resolver(&self, op: &Json) -> Resolver<Value> {
        self.resolvers.borrow()[&number(&op["d"])].clone()
    }

    fn final_state(&self) -> Json {
        let services = self.services.borrow();
        let running: serde_json::Map<String, Json> =
            services.iter().map(|(id, service)| (id.to_string(), service.is_running().into())).collect();
        json!({ "time": ms(self.clock.now()), "pending": self.clock.delayed_calls().len(), "running": running })
    }

    /// Drops every handle, and what the clock still holds.
    fn clear(&self) {
        let resolvers = self.resolvers.take();
        resolvers.into_values().for_each(Resolver::detach);
        let services = self.services.take();
        for service in services.values() {
            drop((service.disown_service_parent(), service.stop_service()));
        }
        let connections: Vec<_> = self.connections.take().into_values().flatten().collect();
        connections.iter().filter(|connection| connection.is_alive()).for_each(|it| it.lose(ConnectionLost::Done));
        drop((services, self.deferreds.take(), self.clients.take(), self.stopping.take()));
        for call in self.clock.delayed_calls() {
            call.cancel().expect("it is waiting");
        }
    }
}

/// The result of a stop: what a leaf returned, and a list of pairs for the others.
fn shown<'a>(stopped: &Stopped, involved: &mut impl Iterator<Item = &'a (Rc<About>, usize)>) -> Value {
    let (about, ordinal) = involved.next().expect("it was stopped");
    if !about.is_multi {
        return about.stopped.borrow()[*ordinal].clone();
    }
    let services = stopped.services().iter().map(|service| match service {
        Ok(below) => Value::Array(vec![plain(true), shown(below, involved)]),
        Err(failure) => {
            // A multi does not fail, so this one has nothing below it.
            involved.next();
            Value::Array(vec![plain(false), Value::Failure(failure.clone())])
        }
    });
    Value::Array(services.collect())
}

fn plain(yes: bool) -> Value {
    Value::of(&json!(yes))
}

fn id_of(service: &ServiceHandle) -> u64 {
    service.downcast_ref::<Recorded>().expect("all of a program are").about.id
}

/// The policy that a node describes, in whole milliseconds.
fn policy(node: &Json) -> impl Fn(u32) -> Duration + use<> {
    let factor = node["factor"].as_f64().expect("a factor");
    let policy = backoff_policy(duration(&node["initial"]), duration(&node["max"]), factor, || Duration::ZERO);
    move |attempt| Duration::from_millis(ms(policy(attempt)))
}

fn attempt_number(json: &Json) -> u32 {
    u32::try_from(number(json)).expect("the number of an attempt")
}

fn duration(ms: &Json) -> Duration {
    Duration::from_millis(number(ms))
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).expect("milliseconds of a program")
}
