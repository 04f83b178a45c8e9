//! Twisted's callback chains for Rust, for use with or without an executor.
//!
//! A [`Deferred`] is a result that will come, with the callbacks that work on it; its [`Resolver`] fires it. A
//! [`Failure`] is what travels down the errback side: an error or a panic, with the place where it was made. Both worlds
//! meet here: `deferred.await` works in any async code, and [`ensure_deferred`] makes a Deferred of async code.
//!
//! ```
//! use rt_deferred::{Deferred, ensure_deferred, success_result_of};
//!
//! let (width, resolver) = Deferred::new();
//! let area = ensure_deferred(async move {
//!     let width: u32 = width.await?;
//!     Ok::<_, rt_deferred::Failure>(width * 2)
//! });
//! let line = area.add_callback(|area| format!("{area} square metres"));
//!
//! resolver.callback(21).unwrap();
//! assert_eq!(success_result_of(line), "42 square metres");
//! ```
//!
//! Firing needs no runtime: callbacks and coroutines run inside the call that fires. What does need a thread to come
//! back to finds it through the seams [`home`] and [`ReactorTime`], which a runtime fills in.
//!
//! # What is here
//!
//! - *One result.* [`Deferred`] for who wants it, [`Resolver`] for who has it, [`Control`] for who may stop it, [`State`].
//!   [`IntoOutcome`] says what a callback may return, [`Outcome`] is for one that returns now this, now that.
//!   [`maybe_deferred`] and [`execute`] call a function and make a Deferred of what comes.
//! - *Failures.* [`Failure`], and the errors of this crate's own: [`Cancelled`], [`TimedOut`], [`Abandoned`],
//!   [`AlreadyCalled`], [`FirstError`], [`FailureGroup`]. What nobody handles goes to [`unhandled`].
//! - *Async code.* [`ensure_deferred`] and [`inline_callbacks`](inline_callbacks()) start a coroutine; `deferred.await` is a
//!   [`DeferredFuture`].
//! - *Several.* [`gather_results`], [`race`], [`DeferredList`]; [`OneShotObservers`] where many wait for one.
//! - *Taking turns.* [`DeferredLock`], [`DeferredSemaphore`], [`DeferredQueue`].
//! - *Time.* [`Reactor`], or a [`Clock`] that stands still until a test moves it. [`Deferred::add_timeout`], [`defer_later`],
//!   [`LoopingCall`]; [`Cooperator`], [`cooperate`] and [`coiterate`] for long work in pieces; [`Debounce`].
//! - *Soon.* [`eventually`], [`fire_eventually`] and [`flush_eventual_queue`], with [`run_eventual_queue`] where there is no
//!   runtime; [`call_when_running`].
//! - *Other threads.* [`defer_to_thread`], and back from there [`call_from_thread`] and [`block_on_from_thread`];
//!   [`ReactorHandle`] for threads of any kind; [`SendResolver`] and [`SendFuture`], the two ends of a Deferred.
//! - *Kept.* `DeferredCache`, with the feature `lru`.
//! - *Tests.* [`success_result_of`], [`failure_result_of`], [`assert_no_result`], [`unhandled::capture`].
//!
//! # Without rt
//!
//! Chains and coroutines over Deferreds work anywhere. For timers, other threads and coroutines that wait for anything else,
//! another executor [installs](home::install) a [`Home`](home::Home) on its threads.
//!
//! # Features
//!
//! - `tracing`: unhandled failures become events of the crate `tracing`, where no hook takes them.
//! - `lru`: `DeferredCache`.

mod deferred;
mod outcome;
pub mod failure;
pub mod unhandled;
mod errors;
mod combine;
mod sync;
mod observers;
mod debounce;
#[cfg(feature = "lru")]
mod cache;
mod eventual;
mod testing;
mod future;
mod coroutine;
mod inline_callbacks;
pub mod home;
mod reactor_time;
mod clock;
mod later;
mod looping_call;
mod cooperator;
mod table;
mod thread;
mod primitives;
mod threads;
mod chain;
mod inline;

#[cfg(feature = "lru")]
pub use cache::DeferredCache;
pub use clock::{Clock, DelayedCall, DelayedCallError};
pub use combine::{DeferredList, ListResult, execute, gather_results, maybe_deferred, race};
pub use cooperator::{CooperativeTask, Cooperator, SchedulerError, coiterate, cooperate};
pub use coroutine::{IntoDeferred, ensure_deferred};
pub use debounce::Debounce;
pub use deferred::{Control, Deferred, Resolver, State};
pub use errors::{Abandoned, AlreadyCalled, Cancelled, FailureGroup, FirstError, ReturnedItself, TimedOut};
pub use eventual::{call_when_running, eventually, fire_eventually, flush_eventual_queue, run_eventual_queue};
pub use failure::Failure;
pub use future::DeferredFuture;
pub use inline_callbacks::{CoroutineOutput, inline_callbacks};
pub use later::defer_later;
pub use looping_call::{AlreadyRunning, LoopingCall, NotRunning};
pub use observers::OneShotObservers;
pub use outcome::{IntoOutcome, Outcome, kind};
pub use reactor_time::{Reactor, ReactorTime};
pub use sync::{DeferredLock, DeferredQueue, DeferredSemaphore, NotAcquired, QueueOverflow, QueueUnderflow};
pub use testing::{assert_no_result, failure_result_of, success_result_of};
pub use threads::{
    HomeGone, ReactorHandle, SendFuture, SendResolver, block_on_from_thread, call_from_thread, defer_to_thread,
};
