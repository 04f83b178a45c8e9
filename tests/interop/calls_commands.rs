//! The commands of `calls.py`, and a server for them.

use std::cell::RefCell;
use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::rc::Rc;

use rt::Resolver;
use rt::protocol::amp::{Amp, AmpList, Arguments, Command, CommandError, DateTime, Decimal, ListOf};
use rt::protocol::{ConnectionLost, Protocol, Transport};
use rt::{Deferred, Failure};

#[derive(Command)]
#[amp(response = Total)]
pub(crate) struct Sum {
    pub(crate) a: i64,
    pub(crate) b: i64,
}

#[derive(Arguments)]
pub(crate) struct Total {
    pub(crate) total: i64,
}

#[derive(Command)]
#[amp(response = Quotient, errors(ZeroDivision = "ZERO_DIVISION"), fatal_errors(TooHard = "TOO_HARD"))]
pub(crate) struct Divide {
    pub(crate) numerator: i64,
    pub(crate) denominator: i64,
}

#[derive(Arguments)]
pub(crate) struct Quotient {
    pub(crate) result: f64,
}

#[derive(Command)]
pub(crate) struct Fail;

#[derive(Command)]
pub(crate) struct NotThere;

#[derive(Command)]
pub(crate) struct Note {
    pub(crate) text: String,
}

#[derive(Command)]
#[amp(response = Later)]
pub(crate) struct Later {
    pub(crate) name: String,
}

#[derive(Command, Clone, Debug, PartialEq)]
#[amp(response = Kinds)]
pub(crate) struct Kinds {
    pub(crate) integer: i64,
    pub(crate) bytes: Vec<u8>,
    pub(crate) text: String,
    pub(crate) flag: bool,
    pub(crate) number: f64,
    pub(crate) amount: Decimal,
    pub(crate) when: DateTime,
    pub(crate) r#where: PathBuf,
    pub(crate) numbers: ListOf<i16>,
    pub(crate) guests: AmpList<Guest>,
    pub(crate) missing: Option<String>,
    pub(crate) r#type: String,
}

#[derive(Arguments, Clone, Debug, PartialEq)]
pub(crate) struct Guest {
    pub(crate) name: String,
    pub(crate) age: Option<u8>,
}

#[derive(Command)]
pub(crate) struct Switch;

#[derive(Debug)]
pub(crate) struct ZeroDivision(String);

#[derive(Debug)]
pub(crate) struct TooHard(String);

macro_rules! errors {
    ($($error:ident),*) => {$(
        impl fmt::Display for $error {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Error for $error {}

        impl CommandError for $error {
            fn from_description(description: String) -> Self {
                Self(description)
            }
        }
    )*};
}

errors!(ZeroDivision, TooHard);

/// What happened, in the words of `calls.py`.
pub(crate) type Log = Rc<RefCell<Vec<String>>>;

impl Kinds {
    /// As the client of `calls.py` calls it.
    pub(crate) fn sample() -> Self {
        Self {
            integer: i64::MIN,
            bytes: (0..=255).collect(),
            text: "Grüße".to_owned(),
            flag: true,
            number: 1e300,
            amount: "19.90".parse().expect("a number"),
            when: DateTime { microsecond: 54_321, ..DateTime::utc(2012, 1, 23, 12, 34, 56) },
            r#where: "/var/tmp".into(),
            numbers: ListOf(vec![1, -2, 300]),
            guests: AmpList(vec![
                Guest { name: "Ada".to_owned(), age: Some(36) },
                Guest { name: "Kurt".to_owned(), age: None },
            ]),
            missing: None,
            r#type: "x".to_owned(),
        }
    }

    /// What `calls.py` tells of the sample.
    pub(crate) fn told() -> Vec<String> {
        let bytes: String = (0..=255).map(|byte: u8| format!("{byte:02x}")).collect();
        [
            "kind amount 19.90",
            &format!("kind bytes {bytes}"),
            "kind flag True",
            "kind guests [{'name': 'Ada', 'age': 36}, {'name': 'Kurt', 'age': None}]",
            "kind integer -9223372036854775808",
            "kind missing None",
            "kind number 1e+300",
            "kind numbers [1, -2, 300]",
            "kind text Grüße",
            "kind type x",
            "kind when 2012-01-23T12:34:56.054321+00:00",
            "kind where /var/tmp",
        ]
        .map(str::to_owned)
        .into()
    }
}

/// The server of `calls.py`, written in Rust.
pub(crate) fn server(log: &Log) -> Amp {
    let tell = |log: &Log| {
        let log = log.clone();
        move |line: String| log.borrow_mut().push(line)
    };
    let (sums, quotients, failures, notes, names, kinds, raw) =
        (tell(log), tell(log), tell(log), tell(log), tell(log), tell(log), log.clone());
    let mut waiting: Option<(Resolver<Later>, String)> = None;
    Amp::new()
        .responder(move |Sum { a, b }| {
            sums(format!("sum {a} {b}"));
            Total { total: a + b }
        })
        .responder(move |Divide { numerator, denominator }| {
            quotients(format!("divide {numerator} {denominator}"));
            match denominator {
                0 => Err(Failure::new(ZeroDivision("division by zero".to_owned()))),
                -1 => Err(Failure::new(TooHard("minus one is too hard".to_owned()))),
                _ => Ok(Quotient { result: numerator as f64 / denominator as f64 }),
            }
        })
        .responder(move |Fail| {
            failures("fail".to_owned());
            Err::<(), _>(Failure::new("the dog ate it"))
        })
        .responder(move |Note { text }| notes(format!("note {text}")))
        .responder(move |Later { name }| {
            names(format!("later {name}"));
            if let Some((answer, first)) = waiting.take() {
                rt::spawn_local(async move { answer.callback(Later { name: first }) });
                return Deferred::succeed(Later { name });
            }
            let (later, answer) = Deferred::new();
            waiting = Some((answer, name));
            later
        })
        .responder(move |sample: Kinds| {
            if sample == Kinds::sample() {
                kinds("the sample".to_owned());
            }
            // With `Ok`, as a command might be meant to be called.
            Ok::<_, Failure>(sample)
        })
        .switch_responder(move |Switch| {
            Ok::<_, Failure>(Box::new(Raw { is_server: true, log: raw.clone(), done: None }) as Box<dyn Protocol>)
        })
}

/// What comes after AMP.
pub(crate) struct Raw {
    pub(crate) is_server: bool,
    pub(crate) log: Log,
    pub(crate) done: Option<Resolver<()>>,
}

impl Protocol for Raw {
    fn connection_made(&mut self, transport: &Transport) {
        self.log.borrow_mut().push("switched".to_owned());
        if !self.is_server {
            transport.write(b"hello");
        }
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        self.log.borrow_mut().push(format!("raw {}", data.escape_ascii()));
        if self.is_server {
            transport.write(&data.to_ascii_uppercase());
        } else {
            transport.lose_connection();
        }
    }

    fn connection_lost(&mut self, _: &Transport, reason: &ConnectionLost) {
        self.log.borrow_mut().push(format!("raw lost, cleanly: {}", reason.is_clean()));
        if let Some(done) = self.done.take() {
            done.callback(()).expect("once");
        }
    }
}
