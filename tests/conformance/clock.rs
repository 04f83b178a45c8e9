//! A virtual clock.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use rt::deferred::ReactorTime;

#[derive(Clone, Default)]
pub(crate) struct Virtual(Rc<Shared>);

#[derive(Default)]
struct Shared {
    now: Cell<Duration>,
    number: Cell<u64>,
    calls: RefCell<Vec<Call>>,
}

struct Call {
    at: Duration,
    number: u64,
    call: Box<dyn FnOnce()>,
}

impl Virtual {
    pub(crate) fn advance(&self, duration: Duration) {
        self.0.now.set(self.0.now.get() + duration);
        while let Some(call) = self.next_due() {
            call();
        }
    }

    pub(crate) fn clear(&self) {
        let calls = self.0.calls.take();
        drop(calls);
    }

    fn next_due(&self) -> Option<Box<dyn FnOnce()>> {
        let mut calls = self.0.calls.borrow_mut();
        calls.sort_by_key(|call| (call.at, call.number));
        (calls.first()?.at <= self.0.now.get()).then(|| calls.remove(0).call)
    }
}

impl ReactorTime for Virtual {
    fn now(&self) -> Duration {
        self.0.now.get()
    }

    fn call_later(&self, delay: Duration, call: Box<dyn FnOnce()>) -> Box<dyn FnOnce()> {
        let number = self.0.number.get();
        self.0.number.set(number + 1);
        self.0.calls.borrow_mut().push(Call { at: self.now() + delay, number, call });
        let shared = Rc::downgrade(&self.0);
        Box::new(move || {
            let Some(shared) = shared.upgrade() else { return };
            let taken: Vec<Call> = shared.calls.borrow_mut().extract_if(.., |call| call.number == number).collect();
            drop(taken);
        })
    }
}
