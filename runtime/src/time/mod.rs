//! Sleeping, timeouts, intervals, Twisted's `call_later`, and a clock that tests can stop.
//!
//! A sleep counts from the call that makes it, not from its first poll. Timers are precise to about 65 µs, to about 0.5 ms
//! while very many are due one after the other, and never early; what is due together fires in the order of the deadlines, and
//! of arming where those are equal. A timer belongs to the runtime in which it was made, on whatever thread it is polled, moved,
//! reset or dropped; only [`Sleep`] tells when it may change over to another.
//!
//! # Virtual time
//!
//! [`pause`] stops the clock of the runtime. From then on, whenever all its tasks are idle, no event is ready and no blocking
//! call is out, the clock jumps to the next deadline, so that a test with hours of sleeping takes no time. [`advance`] moves
//! the clock by hand, [`resume`] lets it run on.
//!
//! ```
//! use rt::time::{Duration, Instant, sleep};
//!
//! let runtime = rt::runtime::Builder::new_current_thread().start_paused(true).build()?;
//! runtime.block_on(async {
//!     let start = Instant::now();
//!     sleep(Duration::from_secs(3600)).await;
//!     assert_eq!(start.elapsed(), Duration::from_secs(3600));
//! });
//! # Ok::<(), std::io::Error>(())
//! ```

mod call_later;
mod hold;
mod instant;
mod interval;
mod sleep;
mod timeout;
mod virtual_time;

#[cfg(all(test, not(loom)))]
mod testing;
#[cfg(all(test, not(loom)))]
mod tests;

pub use std::time::Duration;

pub use self::call_later::{DelayedCall, DelayedCallError, call_later};
#[doc(hidden)]
pub use self::hold::Hold;
pub use self::instant::Instant;
#[doc(hidden)]
pub use self::instant::turn_nanos;
pub use self::interval::{Interval, MissedTickBehavior, interval, interval_at};
pub use self::sleep::{Sleep, sleep, sleep_until};
pub use self::timeout::{Elapsed, Timeout, timeout, timeout_at};
pub use self::virtual_time::{advance, pause, resume};
