//! Signals by kind: [`signal`] makes a listener for one.
//!
//! See the [parent module](super) for how signals reach a listener and what becomes of their default actions.
//!
//! Counterpart: `tokio::signal::unix`.

mod listeners;

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::thread;

use signal_hook::consts;
use signal_hook::iterator::{Handle, Signals};

use listeners::Listeners;

/// Listens for signals of one kind, from now on.
///
/// The kind's default action ends with the first listener, for the rest of the process (see the [module](super)).
///
/// # Errors
///
/// [`io::ErrorKind::InvalidInput`] for a signal that cannot or must not be handled: `SIGKILL`, `SIGSTOP`, `SIGSEGV`,
/// `SIGFPE`, `SIGILL`, and numbers that the system does not give to programs. Otherwise what the system says when it
/// refuses the handler, or the thread or socket pair behind the first listener.
///
/// # Examples
///
/// Reload on `SIGHUP` until `SIGTERM`:
///
/// ```no_run
/// use rt::signal::unix::{SignalKind, signal};
///
/// fn main() -> std::io::Result<()> {
///     rt::block_on(async {
///         let mut hangup = signal(SignalKind::hangup())?;
///         let mut terminate = signal(SignalKind::terminate())?;
///         loop {
///             rt::select! {
///                 _ = hangup.recv() => println!("reading the configuration again"),
///                 _ = terminate.recv() => return Ok(()),
///             }
///         }
///     })
/// }
/// ```
///
/// Counterpart: `tokio::signal::unix::signal`.
pub fn signal(kind: SignalKind) -> io::Result<Signal> {
    kind.check()?;
    // First the listener, then the handler: a signal that the handler takes always finds the listener.
    let signal = Signal { kind, key: listeners().insert(kind.0) };
    Dispatcher::add(kind.0)?;
    Ok(signal)
}

/// A listener for one kind of signal.
///
/// It misses none: a signal that arrives while nobody waits is kept for the next [`recv`](Self::recv). Several that
/// arrive before it are reported once, as the system does it. All listeners of a kind hear each signal. A listener is
/// not bound to a runtime.
///
/// Counterpart: `tokio::signal::unix::Signal`.
#[derive(Debug)]
#[must_use = "a listener that is dropped hears nothing"]
pub struct Signal {
    kind: SignalKind,
    key: usize,
}

impl Signal {
    /// Waits until a signal has arrived since the last time this returned (at first: since the listener was made).
    ///
    /// `None` would say that no more can come. It does not happen today.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped takes nothing with it: the signal is there for the next call.
    ///
    /// # Examples
    ///
    /// ```
    /// use rt::signal::unix::{SignalKind, signal};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// rt::block_on(async {
    ///     let mut resized = signal(SignalKind::window_change())?;
    /// #   signal_hook::low_level::raise(SignalKind::window_change().as_raw_value())?;
    ///     resized.recv().await;
    ///     println!("the terminal has another size now");
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub async fn recv(&mut self) -> Option<()> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// As [`recv`](Self::recv), for futures written by hand. When it is pending, the waker of the last call is woken.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<()>> {
        listeners().poll(self.key, cx).map(Some)
    }

    /// What it listens for.
    pub fn kind(&self) -> SignalKind {
        self.kind
    }
}

impl Drop for Signal {
    fn drop(&mut self) {
        listeners().remove(self.key);
    }
}

/// Which signal.
///
/// Counterpart: `tokio::signal::unix::SignalKind`.
///
/// ```
/// use rt::signal::unix::SignalKind;
///
/// assert_eq!(SignalKind::terminate().as_raw_value(), 15);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SignalKind(i32);

impl SignalKind {
    /// The signal with this number, also one that has no method here. [`signal`] says whether it can be listened for.
    pub const fn from_raw(number: i32) -> Self {
        Self(number)
    }

    /// Its number on this system.
    pub const fn as_raw_value(self) -> i32 {
        self.0
    }

    /// `SIGALRM`: a timer of `alarm` or `setitimer` ran out. Ends the process by default.
    pub const fn alarm() -> Self {
        Self(consts::SIGALRM)
    }

    /// `SIGCHLD`: a child process ended or stopped. Ignored by default.
    pub const fn child() -> Self {
        Self(consts::SIGCHLD)
    }

    /// `SIGHUP`: the terminal was closed; daemons by custom read their configuration again. Ends the process by
    /// default.
    pub const fn hangup() -> Self {
        Self(consts::SIGHUP)
    }

    /// `SIGINT`: Ctrl-C. Ends the process by default.
    pub const fn interrupt() -> Self {
        Self(consts::SIGINT)
    }

    /// `SIGPIPE`: a write to a pipe that nobody reads. Rust programs ignore it from the start.
    pub const fn pipe() -> Self {
        Self(consts::SIGPIPE)
    }

    /// `SIGQUIT`: Ctrl-\. Ends the process with a core dump by default.
    pub const fn quit() -> Self {
        Self(consts::SIGQUIT)
    }

    /// `SIGTERM`: a polite request to end, such as from `kill`. Ends the process by default.
    pub const fn terminate() -> Self {
        Self(consts::SIGTERM)
    }

    /// `SIGUSR1`: means what the program wants it to. Ends the process by default.
    pub const fn user_defined1() -> Self {
        Self(consts::SIGUSR1)
    }

    /// `SIGUSR2`: means what the program wants it to. Ends the process by default.
    pub const fn user_defined2() -> Self {
        Self(consts::SIGUSR2)
    }

    /// `SIGWINCH`: the terminal has another size. Ignored by default.
    pub const fn window_change() -> Self {
        Self(consts::SIGWINCH)
    }

    fn check(self) -> io::Result<()> {
        let refusal = match self.0 {
            consts::SIGKILL | consts::SIGSTOP => "the system lets no program handle it",
            consts::SIGSEGV | consts::SIGFPE | consts::SIGILL => {
                "it reports a fault of the running code, which cannot go on after a handler"
            }
            // signal-hook keeps a table of 128; no system that Rust knows has more.
            1..128 => return Ok(()),
            _ => "signals have numbers from 1 to 127",
        };
        Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{self:?} cannot be listened for: {refusal}; those that can be are listed at SignalKind"),
        ))
    }
}

impl fmt::Debug for SignalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match signal_hook::low_level::signal_name(self.0) {
            Some(name) => write!(f, "{name}"),
            None => write!(f, "signal {}", self.0),
        }
    }
}

impl From<i32> for SignalKind {
    fn from(number: i32) -> Self {
        Self(number)
    }
}

impl From<SignalKind> for i32 {
    fn from(kind: SignalKind) -> Self {
        kind.0
    }
}

/// The listeners of the process.
fn listeners() -> &'static Listeners {
    static LISTENERS: OnceLock<Listeners> = OnceLock::new();
    LISTENERS.get_or_init(Listeners::default)
}

/// The thread that is blocked in a read on the socket which the handlers write to.
struct Dispatcher;

impl Dispatcher {
    /// Installs the handler for a signal unless it is there, and starts the thread unless it runs.
    fn add(number: i32) -> io::Result<()> {
        static DISPATCHER: Mutex<Option<Handle>> = Mutex::new(None);
        let mut dispatcher = DISPATCHER.lock().unwrap_or_else(PoisonError::into_inner);
        match &*dispatcher {
            Some(handle) => handle.add_signal(number),
            // The thread first: nothing is handled that nobody would hear of.
            None => {
                let handle = Self::start()?;
                dispatcher.insert(handle).add_signal(number)
            }
        }
    }

    fn start() -> io::Result<Handle> {
        let mut signals = Signals::new([0_i32; 0])?;
        let handle = signals.handle();
        thread::Builder::new().name("rt-signal".to_owned()).spawn(move || {
            for number in signals.forever() {
                listeners().deliver(number);
            }
        })?;
        Ok(handle)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};
    use std::thread;

    use futures_executor::block_on;
    use signal_hook::low_level::raise;

    use super::{SignalKind, signal};

    /// Tests run in one process: each has a signal of its own, one that means nothing.
    fn own(n: i32) -> SignalKind {
        const FIRST_REAL_TIME: i32 = 40;
        SignalKind::from_raw(FIRST_REAL_TIME + n)
    }

    fn poll_once<F: Future>(future: F) -> std::task::Poll<F::Output> {
        pin!(future).poll(&mut Context::from_waker(Waker::noop()))
    }

    fn send(kind: SignalKind) {
        raise(kind.as_raw_value()).expect("a valid signal");
    }

    #[test]
    fn signal_before_and_after_the_wait() {
        let mut listener = signal(SignalKind::user_defined1()).expect("a listener");
        send(SignalKind::user_defined1());
        assert_eq!(block_on(listener.recv()), Some(()));
        let sender = thread::spawn(|| send(SignalKind::user_defined1()));
        assert_eq!(block_on(listener.recv()), Some(()));
        sender.join().expect("the sender");
    }

    #[test]
    fn every_listener_hears_it() {
        let mut listeners: Vec<_> = (0..3).map(|_| signal(SignalKind::user_defined2()).expect("a listener")).collect();
        send(SignalKind::user_defined2());
        for listener in &mut listeners {
            assert_eq!(block_on(listener.recv()), Some(()));
        }
    }

    #[test]
    fn other_kinds_do_not_hear_it() {
        let mut one = signal(own(1)).expect("a listener");
        let mut other = signal(own(2)).expect("a listener");
        send(own(1));
        assert_eq!(block_on(one.recv()), Some(()));
        assert!(poll_once(other.recv()).is_pending());
        assert_eq!((one.kind(), other.kind()), (own(1), own(2)));
    }

    #[test]
    fn dropped_wait_loses_nothing() {
        let mut listener = signal(own(3)).expect("a listener");
        assert!(poll_once(listener.recv()).is_pending());
        send(own(3));
        assert_eq!(block_on(listener.recv()), Some(()));
    }

    #[test]
    fn listener_after_all_others_are_gone() {
        drop(signal(own(4)).expect("a listener"));
        send(own(4));
        let mut listener = signal(own(4)).expect("a listener");
        send(own(4));
        assert_eq!(block_on(listener.recv()), Some(()));
    }

    #[test]
    fn ctrl_c_counts_from_the_call() {
        let (first, second) = (super::super::ctrl_c(), super::super::ctrl_c());
        send(SignalKind::interrupt());
        assert!(block_on(first).is_ok());
        assert!(block_on(second).is_ok());
    }

    #[test]
    fn forbidden_signals_are_refused_in_a_sentence() {
        use signal_hook::consts::{SIGFPE, SIGILL, SIGKILL, SIGSEGV, SIGSTOP};
        for (number, said) in [
            (SIGKILL, "SIGKILL cannot be listened for: the system lets no program handle it"),
            (SIGSTOP, "SIGSTOP cannot be listened for: the system lets no program handle it"),
            (SIGSEGV, "SIGSEGV cannot be listened for: it reports a fault"),
            (SIGFPE, "SIGFPE cannot be listened for: it reports a fault"),
            (SIGILL, "SIGILL cannot be listened for: it reports a fault"),
            (0, "signal 0 cannot be listened for: signals have numbers from 1 to 127"),
            (-1, "signal -1 cannot be listened for"),
            (128, "signal 128 cannot be listened for"),
        ] {
            let error = signal(SignalKind::from_raw(number)).expect_err("refused");
            assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
            assert!(error.to_string().starts_with(said), "{error}");
        }
    }

    #[test]
    fn number_that_the_system_does_not_know() {
        assert!(signal(SignalKind::from_raw(127)).is_err());
        let mut listener = signal(own(5)).expect("a refusal does no harm");
        send(own(5));
        assert_eq!(block_on(listener.recv()), Some(()));
    }

    #[test]
    fn kinds_have_names_and_numbers() {
        assert_eq!(format!("{:?}", SignalKind::terminate()), "SIGTERM");
        assert_eq!(SignalKind::from(15), SignalKind::terminate());
        assert_eq!(i32::from(SignalKind::hangup()), 1);
    }
}
