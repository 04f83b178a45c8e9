//! `#[rt::inline_callbacks]`: when the body runs, what it may be written as, and what it keeps of the function.

#![cfg(feature = "macros")]

use std::cell::{Cell, RefCell};
use std::fmt::{Debug, Display};
use std::num::ParseIntError;
use std::rc::Rc;

use rt::deferred::{
    Abandoned, Cancelled, State, assert_no_result, ensure_deferred, failure_result_of, success_result_of, unhandled,
};
use rt::{Deferred, Failure, Resolver};

/// What happened, in order.
#[derive(Clone, Default)]
struct Trace(Rc<RefCell<Vec<&'static str>>>);

impl Trace {
    fn push(&self, word: &'static str) {
        self.0.borrow_mut().push(word);
    }

    fn take(&self) -> Vec<&'static str> {
        self.0.take()
    }
}

#[rt::inline_callbacks]
async fn sum(trace: Trace, left: Deferred<u32>, right: Deferred<u32>) -> Result<u32, Failure> {
    trace.push("started");
    let left = left.await?;
    trace.push("has left");
    let right = right.await?;
    trace.push("has both");
    Ok(left + right)
}

#[test]
fn starts_at_once_and_goes_on_inside_the_firing_call() {
    let trace = Trace::default();
    let ((left, left_resolver), (right, right_resolver)) = (Deferred::new(), Deferred::new());
    let sum = sum(trace.clone(), left, right);
    assert_eq!(trace.take(), ["started"]);

    let words = trace.clone();
    let sum = sum.add_callback(move |sum| {
        words.push("called back");
        sum
    });
    left_resolver.callback(1).unwrap();
    assert_eq!(trace.take(), ["has left"]);
    assert_no_result(&sum);
    right_resolver.callback(2).unwrap();
    assert_eq!(trace.take(), ["has both", "called back"]);
    assert_eq!(success_result_of(sum), 3);
}

#[test]
fn body_that_never_waits() {
    let sum = sum(Trace::default(), Deferred::succeed(1), Deferred::succeed(2));
    assert_eq!(success_result_of(sum), 3);
}

#[test]
fn failure_leaves_at_the_question_mark() {
    let trace = Trace::default();
    let sum = sum(trace.clone(), Deferred::fail("no left"), Deferred::succeed(2));
    assert_eq!(failure_result_of(sum).to_string(), "no left");
    assert_eq!(trace.take(), ["started"]);
}

#[rt::inline_callbacks]
async fn default_if_cancelled(number: Deferred<u32>) -> Result<u32, Failure> {
    match number.await {
        Err(failure) if failure.check::<Cancelled>() => Ok(0),
        result => result,
    }
}

#[test]
fn cancel_throws_at_the_await() {
    let (left, resolver) = Deferred::new();
    let cancelled = sum(Trace::default(), left, Deferred::succeed(1));
    cancelled.cancel();
    assert!(resolver.is_called());
    assert!(failure_result_of(cancelled).check::<Cancelled>());

    let (number, _resolver) = Deferred::new();
    let caught = default_if_cancelled(number);
    caught.cancel();
    assert_eq!(success_result_of(caught), 0);
}

#[rt::inline_callbacks]
async fn factorial(n: u64) -> Result<u64, Failure> {
    if n == 0 { Ok(1) } else { Ok(n * factorial(n - 1).await?) }
}

#[test]
fn recursive() {
    assert_eq!(success_result_of(factorial(20)), 2_432_902_008_176_640_000);
}

#[rt::inline_callbacks]
async fn joined<'a, T, const N: usize>(
    parts: [Deferred<T>; N],
    separator: impl Display + 'static,
) -> Result<String, Failure>
where
    T: Display + 'static,
    &'a (): Sized,
{
    let mut joined = String::new();
    for part in parts {
        joined += &format!("{}{separator}", part.await?);
    }
    Ok(joined)
}

#[test]
fn generic() {
    let parts = [Deferred::succeed(1), Deferred::succeed(2)];
    assert_eq!(success_result_of(joined(parts, '/')), "1/2/");
}

#[rt::inline_callbacks]
async fn given_back<T: Clone + 'static>(value: T) -> Result<(T, T), Failure> {
    Ok((value.clone(), value))
}

#[test]
fn value_of_a_type_parameter() {
    assert_eq!(success_result_of(given_back("x")), ("x", "x"));
    let (first, second) = success_result_of(given_back(Failure::new("as a value")));
    assert!(first.is_same(&second));
}

#[rt::inline_callbacks]
async fn parsed(text: Deferred<&'static str>) -> Result<u16, ParseIntError> {
    let Ok(text) = text.await else { return Ok(0) };
    let port = text.parse()?;
    Ok(port)
}

type Parsed<T> = Result<T, ParseIntError>;

#[rt::inline_callbacks]
async fn parsed_by_alias(text: &'static str) -> Parsed<u16> {
    text.parse()
}

#[test]
fn another_error_than_failure() {
    assert_eq!(success_result_of(parsed(Deferred::succeed("80"))), 80);
    assert_eq!(success_result_of(parsed(Deferred::fail("offline"))), 0);
    assert!(failure_result_of(parsed(Deferred::succeed("x"))).check::<ParseIntError>());
    let port: Deferred<u16> = parsed_by_alias("443");
    assert_eq!(success_result_of(port), 443);
}

#[rt::inline_callbacks]
async fn without_a_return_type(trace: Trace, when: Deferred<()>) {
    if when.await.is_err() {
        return;
    }
    trace.push("then");
}

#[rt::inline_callbacks]
async fn with_a_unit(_: Trace) -> () {}

#[test]
fn no_return_type() {
    let trace = Trace::default();
    let (when, resolver) = Deferred::new();
    let done: Deferred<()> = without_a_return_type(trace.clone(), when);
    resolver.callback(()).unwrap();
    success_result_of(done);
    assert_eq!(trace.take(), ["then"]);
    success_result_of(without_a_return_type(trace.clone(), Deferred::fail("never")));
    success_result_of(with_a_unit(trace.clone()));
    assert_eq!(trace.take(), [""; 0]);
}

#[rt::inline_callbacks]
async fn coerced(early: bool) -> Result<Box<dyn Debug>, Failure> {
    if early {
        return Ok(Box::new("early"));
    }
    Ok(Box::new(5))
}

#[rt::inline_callbacks]
async fn never() -> Result<u8, Failure> {
    panic!("as it should")
}

#[rt::inline_callbacks]
async fn always() -> Result<u8, Failure> {
    loop {
        let (deferred, resolver) = Deferred::<()>::new();
        drop(resolver);
        deferred.await?;
    }
}

#[test]
fn body_of_another_shape() {
    assert_eq!(format!("{:?}", success_result_of(coerced(true))), "\"early\"");
    assert_eq!(format!("{:?}", success_result_of(coerced(false))), "5");
    assert_eq!(failure_result_of(never()).panic_message(), Some("as it should"));
    assert!(failure_result_of(always()).check::<Abandoned>());
}

struct Point {
    x: u32,
    y: u32,
}

#[rt::inline_callbacks]
async fn patterns(
    mut sum: u32,
    (first, mut second): (u32, u32),
    Point { x, y: ref why }: Point,
    [.., last]: [std::collections::BTreeMap<u32, u32>; 2],
    #[cfg(any())] absent: u32,
    #[allow(unused_variables)] unused: u32,
    call: fn(u32, u32) -> u32,
) -> Result<u32, Failure> {
    second += 1;
    sum += first + second + x + why;
    Ok(call(sum, last[&0]))
}

#[test]
fn arguments_with_patterns() {
    let maps = [[(0, 100)].into(), [(0, 1000)].into()];
    assert_eq!(success_result_of(patterns(1, (2, 3), Point { x: 4, y: 5 }, maps, 0, |a, b| a + b)), 1016);
}

/// Notes its end.
struct Guard(Trace, &'static str);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.push(self.1);
    }
}

#[rt::inline_callbacks]
async fn holding(_: Guard, _named: Guard, (_part, _): (Guard, Guard), when: Deferred<()>) -> Result<(), Failure> {
    when.await
}

async fn holding_plainly(
    _: Guard,
    _named: Guard,
    (_part, _): (Guard, Guard),
    when: Deferred<()>,
) -> Result<(), Failure> {
    when.await
}

#[test]
fn unused_arguments_live_as_long_as_in_an_async_fn() {
    let plainly = |wild, named, parts, when| ensure_deferred(holding_plainly(wild, named, parts, when));
    for function in [&holding as &dyn Fn(_, _, _, _) -> Deferred<()>, &plainly] {
        let trace = Trace::default();
        let guard = |name| Guard(trace.clone(), name);
        let (when, resolver) = Deferred::new();
        let done = function(guard("wild"), guard("named"), (guard("part"), guard("rest")), when);
        assert_eq!(trace.take(), [""; 0]);
        resolver.callback(()).unwrap();
        assert_eq!(trace.take(), ["part", "rest", "named", "wild"]);
        success_result_of(done);
    }
}

#[derive(Clone)]
struct Server {
    name: &'static str,
    ports: Rc<Cell<u16>>,
}

impl Server {
    /// Documentation stays.
    #[rt::inline_callbacks]
    pub(crate) async fn listen(self: Rc<Self>, ready: Deferred<()>) -> Result<&'static str, Failure> {
        ready.await?;
        self.ports.set(self.ports.get() + 1);
        Ok(self.name)
    }

    #[rt::inline_callbacks]
    async fn renamed(mut self) -> Result<Self, Failure> {
        self.name = "renamed";
        Ok(self)
    }

    #[rt::inline_callbacks]
    async fn unused(self) -> Result<u8, Failure> {
        Ok(0)
    }
}

trait Page {
    fn page(self, number: u32) -> Deferred<String>;
}

impl Page for Server {
    #[rt::inline_callbacks]
    async fn page(self, number: u32) -> Result<String, Failure> {
        Ok(format!("{} {number}", self.name))
    }
}

#[test]
fn methods() {
    let server = Server { name: "www", ports: Rc::default() };
    let (ready, resolver) = Deferred::new();
    let name = Rc::new(server.clone()).listen(ready);
    resolver.callback(()).unwrap();
    assert_eq!((success_result_of(name), server.ports.get()), ("www", 1));
    assert_eq!(success_result_of(server.clone().renamed()).name, "renamed");
    assert_eq!(success_result_of(server.clone().page(3)), "www 3");
    success_result_of(server.unused());
}

mod inner {
    #[rt::inline_callbacks]
    #[deprecated = "for the test of what stays"]
    #[track_caller]
    pub(super) async fn failing() -> Result<(), rt::Failure> {
        Err("nobody looks".into())
    }
}

#[test]
fn deferred_is_created_where_the_function_is_called() {
    #[expect(deprecated, reason = "attributes stay")]
    let ((), lost) = unhandled::capture(|| drop(inner::failing()));
    assert_eq!((lost[0].place().file(), lost[0].place().line()), (file!(), line!() - 1));

    let ((), lost) = unhandled::capture(|| drop(never()));
    assert_eq!((lost[0].place().file(), lost[0].place().line()), (file!(), line!() - 1));
}

macro_rules! from_fragments {
    ($visibility:vis $name:ident ($argument:ident: $ty:ty) -> $output:ty $body:block $path:literal) => {
        #[rt::inline_callbacks(crate = $path)]
        $visibility async fn $name($argument: $ty) -> $output $body
    };
}
from_fragments!(pub(crate) generated(n: ::std::option::Option<u32>) -> Result<u32, Failure> { n.ok_or("none".into()) } "::rt");
from_fragments!(generated_reference(n: &'static str) -> Result<usize, Failure> { Ok(n.len()) } "rt");

#[test]
fn function_made_by_a_macro() {
    assert_eq!(success_result_of(generated(Some(1))), 1);
    assert_eq!(failure_result_of(generated(None)).to_string(), "none");
    assert_eq!(success_result_of(generated_reference("four")), 4);
}

#[rt::inline_callbacks]
async fn countdown(n: Cell<u32>, fired: Rc<RefCell<Vec<Resolver<()>>>>) -> Result<(), Failure> {
    #![allow(unused_variables)]
    let unused = 1;
    while n.get() > 0 {
        let (deferred, resolver) = Deferred::new();
        fired.borrow_mut().push(resolver);
        deferred.await?;
        n.set(n.get() - 1);
    }
    Ok(())
}

#[test]
fn awaits_in_a_loop() {
    let fired = Rc::new(RefCell::new(Vec::new()));
    let done = countdown(Cell::new(3), fired.clone());
    for left in (0..3).rev() {
        assert_eq!(done.state(), State::Pending);
        let resolver = fired.borrow_mut().pop().unwrap();
        resolver.callback(()).unwrap();
        assert_eq!(done.state().has_result(), left == 0);
    }
    success_result_of(done);
}
