//! What went wrong, in one type: any error, or a panic.
//!
//! Counterpart: `twisted.python.failure`.

mod report;

#[cfg(test)]
mod tests;

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::error::Error;
use std::io;
use std::marker::PhantomPinned;
use std::panic::Location;
use std::sync::{Arc, Mutex, PoisonError};

/// An error of any type, or a panic, with the place where it was made.
///
/// It holds an `Error + Send + Sync + 'static` in a box, or the payload of a panic. It is one pointer wide, cheap to
/// clone (clones share what they hold) and may be sent to any thread. `?` turns every such error into one, and so do
/// texts and boxed errors:
///
/// ```
/// use rt_deferred::Failure;
///
/// fn port(text: &str) -> Result<u16, Failure> {
///     let port: u16 = text.parse()?;
///     if port == 0 {
///         return Err("port 0 means any port".into());
///     }
///     Ok(port)
/// }
///
/// assert_eq!(port("80").unwrap(), 80);
/// assert!(port("eighty").unwrap_err().check::<std::num::ParseIntError>());
/// assert_eq!(port("0").unwrap_err().to_string(), "port 0 means any port");
/// ```
///
/// Who handles a failure asks what it is. [`check`](Self::check) tells, [`trap`](Self::trap) gives the error or passes
/// the failure on:
///
/// ```
/// use std::io::{self, ErrorKind};
/// use std::num::ParseIntError;
///
/// use rt_deferred::Failure;
///
/// /// A number that cannot be parsed counts as 0; other failures are not for us.
/// fn zero_if_unreadable(failure: Failure) -> Result<u16, Failure> {
///     failure.trap::<ParseIntError>()?;
///     Ok(0)
/// }
///
/// let failure = Failure::from("x".parse::<u16>().unwrap_err());
/// assert_eq!(zero_if_unreadable(failure).unwrap(), 0);
///
/// let failure = Failure::from(io::Error::from(ErrorKind::TimedOut));
/// let failure = zero_if_unreadable(failure).unwrap_err();
/// assert!(failure.check_kind(ErrorKind::TimedOut));
/// ```
///
/// # How it prints
///
/// `{}` is the error's own message, `{:#}` adds its sources on the same line, `{:?}` is a report of several lines with
/// sources, place and backtrace. So `fn main() -> Result<(), Failure>` prints something to work with.
///
/// # What it is not
///
/// It does not implement [`Error`]: the conversion from every error would then include failures themselves.
/// [`into_error`](Self::into_error) makes an error of it where one is asked for.
///
/// It is not [`Unpin`], on purpose: a callback may return a plain value or a `Result` with a `Failure`, and the
/// compiler tells the two apart by
/// `Unpin`. Nothing is ever pinned because of that; to be polled, a future that holds one is pinned as any other.
///
/// Counterpart: `twisted.python.failure.Failure`.
#[derive(Clone)]
pub struct Failure {
    inner: Arc<Inner>,
    _not_unpin: PhantomPinned,
}

struct Inner {
    cause: Cause,
    place: &'static Location<'static>,
    backtrace: Backtrace,
}

enum Cause {
    Error(Box<dyn Error + Send + Sync>),
    Panic {
        /// What the payload says, if it is a text.
        message: Option<Box<str>>,
        /// Behind a lock because a payload need not be `Sync`; `None` once it was taken.
        payload: Mutex<Option<Box<dyn Any + Send>>>,
    },
}

impl Failure {
    /// A failure with an error in it; texts and boxed errors do as well. `From` does the same.
    ///
    /// The place is that of the call; a backtrace is taken if the environment asks for one (`RUST_BACKTRACE` or
    /// `RUST_LIB_BACKTRACE`, as [`Backtrace::capture`] has it). What [`into_error`](Self::into_error) has made becomes
    /// the failure that it was.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::Failure;
    ///
    /// let failure = Failure::new("out of paper");
    /// assert_eq!(failure.to_string(), "out of paper");
    /// ```
    #[track_caller]
    pub fn new(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        match error.into().downcast::<report::AsError>() {
            Ok(wrapped) => wrapped.0,
            Err(error) => Self::of(Cause::Error(error)),
        }
    }

    /// A failure with a panic in it, from what [`catch_unwind`](std::panic::catch_unwind) returns.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::Failure;
    ///
    /// let payload = std::panic::catch_unwind(|| panic!("out of ink")).unwrap_err();
    /// let failure = Failure::from_panic(payload);
    /// assert!(failure.is_panic());
    /// assert_eq!(failure.to_string(), "panicked: out of ink");
    /// ```
    #[track_caller]
    pub fn from_panic(payload: Box<dyn Any + Send>) -> Self {
        let text = payload.downcast_ref::<&'static str>().copied().or(payload.downcast_ref::<String>().map(|s| &**s));
        let message = text.map(Box::from);
        Self::of(Cause::Panic { message, payload: Mutex::new(Some(payload)) })
    }

    #[track_caller]
    fn of(cause: Cause) -> Self {
        Self::with_place(cause, Location::caller())
    }

    /// A failure that the library makes for somebody: the place is theirs.
    pub(crate) fn at(place: &'static Location<'static>, error: impl Error + Send + Sync + 'static) -> Self {
        Self::with_place(Cause::Error(Box::new(error)), place)
    }

    fn with_place(cause: Cause, place: &'static Location<'static>) -> Self {
        let inner = Inner { cause, place, backtrace: Backtrace::capture() };
        Self { inner: Arc::new(inner), _not_unpin: PhantomPinned }
    }

    /// Whether it holds an error of type `E`. The error itself counts, not its sources.
    ///
    /// For several types, write `failure.check::<A>() || failure.check::<B>()`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::{fmt, num::ParseIntError};
    ///
    /// use rt_deferred::Failure;
    ///
    /// let failure = Failure::from("x".parse::<u16>().unwrap_err());
    /// assert!(failure.check::<ParseIntError>());
    /// assert!(!failure.check::<fmt::Error>());
    /// ```
    ///
    /// Counterpart: `Failure.check`.
    pub fn check<E: Error + 'static>(&self) -> bool {
        self.downcast_ref::<E>().is_some()
    }

    /// Whether it holds an [`io::Error`] of this kind. See also [`kind`](Self::kind).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::{self, ErrorKind};
    ///
    /// use rt_deferred::Failure;
    ///
    /// let failure = Failure::from(io::Error::from(ErrorKind::NotFound));
    /// assert!(failure.check_kind(ErrorKind::NotFound));
    /// assert!(!Failure::new("not found").check_kind(ErrorKind::NotFound));
    /// ```
    pub fn check_kind(&self, kind: io::ErrorKind) -> bool {
        self.kind() == Some(kind)
    }

    /// The error if it is of type `E`; otherwise the failure itself again, for `?` to pass on.
    ///
    /// # Errors
    ///
    /// A clone of the failure, if it holds something else.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::num::{IntErrorKind, ParseIntError};
    ///
    /// use rt_deferred::Failure;
    ///
    /// fn largest_if_too_large(failure: Failure) -> Result<u8, Failure> {
    ///     match failure.trap::<ParseIntError>()?.kind() {
    ///         IntErrorKind::PosOverflow => Ok(u8::MAX),
    ///         _ => Err(failure),
    ///     }
    /// }
    ///
    /// assert_eq!(largest_if_too_large("256".parse::<u8>().unwrap_err().into()).unwrap(), 255);
    /// assert!(largest_if_too_large(Failure::new("no number")).is_err());
    /// ```
    ///
    /// Counterpart: `Failure.trap`.
    pub fn trap<E: Error + 'static>(&self) -> Result<&E, Failure> {
        self.downcast_ref::<E>().ok_or_else(|| self.clone())
    }

    /// The error if it is an [`io::Error`] of this kind; otherwise the failure itself again, for `?` to pass on.
    ///
    /// # Errors
    ///
    /// A clone of the failure, if it holds something else.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::{self, ErrorKind};
    ///
    /// use rt_deferred::Failure;
    ///
    /// fn empty_if_missing(failure: Failure) -> Result<String, Failure> {
    ///     failure.trap_kind(ErrorKind::NotFound)?;
    ///     Ok(String::new())
    /// }
    ///
    /// let missing = Failure::from(io::Error::from(ErrorKind::NotFound));
    /// assert_eq!(empty_if_missing(missing).unwrap(), "");
    /// let denied = Failure::from(io::Error::from(ErrorKind::PermissionDenied));
    /// assert!(empty_if_missing(denied).is_err());
    /// ```
    pub fn trap_kind(&self, kind: io::ErrorKind) -> Result<&io::Error, Failure> {
        self.downcast_ref::<io::Error>().filter(|error| error.kind() == kind).ok_or_else(|| self.clone())
    }

    /// The kind of the [`io::Error`] that it holds, to `match` on. `None` if it holds something else.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::{self, ErrorKind};
    ///
    /// use rt_deferred::Failure;
    ///
    /// let failure = Failure::from(io::Error::from(ErrorKind::ConnectionRefused));
    /// let is_worth_a_retry = match failure.kind() {
    ///     Some(ErrorKind::ConnectionRefused | ErrorKind::TimedOut) => true,
    ///     _ => false,
    /// };
    /// assert!(is_worth_a_retry);
    /// ```
    pub fn kind(&self) -> Option<io::ErrorKind> {
        self.downcast_ref::<io::Error>().map(io::Error::kind)
    }

    /// The error if it is of type `E`.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{Cancelled, Failure};
    ///
    /// let failure = Failure::new(Cancelled::because("shutting down"));
    /// let cancelled: &Cancelled = failure.downcast_ref().unwrap();
    /// assert_eq!(cancelled.reason(), Some("shutting down"));
    /// ```
    pub fn downcast_ref<E: Error + 'static>(&self) -> Option<&E> {
        self.error()?.downcast_ref()
    }

    /// The error, with its sources behind [`Error::source`]. `None` for a panic.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::Failure;
    ///
    /// let failure = Failure::from("x".parse::<u16>().unwrap_err());
    /// let error = failure.error().expect("it is no panic");
    /// assert_eq!(error.to_string(), "invalid digit found in string");
    /// assert!(error.source().is_none());
    /// ```
    pub fn error(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        match &self.inner.cause {
            Cause::Error(error) => Some(&**error),
            Cause::Panic { .. } => None,
        }
    }

    /// Whether it holds a panic.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{Deferred, Failure, failure_result_of};
    ///
    /// let first = Deferred::succeed(Vec::<u8>::new()).add_callback(|empty| empty[0]);
    /// assert!(failure_result_of(first).is_panic());
    /// assert!(!Failure::new("an error").is_panic());
    /// ```
    pub fn is_panic(&self) -> bool {
        matches!(self.inner.cause, Cause::Panic { .. })
    }

    /// What the panic said. `None` for an error, and for a panic whose payload is not a text.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{Failure, failure_result_of, maybe_deferred};
    ///
    /// let failure = failure_result_of(maybe_deferred(|| -> u8 { panic!("out of ink") }));
    /// assert_eq!(failure.panic_message(), Some("out of ink"));
    /// assert_eq!(Failure::new("out of ink").panic_message(), None);
    /// ```
    pub fn panic_message(&self) -> Option<&str> {
        match &self.inner.cause {
            Cause::Panic { message, .. } => message.as_deref(),
            Cause::Error(_) => None,
        }
    }

    /// Takes the payload of the panic, for [`resume_unwind`](std::panic::resume_unwind). The failure and its clones
    /// remain panics with a message.
    ///
    /// `None` for an error, and if the payload was taken before: there is one, and clones share it.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::{failure_result_of, maybe_deferred};
    ///
    /// let failure = failure_result_of(maybe_deferred(|| -> u8 { std::panic::panic_any(7_u32) }));
    /// let payload = failure.take_panic().expect("nobody has taken it");
    /// assert_eq!(payload.downcast_ref(), Some(&7_u32));
    /// assert!(failure.take_panic().is_none());
    /// assert!(failure.is_panic());
    /// ```
    pub fn take_panic(&self) -> Option<Box<dyn Any + Send>> {
        match &self.inner.cause {
            Cause::Panic { payload, .. } => payload.lock().unwrap_or_else(PoisonError::into_inner).take(),
            Cause::Error(_) => None,
        }
    }

    /// Where it was made: the call of [`new`](Self::new) or [`from_panic`](Self::from_panic), or the `?` that turned an
    /// error into it.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::Failure;
    ///
    /// let (failure, line) = (Failure::new("no paper"), line!());
    /// assert_eq!(failure.place().line(), line);
    /// ```
    pub fn place(&self) -> &'static Location<'static> {
        self.inner.place
    }

    /// How the program came to that place, if the environment asked for backtraces at the time.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::Failure;
    ///
    /// let failure = Failure::new("no paper");
    /// match failure.backtrace() {
    ///     Some(backtrace) => println!("{failure}, by way of\n{backtrace}"),
    ///     None => println!("{failure}; more with RUST_BACKTRACE=1"),
    /// }
    /// # assert_eq!(failure.to_string(), "no paper");
    /// ```
    pub fn backtrace(&self) -> Option<&Backtrace> {
        Some(&self.inner.backtrace).filter(|backtrace| backtrace.status() == BacktraceStatus::Captured)
    }

    /// Whether the two are clones of one failure.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt_deferred::Failure;
    ///
    /// let failure = Failure::new("no paper");
    /// assert!(failure.is_same(&failure.clone()));
    /// assert!(!failure.is_same(&Failure::new("no paper")));
    /// ```
    pub fn is_same(&self, other: &Failure) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// An error that stands for it where one is asked for: with the same message and sources.
    ///
    /// `?` turns that back into the failure that it was.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::error::Error;
    ///
    /// use rt_deferred::Failure;
    ///
    /// fn foreign(result: Result<u8, Failure>) -> Result<u8, Box<dyn Error>> {
    ///     Ok(result.map_err(Failure::into_error)?)
    /// }
    ///
    /// assert_eq!(foreign(Err(Failure::new("out of paper"))).unwrap_err().to_string(), "out of paper");
    /// ```
    pub fn into_error(self) -> impl Error + Send + Sync + 'static {
        report::AsError(self)
    }
}

impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for Failure {
    #[track_caller]
    fn from(error: E) -> Self {
        Self::new(error)
    }
}

/// For `?` in functions that return [`io::Result`]: the failure's [kind](Failure::kind), or `Other`, with the failure as its error.
///
/// ```
/// use std::io;
///
/// use rt_deferred::Failure;
///
/// let failure = Failure::new(io::Error::new(io::ErrorKind::NotFound, "no paper"));
/// let error = io::Error::from(failure);
/// assert_eq!((error.kind(), error.to_string()), (io::ErrorKind::NotFound, "no paper".to_owned()));
/// ```
impl From<Failure> for io::Error {
    fn from(failure: Failure) -> Self {
        io::Error::new(failure.kind().unwrap_or(io::ErrorKind::Other), failure.into_error())
    }
}
