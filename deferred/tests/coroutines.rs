//! Coroutines go on inside the call that fires what they await, through whatever stands between.

use std::cell::{Cell, RefCell};
use std::future::{Future, IntoFuture, poll_fn};
use std::rc::Rc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use futures_util::stream::{FuturesUnordered, StreamExt};
use futures_util::{FutureExt, future, join, pin_mut, select};
use rt_deferred::home::{self, Home, Job, NoHome, Remote, SendJob};
use rt_deferred::{
    Abandoned, Cancelled, Deferred, Failure, State, assert_no_result, ensure_deferred, failure_result_of,
    success_result_of, unhandled,
};

type Trace = Rc<RefCell<Vec<&'static str>>>;

#[test]
fn resumed_in_its_place_among_the_callbacks() {
    let trace = Trace::default();
    let (deferred, resolver) = Deferred::new();
    let (before, after) = (trace.clone(), trace.clone());
    let deferred = deferred.add_callback(move |n: u32| {
        before.borrow_mut().push("before");
        n
    });
    let coroutine = trace.clone();
    let result = ensure_deferred(async move {
        coroutine.borrow_mut().push("started");
        let n = deferred.await?;
        coroutine.borrow_mut().push("resumed");
        Ok::<_, Failure>(n)
    })
    .add_callback(move |n| {
        after.borrow_mut().push("after");
        n
    });
    trace.borrow_mut().push("firing");
    resolver.callback(1).unwrap();
    trace.borrow_mut().push("fired");
    assert_eq!(*trace.borrow(), ["started", "firing", "before", "resumed", "after", "fired"]);
    assert_eq!(success_result_of(result), 1);
}

#[test]
fn through_join() {
    let ((a, fire_a), (b, fire_b)) = (Deferred::new(), Deferred::new());
    let sum = ensure_deferred(async move {
        let (a, b) = join!(a.into_future(), b.into_future());
        let (a, b): (u32, u32) = (a?, b?);
        Ok::<u32, Failure>(a + b)
    });
    fire_b.callback(2).unwrap();
    assert_no_result(&sum);
    fire_a.callback(1).unwrap();
    assert_eq!(success_result_of(sum), 3);
}

#[test]
fn through_join_all_of_many() {
    let (deferreds, resolvers): (Vec<_>, Vec<_>) = (0..100).map(|_| Deferred::<u32>::new()).unzip();
    let all = ensure_deferred(async move {
        future::join_all(deferreds.into_iter().map(IntoFuture::into_future)).await.into_iter().sum::<Result<u32, _>>()
    });
    for (resolver, n) in resolvers.iter().zip(0..) {
        assert_no_result(&all);
        resolver.callback(n).unwrap();
    }
    assert_eq!(success_result_of(all), 4950);
}

#[test]
fn through_futures_unordered() {
    let ((a, fire_a), (b, fire_b)) = (Deferred::new(), Deferred::new());
    let order = ensure_deferred(async move {
        let all: FuturesUnordered<_> = [a, b].into_iter().map(IntoFuture::into_future).collect();
        all.map(Result::unwrap).collect::<Vec<&str>>().await.join(" ")
    });
    fire_b.callback("b").unwrap();
    fire_a.callback("a").unwrap();
    assert_eq!(success_result_of(order), "b a");
}

#[test]
fn through_select_and_the_loser_is_cancelled() {
    let ((a, _fire_a), (b, fire_b)) = (Deferred::<&str>::new(), Deferred::<&str>::new());
    let cancelled = Rc::new(Cell::new(false));
    let see = cancelled.clone();
    let a = a.add_errback(move |failure: Failure| {
        see.set(failure.check::<Cancelled>());
        failure.trap::<Cancelled>().map(|_| "cancelled")
    });
    let first = ensure_deferred(async move {
        let (a, b) = (a.into_future().fuse(), b.into_future().fuse());
        pin_mut!(a, b);
        select! { a = a => a, b = b => b }
    });
    fire_b.callback("b").unwrap();
    assert_eq!(success_result_of(first), "b");
    assert!(cancelled.get());
}

#[test]
fn woken_while_it_runs() {
    let ((a, fire_a), (b, fire_b)) = (Deferred::<()>::new(), Deferred::<()>::new());
    let done = ensure_deferred(async move {
        let fire = async {
            a.await.unwrap();
            // The other half of this join is waiting for it.
            fire_b.callback(()).unwrap();
        };
        let ((), _done) = join!(fire, b.into_future());
        "done"
    });
    fire_a.callback(()).unwrap();
    assert_eq!(success_result_of(done), "done");
}

#[test]
fn cancelled_at_its_await_and_going_on() {
    let ((a, _fire_a), (b, fire_b)) = (Deferred::<u32>::new(), Deferred::<u32>::new());
    let result = ensure_deferred(async move {
        let failure = a.await.unwrap_err();
        failure.trap::<Cancelled>()?;
        b.await
    });
    result.cancel();
    assert_eq!(result.state(), State::Chained);
    fire_b.callback(2).unwrap();
    assert_eq!(success_result_of(result), 2);
}

#[test]
fn cancelled_twice() {
    let ((a, _fire_a), (b, _fire_b)) = (Deferred::<u32>::new(), Deferred::<u32>::new());
    let result = ensure_deferred(async move {
        let _ = a.await;
        b.await
    });
    result.cancel();
    result.cancel();
    assert!(failure_result_of(result).check::<Cancelled>());
}

#[test]
fn cancelled_while_it_runs() {
    let (a, fire_a) = Deferred::<()>::new();
    let (b, _fire_b) = Deferred::<()>::new();
    let slot = Rc::new(Cell::new(None));
    let own = slot.clone();
    let result = ensure_deferred(async move {
        a.await?;
        let own: rt_deferred::Control = own.take().unwrap();
        own.cancel();
        b.await
    });
    slot.set(Some(result.control()));
    fire_a.callback(()).unwrap();
    assert!(failure_result_of(result).check::<Cancelled>());
}

#[test]
fn panic_becomes_a_failure() {
    let failure = failure_result_of(ensure_deferred(async {
        if true {
            panic!("out of ink");
        }
    }));
    assert_eq!(failure.panic_message(), Some("out of ink"));
}

#[test]
fn dropped_future_cancels_and_dropped_handle_does_not() {
    let (deferred, resolver) = Deferred::<u32>::new();
    drop(deferred.into_future());
    assert!(resolver.is_called());

    let (deferred, resolver) = Deferred::<u32>::new();
    drop(deferred);
    assert!(!resolver.is_called());
    resolver.callback(1).unwrap();
}

#[test]
fn failure_that_arrived_unseen_is_reported() {
    let (deferred, resolver) = Deferred::<u32>::new();
    let ((), lost) = unhandled::capture(|| {
        let mut future = Box::pin(deferred.into_future());
        assert!(future.as_mut().poll(&mut std::task::Context::from_waker(Waker::noop())).is_pending());
        resolver.errback("nobody looks").unwrap();
        drop(future);
    });
    assert_eq!(lost.len(), 1);
    assert_eq!(lost[0].failure.to_string(), "nobody looks");
}

/// A future that somebody else wakes.
#[derive(Clone, Default)]
struct Foreign(Arc<Mutex<(bool, Option<Waker>)>>);

impl Foreign {
    fn wait(&self) -> impl Future<Output = ()> + use<> {
        let this = self.clone();
        poll_fn(move |cx| {
            let mut state = this.0.lock().unwrap();
            if state.0 {
                return Poll::Ready(());
            }
            state.1 = Some(cx.waker().clone());
            Poll::Pending
        })
    }

    fn finish(&self) {
        let mut state = self.0.lock().unwrap();
        state.0 = true;
        // Under the lock on purpose: a poll in here would deadlock.
        if let Some(waker) = state.1.take() {
            waker.wake();
        }
    }
}

#[test]
fn foreign_await_without_a_home() {
    let foreign = Foreign::default();
    let result = ensure_deferred(foreign.wait());
    assert!(failure_result_of(result).check::<NoHome>());
}

/// A home whose jobs run when the test says so.
struct ByHand {
    jobs: RefCell<Vec<Job>>,
    sender: Sender<SendJob>,
    receiver: Receiver<SendJob>,
}

struct ByHandRemote(Mutex<Sender<SendJob>>);

impl ByHand {
    fn new() -> Rc<Self> {
        let (sender, receiver) = channel();
        Rc::new(Self { jobs: RefCell::default(), sender, receiver })
    }

    /// How many there were.
    fn run(&self) -> usize {
        let jobs: Vec<Job> = self.jobs.take();
        let sent: Vec<SendJob> = self.receiver.try_iter().collect();
        let count = jobs.len() + sent.len();
        jobs.into_iter().for_each(|job| job());
        sent.into_iter().for_each(|job| job());
        count
    }
}

impl Home for ByHand {
    fn schedule(&self, job: Job) {
        self.jobs.borrow_mut().push(job);
    }

    fn remote(&self) -> Arc<dyn Remote> {
        Arc::new(ByHandRemote(Mutex::new(self.sender.clone())))
    }
}

impl Remote for ByHandRemote {
    fn post(&self, job: SendJob) -> Result<(), SendJob> {
        self.0.lock().unwrap().send(job).map_err(|error| error.0)
    }
}

#[test]
fn woken_from_elsewhere_goes_home() {
    let home = ByHand::new();
    let _installed = home::install(home.clone());
    let foreign = Foreign::default();
    let waiting = foreign.wait();
    let result = ensure_deferred(async move {
        waiting.await;
        "resumed"
    });
    foreign.finish();
    assert_no_result(&result);
    assert_eq!(home.run(), 1);
    assert_eq!(success_result_of(result), "resumed");
}

#[test]
fn woken_from_another_thread_goes_home() {
    let home = ByHand::new();
    let _installed = home::install(home.clone());
    let foreign = Foreign::default();
    let result = ensure_deferred(foreign.wait());
    std::thread::spawn(move || foreign.finish()).join().unwrap();
    assert_no_result(&result);
    // The wake and nothing else, or the last waker's end besides, which nobody needs by then.
    assert!(home.run() >= 1);
    while home.run() > 0 {}
    success_result_of(result);
}

/// Gives way once: it wakes itself, and is not ready before it is polled again.
async fn yield_now() {
    let mut has_yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut has_yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[test]
fn giving_way_lets_the_home_do_other_things() {
    let home = ByHand::new();
    let _installed = home::install(home.clone());
    // The first one tells the thread of its home, which is asked once more then.
    drop(ensure_deferred(yield_now()));
    while home.run() > 0 {}
    let result = ensure_deferred(async {
        yield_now().await;
        yield_now().await;
        "had its turns"
    });
    assert_no_result(&result);
    assert_eq!(home.run(), 1);
    assert_no_result(&result);
    assert_eq!(home.run(), 1);
    assert_eq!(success_result_of(result), "had its turns");
}

#[test]
fn giving_way_without_a_home() {
    assert_eq!(success_result_of(ensure_deferred(async { yield_now().await })), ());
}

#[test]
fn cancelled_at_a_foreign_await_is_dropped() {
    let home = ByHand::new();
    let _installed = home::install(home);
    let (foreign, alive) = (Foreign::default(), Rc::new(()));
    let (waiting, held) = (foreign.wait(), alive.clone());
    let result = ensure_deferred(async move {
        waiting.await;
        drop(held);
    });
    assert_eq!(Rc::strong_count(&alive), 2);
    result.cancel();
    assert_eq!(Rc::strong_count(&alive), 1);
    assert!(failure_result_of(result).check::<Cancelled>());
}

#[test]
fn forgotten_by_who_should_wake_it() {
    let home = ByHand::new();
    let _installed = home::install(home);
    let foreign = Foreign::default();
    let result = ensure_deferred(foreign.wait());
    assert_no_result(&result);
    foreign.0.lock().unwrap().1 = None;
    assert!(failure_result_of(result).check::<Abandoned>());
}

#[test]
fn woken_from_another_thread_between_two_homes() {
    let foreign = Foreign::default();
    let result = {
        let _installed = home::install(ByHand::new());
        ensure_deferred(foreign.wait())
    };
    std::thread::spawn(move || foreign.finish()).join().unwrap();
    assert_no_result(&result);
    let home = ByHand::new();
    let _installed = home::install(home.clone());
    while home.run() > 0 {}
    success_result_of(result);
}

#[test]
fn woken_on_its_own_thread_between_two_homes() {
    let foreign = Foreign::default();
    let result = {
        let _installed = home::install(ByHand::new());
        ensure_deferred(foreign.wait())
    };
    foreign.finish();
    assert_no_result(&result);
    let home = ByHand::new();
    let _installed = home::install(home.clone());
    while home.run() > 0 {}
    success_result_of(result);
}

#[test]
fn wake_that_its_home_takes_along_comes_to_the_next() {
    let (foreign, other) = (Foreign::default(), Foreign::default());
    let (result, from_thread) = {
        let _installed = home::install(ByHand::new());
        let results = (ensure_deferred(foreign.wait()), ensure_deferred(other.wait()));
        foreign.finish();
        std::thread::spawn(move || other.finish()).join().unwrap();
        results
    };
    let home = ByHand::new();
    let _installed = home::install(home.clone());
    while home.run() > 0 {}
    success_result_of(result);
    success_result_of(from_thread);
}

#[test]
fn wake_that_waits_in_another_home_which_lives() {
    let (former, foreign) = (ByHand::new(), Foreign::default());
    let result = {
        let _installed = home::install(former.clone());
        ensure_deferred(foreign.wait())
    };
    std::thread::spawn(move || foreign.finish()).join().unwrap();
    let home = ByHand::new();
    let _installed = home::install(home.clone());
    while home.run() > 0 {}
    success_result_of(result);
    // It looks, and finds nothing to do.
    while former.run() > 0 {}
}

#[test]
fn forgotten_on_another_thread_between_two_homes() {
    let foreign = Foreign::default();
    let result = {
        let _installed = home::install(ByHand::new());
        ensure_deferred(foreign.wait())
    };
    std::thread::spawn(move || foreign.0.lock().unwrap().1 = None).join().unwrap();
    assert_no_result(&result);
    let home = ByHand::new();
    let _installed = home::install(home.clone());
    while home.run() > 0 {}
    assert!(failure_result_of(result).check::<Abandoned>());
}

#[test]
fn resumed_in_its_place_although_the_home_will_poll_it_too() {
    let home = ByHand::new();
    let _installed = home::install(home.clone());
    let foreign = Foreign::default();
    let (deferred, resolver) = Deferred::new();
    let waiting = foreign.wait();
    let result = ensure_deferred(async move {
        let ((), value) = join!(waiting.fuse(), deferred.into_future());
        value
    });
    foreign.finish();
    resolver.callback(3).unwrap();
    assert_eq!(success_result_of(result), 3);
    while home.run() > 0 {}
}

#[test]
fn destructor_panics_when_it_is_cancelled() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("a destructor");
        }
    }
    let home = ByHand::new();
    let _installed = home::install(home.clone());
    let foreign = Foreign::default();
    let waiting = foreign.wait();
    let result = ensure_deferred(async move {
        let _bomb = Bomb;
        waiting.await;
    });
    result.cancel();
    assert!(failure_result_of(result).to_string().contains("a destructor"));
}

/// Seen taking minutes with a look at all of them for each.
#[test]
fn awaits_very_many_at_once() {
    let (deferreds, resolvers): (Vec<_>, Vec<_>) = (0..50_000).map(|_| Deferred::<()>::new()).unzip();
    let result =
        ensure_deferred(async { future::join_all(deferreds.into_iter().map(IntoFuture::into_future)).await.len() });
    for resolver in resolvers {
        resolver.callback(()).unwrap();
    }
    assert_eq!(success_result_of(result), 50_000);
}

#[test]
fn woken_from_another_thread_after_an_inner_home_is_gone() {
    let (outer, inner) = (ByHand::new(), ByHand::new());
    let _installed = home::install(outer.clone());
    let foreign = Foreign::default();
    let result = ensure_deferred(foreign.wait());
    drop(home::install(inner.clone()));
    while outer.run() + inner.run() > 0 {}
    std::thread::spawn(move || foreign.finish()).join().unwrap();
    while outer.run() > 0 {}
    success_result_of(result);
}
