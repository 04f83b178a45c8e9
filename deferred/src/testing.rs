//! What tests ask a Deferred, without a runtime.

use crate::{Deferred, Failure};

/// The value of a Deferred that has one.
///
/// # Panics
///
/// If it has failed or has no result.
///
/// # Examples
///
/// ```
/// use rt_deferred::{Deferred, success_result_of};
///
/// assert_eq!(success_result_of(Deferred::succeed(4)), 4);
/// ```
///
/// Counterpart: `successResultOf` of Twisted's trial.
#[track_caller]
pub fn success_result_of<T: 'static>(deferred: Deferred<T>) -> T {
    match deferred.try_take() {
        Ok(Ok(value)) => value,
        Ok(Err(failure)) => panic!("expected a value, the Deferred has failed: {failure:?}"),
        Err(deferred) => panic!("expected a value, the Deferred has no result: {:?}", deferred.state()),
    }
}

/// The failure of a Deferred that has failed.
///
/// # Panics
///
/// If it has a value or no result.
///
/// # Examples
///
/// ```
/// use rt_deferred::{Deferred, failure_result_of};
///
/// assert_eq!(failure_result_of(Deferred::<()>::fail("no paper")).to_string(), "no paper");
/// ```
///
/// Counterpart: `failureResultOf` of Twisted's trial.
#[track_caller]
pub fn failure_result_of<T: 'static>(deferred: Deferred<T>) -> Failure {
    match deferred.try_take() {
        Ok(Err(failure)) => failure,
        Ok(Ok(_)) => panic!("expected a failure, the Deferred has a value"),
        Err(deferred) => panic!("expected a failure, the Deferred has no result: {:?}", deferred.state()),
    }
}

/// Checks that a Deferred has no result.
///
/// # Panics
///
/// If it has one.
///
/// # Examples
///
/// ```
/// use rt_deferred::{Deferred, assert_no_result};
///
/// let (deferred, _resolver) = Deferred::<()>::new();
/// assert_no_result(&deferred);
/// ```
///
/// Counterpart: `assertNoResult` of Twisted's trial.
#[track_caller]
pub fn assert_no_result<T: 'static>(deferred: &Deferred<T>) {
    let state = deferred.state();
    assert!(!state.has_result(), "expected no result, the Deferred has {state:?}");
}
