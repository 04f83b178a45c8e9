//! An async runtime: tasks, timers, sockets, TLS, names, processes and files, on many threads or on one, and Twisted's
//! [`Deferred`] and [`Protocol`] beside `async fn`.
//!
//! ```
//! use rt::time::{Duration, sleep, timeout};
//!
//! #[rt::main]
//! async fn main() {
//!     let slow = rt::spawn(async {
//!         sleep(Duration::from_millis(2)).await;
//!         "done"
//!     });
//!     let answer = timeout(Duration::from_secs(5), slow).await;
//!     assert_eq!(answer.unwrap().unwrap(), "done");
//! }
//! ```
//!
//! # Where to begin
//!
//! 1. [`macro@main`] or [`block_on`] starts a runtime, [`spawn`] starts a task beside the one that runs, [`select!`] and [`join!`] wait
//!    for several things. [`task`] has what a task can do about itself and others.
//! 2. [`time`]: sleeping, timeouts, intervals, and a clock that tests can stop.
//! 3. [`net`]: sockets, names, TLS; [`net::serve()`] runs a server. [`io`] has the methods that read and write.
//! 4. [`process`] and [`fs`]: children and files. [`io`] and [`signal`]: standard streams, Ctrl-C, and descriptors of your own.
//! 5. [`runtime`]: a runtime to one's measure, handles for other threads, shutdown. [`spawn_blocking`] for what blocks.
//! 6. [`deferred`]: results that somebody will deliver, with callbacks; [`macro@inline_callbacks`] for the same in straight
//!    code. The pages `docs/deferred-for-rust-programmers.md` and `docs/deferred-for-twisted-programmers.md` lead in.
//! 7. [`protocol`]: Twisted's protocols, factories, transports and endpoints; [`service`]: what a program is made of, and `app` that
//!    runs it (Unix); [`testing`]: doubles of connections. The page `docs/protocols-for-twisted-programmers.md` leads in.
//!
//! # No failure is lost
//!
//! The failure of a [`Deferred`] whose last handle is gone, and the panic or error of a task or blocking call whose
//! [`JoinHandle`] is, are reported, with the place where each was made: to the hook of [`deferred::unhandled`], else to
//! `tracing`, else on stderr. [`Builder::unhandled_failure`](runtime::Builder::unhandled_failure) can end the runtime or
//! the process with the first one, and a [`macro@test`] fails.
//!
//! # For who knows tokio
//!
//! What exists has the same name, arguments and meaning, unless its documentation says otherwise.
//!
//! | tokio | rt |
//! |---|---|
//! | `#[tokio::main]`, `#[tokio::test]` | `#[rt::main]`, `#[rt::test]`, with the same flavors and defaults |
//! | `tokio::spawn`, `task::spawn_blocking` | `rt::spawn`, `rt::spawn_blocking` |
//! | `task::spawn_local` within a `LocalSet` | `rt::spawn_local` on any thread that drives a runtime |
//! | `task::block_in_place`; tokio-util's `spawn_pinned_by_idx` | `rt::task::block_in_place`; `rt::spawn_pinned` |
//! | `task::{JoinHandle, JoinError, AbortHandle, JoinSet, Id, yield_now}` | `rt::task`, the same names |
//! | `task::coop::{consume_budget, unconstrained}` | `rt::task::{consume_budget, unconstrained}` |
//! | `tokio::{select!, join!, try_join!, task_local!}` | `rt::{select!, join!, try_join!, task_local!}` |
//! | `runtime::Builder::new_multi_thread().worker_threads(2).enable_all()` | `rt::runtime::Builder::new_multi_thread().worker_threads(2)`: nothing to enable |
//! | `runtime::{Runtime, Handle, EnterGuard}` | `rt::runtime`, the same names |
//! | `tokio::time` | `rt::time`, the same names, and `call_later` |
//! | `net::{TcpListener, TcpStream, TcpSocket, UdpSocket, lookup_host}` | `rt::net`, the same names |
//! | `net::{UnixListener, UnixStream, UnixDatagram, unix}` | `rt::net`, the same names |
//! | the accept loop that everybody writes; tokio-util's `TaskTracker` | [`net::serve()`] |
//! | tokio-rustls | `rt::net::tls` |
//! | a thread per lookup; addresses one after the other | `rt::net::DnsResolver`; `rt::net::TcpConnector` |
//! | `tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader, copy, copy_bidirectional, duplex}` | `rt::io`, the same names |
//! | `BufReader::new(tokio::io::stdin()).lines()` | `rt::io::stdin()` with `next_line` |
//! | `tokio::io::{stdout, stderr}` | `rt::io`, the same names; written at the end of `block_on` in any case |
//! | `io::{Interest, Ready}`, `io::unix::AsyncFd` | `rt::io`, the same names; `rt::io::Source` for what mio knows |
//! | `tokio::signal` | `rt::signal`, the same names |
//! | `tokio::{process, fs}` | `rt::process` (Unix), `rt::fs`, the same names |
//! | `runtime::UnhandledPanic`; a task's error that nobody joins is lost | `runtime::UnhandledFailure`, for errors and for Deferreds, too; reported in any case |
//! | `sync::oneshot`, whose receiver a task awaits | [`Deferred`] and [`Resolver`], where callbacks or one thread will do |
//! | `tokio::sync` | other crates: tokio's `sync` itself, async-channel, async-lock (the page `docs/channels.md`) |
//! | `axum::serve`, hyper-util's `TokioExecutor` and `TokioTimer` | `rt::axum::serve`, `rt::hyper::{Executor, Timer}` |
//! | a crate that needs tokio itself | `#[rt::main(tokio)]` |
//!
//! # Features
//!
//! - `macros`: `#[rt::main]`, `#[rt::test]`, `#[rt::inline_callbacks]`, the derives of `rt::protocol::amp`. On by default.
//! - `net`: [`net`]. On by default.
//! - `tls`: `rt::net::tls`, by rustls with ring.
//! - `tokio-io`: tokio's `AsyncRead` and `AsyncWrite` on every stream, pipe and file.
//! - `hyper`: `rt::hyper`, hyper's executor and timer, and its `Read` and `Write` on every stream.
//! - `axum`: `rt::axum::serve`.
//! - `hickory`: `rt::hickory`, names by hickory instead of the system.
//! - `quinn`: `rt::quinn`, what QUIC by quinn asks of a runtime.
//! - `tokio-context`: `Builder::tokio_context` and `#[rt::main(tokio)]`, for crates that need tokio's runtime.
//! - `tracing`: failures that nobody handles become events of the crate `tracing`, where no hook takes them, and the connections of
//!   protocols spans.
//! - `lru`: `rt::deferred::DeferredCache`.
//! - `child-fds`: `rt::process::Command::fd_mappings`.

#[cfg(feature = "macros")]
pub use rt_macros::{inline_callbacks, main, test};
pub use rt_runtime::runtime;
pub use rt_runtime::{block_on, spawn, spawn_blocking, spawn_local, spawn_pinned};
pub use rt_runtime::{join, select, task_local, try_join};

#[doc(no_inline)]
pub use rt_runtime::JoinHandle;
#[doc(no_inline)]
pub use rt_runtime::runtime::{Builder, Handle, Runtime};

pub use rt_deferred as deferred;
#[doc(no_inline)]
pub use rt_deferred::{Deferred, Failure, Resolver};

pub use rt_runtime::fs;
#[cfg(unix)]
pub use rt_runtime::process;
pub use rt_runtime::signal;
pub use rt_runtime::time;

pub mod task {
    //! Tasks: what [`spawn`](crate::spawn()) gives back, and what a task can do about itself.
    //!
    //! - To wait for a task or to stop it: [`JoinHandle`], [`AbortHandle`]; for many: [`JoinSet`]; what may go wrong: [`JoinError`].
    //! - To let others run: [`yield_now`], [`consume_budget`]; to be exempt from giving way: [`unconstrained`].
    //! - Who runs: [`id()`], [`try_id`].
    //! - What [`task_local!`](crate::task_local) declares: [`LocalKey`].

    pub use rt_runtime::{
        AbortHandle, AccessError, Id, JoinError, JoinHandle, JoinSet, LocalKey, TaskLocalFuture, Unconstrained,
        block_in_place, consume_budget, id, spawn_blocking, spawn_local, spawn_pinned, try_id, unconstrained,
        yield_now,
    };
}

pub mod io {
    //! Reading and writing; the standard streams; and the readiness of what the runtime does not know: descriptors and I/O objects of
    //! your own.
    //!
    //! - `AsyncReadExt`, `AsyncWriteExt` and their kin read and write; `copy`, `copy_bidirectional` and `duplex` move bytes
    //!   (feature `net`).
    //! - [`stdin`] reads lines and bytes without holding up exit; [`stdout`] and [`stderr`] write without holding up a worker.
    //! - [`Source`] makes any `mio::event::Source` awaitable, `unix::AsyncFd` any descriptor that the system polls.
    //! - [`Interest`] is what one waits for, [`Ready`] what is the case.
    //!
    //! The traits for reading and writing are futures-io's, and most methods futures-util's.

    #[cfg(feature = "net")]
    pub use rt_net::io::*;
    pub use rt_runtime::stdio::{Stderr, Stdin, Stdout, stderr, stdin, stdout};
    pub use rt_runtime::{Interest, Ready, Source};

    /// Descriptors of any kind.
    #[cfg(unix)]
    pub mod unix {
        pub use rt_runtime::{AsyncFd, AsyncFdReadyGuard, TryIoError};
    }
}

#[cfg(feature = "net")]
#[doc(inline)]
pub use rt_net as net;
#[cfg(all(feature = "net", unix))]
#[doc(inline)]
pub use rt_net::app;
#[cfg(feature = "net")]
#[doc(no_inline)]
pub use rt_net::protocol::{Protocol, Transport};
#[cfg(feature = "net")]
#[doc(inline)]
pub use rt_net::{protocol, service, testing};

#[cfg(feature = "axum")]
#[doc(inline)]
pub use rt_net::bridge::axum;
#[cfg(feature = "hickory")]
#[doc(inline)]
pub use rt_net::bridge::hickory;
#[cfg(feature = "hyper")]
#[doc(inline)]
pub use rt_net::bridge::hyper;
#[cfg(all(feature = "quinn", any(unix, windows)))]
#[doc(inline)]
pub use rt_net::bridge::quinn;

/// The examples of the pages, compiled and run with those of the documentation.
#[cfg(doctest)]
mod pages {
    #[cfg(all(feature = "macros", feature = "net"))]
    #[doc = include_str!("../README.md")]
    mod readme {}
    #[doc = include_str!("../docs/channels.md")]
    mod channels {}
    #[cfg(feature = "macros")]
    #[doc = include_str!("../docs/deferred-for-rust-programmers.md")]
    mod deferred_for_rust_programmers {}
    #[cfg(feature = "macros")]
    #[doc = include_str!("../docs/deferred-for-twisted-programmers.md")]
    mod deferred_for_twisted_programmers {}
    #[cfg(all(feature = "macros", feature = "net"))]
    #[doc = include_str!("../docs/protocols-for-twisted-programmers.md")]
    mod protocols_for_twisted_programmers {}
}
