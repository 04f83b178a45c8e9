//! `join!` and `try_join!`: the macros, and the cell that keeps a branch's output until all have one.

use pin_project_lite::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Waits for all of several futures on this task and returns the tuple of their outputs.
///
/// Takes up to 64 futures (anything that implements [`IntoFuture`]), separated by commas. The macro waits, so it stands
/// inside an `async` function or block. Each time the task is woken, those that are not finished are polled, beginning
/// one further each time, so that no branch is always last. After `biased;` in front of the futures they are polled in
/// the order in which they are written, each time.
///
/// The branches run on the same task, so never at the same time, and one that blocks the thread blocks them all.
///
/// Counterpart: `tokio::join!`.
///
/// # Cancel safety
///
/// Dropping the surrounding future drops the unfinished futures and the outputs of the finished ones.
///
/// # Examples
///
/// ```
/// # rt::block_on(async {
/// let (sum, word) = rt::join!(async { 1 + 1 }, async { "two" });
/// assert_eq!((sum, word), (2, "two"));
/// # });
/// ```
#[macro_export]
macro_rules! join {
    (biased; $($futures:expr),* $(,)?) => { $crate::__branch_names!(__join join 0 {} $($futures,)*) };
    ($($futures:expr),* $(,)?) => { $crate::__branch_names!(__join join 1 {} $($futures,)*) };
}

/// Waits for all of several futures on this task until one fails: `Ok` with the tuple of their values, or the first
/// error.
///
/// Each future's output is a `Result`, all with the same error type. At the first `Err` the other futures are dropped,
/// by that cancelled, and the macro returns that error. In everything else it is like [`join!`](crate::join).
///
/// Counterpart: `tokio::try_join!`.
///
/// # Cancel safety
///
/// Dropping the surrounding future drops the unfinished futures and the outputs of the finished ones.
///
/// # Examples
///
/// The second future fails, so the first, which would never finish, is dropped:
///
/// ```
/// use std::num::ParseIntError;
///
/// # rt::block_on(async {
/// let both = rt::try_join!(async { "1".parse::<u32>() }, async { "2".parse::<u32>() });
/// assert_eq!(both, Ok((1, 2)));
///
/// let failed = rt::try_join!(std::future::pending::<Result<(), ParseIntError>>(), async { "two".parse::<u32>() });
/// assert!(failed.is_err());
/// # });
/// ```
#[macro_export]
macro_rules! try_join {
    (biased; $($futures:expr),* $(,)?) => { $crate::__branch_names!(__join try_join 0 {} $($futures,)*) };
    ($($futures:expr),* $(,)?) => { $crate::__branch_names!(__join try_join 1 {} $($futures,)*) };
}

/// Gives each future its names, then runs them. `$stride` is by how much the first to be polled moves at each poll.
#[doc(hidden)]
#[macro_export]
macro_rules! __join {
    ($names:tt join $stride:literal {}) => { () };
    ($names:tt try_join $stride:literal {}) => { $crate::__private::Ok(()) };
    ($names:tt $kind:ident $stride:literal {$($branches:tt)+}) => {
        $crate::__join_run!($kind $stride {$($branches)+})
    };
    ([] $kind:ident $stride:literal {$($branches:tt)+} $($rest:tt)+) => {
        ::std::compile_error!(::std::concat!("`", ::std::stringify!($kind), "!` takes at most 64 futures"))
    };
    (
        [($variant:ident $name:ident $index:tt) $($names:tt)*] $kind:ident $stride:literal {$($branches:tt)*}
        $future:expr, $($rest:tt)*
    ) => {
        $crate::__join!([$($names)*] $kind $stride {$($branches)* ($name $index $future)} $($rest)*)
    };
}

/// The code of a `join!` or `try_join!` whose futures have names.
#[doc(hidden)]
#[macro_export]
macro_rules! __join_run {
    ($kind:ident $stride:literal {$(($name:ident $index:tt $future:expr))+}) => {{
        // Two steps: the temporaries of `$future` go at the end of the first, and `&mut make()` stays valid.
        $(let $name = $crate::__private::Branch($future);)+
        $(
            let mut $name = $crate::__private::pin!($crate::__private::MaybeDone::new(
                $crate::__private::into_future($name)
            ));
        )+
        let branches = [$($index),+].len();
        let mut start = 0;
        $crate::__private::poll_fn(|context| {
            let mut pending = false;
            for step in 0..branches {
                match (start + step) % branches {
                    $($index => $crate::__join_poll!($kind $name context pending),)+
                    _ => ::std::unreachable!("a future has one of the indices above"),
                }
            }
            if pending {
                start = (start + $stride) % branches;
                $crate::__private::Poll::Pending
            } else {
                $crate::__private::Poll::Ready($crate::__join_output!($kind $($name)+))
            }
        })
        .await
    }};
}

/// Polls one branch; a failed one ends a `try_join!`.
#[doc(hidden)]
#[macro_export]
macro_rules! __join_poll {
    (join $name:ident $context:ident $pending:ident) => {
        $pending |= $name.as_mut().poll($context).is_pending()
    };
    (try_join $name:ident $context:ident $pending:ident) => {
        match $name.as_mut().try_poll($context) {
            $crate::__private::Poll::Pending => $pending = true,
            $crate::__private::Poll::Ready($crate::__private::Ok(())) => {}
            $crate::__private::Poll::Ready($crate::__private::Err(error)) => {
                return $crate::__private::Poll::Ready($crate::__private::Err(error))
            }
        }
    };
}

/// What the whole is worth when every branch is done.
#[doc(hidden)]
#[macro_export]
macro_rules! __join_output {
    (join $($name:ident)+) => { ($($name.as_mut().take(),)+) };
    (try_join $($name:ident)+) => { $crate::__private::Ok(($($name.as_mut().take_ok(),)+)) };
}

pin_project! {
    /// A future, then its output, then nothing.
    // `pin_project!` takes no documentation inside of an enum's variants.
    #[allow(missing_docs)]
    #[project = MaybeDoneProjection]
    #[project_replace = MaybeDoneOwned]
    pub enum MaybeDone<F>
    where
        F: Future,
    {
        Pending { #[pin] future: F },
        Done { output: F::Output },
        Taken,
    }
}

impl<F: Future> MaybeDone<F> {
    /// The cell with its future.
    pub fn new(future: F) -> Self {
        Self::Pending { future }
    }

    /// Ready once the output is there; the future is dropped at that moment.
    pub fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if let MaybeDoneProjection::Pending { future } = self.as_mut().project() {
            let output = ready!(future.poll(context));
            self.set(Self::Done { output });
        }
        Poll::Ready(())
    }

    /// Takes the output, once.
    pub fn take(self: Pin<&mut Self>) -> F::Output {
        match self.project_replace(Self::Taken) {
            MaybeDoneOwned::Done { output } => output,
            _ => unreachable!("the output is taken once, after the future is done"),
        }
    }
}

impl<F: Future<Output = Result<T, E>>, T, E> MaybeDone<F> {
    /// Like [`poll`](Self::poll), but hands an error out at once.
    pub fn try_poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), E>> {
        ready!(self.as_mut().poll(context));
        match self.as_mut().project() {
            MaybeDoneProjection::Done { output: Err(_) } => Poll::Ready(self.take().map(drop)),
            _ => Poll::Ready(Ok(())),
        }
    }

    /// Takes the value of a future that did not fail.
    pub fn take_ok(self: Pin<&mut Self>) -> T {
        match self.take() {
            Ok(value) => value,
            Err(_) => unreachable!("`try_poll` has handed every error out"),
        }
    }
}
