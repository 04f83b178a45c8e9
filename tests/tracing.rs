//! With the feature `tracing`, failures that nobody handles are events.

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};

use rt::Deferred;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Writes down what is reported.
#[derive(Clone, Default)]
struct Events(Arc<Mutex<Vec<String>>>);

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
