//! What is called soon: its order, its turns, and who gives them.

mod support;

use std::cell::RefCell;
use std::rc::Rc;

use rt_deferred::home::{self, Home, install};
use rt_deferred::{
    Cancelled, State, call_when_running, eventually, failure_result_of, fire_eventually, flush_eventual_queue,
    run_eventual_queue, success_result_of, unhandled,
};

use support::{Hand, Trace};

fn noting(trace: &Trace, word: &'static str) -> impl FnOnce() + 'static {
    let trace = trace.clone();
    move || trace.push(word)
}

#[test]
fn calls_are_made_in_order_and_not_at_once() {
    let trace = Trace::default();
    eventually(noting(&trace, "first"));
    eventually(noting(&trace, "second"));
    assert_eq!(trace.take(), [""; 0]);
    assert_eq!(run_eventual_queue(), 2);
    assert_eq!(trace.take(), ["first", "second"]);
    assert_eq!(run_eventual_queue(), 0);
}

#[test]
fn call_sent_by_a_call_waits_for_the_next_turn() {
    let trace = Trace::default();
    let words = trace.clone();
    eventually(move || {
        words.push("first");
        eventually(noting(&words, "third"));
        assert_eq!(run_eventual_queue(), 0, "it is being run");
    });
    eventually(noting(&trace, "second"));
    assert_eq!(run_eventual_queue(), 2);
    assert_eq!(trace.take(), ["first", "second"]);
    assert_eq!(run_eventual_queue(), 1);
    assert_eq!(trace.take(), ["third"]);
}

#[test]
fn panic_in_a_call() {
    let trace = Trace::default();
    eventually(|| panic!("as it should"));
    eventually(noting(&trace, "behind it"));
    let (count, lost) = unhandled::capture(run_eventual_queue);
    assert_eq!((count, lost.len()), (2, 1));
    assert!(lost[0].failure.is_panic());
    assert_eq!((lost[0].place().file(), lost[0].place().line()), (file!(), line!() - 5));
    assert_eq!(trace.take(), ["behind it"]);
}

#[test]
fn fired_eventually() {
    let deferred = fire_eventually(7);
    assert_eq!(deferred.state(), State::Pending);
    run_eventual_queue();
    assert_eq!(success_result_of(deferred), 7);
}

#[test]
fn cancelled_before_it_is_fired_eventually() {
    let deferred = fire_eventually(7);
    deferred.cancel();
    run_eventual_queue();
    assert!(failure_result_of(deferred).check::<Cancelled>());
}

#[test]
fn flush_of_an_empty_queue() {
    success_result_of(flush_eventual_queue());
}

#[test]
fn flush_fires_when_the_last_turn_is_over() {
    let trace = Trace::default();
    let words = trace.clone();
    eventually(move || {
        let late = words.clone();
        eventually(move || {
            late.push("second turn");
            drop(flush_eventual_queue().add_callback(move |()| late.push("flushed from within")));
        });
        words.push("first turn");
    });
    let words = trace.clone();
    drop(flush_eventual_queue().add_callback(move |()| words.push("flushed")));
    let cancelled = flush_eventual_queue();
    cancelled.cancel();
    run_eventual_queue();
    assert_eq!(trace.take(), ["first turn"]);
    run_eventual_queue();
    assert_eq!(trace.take(), ["second turn", "flushed", "flushed from within"]);
    assert!(failure_result_of(cancelled).check::<Cancelled>());
}

#[test]
fn home_gives_the_turns() {
    let (trace, hand) = (Trace::default(), Rc::new(Hand::default()));
    let _installed = install(hand.clone());
    let words = trace.clone();
    eventually(move || {
        words.push("first");
        eventually(noting(&words, "third"));
    });
    eventually(noting(&trace, "second"));
    assert_eq!(hand.jobs(), 1, "one turn for both");
    assert!(hand.turn());
    assert_eq!(trace.take(), ["first", "second"]);
    assert!(hand.turn());
    assert_eq!(trace.take(), ["third"]);
    assert_eq!(hand.jobs(), 0);
}

#[test]
fn home_that_comes_later() {
    let (trace, hand) = (Trace::default(), Rc::new(Hand::default()));
    eventually(noting(&trace, "sent before there was a home"));
    let _installed = install(hand.clone());
    assert!(hand.turn());
    assert_eq!(trace.take(), ["sent before there was a home"]);
    home::started();
    assert_eq!(hand.jobs(), 0, "nothing waits any more");
}

#[test]
fn home_that_goes_without_a_turn() {
    let trace = Trace::default();
    let first = Rc::new(Hand::default());
    let installed = install(first.clone());
    eventually(noting(&trace, "sent to the first home"));
    drop(installed);
    first.drop_jobs();
    let second = Rc::new(Hand::default());
    let _installed = install(second.clone());
    eventually(noting(&trace, "sent to the second home"));
    while second.turn() {}
    assert_eq!(trace.take(), ["sent to the first home", "sent to the second home"]);
}

#[test]
fn home_that_is_not_driven_any_more() {
    let (trace, first, second) = (Trace::default(), Rc::new(Hand::default()), Rc::new(Hand::default()));
    let installed = install(first.clone());
    eventually(noting(&trace, "asked the first home for a turn"));
    drop(installed);
    let _installed = install(second.clone());
    assert!(second.turn());
    assert_eq!(trace.take(), ["asked the first home for a turn"]);
    assert!(first.turn());
    assert_eq!(trace.take(), [""; 0]);
}

#[test]
fn call_when_running_with_a_home() {
    let (trace, hand) = (Trace::default(), Rc::new(Hand::default()));
    let _installed = install(hand.clone());
    eventually(noting(&trace, "sent before"));
    call_when_running(noting(&trace, "when running"));
    eventually(noting(&trace, "sent after"));
    assert_eq!(trace.take(), [""; 0]);
    while hand.turn() {}
    assert_eq!(trace.take(), ["sent before", "when running", "sent after"]);
}

#[test]
fn call_when_running_before_there_is_a_home() {
    let (trace, hand) = (Trace::default(), Rc::new(Hand::default()));
    call_when_running(noting(&trace, "first"));
    call_when_running(noting(&trace, "second"));
    success_result_of(flush_eventual_queue());
    assert_eq!(run_eventual_queue(), 0, "that is no runtime");
    let _installed = install(hand.clone());
    while hand.turn() {}
    assert_eq!(trace.take(), ["first", "second"]);
}

#[test]
fn started_without_a_home() {
    let trace = Trace::default();
    call_when_running(noting(&trace, "when running"));
    home::started();
    assert_eq!(run_eventual_queue(), 0);
    let hand = Rc::new(Hand::default());
    let _installed = install(hand.clone());
    hand.turn();
    assert_eq!(trace.take(), ["when running"]);
}

#[test]
fn thread_that_ends_with_calls_left() {
    /// Sends one more when it is dropped, which is too late.
    struct Stubborn;
    impl Drop for Stubborn {
        fn drop(&mut self) {
            eventually(|| unreachable!("nobody would call it"));
        }
    }

    std::thread::spawn(|| {
        let stubborn = Stubborn;
        eventually(move || drop(stubborn));
        call_when_running(|| unreachable!("there is no runtime"));
        drop(flush_eventual_queue().add_both(|result| assert!(result.is_err())));
    })
    .join()
    .expect("what is left at the end of a thread is dropped");
}

#[test]
fn home_that_is_asked_inside_of_a_turn() {
    /// Counts how often it is asked.
    #[derive(Default)]
    struct Counting {
        hand: Hand,
        asked: RefCell<u32>,
    }
    impl Home for Counting {
        fn schedule(&self, job: home::Job) {
            *self.asked.borrow_mut() += 1;
            self.hand.schedule(job);
        }
        fn remote(&self) -> std::sync::Arc<dyn home::Remote> {
            self.hand.remote()
        }
    }

    let counting = Rc::new(Counting::default());
    let _installed = install(counting.clone());
    eventually(|| {
        for _ in 0..3 {
            eventually(|| ());
        }
    });
    while counting.hand.turn() {}
    assert_eq!(*counting.asked.borrow(), 2, "one for each turn");
}
