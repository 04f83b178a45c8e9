//! A program of the corpus `receivers`: lines, netstrings and length-prefixed strings on a transport that writes down what it is asked.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

use rt::protocol::{
    Backend, ConnectionLost, Int8StringReceiver, Int16StringReceiver, Int32StringReceiver, LineHandler,
    LineOnlyReceiver, LineProtocol, LineReceiver, Lines, NetstringReceiver, Protocol, StringHandler, StringTooLong,
    Strings, Transport,
};
use serde_json::{Value as Json, json};

use crate::Replay;
use crate::value::{list, number, text};

/// Runs the ops of a case.
pub(crate) fn run(case: &Json) -> Replay {
    let proto = &case["proto"];
    let record = Rc::new(Record::default());
    let script = Script { record: record.clone(), proto: proto.clone(), calls: BTreeMap::new(), count: None };
    let max_length = proto["max_length"].as_u64().map(|max| usize::try_from(max).expect("a length fits"));
    macro_rules! string_receiver {
        ($receiver:ident) => {{
            let receiver = $receiver::new(script);
            replay(case, &record, max_length.into_iter().fold(receiver, $receiver::max_length))
        }};
    }
    macro_rules! line_receiver {
        ($receiver:ident) => {{
            let receiver = $receiver::new(script).delimiter(&unhex(&proto["delimiter"]));
            replay(case, &record, max_length.into_iter().fold(receiver, $receiver::max_length))
        }};
    }
    match text(&proto["kind"]) {
        "line" => line_receiver!(LineReceiver),
        "line_only" => line_receiver!(LineOnlyReceiver),
        "netstring" => string_receiver!(NetstringReceiver),
        "int8" => string_receiver!(Int8StringReceiver),
        "int16" => string_receiver!(Int16StringReceiver),
        "int32" => string_receiver!(Int32StringReceiver),
        other => panic!("a kind that the schema does not have: {other}"),
    }
}

fn replay<P: Receiver>(case: &Json, record: &Rc<Record>, mut receiver: P) -> Replay {
    let transport = Transport::new(record.clone());
    receiver.connection_made(&transport);
    for op in list(&case["ops"]) {
        let name = text(&op["op"]);
        match name {
            "data" => receiver.data_received(&transport, &unhex(&op["hex"])),
            "lost" => receiver.connection_lost(&transport, &lost(&op["reason"])),
            _ => receiver.call(&transport, |script, line| script.act(line, name, op)),
        }
        record.now.set(record.now.get() + 1);
    }
    let mut end = json!({ "disconnecting": transport.is_disconnecting() });
    receiver.describe(&transport, text(&case["proto"]["kind"]), &mut end);
    Replay { trace: record.trace.take().into(), end, has_leak: Rc::strong_count(record) > 3 }
}

/// What all receivers can, and their callers want.
trait Receiver: Protocol {
    fn call(&mut self, transport: &Transport, f: impl FnOnce(&mut Script, &mut dyn Wire));

    fn describe(&mut self, transport: &Transport, kind: &str, end: &mut Json);
}

impl<const RAW: bool> Receiver for LineProtocol<Script, RAW> {
    fn call(&mut self, transport: &Transport, f: impl FnOnce(&mut Script, &mut dyn Wire)) {
        self.with(transport, |script, lines| f(script, lines));
    }

    fn describe(&mut self, transport: &Transport, kind: &str, end: &mut Json) {
        self.with(transport, |_, lines| {
            if kind == "line" {
                end["line_mode"] = json!(!lines.is_raw_mode());
                end["paused"] = json!(lines.is_paused());
            }
            end["buffer"] = json!(hex(&lines.clear_line_buffer()));
        });
    }
}

/// The receivers of strings, whose own type says how strings are told apart.
macro_rules! receivers {
    ($($receiver:ident),*) => {$(
        impl Receiver for $receiver<Script> {
            fn call(&mut self, transport: &Transport, f: impl FnOnce(&mut Script, &mut dyn Wire)) {
                self.with(transport, |script, strings| f(script, strings));
            }

            fn describe(&mut self, transport: &Transport, kind: &str, end: &mut Json) {
                if kind == "netstring" {
                    end["broken_peer"] = json!(self.is_broken_peer());
                } else {
                    end["paused"] = json!(self.with(transport, |_, strings| strings.is_paused()));
                }
            }
        }
    )*};
}

receivers!(NetstringReceiver, Int8StringReceiver, Int16StringReceiver, Int32StringReceiver);

/// What scripts do, by lines or strings.
trait Wire {
    fn send(&self, data: &[u8]) -> Result<(), StringTooLong>;
    fn pause(&mut self);
    fn resume(&mut self);
    fn stop(&mut self);
    fn transport(&self) -> &Transport;

    fn clear(&mut self) -> Vec<u8> {
        panic!("a script for strings takes no buffer out");
    }

    /// Sets raw mode or line mode.
    fn set_raw(&mut self, is_raw: bool) {
        panic!("a script for strings sets no mode: {is_raw}");
    }
}

impl Wire for Lines<'_> {
    fn send(&self, data: &[u8]) -> Result<(), StringTooLong> {
        self.send_line(data);
        Ok(())
    }

    fn pause(&mut self) {
        self.pause_producing();
    }

    fn resume(&mut self) {
        self.resume_producing();
    }

    fn stop(&mut self) {
        self.stop_producing();
    }

    fn transport(&self) -> &Transport {
        self
    }

    fn clear(&mut self) -> Vec<u8> {
        self.clear_line_buffer()
    }

    fn set_raw(&mut self, is_raw: bool) {
        if is_raw { self.set_raw_mode() } else { self.set_line_mode(b"") }
    }
}

impl Wire for Strings<'_> {
    fn send(&self, data: &[u8]) -> Result<(), StringTooLong> {
        self.send_string(data)
    }

    fn pause(&mut self) {
        self.pause_producing();
    }

    fn resume(&mut self) {
        self.resume_producing();
    }

    fn stop(&mut self) {
        self.stop_producing();
    }

    fn transport(&self) -> &Transport {
        self
    }
}

/// The handler of a program, which reacts as the case says.
struct Script {
    record: Rc<Record>,
    proto: Json,
    /// How often each of the receive methods was called.
    calls: BTreeMap<&'static str, usize>,
    /// How many raw bytes are to come before the next line.
    count: Option<usize>,
}

impl Script {
    fn react(&mut self, what: &'static str, wire: &mut dyn Wire) {
        let calls = self.calls.entry(what).or_default();
        let ordinal = calls.to_string();
        *calls += 1;
        let actions = self.proto[format!("on_{what}")][&ordinal].clone();
        for action in actions.as_array().into_iter().flatten() {
            self.act(wire, text(&action["a"]), action);
        }
    }

    fn act(&mut self, wire: &mut dyn Wire, name: &str, action: &Json) {
        match name {
            "send" => self.send(wire, &unhex(&action["hex"])),
            "send_fill" => {
                let byte = u8::try_from(number(&action["byte"])).expect("a byte");
                self.send(wire, &vec![byte; usize::try_from(number(&action["len"])).expect("a length")]);
            }
            "pause" => wire.pause(),
            "resume" => wire.resume(),
            "stop" => wire.stop(),
            "lose" => wire.transport().lose_connection(),
            "abort" => wire.transport().abort_connection(),
            "clear" => {
                let cleared = wire.clear();
                self.record.event(json!(["cleared", hex(&cleared)]));
            }
            "line" => {
                self.count = None;
                wire.set_raw(false);
            }
            "raw" => {
                self.count = action["n"].as_u64().map(|count| usize::try_from(count).expect("a count"));
                wire.set_raw(true);
            }
            other => panic!("an action that the schema does not have: {other}"),
        }
    }

    fn send(&self, wire: &dyn Wire, data: &[u8]) {
        if let Err(StringTooLong { length, .. }) = wire.send(data) {
            self.record.event(json!(["misuse", "StringTooLong", length]));
        }
    }

    fn ignores_excess(&self) -> bool {
        self.proto["on_exceeded"] == "ignore"
    }
}

impl LineHandler for Script {
    fn line_received(&mut self, lines: &mut Lines<'_>, line: &[u8]) {
        self.record.event(json!(["line", hex(line)]));
        self.react("line", lines);
    }

    fn raw_data_received(&mut self, lines: &mut Lines<'_>, data: &[u8]) {
        self.record.event(json!(["raw", hex(data)]));
        let rest = self.count.and_then(|count| data.get(count..));
        if let Some(rest) = rest {
            self.count = None;
            self.react("raw", lines);
            return lines.set_line_mode(rest);
        }
        self.count = self.count.map(|count| count - data.len());
        self.react("raw", lines);
    }

    fn line_length_exceeded(&mut self, lines: &mut Lines<'_>, line: &[u8]) {
        self.record.event(json!(["line_exceeded", hex(line)]));
        if !self.ignores_excess() {
            lines.lose_connection();
        }
    }

    fn connection_lost(&mut self, _: &mut Lines<'_>, reason: &ConnectionLost) {
        self.record.event(json!(["lost", reason_name(reason)]));
    }
}

impl StringHandler for Script {
    fn string_received(&mut self, strings: &mut Strings<'_>, string: &[u8]) {
        self.record.event(json!(["string", hex(string)]));
        self.react("string", strings);
    }

    fn length_limit_exceeded(&mut self, strings: &mut Strings<'_>, length: usize) {
        self.record.event(json!(["length_exceeded", length]));
        if !self.ignores_excess() {
            strings.lose_connection();
        }
    }

    fn connection_lost(&mut self, _: &mut Strings<'_>, reason: &ConnectionLost) {
        self.record.event(json!(["lost", reason_name(reason)]));
    }
}

/// The trace, and the transport that writes it.
#[derive(Default)]
struct Record {
    /// The index of the op that runs.
    now: Cell<usize>,
    trace: RefCell<Vec<Json>>,
    is_paused: Cell<bool>,
    is_disconnecting: Cell<bool>,
}

impl Record {
    fn event(&self, what: Json) {
        let Json::Array(mut what) = what else { unreachable!("an event is an array") };
        what.insert(0, json!(self.now.get()));
        self.trace.borrow_mut().push(Json::Array(what));
    }
}

impl Backend for Record {
    fn write(&self, data: &[u8]) {
        self.event(match data {
            [first @ .., _, _, _, _, _, _, _, _] if data.len() > 2048 => {
                json!(["write_big", data.len(), hex(&first[..8]), hex(&data[first.len()..])])
            }
            _ => json!(["write", hex(data)]),
        });
    }

    fn write_sequence(&self, parts: &[&[u8]]) {
        self.write(&parts.concat());
    }

    fn lose_connection(&self) {
        self.is_disconnecting.set(true);
        self.event(json!(["lose"]));
    }

    fn abort_connection(&self, _: ConnectionLost) {
        self.is_disconnecting.set(true);
        self.event(json!(["abort"]));
    }

    fn pause_producing(&self) {
        self.is_paused.set(true);
        self.event(json!(["t_pause"]));
    }

    fn resume_producing(&self) {
        self.is_paused.set(false);
        self.event(json!(["t_resume"]));
    }

    fn stop_producing(&self) {
        self.event(json!(["t_stop"]));
    }

    fn is_paused(&self) -> bool {
        self.is_paused.get()
    }

    fn is_disconnecting(&self) -> bool {
        self.is_disconnecting.get()
    }
}

fn lost(reason: &Json) -> ConnectionLost {
    match text(reason) {
        "done" => ConnectionLost::Done,
        "aborted" => ConnectionLost::Aborted,
        _ => io::Error::from(io::ErrorKind::ConnectionReset).into(),
    }
}

fn reason_name(reason: &ConnectionLost) -> &'static str {
    match reason {
        ConnectionLost::Done => "done",
        ConnectionLost::Aborted => "aborted",
        _ => "lost",
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(json: &Json) -> Vec<u8> {
    let digits = text(json);
    let bytes = (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16));
    bytes.collect::<Result<_, _>>().expect("an even number of hex digits")
}
