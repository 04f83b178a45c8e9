//! With the feature `tracing`, failures that nobody handles are events, and every protocol's connection is a span.

use std::fmt::{Debug, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use rt::Deferred;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Writes down what is reported.
#[derive(Clone, Default)]
struct Events(Arc<Mutex<Vec<String>>>);

/// Writes down the spans of connections, when they are entered, and what is said in them.
#[derive(Clone, Default)]
struct Spans {
    log: Arc<Mutex<Vec<String>>>,
    made: Arc<AtomicU64>,
}

struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        writeln!(self.0, "{field}={value:?}").unwrap();
    }
}

impl Subscriber for Events {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields(format!("{} {}\n", event.metadata().level(), event.metadata().target()));
        event.record(&mut fields);
        self.0.lock().unwrap().push(fields.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

impl Subscriber for Spans {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() || metadata.name() == "connection"
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let number = self.made.fetch_add(1, Ordering::Relaxed) + 1;
        let mut fields = Fields(String::new());
        attributes.record(&mut fields);
        self.log.lock().unwrap().push(format!("new {number} {}", fields.0.trim_end()));
        Id::from_u64(number)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields(String::new());
        event.record(&mut fields);
        self.log.lock().unwrap().push(format!("event {}", fields.0.trim_end().replace('\n', " ")));
    }

    fn enter(&self, span: &Id) {
        self.log.lock().unwrap().push(format!("enter {}", span.into_u64()));
    }

    fn exit(&self, span: &Id) {
        self.log.lock().unwrap().push(format!("exit {}", span.into_u64()));
    }
}

#[test]
fn what_a_protocol_logs_is_in_the_span_of_its_connection() {
    use rt::protocol::{ConnectionLost, Protocol, Transport, drive};

    struct Logging;
    impl Protocol for Logging {
        fn connection_made(&mut self, transport: &Transport) {
            tracing::info!("hello");
            transport.lose_connection();
        }
        fn data_received(&mut self, _: &Transport, _: &[u8]) {}
        fn connection_lost(&mut self, _: &Transport, _: &ConnectionLost) {
            tracing::info!("bye");
        }
    }

    let spans = Spans::default();
    tracing::subscriber::with_default(spans.clone(), || {
        rt::block_on(async {
            let (_near, far) = rt::io::duplex(64);
            drive(far, Logging).transport().closed().await.unwrap();
        });
    });
    let expected = [
        "new 1 peer=memory",
        "enter 1",
        "event message=hello",
        "exit 1",
        "enter 1",
        "event message=connection lost reason=the connection was closed",
        "exit 1",
        "enter 1",
        "event message=bye",
        "exit 1",
    ];
    assert_eq!(*spans.log.lock().unwrap(), expected);
}

#[test]
fn unhandled_failures_are_events() {
    let events = Events::default();
    tracing::subscriber::with_default(events.clone(), || {
        drop(Deferred::<()>::fail("nobody looks"));
        rt::block_on(async {
            drop(rt::spawn_local(async { Err::<(), _>("nobody joins") }));
            rt::task::yield_now().await;
        });
    });
    let events = events.0.lock().unwrap();
    assert_eq!(events.len(), 2, "{events:?}");
    for (event, failure, origin) in [
        (&events[0], "failure=nobody looks", "Unhandled error in Deferred: nobody looks"),
        (&events[1], "failure=nobody joins", "Unhandled error in task: nobody joins"),
    ] {
        assert!(event.starts_with(&format!("{} rt::unhandled\n", Level::ERROR)), "{event}");
        assert!(event.contains(failure) && event.contains(origin), "{event}");
        assert!(event.contains("at tests/tracing.rs:"), "{event}");
    }
}
