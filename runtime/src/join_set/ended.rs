//! The result of a task that had ended before its set could wait for it.

use std::panic::Location;

use crate::panics::quietly;
use crate::task::{JoinError, JoinFailure, drop_unseen};

/// Dropped with its result, it reports what is lost with that, as the task's own handle would have done.
pub(super) struct Ended<T> {
    result: Option<Result<T, JoinError>>,
    spawned_at: &'static Location<'static>,
    /// The set can be dropped where it is not known that `T` is `'static`.
    drop_unseen: fn(Result<T, JoinFailure>, &'static Location<'static>),
}

impl<T> Ended<T> {
    pub(super) fn new(result: Result<T, JoinError>, spawned_at: &'static Location<'static>) -> Self
    where
        T: 'static,
    {
        Self { result: Some(result), spawned_at, drop_unseen: drop_unseen::<T> }
    }

    pub(super) fn take(mut self) -> Result<T, JoinError> {
        self.result.take().expect("taken once")
    }
}

impl<T> Drop for Ended<T> {
    fn drop(&mut self) {
        let Some(result) = self.result.take() else { return };
        let result = result.map_err(|error| match error.try_into_panic() {
            Ok(payload) => JoinFailure::Panicked(payload),
            Err(_) => JoinFailure::Cancelled,
        });
        quietly(|| (self.drop_unseen)(result, self.spawned_at));
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use rt_deferred::Failure;
    use rt_deferred::unhandled;

    use super::*;

    #[test]
    fn error_that_leaves_with_its_set() {
        let result = Ok(Err::<(), _>(Failure::new("no paper")));
        let ((), lost) = unhandled::capture(|| drop(Ended::new(result, Location::caller())));
        assert_eq!(lost.len(), 1);
    }

    #[test]
    fn error_that_is_joined() {
        let result = Ok(Err::<(), _>(Failure::new("no paper")));
        let (joined, lost) = unhandled::capture(|| Ended::new(result, Location::caller()).take());
        assert!(joined.unwrap().is_err());
        assert!(lost.is_empty());
    }
}
