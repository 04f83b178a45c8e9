//! What a server has to tell, said seldom enough.

use parking_lot::Mutex;
use rt_runtime::time::Instant;
use std::fmt;
use std::io::{self, Write};
use std::time::Duration;

/// How long one notice stands for all of its kind.
const INTERVAL: Duration = Duration::from_secs(5);

/// Something went wrong that a server survives; see [`Serve::on_notice`](super::Serve::on_notice).
///
/// Its text is what is printed if nobody asks for it.
#[derive(Clone, Debug)]
pub struct Notice {
    kind: NoticeKind,
    text: String,
    unsaid: u64,
}

/// What a [`Notice`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NoticeKind {
    /// Descriptors or memory ran out: connections were refused, or wait in the backlog.
    Refused,
    /// A handler returned an error.
    Handler,
    /// The listening socket of a [`Port`](crate::protocol::Port) is broken, and closed.
    Listener,
}

impl Notice {
    /// What it is about.
    pub fn kind(&self) -> NoticeKind {
        self.kind
    }

    /// How many of its kind went unsaid since the one before.
    pub fn unsaid(&self) -> u64 {
        self.unsaid
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        match self.unsaid {
            0 => Ok(()),
            count => write!(f, " (and {count} more since the last notice)"),
        }
    }
}

/// Tells notices, one in five seconds for each kind.
pub(crate) struct Notices {
    tell: Box<dyn Fn(&Notice) + Send + Sync>,
    /// By kind: when one was told last, and how many came since.
    told: Mutex<[(Option<Instant>, u64); 3]>,
}

impl Default for Notices {
    fn default() -> Self {
        Self::told_to(print)
    }
}

impl Notices {
    pub(crate) fn told_to(tell: impl Fn(&Notice) + Send + Sync + 'static) -> Self {
        Self { tell: Box::new(tell), told: Mutex::default() }
    }

    pub(crate) fn say(&self, kind: NoticeKind, text: impl FnOnce() -> String) {
        let now = Instant::now();
        let unsaid = {
            let mut told = self.told.lock();
            let (last, unsaid) = &mut told[kind as usize];
            if last.is_some_and(|last| now.duration_since(last) < INTERVAL) {
                *unsaid += 1;
                return;
            }
            *last = Some(now);
            std::mem::take(unsaid)
        };
        (self.tell)(&Notice { kind, text: text(), unsaid });
    }
}

#[cfg(feature = "tracing")]
fn print(notice: &Notice) {
    if tracing::dispatcher::has_been_set() {
        tracing::warn!(target: "rt::serve", "{notice}");
    } else {
        print_on_stderr(notice);
    }
}

#[cfg(not(feature = "tracing"))]
fn print(notice: &Notice) {
    print_on_stderr(notice);
}

/// Not by `eprintln!`, which panics when nobody reads there any more: a server need not end for that.
fn print_on_stderr(notice: &Notice) {
    let _ = writeln!(io::stderr(), "rt: {notice}");
}
