//! [`select!`](crate::select), [`join!`](crate::join) and [`try_join!`](crate::try_join): several futures on one task.
//!
//! The macros are declarative, so they need no feature. A branch gets its names (variant, variable, index) from one
//! list, [`__branch_names`](crate::__branch_names); what need not be repeated in every expansion is in `__private`.

mod join;
mod select;

/// What the expansions call. Not for use by hand: it changes without notice.
#[doc(hidden)]
pub mod __private {
    pub use super::join::MaybeDone;
    pub use super::select::{all_disabled, random_start};
    pub use crate::task_local::local_key;
    pub use std::future::{Future, IntoFuture, poll_fn};
    pub use std::pin::pin;
    // A user may have put other things under these names.
    pub use std::result::Result::{Err, Ok};

    /// The value of a branch's expression. Its bound makes the compiler point at an expression that is no future; and
    /// the call of a constructor, unlike that of a function, keeps the temporary in `&mut make()` alive.
    pub struct Branch<F: IntoFuture>(pub F);

    /// The future of a branch.
    pub fn into_future<F: IntoFuture>(branch: Branch<F>) -> F::IntoFuture {
        branch.0.into_future()
    }
    pub use std::task::Poll;
}

/// Calls the macro `$callback` with the names of 64 branches in front of its input: variant, variable, index.
#[doc(hidden)]
#[macro_export]
#[rustfmt::skip]
macro_rules! __branch_names {
    ($callback:ident $($input:tt)*) => {
        $crate::$callback!([
            (B0 b0 0) (B1 b1 1) (B2 b2 2) (B3 b3 3) (B4 b4 4) (B5 b5 5) (B6 b6 6) (B7 b7 7)
            (B8 b8 8) (B9 b9 9) (B10 b10 10) (B11 b11 11) (B12 b12 12) (B13 b13 13) (B14 b14 14) (B15 b15 15)
            (B16 b16 16) (B17 b17 17) (B18 b18 18) (B19 b19 19) (B20 b20 20) (B21 b21 21) (B22 b22 22) (B23 b23 23)
            (B24 b24 24) (B25 b25 25) (B26 b26 26) (B27 b27 27) (B28 b28 28) (B29 b29 29) (B30 b30 30) (B31 b31 31)
            (B32 b32 32) (B33 b33 33) (B34 b34 34) (B35 b35 35) (B36 b36 36) (B37 b37 37) (B38 b38 38) (B39 b39 39)
            (B40 b40 40) (B41 b41 41) (B42 b42 42) (B43 b43 43) (B44 b44 44) (B45 b45 45) (B46 b46 46) (B47 b47 47)
            (B48 b48 48) (B49 b49 49) (B50 b50 50) (B51 b51 51) (B52 b52 52) (B53 b53 53) (B54 b54 54) (B55 b55 55)
            (B56 b56 56) (B57 b57 57) (B58 b58 58) (B59 b59 59) (B60 b60 60) (B61 b61 61) (B62 b62 62) (B63 b63 63)
        ] $($input)*)
    };
}
