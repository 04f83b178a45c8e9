//! `rt::join!` and `rt::try_join!`: all outputs or the first error, in turn, on one task.

use futures_executor::block_on;

use rt::{join, try_join};
use std::cell::RefCell;
use std::future::{Future, pending, poll_fn, ready};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

type Trace = RefCell<Vec<&'static str>>;

/// Writes its word at each poll and is ready at the `rounds`th; woken in between.
fn traced<'a>(trace: &'a Trace, word: &'static str, rounds: u32) -> impl Future<Output = &'static str> + 'a {
    let mut polls = 0;
    poll_fn(move |context| {
        trace.borrow_mut().push(word);
        polls += 1;
        if polls == rounds {
            return Poll::Ready(word);
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
}

/// Never ready; writes its word when it is dropped.
struct Never<'a>(&'a Trace, &'static str);

impl Future for Never<'_> {
    type Output = Result<(), &'static str>;

    fn poll(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Pending
    }
}

impl Drop for Never<'_> {
    fn drop(&mut self) {
        self.0.borrow_mut().push(self.1);
    }
}

#[test]
fn outputs_in_the_order_of_the_branches() {
    let trace = Trace::default();
    let outputs = block_on(async { join!(traced(&trace, "slow", 3), async { 2 }, traced(&trace, "fast", 1)) });
    assert_eq!(outputs, ("slow", 2, "fast"));
}

#[test]
fn one_branch_and_none() {
    block_on(async {
        assert_eq!(join!(ready(1)), (1,));
        assert_eq!(join!(ready(1),), (1,));
        assert_eq!(try_join!(ready(Ok::<_, ()>(1))), Ok((1,)));
        let () = join!();
        assert_eq!(try_join!(), Ok::<(), ()>(()));
    });
}

#[test]
fn start_moves_on_at_each_poll() {
    let trace = Trace::default();
    block_on(async { join!(traced(&trace, "a", 3), traced(&trace, "b", 3), traced(&trace, "c", 3)) });
    assert_eq!(*trace.borrow(), ["a", "b", "c", "b", "c", "a", "c", "a", "b"]);
}

#[test]
fn biased_starts_at_the_first() {
    let trace = Trace::default();
    block_on(async { join!(biased; traced(&trace, "a", 2), traced(&trace, "b", 2)) });
    block_on(async { try_join!(biased; ok(traced(&trace, "c", 2)), ok(traced(&trace, "d", 2))) }).unwrap();
    assert_eq!(*trace.borrow(), ["a", "b", "a", "b", "c", "d", "c", "d"]);
}

async fn ok<T>(future: impl Future<Output = T>) -> Result<T, &'static str> {
    Ok(future.await)
}

#[test]
fn finished_branch_is_not_polled_again() {
    let trace = Trace::default();
    block_on(async { join!(traced(&trace, "once", 1), traced(&trace, "twice", 2)) });
    assert_eq!(*trace.borrow(), ["once", "twice", "twice"]);
}

#[test]
fn branches_share_a_borrow_and_take_references() {
    let words = ["a".to_owned(), "bc".to_owned()];
    let mut held = pin!(async { words[1].len() });
    let lengths = block_on(async { join!(async { words[0].len() }, &mut held, &mut ready(3)) });
    assert_eq!(lengths, (1, 2, 3));
}

#[test]
fn try_join_gives_all_values() {
    let trace = Trace::default();
    let both = block_on(async { try_join!(ok(traced(&trace, "slow", 3)), ok(ready(2))) });
    assert_eq!(both, Ok(("slow", 2)));
}

#[test]
fn first_error_ends_try_join_and_drops_the_others() {
    let trace = Trace::default();
    let result = block_on(async {
        let result = try_join!(
            Never(&trace, "never dropped"),
            async {
                traced(&trace, "polled", 2).await;
                Err::<(), _>("failed")
            },
            async { Ok("done early") }
        );
        trace.borrow_mut().push("after");
        result
    });
    assert_eq!(result, Err("failed"));
    assert_eq!(*trace.borrow(), ["polled", "polled", "never dropped", "after"]);
}

#[test]
fn error_is_returned_without_polling_the_rest() {
    let trace = Trace::default();
    let result = block_on(async { try_join!(biased; ready(Err::<(), _>("failed")), ok(traced(&trace, "polled", 1))) });
    assert_eq!(result, Err("failed"));
    assert!(trace.borrow().is_empty());
}

#[test]
fn question_mark_works_on_and_in_try_join() {
    async fn run(text: &str) -> Result<i32, std::num::ParseIntError> {
        let (left, right) = try_join!(async { text.parse::<i32>() }, async { Ok(2) })?;
        Ok(left + right)
    }
    assert_eq!(block_on(run("1")), Ok(3));
    assert!(block_on(run("one")).is_err());
}

#[test]
fn dropped_halfway() {
    let trace = Trace::default();
    {
        let mut joined = pin!(async { join!(Never(&trace, "pending"), Never(&trace, "pending too"), ready(())) });
        let waker = std::task::Waker::noop();
        assert!(joined.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
        assert!(trace.borrow().is_empty());
    }
    trace.borrow_mut().sort_unstable();
    assert_eq!(*trace.borrow(), ["pending", "pending too"]);
}

#[test]
fn future_that_joins_is_send_and_not_doubled() {
    fn assert_send<T: Send>(value: T) -> T {
        value
    }
    async fn large() -> usize {
        let bytes = [0u8; 1024];
        ready(()).await;
        bytes.len()
    }
    let both = assert_send(async { join!(large(), large()) });
    let size = std::mem::size_of_val(&both);
    assert!(size < 2 * 1024 + 512, "{size} bytes: the macro keeps a copy of its futures");
    assert_eq!(block_on(both), (1024, 1024));
}

#[test]
fn never_ending_branch_beside_an_error() {
    let result: Result<((), ()), &str> = block_on(async { try_join!(pending(), ready(Err("enough"))) });
    assert_eq!(result, Err("enough"));
}

#[test]
fn sixty_four_branches() {
    macro_rules! all_of {
        ($($number:literal)*) => { join!($(ready($number)),*) };
    }
    block_on(async {
        let outputs = all_of!(
            0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38
            39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63
        );
        assert_eq!((outputs.0, outputs.31, outputs.63), (0, 31, 63));
    });
}
