//! `rt::select!`: which branch wins, what becomes of the others, and what a handler may do.

use futures_executor::block_on;

use futures_util::FutureExt;
use futures_util::stream::{self, StreamExt};
use rt::select;
use std::cell::{Cell, RefCell};
use std::future::{Future, IntoFuture, Ready, pending, poll_fn, ready};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

/// Pending once, with a wake, then ready: lets the other branches go first.
fn ready_at_second_poll<T: Copy>(value: T) -> impl Future<Output = T> {
    let mut polled = false;
    poll_fn(move |context| {
        if polled {
            return Poll::Ready(value);
        }
        polled = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
}

/// Writes its word when it is dropped; never ready.
struct Never<'a>(&'a RefCell<Vec<&'static str>>, &'static str);

impl Future for Never<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

impl Drop for Never<'_> {
    fn drop(&mut self) {
        self.0.borrow_mut().push(self.1);
    }
}

#[test]
fn ready_branch_wins_over_pending() {
    let word = block_on(async {
        select! {
            () = pending() => "pending",
            word = ready("ready") => word,
        }
    });
    assert_eq!(word, "ready");
}

#[test]
fn single_branch() {
    assert_eq!(
        block_on(async {
            select! { number = async { 5 } => number + 1 }
        }),
        6
    );
}

#[test]
fn later_poll_wins() {
    let word = block_on(async {
        select! {
            _ = pending::<()>() => "pending",
            word = ready_at_second_poll("second poll") => word,
        }
    });
    assert_eq!(word, "second poll");
}

#[test]
fn biased_takes_the_first_that_is_ready() {
    for _ in 0..100 {
        let number = block_on(async {
            select! {
                biased;
                () = pending() => 0,
                number = ready(1) => number,
                number = ready(2) => number,
            }
        });
        assert_eq!(number, 1);
    }
}

#[test]
fn random_start_lets_each_branch_win() {
    let mut wins = [0; 3];
    for _ in 0..1_000 {
        let winner = block_on(async {
            select! {
                () = ready(()) => 0,
                () = ready(()) => 1,
                () = ready(()) => 2,
            }
        });
        wins[winner] += 1;
    }
    // Each count is 333 on average; below 100 has a probability of less than 10^-60.
    assert!(wins.iter().all(|count| *count > 100), "{wins:?}");
}

#[test]
fn pattern_that_does_not_match_disables_its_branch() {
    let number = block_on(async {
        select! {
            biased;
            Some(number) = ready(None) => number,
            Ok(number) = ready(Err::<i32, ()>(())) => number,
            number = ready_at_second_poll(3) => number,
        }
    });
    assert_eq!(number, 3);
}

#[test]
fn disabled_branch_is_not_polled_again() {
    let polls = Cell::new(0);
    let counted = poll_fn(|_| {
        polls.set(polls.get() + 1);
        Poll::Ready(None::<()>)
    });
    block_on(async {
        select! {
            biased;
            Some(()) = counted => unreachable!(),
            () = async { ready_at_second_poll(()).await; ready_at_second_poll(()).await } => {}
        }
    });
    assert_eq!(polls.get(), 1);
}

#[test]
fn else_runs_when_no_pattern_matches() {
    let word = block_on(async {
        select! {
            Some(()) = ready(None::<()>) => "some",
            Ok(()) = ready(Err::<(), ()>(())) => "ok",
            else => "else",
        }
    });
    assert_eq!(word, "else");
}

#[test]
fn else_alone() {
    assert_eq!(
        block_on(async {
            select! { else => 4 }
        }),
        4
    );
}

#[test]
fn false_condition_disables_its_branch() {
    let open = false;
    let word = block_on(async {
        select! {
            biased;
            word = ready("closed"), if open => word,
            word = ready("open"), if !open => word,
        }
    });
    assert_eq!(word, "open");
}

#[test]
fn conditions_come_before_expressions_and_disabled_expressions_are_evaluated() {
    let trace = RefCell::new(Vec::new());
    let note = |word: &'static str| trace.borrow_mut().push(word);
    block_on(async {
        select! {
            biased;
            () = { note("first future"); ready(()) }, if { note("first condition"); false } => note("first handler"),
            () = { note("second future"); ready(()) }, if { note("second condition"); true } => note("second handler"),
        }
    });
    assert_eq!(
        *trace.borrow(),
        ["first condition", "second condition", "first future", "second future", "second handler"]
    );
}

#[test]
#[should_panic(expected = "every branch of `select!` is disabled")]
fn all_disabled_without_else() {
    block_on(async {
        select! {
            Some(()) = ready(None::<()>) => {}
            () = ready(()), if false => {}
        }
    });
}

#[test]
fn losers_are_dropped_before_the_handler_runs() {
    let trace = RefCell::new(Vec::new());
    block_on(async {
        select! {
            biased;
            () = Never(&trace, "loser dropped") => {}
            () = ready(()) => trace.borrow_mut().push("handler"),
        }
    });
    assert_eq!(*trace.borrow(), ["loser dropped", "handler"]);
}

#[test]
fn handler_uses_what_the_futures_borrowed() {
    async fn first(numbers: &mut [i32]) -> i32 {
        numbers[0]
    }
    let mut numbers = vec![1];
    block_on(async {
        select! {
            biased;
            number = first(&mut numbers) => numbers.push(number + 1),
            () = pending() => numbers.clear(),
        }
    });
    assert_eq!(numbers, [1, 2]);
}

#[test]
fn futures_share_a_borrow() {
    let words = ["a".to_owned(), "b".to_owned()];
    let length = block_on(async {
        select! {
            length = async { words.len() } => length,
            length = async { words.iter().map(String::len).sum() } => length,
        }
    });
    assert_eq!(length, 2);
}

#[test]
fn handlers_await_return_break_and_continue() {
    async fn run() -> Result<i32, String> {
        let mut numbers = stream::iter(0..);
        let mut sum = 0;
        'sum: loop {
            select! {
                Some(number) = numbers.next() => {
                    if number % 2 == 0 { continue 'sum; }
                    sum += ready_at_second_poll(number).await;
                    if number > 6 { break; }
                }
                else => return Err("the stream is endless".to_owned()),
            }
        }
        select! {
            result = ready("x".parse::<i32>()) => { sum += result.map_err(|_| format!("sum {sum}"))?; }
        }
        Ok(sum)
    }
    assert_eq!(block_on(run()), Err("sum 16".to_owned()));
}

#[test]
fn question_mark_in_an_expression_leaves_the_function() {
    async fn run(text: &str) -> Result<i32, std::num::ParseIntError> {
        Ok(select! {
            number = ready(text.parse::<i32>()?) => number,
        })
    }
    assert_eq!(block_on(run("12")), Ok(12));
    assert!(block_on(run("twelve")).is_err());
}

#[test]
fn future_by_mutable_reference_goes_on_after_losing() {
    let (number, rounds) = block_on(async {
        let mut slow = pin!(async {
            ready_at_second_poll(()).await;
            ready_at_second_poll(()).await;
            9
        });
        let mut rounds = 0;
        loop {
            select! {
                biased;
                number = &mut slow => break (number, rounds),
                () = ready(()) => rounds += 1,
            }
        }
    });
    assert_eq!((number, rounds), (9, 2));
}

#[test]
fn anything_that_becomes_a_future() {
    struct Request(u32);
    impl IntoFuture for Request {
        type Output = u32;
        type IntoFuture = Ready<u32>;
        fn into_future(self) -> Ready<u32> {
            ready(self.0)
        }
    }
    assert_eq!(
        block_on(async {
            select! { number = Request(8) => number }
        }),
        8
    );
}

#[test]
fn temporaries_of_an_expression_end_with_it() {
    async fn give(number: i32) -> i32 {
        number
    }
    let cell = RefCell::new(1);
    let number = block_on(async {
        select! {
            // Were the borrow still held while the future runs, the second branch would panic.
            number = give(*cell.borrow()), if false => number,
            number = async { *cell.borrow_mut() += 1; *cell.borrow() } => number,
        }
    });
    assert_eq!(number, 2);
}

#[test]
fn borrowed_temporary_future_lives_until_the_end() {
    let number = block_on(async {
        select! {
            number = &mut ready(6) => number,
            number = pin!(async { pending().await }) => number,
        }
    });
    assert_eq!(number, 6);
}

#[test]
fn patterns_bind_by_move_by_reference_and_mutably() {
    let text = block_on(async {
        select! {
            (mut text, ref length) = ready((String::from("ab"), 2)) => {
                text.push_str(&length.to_string());
                text
            }
        }
    });
    assert_eq!(text, "ab2");

    let word = block_on(async {
        select! {
            biased;
            Some(5..) = ready(Some(3)) => "large".to_owned(),
            &word = ready(&"never"), if false => word.to_owned(),
            Err(_) | Ok(None) = ready(Ok::<_, ()>(Some(1))) => "none".to_owned(),
            whole @ (Some(_), _) = ready((Some(Box::new(1)), "tuple")) => whole.1.to_owned(),
        }
    });
    assert_eq!(word, "tuple");
}

#[test]
fn pattern_that_does_not_match_does_not_move_or_leak() {
    struct Counted<'a>(&'a Cell<u32>);
    impl Drop for Counted<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    let drops = Cell::new(0);
    block_on(async {
        select! {
            biased;
            (Some(_bound), Some(())) = ready((Some(Counted(&drops)), None)) => {}
            () = ready(()) => assert_eq!(drops.get(), 1, "dropped when its branch was disabled"),
        }
    });
    assert_eq!(drops.get(), 1);
}

#[test]
fn handlers_with_and_without_commas() {
    let sum = block_on(async {
        let mut sum = 0;
        for round in 0..4 {
            sum += select! {
                biased;
                () = ready(()), if round == 0 => { 1 }
                () = ready(()), if round == 1 => { 10 },
                () = ready(()), if round == 2 => 100,
                () = ready(()) => if round == 3 { 1_000 } else { 0 }
            };
        }
        sum
    });
    assert_eq!(sum, 1_111);
}

#[test]
fn nested() {
    let number = block_on(async {
        select! {
            number = async { select! { number = ready(1) => number + 1 } } => select! {
                more = ready(number * 10) => number + more,
            },
        }
    });
    assert_eq!(number, 22);
}

#[test]
fn never_type_handlers_and_futures() {
    let number = block_on(async {
        select! {
            never = pending::<std::convert::Infallible>() => match never {},
            number = ready(3) => number,
        }
    });
    assert_eq!(number, 3);
}

#[test]
fn future_that_selects_is_send_and_not_doubled() {
    fn assert_send<T: Send>(value: T) -> T {
        value
    }
    let first = async {
        let bytes = [0u8; 1024];
        ready(()).await;
        bytes.len()
    };
    let second = async { pending().await };
    let both = assert_send(async {
        select! {
            length = first => length,
            length = second => length,
        }
    });
    let size = std::mem::size_of_val(&both);
    assert!(size < 2 * 1024 + 512, "{size} bytes: the macro keeps a copy of its futures");
    assert_eq!(block_on(both), 1024);
}

#[test]
fn panic_in_a_branch_passes_through() {
    let trace = RefCell::new(Vec::new());
    let selected = async {
        select! {
            biased;
            () = Never(&trace, "other branch dropped") => {}
            () = async { panic!("branch") } => {}
        }
    };
    let panic = block_on(std::panic::AssertUnwindSafe(selected).catch_unwind()).unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"branch"));
    assert_eq!(*trace.borrow(), ["other branch dropped"]);
}

#[test]
fn sixty_four_branches() {
    macro_rules! one_of {
        ($($number:literal)*) => { select! { biased; $(_ = ready(()), if $number == 63 => $number,)* else => 64 } };
    }
    let number = block_on(async {
        one_of!(
            0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38
            39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63
        )
    });
    assert_eq!(number, 63);
}
