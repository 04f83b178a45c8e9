//! The values and failures of the programs, and how they are written.

use std::error::Error;
use std::fmt;

use rt::Failure;
use rt::deferred::{
    AlreadyCalled, AlreadyRunning, Cancelled, DelayedCallError, FailureGroup, FirstError, NotAcquired, NotRunning,
    QueueOverflow, QueueUnderflow, SchedulerError, TimedOut,
};
use serde_json::{Value as Json, json};

/// What a Deferred of a program carries.
#[derive(Clone)]
pub(crate) enum Value {
    Plain(Json),
    Array(Vec<Value>),
    Failure(Failure),
}

pub(crate) const NULL: Value = Value::Plain(Json::Null);

pub(crate) type Result<T = Value> = std::result::Result<T, Failure>;

impl Value {
    pub(crate) fn of(json: &Json) -> Self {
        match json {
            Json::Array(items) => Value::Array(items.iter().map(Value::of).collect()),
            other => Value::Plain(other.clone()),
        }
    }

    pub(crate) fn show(&self) -> Json {
        match self {
            Value::Plain(json) => json.clone(),
            Value::Array(items) => items.iter().map(Value::show).collect(),
            Value::Failure(failure) => json!({ "err": show_failure(failure) }),
        }
    }
}

pub(crate) fn show(outcome: &Result) -> Json {
    match outcome {
        Ok(value) => json!({ "ok": value.show() }),
        Err(failure) => json!({ "err": show_failure(failure) }),
    }
}

/// An error that a program raises.
#[derive(Debug)]
struct Raised {
    kind: String,
    message: String,
}

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)
    }
}

impl Error for Raised {}

/// The failure with the `kind` and `msg` of a node.
pub(crate) fn failure(node: &Json) -> Failure {
    let (kind, message) = (text(&node["kind"]), text(&node["msg"]));
    match kind {
        "CancelledError" => Failure::new(Cancelled::because(message)),
        _ => Failure::new(Raised { kind: kind.to_owned(), message: message.to_owned() }),
    }
}

pub(crate) fn kind(failure: &Failure) -> String {
    text(&show_failure(failure)["kind"]).to_owned()
}

pub(crate) fn show_failure(failure: &Failure) -> Json {
    let plain = |kind: &str, message: &str| json!({ "kind": kind, "msg": message });
    if let Some(error) = failure.downcast_ref::<Raised>() {
        plain(&error.kind, &error.message)
    } else if let Some(error) = failure.downcast_ref::<Cancelled>() {
        plain("CancelledError", error.reason().unwrap_or_default())
    } else if let Some(error) = failure.downcast_ref::<TimedOut>() {
        let ms = u64::try_from(error.after.as_millis()).expect("a timeout in ms");
        json!({ "kind": "TimeoutError", "msg": "", "ms": ms })
    } else if let Some(error) = failure.downcast_ref::<FirstError>() {
        json!({ "kind": "FirstError", "index": error.index, "sub": show_failure(&error.failure) })
    } else if let Some(error) = failure.downcast_ref::<FailureGroup>() {
        let subs: Vec<Json> = error.failures.iter().map(show_failure).collect();
        json!({ "kind": "FailureGroup", "subs": subs })
    } else if failure.check::<AlreadyCalled>() {
        plain("AlreadyCalled", "")
    } else if failure.check::<QueueUnderflow>() {
        plain("QueueUnderflow", "")
    } else if failure.check::<QueueOverflow<Value>>() {
        plain("QueueOverflow", "")
    } else if failure.check::<NotAcquired>() || failure.check::<AlreadyRunning>() || failure.check::<NotRunning>() {
        plain("AssertionError", "")
    } else if let Some(error) = failure.downcast_ref::<DelayedCallError>() {
        plain(&format!("{error:?}"), "")
    } else if let Some(error) = failure.downcast_ref::<SchedulerError>() {
        plain(&format!("{error:?}"), "")
    } else {
        plain("unknown", &failure.to_string())
    }
}

pub(crate) fn text(json: &Json) -> &str {
    json.as_str().unwrap_or_else(|| panic!("a text was expected, not {json}"))
}

pub(crate) fn number(json: &Json) -> u64 {
    json.as_u64().unwrap_or_else(|| panic!("a number was expected, not {json}"))
}

pub(crate) fn list(json: &Json) -> &[Json] {
    json.as_array().unwrap_or_else(|| panic!("a list was expected, not {json}"))
}

/// The text by which unhandled failures are sorted: sorted keys, no blanks.
pub(crate) fn canonical(json: &Json) -> String {
    match json {
        Json::Object(map) => {
            let mut fields: Vec<_> = map.iter().collect();
            fields.sort_by_key(|(key, _)| *key);
            let fields: Vec<_> = fields.iter().map(|(k, v)| format!("{}:{}", json!(k), canonical(v))).collect();
            format!("{{{}}}", fields.join(","))
        }
        Json::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}
