//! `#[rt::main]` and `#[rt::test]`: what they keep of the function and what they ask of the runtime's builder.
//!
//! `crate = "crate::stand_in"` lets a builder that only takes notes stand where `rt` would.

#![cfg(feature = "macros")]

use stand_in::runtime::CALLS;
use std::fmt::Debug;

mod stand_in {
    pub(crate) mod runtime {
        use std::cell::RefCell;
        use std::future::Future;

        thread_local! {
            pub(crate) static CALLS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
        }

        fn note(call: impl Into<String>) {
            CALLS.with_borrow_mut(|calls| calls.push(call.into()));
        }

        pub(crate) use rt::runtime::UnhandledFailure;

        pub(crate) struct Builder;
        pub(crate) struct Runtime;

        impl Builder {
            pub(crate) fn new_current_thread() -> Self {
                note("new_current_thread");
                Self
            }

            pub(crate) fn new_multi_thread() -> Self {
                note("new_multi_thread");
                Self
            }

            pub(crate) fn worker_threads(&mut self, count: usize) -> &mut Self {
                note(format!("worker_threads({count})"));
                self
            }

            pub(crate) fn start_paused(&mut self, paused: bool) -> &mut Self {
                note(format!("start_paused({paused})"));
                self
            }

            pub(crate) fn unhandled_failure(&mut self, policy: UnhandledFailure) -> &mut Self {
                note(format!("unhandled_failure({policy:?})"));
                self
            }

            pub(crate) fn __collect_failures(&mut self, yes: bool) -> &mut Self {
                note(format!("collect_failures({yes})"));
                self
            }

            pub(crate) fn __collect_leftovers(&mut self, yes: bool) -> &mut Self {
                note(format!("collect_leftovers({yes})"));
                self
            }

            pub(crate) fn build(&mut self) -> std::io::Result<Runtime> {
                note("build");
                Ok(Runtime)
            }
        }

        impl Runtime {
            pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
                note("block_on");
                futures_executor::block_on(future)
            }

            pub(crate) fn __block_on_test<F: Future>(self, future: F) -> F::Output {
                note("block_on_test");
                futures_executor::block_on(future)
            }
        }
    }
}

/// The calls since the last look.
fn calls() -> Vec<String> {
    CALLS.with_borrow_mut(std::mem::take)
}

#[rt::main(crate = "crate::stand_in")]
async fn without_arguments() -> u32 {
    std::future::ready(1).await
}

#[test]
fn default_of_main_is_the_multi_thread_flavor() {
    assert_eq!(without_arguments(), 1);
    assert_eq!(calls(), ["new_multi_thread", "build", "block_on"]);
}

#[rt::main(flavor = "current_thread", start_paused = true, crate = "crate::stand_in")]
async fn with_all_arguments() {}

#[rt::main(flavor = "multi_thread", worker_threads = 1_6usize, start_paused = true, crate = "crate::stand_in")]
async fn with_workers() {}

#[rt::main(start_paused = false, crate = "self::stand_in")]
async fn with_false() {}

#[test]
fn arguments_reach_the_builder() {
    with_all_arguments();
    assert_eq!(calls(), ["new_current_thread", "start_paused(true)", "build", "block_on"]);
    with_false();
    assert_eq!(calls(), ["new_multi_thread", "start_paused(false)", "build", "block_on"]);
    with_workers();
    assert_eq!(calls(), ["new_multi_thread", "worker_threads(16)", "start_paused(true)", "build", "block_on"]);
}

mod inner {
    /// Documentation, visibility and lint attributes stay.
    #[rt::main(crate = "crate::stand_in")]
    #[must_use]
    pub(super) async fn fallible() -> Result<u32, std::num::ParseIntError> {
        let number = "12".parse::<u32>()?;
        let word = "twelve".parse::<u32>();
        assert!(word.is_err());
        Ok(number)
    }
}

#[rt::main(crate = "crate::stand_in")]
async fn coerced() -> Box<dyn Debug> {
    // The return type is known in the body, as in any `async fn`.
    Box::new(5)
}

#[rt::main(crate = "crate::stand_in")]
async fn opaque() -> impl Debug {
    #![allow(unused_variables)]
    let unused = 1;
    "opaque"
}

#[test]
fn return_types_stay() {
    assert_eq!(inner::fallible(), Ok(12));
    assert_eq!(format!("{:?} {:?}", coerced(), opaque()), "5 \"opaque\"");
}

macro_rules! from_fragments {
    ($visibility:vis $name:ident $output:ty $body:block $paused:literal $path:literal) => {
        #[rt::main(start_paused = $paused, crate = $path)]
        $visibility async fn $name() -> $output $body
    };
}
from_fragments!(pub(crate) generated u8 { 9 } true "crate::stand_in");
from_fragments!(generated_private u8 { 8 } false "crate::stand_in");

#[test]
fn function_made_by_a_macro() {
    assert_eq!((generated(), generated_private()), (9, 8));
}

#[rt::test(crate = "crate::stand_in")]
async fn is_a_test() {
    assert_eq!(calls(), ["new_current_thread", "collect_failures(true)", "build", "block_on_test"]);
}

#[rt::test(flavor = "multi_thread", worker_threads = 2, crate = "crate::stand_in")]
async fn may_run_on_many_threads() {
    assert_eq!(calls(), ["new_multi_thread", "worker_threads(2)", "collect_failures(true)", "build", "block_on_test"]);
}

#[rt::test(leftovers = "fail", unhandled = "log", crate = "crate::stand_in")]
async fn may_lose_failures() {
    assert_eq!(
        calls(),
        ["new_current_thread", "collect_leftovers(true)", "unhandled_failure(Log)", "build", "block_on_test"]
    );
}

#[rt::main(flavor = "current_thread", unhandled = "shutdown_runtime", crate = "crate::stand_in")]
async fn strict() {}

#[test]
fn main_with_a_policy() {
    strict();
    assert_eq!(calls(), ["new_current_thread", "unhandled_failure(ShutdownRuntime)", "build", "block_on"]);
}

#[rt::test(start_paused = true, crate = "crate::stand_in")]
#[should_panic(expected = "as it should")]
async fn keeps_should_panic() {
    panic!("as it should");
}

#[rt::test(crate = "crate::stand_in")]
async fn may_return_a_result() -> Result<(), std::num::ParseIntError> {
    assert_eq!("7".parse::<u32>()?, 7);
    Ok(())
}
