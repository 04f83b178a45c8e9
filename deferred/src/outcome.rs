//! What a callback may return.

use std::future::Future;

use crate::chain::Slot;
use crate::{Deferred, Failure};

/// What comes out of a callback: a value, a failure, or a [`Deferred`] to wait for.
///
/// A callback that returns now this, now that, names it; the others simply return what they have (see
/// [`IntoOutcome`]).
///
/// # Examples
///
/// ```
/// use rt_deferred::{Deferred, Outcome, success_result_of};
///
/// let cached = true;
/// let page = Deferred::succeed("index").add_callback(move |name| match cached {
///     true => Outcome::Value(format!("cached {name}")),
///     false => Outcome::Deferred(Deferred::succeed(format!("fetched {name}"))),
/// });
/// assert_eq!(success_result_of(page), "cached index");
/// ```
pub enum Outcome<T> {
    /// A value.
    Value(T),
    /// A failure: the errbacks come next.
    Failure(Failure),
    /// Its result will be the result.
    Deferred(Deferred<T>),
}

impl<T: 'static> Outcome<T> {
    /// A Deferred with this outcome; if it is one already, that one.
    #[track_caller]
    pub(crate) fn into_deferred(self) -> Deferred<T> {
        match self {
            Outcome::Value(value) => Deferred::succeed(value),
            Outcome::Failure(failure) => Deferred::fail(failure),
            Outcome::Deferred(deferred) => deferred,
        }
    }

    #[inline]
    pub(crate) fn into_slot(self) -> Slot {
        match self {
            Outcome::Value(value) => Slot::ok(value),
            Outcome::Failure(failure) => Slot::Err(failure),
            Outcome::Deferred(deferred) => Slot::Returned(deferred.into_consumer()),
        }
    }
}

impl<T> From<Result<T, Failure>> for Outcome<T> {
    fn from(result: Result<T, Failure>) -> Self {
        match result {
            Ok(value) => Outcome::Value(value),
            Err(failure) => Outcome::Failure(failure),
        }
    }
}

impl<T> From<Deferred<T>> for Outcome<T> {
    fn from(deferred: Deferred<T>) -> Self {
        Outcome::Deferred(deferred)
    }
}

/// What a callback may return: a plain value, a `Result`, a [`Deferred`], a future of one of these, or an [`Outcome`].
///
/// `Kind` only tells the cases apart; the compiler finds it. It tells a plain value by its being [`Unpin`], which
/// [`Failure`] and `Deferred` are not, on purpose: so a `Result` with a `Failure` counts as a `Result`, not as a value.
///
/// What does not infer, and what to write instead:
///
/// - A `Result` with another error might be meant as a plain value: name the type of the next closure's argument, or use
///   [`try_callback`](Deferred::try_callback).
/// - `?` in a closure that ends in a bare `Ok(…)`: use `try_callback`.
/// - A future that is `Unpin` (`Pin<Box<dyn Future>>`): `async { it.await }`.
/// - A value that holds a `Failure` (and so is not `Unpin`): `Ok(it)`, which is a `Result` as the signature names it.
///
/// # Examples
///
/// ```
/// use rt_deferred::{Deferred, IntoOutcome, maybe_deferred, success_result_of};
///
/// /// Takes what `add_callback` takes, and adds something to it.
/// fn logged<K, R: IntoOutcome<u32, K>>(function: impl FnOnce() -> R) -> Deferred<u32> {
///     maybe_deferred(function).add_callback(|n: u32| { println!("it is {n}"); n })
/// }
///
/// assert_eq!(success_result_of(logged(|| 1)), 1);
/// assert_eq!(success_result_of(logged(|| "2".parse::<u32>())), 2);
/// assert_eq!(success_result_of(logged(|| Deferred::succeed(3))), 3);
/// assert_eq!(success_result_of(logged(|| async { 4 })), 4);
/// ```
#[diagnostic::on_unimplemented(
    message = "a callback cannot return `{Self}` here",
    label = "this callback returns `{Self}`",
    note = "a callback returns a plain value, a `Result` whose error converts into `Failure`, a `Deferred`, a future of \
            one of these, or an `Outcome`",
    note = "a value that is not `Unpin` (because it holds a `Failure` or a `Deferred`) is returned as `Ok(value)` of a \
            `Result<_, Failure>`"
)]
pub trait IntoOutcome<T, Kind> {
    /// Makes it an outcome; a future starts to run here.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{IntoOutcome, Outcome};
    ///
    /// let outcome: Outcome<u16> = "80".parse::<u16>().into_outcome();
    /// assert!(matches!(outcome, Outcome::Value(80)));
    /// ```
    fn into_outcome(self) -> Outcome<T>;
}

/// The kinds of [`IntoOutcome`]. Nobody needs to name them.
///
/// # Examples
///
/// ```
/// use rt_deferred::{IntoOutcome, Outcome, kind};
///
/// /// A `Result` is a plain value as well; this says which is meant.
/// fn as_it_is(parsed: Result<u8, std::num::ParseIntError>) -> Outcome<Result<u8, std::num::ParseIntError>> {
///     IntoOutcome::<_, kind::Plain>::into_outcome(parsed)
/// }
///
/// assert!(matches!(as_it_is("x".parse()), Outcome::Value(Err(_))));
/// ```
pub mod kind {
    use std::marker::PhantomData;

    /// A plain value.
    pub struct Plain;
    /// A `Result`.
    pub struct Fallible;
    /// A `Deferred`.
    pub struct Chained;
    /// An `Outcome`.
    pub struct Chosen;
    /// A future of what `K` says.
    pub struct Awaited<K>(PhantomData<K>);
}

impl<T: Unpin> IntoOutcome<T, kind::Plain> for T {
    #[inline]
    fn into_outcome(self) -> Outcome<T> {
        Outcome::Value(self)
    }
}

impl<T, E: Into<Failure>> IntoOutcome<T, kind::Fallible> for Result<T, E> {
    #[inline]
    fn into_outcome(self) -> Outcome<T> {
        match self {
            Ok(value) => Outcome::Value(value),
            Err(error) => Outcome::Failure(error.into()),
        }
    }
}

impl<T> IntoOutcome<T, kind::Chained> for Deferred<T> {
    #[inline]
    fn into_outcome(self) -> Outcome<T> {
        Outcome::Deferred(self)
    }
}

impl<T> IntoOutcome<T, kind::Chosen> for Outcome<T> {
    #[inline]
    fn into_outcome(self) -> Outcome<T> {
        self
    }
}

impl<T: 'static, K: 'static, F> IntoOutcome<T, kind::Awaited<K>> for F
where
    F: Future + 'static,
    F::Output: IntoOutcome<T, K>,
{
    fn into_outcome(self) -> Outcome<T> {
        Outcome::Deferred(crate::coroutine::start(self))
    }
}
