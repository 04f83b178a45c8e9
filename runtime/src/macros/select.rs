//! `select!`: the macro, and what its expansion calls.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};

/// Waits for the first of several futures on this task, drops the others, and runs the handler of the one that finished.
///
/// ```text
/// rt::select! {
///     [biased;]
///     pattern = future [, if condition] => handler,    // 1 to 64 of these
///     [else => handler]
/// }
/// ```
///
/// A handler that is a block needs no comma after it. All handlers have the same type, which is the type of the whole
/// expression. The macro waits, so it stands inside an `async` function or block.
///
/// What happens, in this order:
///
/// 1. The conditions are evaluated. A branch whose condition is `false` is disabled.
/// 2. The future expressions are evaluated, also those of disabled branches; those are never polled. Anything that
///    implements [`IntoFuture`] will do; `&mut future` (pinned or `Unpin`) leaves the future with the caller. Temporaries
///    of an expression are dropped at its end, as in a `let`.
/// 3. The futures are polled in turn, beginning at a random branch at each poll, so that a branch that is always ready
///    does not starve those below it. With `biased;` they are polled from top to bottom, each time.
/// 4. The output of the first one that is ready is matched against its pattern. If it does not match, it is dropped, the
///    branch is disabled, and the others go on.
/// 5. **All futures are dropped**, the unfinished ones by that cancelled. Then the handler runs. It may therefore use,
///    mutably too, what the futures had borrowed, and `.await`, `?`, `break`, `continue` and `return` in it mean what
///    they mean around the macro.
/// 6. When every branch is disabled, the `else` handler runs.
///
/// The branches run on the same task, so never at the same time; for that, spawn tasks and select on their handles.
/// Several futures may borrow the same data.
///
/// Counterpart: `tokio::select!`.
///
/// # Panics
///
/// When every branch is disabled and there is no `else`.
///
/// # Cancel safety
///
/// A future that lost is dropped where it stood. In a loop, either use futures that lose nothing by that, or make the
/// future outside the loop and select on `&mut future`.
///
/// # Examples
///
/// The first that is ready wins; a pattern that does not match disables its branch:
///
/// ```
/// use std::future::{pending, ready};
///
/// # rt::block_on(async {
/// let winner = rt::select! {
///     Some(number) = ready(None::<u32>) => number,
///     number = ready(7) => number,
///     () = pending() => unreachable!("this is never ready"),
/// };
/// assert_eq!(winner, 7);
/// # });
/// ```
///
/// A loop that drains two sources and ends when both are at their end; the handlers share `sum`:
///
/// ```
/// use futures_util::stream::{self, StreamExt};
///
/// # rt::block_on(async {
/// let mut small = stream::iter([1, 2, 3]);
/// let mut large = stream::iter([100, 200]);
/// let mut sum = 0;
/// loop {
///     rt::select! {
///         Some(number) = small.next() => sum += number,
///         Some(number) = large.next() => sum += number,
///         else => break,
///     }
/// }
/// assert_eq!(sum, 306);
/// # });
/// ```
#[macro_export]
macro_rules! select {
    (biased; $($branches:tt)*) => { $crate::__branch_names!(__select biased {} $($branches)*) };
    ($($branches:tt)*) => { $crate::__branch_names!(__select random {} $($branches)*) };
}

/// Takes one branch after the other from the input, with a name for each, until [`__select_run`] can begin.
#[doc(hidden)]
#[macro_export]
macro_rules! __select {
    // The end.
    ($names:tt $order:ident {}) => {
        ::std::compile_error!("`select!` needs at least one branch: `pattern = future => handler`")
    };
    ($names:tt $order:ident {} else => $else:expr $(,)?) => { $else };
    ($names:tt $order:ident $branches:tt) => {
        $crate::__select_run!($order $branches $crate::__private::all_disabled())
    };
    ($names:tt $order:ident $branches:tt else => $else:expr $(,)?) => {
        $crate::__select_run!($order $branches $else)
    };
    ($names:tt $order:ident $branches:tt else $($rest:tt)*) => {
        ::std::compile_error!("the `else` of `select!` is its last branch, has no condition and reads `else => handler`")
    };
    ([] $order:ident $branches:tt $($rest:tt)+) => {
        ::std::compile_error!("`select!` takes at most 64 branches")
    };

    // A branch: its handler is a block (the comma may be missing), or any expression. Braces rather than `:block`, which
    // would take hold of, and fail on, the `$handler:expr` of a user's macro.
    (
        [$name:tt $($names:tt)*] $order:ident {$($branches:tt)*}
        $pattern:pat = $future:expr $(, if $condition:expr)? => {$($handler:tt)*}, $($rest:tt)*
    ) => {
        $crate::__select!(
            [$($names)*] $order {$($branches)* ($name $pattern, $future, ($($condition)?), {$($handler)*})} $($rest)*
        )
    };
    (
        [$name:tt $($names:tt)*] $order:ident {$($branches:tt)*}
        $pattern:pat = $future:expr $(, if $condition:expr)? => {$($handler:tt)*} $($rest:tt)*
    ) => {
        $crate::__select!(
            [$($names)*] $order {$($branches)* ($name $pattern, $future, ($($condition)?), {$($handler)*})} $($rest)*
        )
    };
    (
        [$name:tt $($names:tt)*] $order:ident {$($branches:tt)*}
        $pattern:pat = $future:expr $(, if $condition:expr)? => $handler:expr $(, $($rest:tt)*)?
    ) => {
        $crate::__select!(
            [$($names)*] $order {$($branches)* ($name $pattern, $future, ($($condition)?), $handler)} $($($rest)*)?
        )
    };
    ($names:tt $order:ident $branches:tt $($rest:tt)*) => {
        ::std::compile_error!(
            "a branch of `select!` reads `pattern = future => handler,` or `pattern = future, if condition => handler,`; \
             the comma may be missing after a block and after the last handler"
        )
    };
}

/// The code of a `select!` whose branches have been taken apart.
#[doc(hidden)]
#[macro_export]
macro_rules! __select_run {
    ($order:ident {$((
        ($variant:ident $name:ident $index:tt) $pattern:pat, $future:expr, ($($condition:expr)?), $handler:expr
    ))+} $else:expr) => {{
        enum __Selected<$($variant),+> {
            $($variant($variant),)+
            Disabled,
        }

        let selected = {
            #[allow(unused_mut)]
            let mut disabled = 0u64;
            $($(if $condition {} else { disabled |= 1u64 << $index; })?)+
            // Two steps: the temporaries of `$future` go at the end of the first, and `&mut make()` stays valid.
            $(let $name = $crate::__private::Branch($future);)+
            $(let mut $name = $crate::__private::pin!($crate::__private::into_future($name));)+
            let branches = [$($index),+].len();
            $crate::__private::poll_fn(|context| {
                let mut pending = false;
                let start = $crate::__select_start!($order branches);
                for step in 0..branches {
                    let branch = (start + step) % branches;
                    if disabled & (1u64 << branch) != 0 {
                        continue;
                    }
                    match branch {
                        $($index => match $crate::__private::Future::poll($name.as_mut(), context) {
                            $crate::__private::Poll::Pending => pending = true,
                            #[allow(unused_mut)]
                            $crate::__private::Poll::Ready(mut output) => {
                                disabled |= 1u64 << $index;
                                let mut matches = false;
                                // A guard sees the pattern match, and being false moves nothing out of the output.
                                #[allow(unused_variables, unused_mut, unreachable_patterns, clippy::all)]
                                match output {
                                    $pattern if { matches = true; false } => ::std::unreachable!("the guard is false"),
                                    _ => {}
                                }
                                if matches {
                                    return $crate::__private::Poll::Ready(__Selected::$variant(output));
                                }
                            }
                        },)+
                        _ => ::std::unreachable!("a branch has one of the indices above"),
                    }
                }
                if pending {
                    $crate::__private::Poll::Pending
                } else {
                    $crate::__private::Poll::Ready(__Selected::Disabled)
                }
            })
            .await
        };
        match selected {
            $(__Selected::$variant($pattern) => $handler,)+
            __Selected::Disabled => $else,
            #[allow(unreachable_patterns)]
            _ => ::std::unreachable!("the pattern matched when the branch was chosen"),
        }
    }};
}

#[doc(hidden)]
#[macro_export]
macro_rules! __select_start {
    (biased $branches:ident) => {
        0
    };
    (random $branches:ident) => {
        $crate::__private::random_start($branches)
    };
}

/// Ends a `select!` that has nothing left to wait for.
#[cold]
#[track_caller]
pub fn all_disabled() -> ! {
    panic!(
        "every branch of `select!` is disabled (by its condition, or because its pattern did not match) and there is no \
         `else` branch"
    )
}

/// A number below `branches`, where this poll begins. Fair, not secret: a xorshift generator for each thread.
pub fn random_start(branches: usize) -> usize {
    thread_local! {
        /// Zero, which xorshift never reaches, means: not seeded yet.
        static STATE: Cell<u64> = const { Cell::new(0) };
    }
    STATE.with(|state| {
        let mut bits = match state.get() {
            0 => RandomState::new().hash_one(0) | 1,
            bits => bits,
        };
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        state.set(bits);
        // The upper half scaled to the range: no division, no bias worth naming for so few branches.
        (((bits >> 32) * branches as u64) >> 32) as usize
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_start_comes_up() {
        for branches in 1..=64 {
            let mut seen = vec![false; branches];
            // A fair draw misses one of 64 in 10,000 with a probability of about 10^-66.
            for _ in 0..10_000 {
                seen[random_start(branches)] = true;
            }
            assert!(seen.iter().all(|seen| *seen), "{branches} branches: {seen:?}");
        }
    }
}
