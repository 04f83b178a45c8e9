//! Reports of polls that last too long.

use std::fmt;
use std::io::{self, Write};
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

/// Told of each stall.
pub(crate) type Stalls = Arc<dyn Fn(&Stall) + Send + Sync>;

/// A poll that has held up its worker for longer than [`Builder::stall_threshold`](super::Builder::stall_threshold).
///
/// Its text is what is printed if nobody asks for it with [`Builder::on_stall`](super::Builder::on_stall).
///
/// ```
/// use rt::runtime::Builder;
/// use std::sync::mpsc;
/// use std::time::Duration;
///
/// # fn main() -> std::io::Result<()> {
/// let (sender, stalls) = mpsc::channel();
/// let runtime = Builder::new_current_thread()
///     .stall_threshold(Duration::from_millis(1))
///     .on_stall(move |stall| _ = sender.send(stall.to_string()))
///     .build()?;
/// runtime.block_on(async { std::thread::sleep(Duration::from_millis(2)) });
/// assert!(stalls.recv().unwrap().contains("has not given way"));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Stall {
    duration: Duration,
    spawned_at: Option<&'static Location<'static>>,
}

impl Stall {
    pub(crate) fn new(duration: Duration, spawned_at: Option<&'static Location<'static>>) -> Self {
        Self { duration, spawned_at }
    }

    /// How long the poll has lasted when it was found out. It may go on.
    pub fn duration(&self) -> Duration {
        self.duration
    }

    /// Where the task was spawned, or `block_on` was called, if that is known.
    pub fn spawned_at(&self) -> Option<&'static Location<'static>> {
        self.spawned_at
    }
}

impl fmt::Display for Stall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.spawned_at {
            Some(place) => write!(f, "the task spawned at {place}")?,
            None => f.write_str("a task")?,
        }
        write!(
            f,
            " has not given way for {:?}: nothing else runs on its worker meanwhile; `rt::spawn_blocking` is for what \
             takes long",
            self.duration
        )
    }
}

/// Prints it, if somebody reads there: `eprintln!` would panic.
pub(super) fn print(stall: &Stall) {
    let _ = writeln!(io::stderr(), "rt: {stall}");
}
