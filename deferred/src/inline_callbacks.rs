//! What `#[rt::inline_callbacks]` stands on: a coroutine whose own return type says what its Deferred holds.

use std::future::Future;

use crate::{Deferred, Failure, IntoOutcome, coroutine, kind};

/// Starts a future that returns a `Result`, now, and returns a [`Deferred`] of the value in it.
///
/// It is [`ensure_deferred`](crate::ensure_deferred) for code that must not leave the type to be inferred, such as what
/// `#[rt::inline_callbacks]` makes of an `async fn`.
///
/// # Examples
///
/// ```
/// use rt_deferred::{Deferred, Failure, inline_callbacks, success_result_of};
///
/// async fn sum(left: Deferred<u32>, right: Deferred<u32>) -> Result<u32, Failure> {
///     Ok(left.await? + right.await?)
/// }
///
/// let sum = inline_callbacks(sum(Deferred::succeed(2), Deferred::succeed(3)));
/// assert_eq!(success_result_of(sum), 5);
/// ```
///
/// Counterpart: a call of what `twisted.internet.defer.inlineCallbacks` has decorated.
#[track_caller]
pub fn inline_callbacks<F>(future: F) -> Deferred<<F::Output as CoroutineOutput>::Value>
where
    F: Future + 'static,
    F::Output: CoroutineOutput,
{
    coroutine::start(future)
}

/// What a function under `#[rt::inline_callbacks]` may return: a `Result` whose error converts into [`Failure`], or
/// nothing.
///
/// # Examples
///
/// ```
/// use rt_deferred::{CoroutineOutput, Deferred, Failure, inline_callbacks, success_result_of};
///
/// fn started<F>(future: F) -> Deferred<<F::Output as CoroutineOutput>::Value>
/// where
///     F: Future<Output: CoroutineOutput> + 'static,
/// {
///     println!("here it starts");
///     inline_callbacks(future)
/// }
///
/// assert_eq!(success_result_of(started(async { Ok::<u8, Failure>(1) })), 1);
/// success_result_of(started(async { println!("it returns nothing") }));
/// ```
#[diagnostic::on_unimplemented(
    message = "a function under `#[rt::inline_callbacks]` cannot return `{Self}`",
    label = "this is not a `Result`",
    note = "it returns `Result<T, Failure>`, or a `Result` with another error that converts into `Failure`, and its \
            callers get a `Deferred<T>`; without a return type they get a `Deferred<()>`"
)]
pub trait CoroutineOutput: IntoOutcome<<Self as CoroutineOutput>::Value, <Self as CoroutineOutput>::Kind> {
    /// What the callers get a [`Deferred`] of.
    type Value: 'static;
    /// How it is an outcome. Nobody needs to name it.
    type Kind: 'static;
}

impl<T: 'static, E: Into<Failure>> CoroutineOutput for Result<T, E> {
    type Value = T;
    type Kind = kind::Fallible;
}

impl CoroutineOutput for () {
    type Value = ();
    type Kind = kind::Plain;
}
