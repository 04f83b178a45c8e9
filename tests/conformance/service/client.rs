//! The clients of a program: scripted attempts, and connections that the program ends.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use rt::deferred::{DelayedCall, Outcome};
use rt::protocol::{
    Address, ConnectionLost, Factory, HandleError, Protocol, ProtocolHandle, StreamClientEndpoint, Transport,
};
use rt::service::{ClientService, ServiceHandle};
use rt::testing::{Request, StringTransportWithDisconnection};
use rt::{Deferred, Failure};
use serde_json::{Value as Json, json};

use super::{Program, policy};
use crate::stage::{duration, ms};
use crate::value::{Value, failure, list, number, text};

pub(super) type Client = ServiceHandle<ClientService<Scripted, Numbers>>;

impl Program {
    /// Puts a client below the service of the same number.
    pub(super) fn add_client(self: &Rc<Self>, op: &Json) {
        let id = number(&op["id"]);
        let endpoint = Scripted { program: Rc::downgrade(self), op: op.clone(), tried: Cell::new(0) };
        let numbers = Numbers { program: Rc::downgrade(self), client: id, next: 0 };
        let (asked, delay) = (Rc::downgrade(self), delays(&op["policy"]));
        let mut client = ClientService::new(endpoint, numbers).clock(&self.clock).retry_policy(move |attempt| {
            let delay = delay(attempt);
            asked.upgrade().expect("the program runs").event(json!(["retry", id, attempt, ms(delay)]));
            delay
        });
        if let Json::Array(script) = &op["prepare"] {
            let (program, script, prepared) = (Rc::downgrade(self), script.clone(), Cell::new(0));
            client = client.prepare_connection(move |_| {
                let program = program.upgrade().expect("the program runs");
                let ordinal = prepared.replace(prepared.get() + 1);
                program.event(json!(["prepare", id, ordinal]));
                match script.get(ordinal) {
                    Some(ret) => program.unit(ret),
                    None => Outcome::Value(()),
                }
            });
        }
        let client = ServiceHandle::new(client);
        client.set_service_parent(&self.service(&op["id"])).expect("nobody else is there");
        self.clients.borrow_mut().insert(id, client);
    }

    pub(super) fn when_connected(self: &Rc<Self>, op: &Json) {
        let client = self.clients.borrow()[&number(&op["id"])].clone();
        let fail_after = op["fail_after"].as_u64().map(|count| u32::try_from(count).expect("a count of failures"));
        let connected = client.when_connected(fail_after).try_callback(|connection| {
            let number = connection.with(|protocol, _| protocol.number)?;
            Ok(Value::of(&json!(format!("@conn{number}"))))
        });
        self.watch(connected, vec![json!("when"), op["id"].clone(), op["when"].clone()]);
    }

    pub(super) fn lose_connections(&self, op: &Json) {
        let reason = match text(&op["reason"]) {
            "done" => ConnectionLost::Done,
            _ => ConnectionLost::Lost(Failure::new("lost by the outside")),
        };
        let connections = self.connections.borrow().get(&number(&op["id"])).cloned().unwrap_or_default();
        let alive: Vec<_> = connections.into_iter().filter(|connection| connection.is_alive()).collect();
        for connection in alive {
            if connection.is_alive() {
                connection.lose(reason.clone());
            }
        }
    }
}

fn delays(node: &Json) -> Box<dyn Fn(u32) -> std::time::Duration> {
    if text(&node["kind"]) == "backoff" {
        return Box::new(policy(node));
    }
    let delays: Vec<_> = list(&node["ms"]).iter().map(duration).collect();
    Box::new(move |attempt| delays[delays.len().min(attempt as usize) - 1])
}

/// Connects as a list says.
pub(super) struct Scripted {
    program: Weak<Program>,
    op: Json,
    tried: Cell<usize>,
}

impl StreamClientEndpoint for Scripted {
    fn connect<F: Factory>(&self, mut factory: F) -> Deferred<ProtocolHandle<F::Protocol>> {
        let program = self.program.upgrade().expect("the program runs");
        let (id, ordinal) = (number(&self.op["id"]), self.tried.replace(self.tried.get() + 1));
        program.event(json!(["connect", id, ordinal]));
        let script = list(&self.op["attempts"]);
        let attempt = script.get(ordinal).or(script.last()).expect("a script has an entry").clone();
        let is_quick = self.op["quick_close"] == true;
        let weak = self.program.clone();
        let mut made = move || {
            let protocol = factory.build_protocol(&Address::Memory).expect("it makes one each time");
            connect(&weak, id, is_quick, protocol)
        };
        let kind = text(&attempt["e"]).to_owned();
        match &*kind {
            "ok" => return Deferred::succeed(made()),
            "fail" => return Deferred::fail(failure(&attempt)),
            _ => {}
        }
        let call: Rc<RefCell<Option<DelayedCall>>> = Rc::default();
        let (cancelled, entry) = (self.program.clone(), call.clone());
        let (deferred, resolver) = Deferred::with_canceller(move |_| {
            cancelled.upgrade().expect("the program runs").event(json!(["connect_cancelled", id, ordinal]));
            if let Some(call) = entry.take() {
                call.cancel().expect("it is waiting");
            }
        });
        if kind == "hang" {
            // Nothing comes of it unless it is cancelled.
            resolver.detach();
            return deferred;
        }
        let later = program.clock.call_later(duration(&attempt["ms"]), move || {
            let result = if kind == "ok_after" { Ok(made()) } else { Err(failure(&attempt)) };
            resolver.resolve(result).expect("it was not cancelled");
        });
        *call.borrow_mut() = Some(later);
        deferred
    }
}

fn connect<P: Protocol>(program: &Weak<Program>, id: u64, is_quick: bool, protocol: P) -> ProtocolHandle<P> {
    let connection = Rc::new(StringTransportWithDisconnection::new(protocol));
    let handle = connection.handle();
    let upgraded = program.upgrade().expect("the program runs");
    let mut connections = upgraded.connections.borrow_mut();
    let connections = connections.entry(id).or_default();
    let (number, asked, closing) = (connections.len(), program.clone(), Rc::downgrade(&connection));
    connection.string_transport().on_request(move |request| {
        if let Request::LoseConnection = request {
            asked.upgrade().expect("the program runs").event(json!(["lose", id, number]));
            if is_quick {
                closing.upgrade().expect("it is asked just now").lose(ConnectionLost::Done);
            }
        }
    });
    connections.push(connection);
    handle
}

/// A connection, whatever runs on it.
pub(super) trait Connection {
    fn is_alive(&self) -> bool;
    fn lose(&self, reason: ConnectionLost);
}

impl<P: Protocol> Connection for StringTransportWithDisconnection<P> {
    fn is_alive(&self) -> bool {
        self.handle().with(|_, _| ()) != Err(HandleError::Lost)
    }

    fn lose(&self, reason: ConnectionLost) {
        StringTransportWithDisconnection::lose(self, reason);
    }
}

/// Numbers the connections of a client.
pub(super) struct Numbers {
    program: Weak<Program>,
    client: u64,
    next: u64,
}

impl Factory for Numbers {
    type Protocol = Numbered;

    fn build_protocol(&mut self, _: &Address) -> Option<Numbered> {
        let number = self.next;
        self.next += 1;
        Some(Numbered { program: self.program.clone(), client: self.client, number })
    }
}

pub(super) struct Numbered {
    program: Weak<Program>,
    client: u64,
    number: u64,
}

impl Numbered {
    fn event(&self, what: &str) {
        self.program.upgrade().expect("the program runs").event(json!([what, self.client, self.number]));
    }
}

impl Protocol for Numbered {
    fn connection_made(&mut self, _: &Transport) {
        self.event("made");
    }

    fn data_received(&mut self, _: &Transport, _: &[u8]) {}

    fn connection_lost(&mut self, _: &Transport, _: &ConnectionLost) {
        self.event("lost");
    }
}
