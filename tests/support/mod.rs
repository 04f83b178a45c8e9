//! What several test files use; each uses a part of it.
#![allow(dead_code, unused_imports)]

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake};

mod flavor;
pub(crate) use flavor::*;

/// Words in the order in which they were said.
#[derive(Clone, Default)]
pub(crate) struct Trace(Arc<Mutex<Vec<String>>>);

impl Trace {
    pub(crate) fn say(&self, word: impl Into<String>) {
        self.0.lock().unwrap().push(word.into());
    }

    /// What was said since the last call.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    /// Says `word` when it is dropped.
    pub(crate) fn on_drop(&self, word: &'static str) -> impl Send + Unpin + use<> {
        let trace = self.clone();
        on_drop(move || trace.say(word))
    }
}

/// Calls `f` when it is dropped.
pub(crate) fn on_drop<F: FnOnce() + Unpin>(f: F) -> OnDrop<F> {
    OnDrop(Some(f))
}

pub(crate) struct OnDrop<F: FnOnce()>(Option<F>);

impl<F: FnOnce()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0.take().unwrap())();
    }
}

/// A future that never ends and keeps `value`.
pub(crate) async fn pending_with<T>(value: T) {
    let _value = value;
    std::future::pending::<()>().await;
}

/// Counts how often it was woken.
#[derive(Default)]
pub(crate) struct Wakes(AtomicUsize);

impl Wakes {
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Ready at once. Unlike an `async` block it drops what it holds only when it is dropped itself.
pub(crate) struct Holding<T>(pub(crate) T);

impl<T: Unpin> Future for Holding<T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }
}

/// What `f` panics with, as text.
pub(crate) fn panic_of<R>(f: impl FnOnce() -> R) -> String {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(_) => panic!("a panic was expected"),
        Err(payload) => text(payload),
    }
}

/// A panic's text.
pub(crate) fn text(payload: Box<dyn Any + Send>) -> String {
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => (*payload.downcast::<&str>().expect("the panic was no text")).to_owned(),
    }
}
