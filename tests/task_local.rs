//! `rt::task_local!`: where a value is visible, and that it is put away whatever happens.

use futures_executor::block_on;

use rt::task::LocalKey;
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

rt::task_local! {
    static NUMBER: u32;
    /// Attributes and visibility stay.
    pub(crate) static WORD: String;
    static COUNT: Cell<u32>
}

async fn yield_once() {
    let mut yielded = false;
    poll_fn(|context| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn value_is_there_across_awaits() {
    let text = block_on(NUMBER.scope(
        1,
        WORD.scope("one".to_owned(), async {
            let before = NUMBER.get();
            yield_once().await;
            format!("{before} {} {}", NUMBER.get(), WORD.with(String::clone))
        }),
    ));
    assert_eq!(text, "1 1 one");
}

#[test]
fn no_value_outside_of_a_scope() {
    assert!(NUMBER.try_with(|_| ()).is_err());
    block_on(NUMBER.scope(1, ready(())));
    assert!(NUMBER.try_with(|_| ()).is_err());
    let error = NUMBER.try_with(|_| ()).unwrap_err();
    assert!(error.to_string().contains("no value here"), "{error}");
}

#[test]
#[should_panic(expected = "this task-local key has no value here")]
fn with_outside_of_a_scope() {
    NUMBER.with(|_| ());
}

#[test]
fn value_is_away_between_polls() {
    let mut future = pin!(NUMBER.scope(1, async {
        yield_once().await;
        NUMBER.get()
    }));
    assert!(poll_once(future.as_mut()).is_pending());
    assert!(NUMBER.try_with(|_| ()).is_err());
    assert_eq!(poll_once(future.as_mut()), Poll::Ready(1));
}

#[test]
fn inner_scope_hides_the_outer() {
    let seen = block_on(NUMBER.scope(1, async {
        let inner = NUMBER.scope(2, async { NUMBER.get() }).await;
        let sync = NUMBER.sync_scope(3, || NUMBER.get());
        (inner, sync, NUMBER.get())
    }));
    assert_eq!(seen, (2, 3, 1));
}

#[test]
fn interleaved_futures_keep_their_own() {
    let see_twice = || async {
        let first = NUMBER.get();
        yield_once().await;
        (first, NUMBER.get())
    };
    let seen = block_on(async { rt::join!(NUMBER.scope(1, see_twice()), NUMBER.scope(2, see_twice())) });
    assert_eq!(seen, ((1, 1), (2, 2)));
}

#[test]
fn value_moves_to_another_thread() {
    let mut future = Box::pin(NUMBER.scope(5, async {
        yield_once().await;
        NUMBER.get()
    }));
    assert!(poll_once(future.as_mut()).is_pending());
    let seen = std::thread::spawn(move || block_on(future)).join().unwrap();
    assert_eq!(seen, 5);
}

/// Notes the number that it sees while it is dropped.
struct SeesAtDrop<'a>(&'a RefCell<Vec<Option<u32>>>);

impl Drop for SeesAtDrop<'_> {
    fn drop(&mut self) {
        self.0.borrow_mut().push(NUMBER.try_with(|number| *number).ok());
    }
}

#[test]
fn value_is_there_while_the_future_is_dropped() {
    let seen = RefCell::new(Vec::new());
    // Never polled, polled once, finished.
    let holding = || {
        let sees = SeesAtDrop(&seen);
        NUMBER.scope(4, async move {
            yield_once().await;
            drop(sees);
        })
    };
    drop(holding());
    {
        let mut future = pin!(holding());
        assert!(poll_once(future.as_mut()).is_pending());
    }
    block_on(holding());
    assert_eq!(*seen.borrow(), [Some(4); 3]);
}

#[test]
fn finished_future_is_dropped_with_its_value_before_ready_is_returned() {
    struct ReadyAndSees<'a>(#[allow(dead_code)] SeesAtDrop<'a>);
    impl Future for ReadyAndSees<'_> {
        type Output = ();
        fn poll(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<()> {
            Poll::Ready(())
        }
    }
    let seen = RefCell::new(Vec::new());
    let mut future = pin!(NUMBER.scope(4, ReadyAndSees(SeesAtDrop(&seen))));
    assert!(poll_once(future.as_mut()).is_ready());
    assert_eq!(*seen.borrow(), [Some(4)]);
}

#[test]
fn drop_inside_with_goes_without_the_value() {
    let seen = RefCell::new(Vec::new());
    let future = NUMBER.scope(4, SeesAtDropForever(SeesAtDrop(&seen)));
    NUMBER.sync_scope(1, || NUMBER.with(|_| drop(future)));
    assert_eq!(*seen.borrow(), [Some(1)], "it sees the value of the scope around");
}

struct SeesAtDropForever<'a>(#[allow(dead_code)] SeesAtDrop<'a>);

impl Future for SeesAtDropForever<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

#[test]
fn panic_puts_the_value_away() {
    let mut future = Box::pin(NUMBER.scope(1, async { panic!("inside") }));
    let panicked = catch_unwind(AssertUnwindSafe(|| poll_once(future.as_mut()).is_ready()));
    assert!(panicked.is_err());
    assert!(NUMBER.try_with(|_| ()).is_err());
    assert_eq!(future.as_mut().take_value(), Some(1));

    let panicked = catch_unwind(|| NUMBER.sync_scope(2, || panic!("inside")));
    assert!(panicked.is_err());
    assert!(NUMBER.try_with(|_| ()).is_err());
}

#[test]
fn take_value_before_and_after() {
    let count = |times: u32| async move {
        for _ in 0..times {
            COUNT.with(|count| count.set(count.get() + 1));
            yield_once().await;
        }
    };
    let mut future = pin!(COUNT.scope(Cell::new(10), count(3)));
    block_on(future.as_mut());
    assert_eq!(future.as_mut().take_value().map(Cell::into_inner), Some(13));
    assert_eq!(future.as_mut().take_value(), None);

    let mut robbed = pin!(COUNT.scope(Cell::new(0), async { COUNT.try_with(|_| ()).is_err() }));
    assert_eq!(robbed.as_mut().take_value().map(Cell::into_inner), Some(0));
    assert!(block_on(robbed), "a future without its value sees none");
}

#[test]
#[should_panic(expected = "polled after it had finished")]
fn polled_after_ready() {
    let mut future = pin!(NUMBER.scope(1, ready(())));
    assert!(poll_once(future.as_mut()).is_ready());
    let _ = poll_once(future);
}

#[test]
#[should_panic(expected = "cannot begin inside `with` of the same key")]
fn scope_inside_with() {
    NUMBER.sync_scope(1, || NUMBER.with(|_| NUMBER.sync_scope(2, || ())));
}

#[test]
fn other_keys_may_be_used_inside_with() {
    let sum =
        NUMBER.sync_scope(1, || NUMBER.with(|one| COUNT.sync_scope(Cell::new(2), || one + COUNT.with(Cell::get))));
    assert_eq!(sum, 3);
}

#[test]
fn keys_are_shared_by_reference() {
    fn read(key: &'static LocalKey<u32>) -> u32 {
        key.get()
    }
    assert_eq!(NUMBER.sync_scope(6, || read(&NUMBER)), 6);
    assert_eq!(format!("{NUMBER:?}"), "LocalKey { .. }");
}

#[test]
fn send_follows_value_and_future() {
    fn is_send<T: Send>(_: &T) {}
    is_send(&NUMBER.scope(1, ready(())));
}
