//! A program of the corpus `service`: trees of services, and clients that connect again, on a virtual clock.

mod client;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::Deref;
use std::rc::{Rc, Weak};
use std::time::Duration;

use rt::deferred::Outcome;
use rt::protocol::ConnectionLost;
use rt::service::{Service, ServiceError, ServiceHandle, Stopped, backoff_policy};
use rt::{Deferred, Failure};
use serde_json::{Value as Json, json};

use crate::stage::{self, Stage, duration, ms};
use crate::value::{NULL, Value, list, number, text};
use client::{Client, Connection};

#[derive(Default)]
pub(crate) struct Program {
    stage: Rc<Stage>,
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
        let outcome = program.outcome(ret);
        drop(program);
        let value = match outcome {
            Outcome::Value(value) => value,
            Outcome::Failure(failure) => return Err(failure),
            Outcome::Deferred(deferred) => deferred.await?,
        };
        self.about.stopped.borrow_mut()[ordinal] = value;
        Ok(())
    }
}

impl Deref for Program {
    type Target = Rc<Stage>;

    fn deref(&self) -> &Rc<Stage> {
        &self.stage
    }
}

impl stage::Program for Program {
    fn op(self: &Rc<Self>, name: &str, op: &Json) {
        let id = || number(&op["id"]);
        match name {
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
            other => assert!(self.stage.op(other, op), "an op that the schema does not have: {other}"),
        }
    }

    fn final_state(&self) -> Json {
        let services = self.services.borrow();
        let running: serde_json::Map<String, Json> =
            services.iter().map(|(id, service)| (id.to_string(), service.is_running().into())).collect();
        json!({ "time": ms(self.clock.now()), "pending": self.clock.delayed_calls().len(), "running": running })
    }

    fn clear(&self) {
        let services = self.services.take();
        for service in services.values() {
            drop((service.disown_service_parent(), service.stop_service()));
        }
        let connections: Vec<_> = self.connections.take().into_values().flatten().collect();
        connections.iter().filter(|connection| connection.is_alive()).for_each(|it| it.lose(ConnectionLost::Done));
        drop((services, self.clients.take(), self.stopping.take()));
    }
}

impl Program {
    fn add(self: &Rc<Self>, op: &Json, is_multi: bool, stops: &Json) {
        let about = About { id: number(&op["id"]), is_multi, stops: stops.clone(), stopped: RefCell::default() };
        let id = about.id;
        let service = ServiceHandle::new(Recorded { program: Rc::downgrade(self), about: Rc::new(about) });
        service.set_name(op["name"].as_str()).expect("it has no parent");
        self.services.borrow_mut().insert(id, service);
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

    fn tree_guarded(&self, what: &str, which: u64, result: Result<(), ServiceError>) {
        if result.is_err() {
            self.event(json!(["misuse", "RuntimeError", what, which]));
        }
    }

    fn service(&self, id: &Json) -> ServiceHandle<Recorded> {
        self.services.borrow()[&number(id)].clone()
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
