//! The macros of `rt`: `#[rt::main]`, `#[rt::test]`, `#[rt::inline_callbacks]`, and the derives of `rt::protocol::amp`.
//!
//! They are written on `proc_macro` alone, so that no parser has to be built before a user's crate: `args.rs` reads what
//! stands in the parentheses, `function.rs` and `parameters.rs` take the item apart, `expand.rs` and
//! `inline_callbacks.rs` put the result together, and `refusal.rs` is how any of them says no. `amp.rs` is the derives.

mod amp;
mod args;
mod expand;
mod function;
mod inline_callbacks;
mod parameters;
mod refusal;

use expand::Role;
use proc_macro::TokenStream;

/// Turns an `async fn main()` into the program's entry point: builds a runtime and runs the function on it.
///
/// The function takes no arguments and has no generic parameters; its attributes, visibility and return type stay. It
/// need not be called `main`: any function becomes one that blocks until its body has finished.
///
/// # Arguments
///
/// | argument | values | meaning |
/// |---|---|---|
/// | `flavor` | `"multi_thread"` (the default) | tasks run on several threads, the one that calls the function among them |
/// | | `"current_thread"` | everything runs on the thread that calls the function |
/// | `worker_threads` | a number from 1 to 1024 | on how many threads, if not on as many as there are processors (or as the environment variable `RT_WORKER_THREADS` says) |
/// | `start_paused` | `true`, `false` (the default) | virtual time: the clock stands still and jumps to the next deadline when there is nothing left to do |
/// | `unhandled` | `"log"` (the default), `"shutdown_runtime"`, `"abort"` | what happens when nobody handles a failure: see `rt::runtime::UnhandledFailure` |
/// | `tokio` | stands alone | crates that need tokio's runtime work: see `rt::runtime::Builder::tokio_context`, whose feature `tokio-context` this needs |
/// | `crate` | a path in a string, `"::rt"` by default | where the macro finds `rt`, if it was renamed or is re-exported |
///
/// A wrong argument is a compile error that lists what is allowed.
///
/// Counterpart: `#[tokio::main]`.
///
/// # Panics
///
/// The function panics when the runtime cannot be built, which happens when the process is out of file descriptors or
/// `RT_WORKER_THREADS` is no such number, and when it is called from inside a runtime.
///
/// # Examples
///
/// ```
/// #[rt::main]
/// async fn main() -> Result<(), std::num::ParseIntError> {
///     let answer = async { "42".parse::<u32>() }.await?;
///     assert_eq!(answer, 42);
///     Ok(())
/// }
/// ```
///
/// It does what this does:
///
/// ```
/// fn main() -> Result<(), std::num::ParseIntError> {
///     async fn main() -> Result<(), std::num::ParseIntError> {
///         let answer = async { "42".parse::<u32>() }.await?;
///         assert_eq!(answer, 42);
///         Ok(())
///     }
///     rt::runtime::Builder::new_multi_thread().build().expect("the runtime could not be built").block_on(main())
/// }
/// ```
#[proc_macro_attribute]
pub fn main(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(Role::Main, arguments, item)
}

/// Turns an `async fn` into a test that runs on a runtime of its own.
///
/// It stands in place of `#[test]`; `#[should_panic]`, `#[ignore]` and a `Result` as return type work as they do there.
///
/// # Arguments
///
/// | argument | values | meaning |
/// |---|---|---|
/// | `flavor` | `"current_thread"` (the default) | everything runs on the test's thread |
/// | | `"multi_thread"` | tasks run on several threads, the test's among them |
/// | `worker_threads` | a number from 1 to 1024 | with `"multi_thread"`: on how many threads, if not on as many as there are processors |
/// | `start_paused` | `true`, `false` (the default) | virtual time: the clock stands still and jumps to the next deadline when there is nothing left to do, so a test of an hour takes no time |
/// | `unhandled` | | a failure that nobody handles (of a Deferred, or of a task whose `JoinHandle` is gone) fails the test, unless this says otherwise |
/// | | `"log"`, `"shutdown_runtime"`, `"abort"` | as for `#[rt::main]` |
/// | `leftovers` | `"fail"` | the test fails if it leaves something behind |
/// | | `"ignore"` (the default) | it may |
/// | `tokio` | stands alone | as for `#[rt::main]` |
/// | `crate` | a path in a string, `"::rt"` by default | where the macro finds `rt`, if it was renamed or is re-exported |
///
/// A wrong argument is a compile error that lists what is allowed.
///
/// # Leftovers
///
/// With `leftovers = "fail"`, a test that returns has to have ended what it began: tasks and delayed calls, sources of events (sockets,
/// pipes, children), armed timers, blocking calls. What is ready to run by then may do so, and other threads have 100 ms to finish what they
/// are at. The message names what is left, with the place where tasks, delayed calls and blocking calls were made; a socket by its
/// descriptor. What a task holds is named besides the task. A socket that was never waited for is not seen.
///
/// ```
/// #[rt::test(leftovers = "fail")]
/// async fn ends_what_it_began() {
///     let call = rt::time::call_later(rt::time::Duration::from_secs(60), || unreachable!("nobody waits so long"));
///     call.cancel().unwrap();
/// }
/// ```
///
/// Counterpart: `#[tokio::test]`; the `DirtyReactorAggregateError` of Twisted's trial.
///
/// # Panics
///
/// The test panics when the runtime cannot be built, which happens when the process is out of file descriptors.
///
/// # Examples
///
/// ```
/// #[rt::test]
/// async fn both_are_ready() {
///     assert_eq!(rt::join!(async { 1 }, async { 2 }), (1, 2));
/// }
///
/// #[rt::test(start_paused = true)]
/// #[should_panic(expected = "as it should")]
/// async fn fails() {
///     panic!("as it should");
/// }
/// ```
#[proc_macro_attribute]
pub fn test(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(Role::Test, arguments, item)
}

/// Turns an `async fn` into a function that starts at once and returns a `Deferred`.
///
/// A call runs the body up to the first Deferred that has no result, and returns. The body goes on inside the very call
/// that fires that one, as a callback would: no executor is needed as long as it awaits Deferreds. What else it may
/// await, and what cancelling does, says `rt::deferred::ensure_deferred`: cancelling the Deferred cancels the one that
/// the body awaits, which the body gets as the failure `Cancelled`.
///
/// The function is written with a `Result` as its return type, `Result<T, Failure>` or with another error that converts
/// into `Failure`; its callers get a `Deferred<T>`. Without a return type they get a `Deferred<()>`. It may be a method,
/// recursive and generic; attributes, visibility and bounds stay. As the coroutine outlives the call, all that it takes
/// is `'static`, type parameters too: `self` or `self: Rc<Self>`, but not `&self`. The Deferred counts as created where
/// the function is called.
///
/// # Arguments
///
/// | argument | values | meaning |
/// |---|---|---|
/// | `crate` | a path in a string, `"::rt"` by default | where the macro finds `rt`, if it was renamed or is re-exported |
///
/// Counterpart: `twisted.internet.defer.inlineCallbacks`.
///
/// # Examples
///
/// ```
/// use rt::deferred::success_result_of;
/// use rt::{Deferred, Failure};
///
/// #[rt::inline_callbacks]
/// async fn greeting(name: Deferred<String>) -> Result<String, Failure> {
///     let name = name.await?;
///     Ok(format!("Hello, {name}"))
/// }
///
/// let (name, resolver) = Deferred::new();
/// let greeting = greeting(name);
/// resolver.callback("you".to_owned()).unwrap();
/// assert_eq!(success_result_of(greeting), "Hello, you");
/// ```
///
/// It does what this does:
///
/// ```
/// # use rt::deferred::success_result_of;
/// # use rt::{Deferred, Failure};
/// fn greeting(name: Deferred<String>) -> Deferred<String> {
///     rt::deferred::inline_callbacks(async move {
///         let name = name.await?;
///         Ok::<_, Failure>(format!("Hello, {name}"))
///     })
/// }
/// # assert_eq!(success_result_of(greeting(Deferred::succeed("you".to_owned()))), "Hello, you");
/// ```
#[proc_macro_attribute]
pub fn inline_callbacks(arguments: TokenStream, item: TokenStream) -> TokenStream {
    inline_callbacks::expand(arguments, item)
}

/// Writes `rt::protocol::amp::Arguments` for a struct: its fields are keys of a box.
///
/// The struct has named fields or none, and no generic parameters. On a field may stand `#[amp(name = "from-address")]`: its key, if
/// that is not its name; on the struct `#[amp(crate = "path")]`: where the macro finds `rt`, if that is not `::rt`.
///
/// # Examples
///
/// ```
/// use rt::protocol::amp::{AmpBox, Arguments};
///
/// #[derive(Arguments)]
/// struct Guest {
///     name: String,
///     #[amp(name = "shoe-size")]
///     shoe_size: Option<u8>,
/// }
///
/// let mut fields = AmpBox::new();
/// fields.insert("name", "Ada").unwrap();
/// let guest = Guest::from_box(&fields).unwrap();
/// assert_eq!((guest.name.as_str(), guest.shoe_size), ("Ada", None));
/// ```
#[proc_macro_derive(AmpArguments, attributes(amp))]
pub fn amp_arguments(item: TokenStream) -> TokenStream {
    amp::derive_arguments(item)
}

/// Writes `rt::protocol::amp::Command` for a struct, and `rt::protocol::amp::Arguments` with it: its fields are the arguments.
///
/// # Arguments
///
/// In `#[amp(...)]` on the struct, besides what `Arguments` takes:
///
/// | argument | values | meaning |
/// |---|---|---|
/// | `response` | a type, `()` by default | what comes back |
/// | `name` | a string, the name of the struct by default | what the command is called on the wire |
/// | `errors(...)` | `Type = "CODE"`, separated by commas | errors that go over the wire by these codes |
/// | `fatal_errors(...)` | the same | such errors after which the connection is closed |
///
/// A wrong argument is a compile error that lists what is allowed.
///
/// # Examples
///
/// ```
/// use rt::protocol::amp::Command;
///
/// #[derive(Command)]
/// #[amp(name = "ping", response = ())]
/// struct Ping;
///
/// assert_eq!(Ping::NAME, "ping");
/// ```
#[proc_macro_derive(AmpCommand, attributes(amp))]
pub fn amp_command(item: TokenStream) -> TokenStream {
    amp::derive_command(item)
}
