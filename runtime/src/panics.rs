//! Where panics of other people's code end that has nobody to report to.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls `f`; a panic ends here, having been printed by the panic hook, and `None` tells of it.
pub(crate) fn quietly<T>(f: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(value) => Some(value),
        Err(payload) => {
            // A payload may panic when it is dropped, with one that does so too; that one is not dropped.
            if let Err(nested) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
                mem::forget(nested);
            }
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::panic_any;

    use super::quietly;

    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic_any(Bomb);
        }
    }

    #[test]
    fn value_passes_through() {
        assert_eq!(quietly(|| 1), Some(1));
    }

    #[test]
    fn payload_that_panics_whenever_it_is_dropped() {
        assert_eq!(quietly(|| panic_any(Bomb)), None::<()>);
    }
}
