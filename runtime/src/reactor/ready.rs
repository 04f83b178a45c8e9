//! The two sets that everything about readiness is written in: what somebody waits for, and what is the case.

use std::fmt;
use std::ops::{BitAnd, BitOr, BitOrAssign, Sub};

/// What somebody waits for: a source becoming readable, writable, or both.
///
/// Combine with `|` or [`add`](Interest::add). An interest is never empty.
///
/// Counterpart: `tokio::io::Interest`.
///
/// ```
/// use rt::io::Interest;
///
/// let both = Interest::READABLE | Interest::WRITABLE;
/// assert!(both.is_readable() && both.is_writable());
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Interest(Ready);

impl Interest {
    /// The source can be read, is at its end, or has failed.
    pub const READABLE: Interest = Interest(Ready::READABLE);
    /// The source can be written, will never take bytes again, or has failed.
    pub const WRITABLE: Interest = Interest(Ready::WRITABLE);
    /// The source has urgent data (`EPOLLPRI`): out-of-band bytes of a TCP stream, a changed file of sysfs.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub const PRIORITY: Interest = Interest(Ready::PRIORITY);

    /// Both interests: what `|` does, for constants.
    pub const fn add(self, other: Interest) -> Interest {
        Interest(Ready(self.0.0 | other.0.0))
    }

    /// Whether this asks for readable.
    pub const fn is_readable(self) -> bool {
        self.0.0 & Ready::READABLE.0 != 0
    }

    /// Whether this asks for writable.
    pub const fn is_writable(self) -> bool {
        self.0.0 & Ready::WRITABLE.0 != 0
    }

    /// Whether this asks for urgent data.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub const fn is_priority(self) -> bool {
        self.0.0 & Ready::PRIORITY.0 != 0
    }

    /// What satisfies this interest: the end of a direction satisfies who waits for the direction.
    pub(crate) const fn satisfied_by(self) -> Ready {
        let mut ready = self.0.0;
        if self.is_readable() {
            ready |= Ready::READ_CLOSED.0;
        }
        if self.is_writable() {
            ready |= Ready::WRITE_CLOSED.0;
        }
        Ready(ready)
    }

    /// Whether all that is waited for is the case, not only some of it.
    pub(crate) const fn is_all_in(self, ready: Ready) -> bool {
        (!self.is_readable() || ready.is_readable())
            && (!self.is_writable() || ready.is_writable())
            && (self.0.0 & Ready::PRIORITY.0 == 0 || ready.is_priority())
    }

    /// What an operation under this interest takes back when it finds that it would block. An end stays.
    pub(crate) const fn cleared_by(self) -> Ready {
        self.0
    }

    /// The ends among `ready` that are none, as an operation under this interest would block: a named pipe goes on when the next one
    /// has opened it, and a datagram socket after an error. An operation for both directions does not tell which it means.
    #[inline]
    pub(crate) fn ends_disproved(self, ready: Ready) -> Ready {
        match (self.is_readable(), self.is_writable()) {
            (true, false) => ready & Ready::READ_CLOSED,
            (false, true) => ready & Ready::WRITE_CLOSED,
            _ => Ready::EMPTY,
        }
    }

    pub(crate) const fn bits(self) -> u8 {
        self.0.0
    }

    /// `bits` are of an earlier [`bits`](Interest::bits) or none at all.
    pub(crate) const fn from_bits(bits: u8) -> Option<Interest> {
        if bits == 0 { None } else { Some(Interest(Ready(bits))) }
    }

    /// The same in mio's words.
    pub(crate) fn to_mio(self) -> mio::Interest {
        let mut interest = if self.is_readable() { Some(mio::Interest::READABLE) } else { None };
        let mut add = |more: mio::Interest| interest = Some(interest.map_or(more, |so_far| so_far.add(more)));
        if self.is_writable() {
            add(mio::Interest::WRITABLE);
        }
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if self.is_priority() {
            add(mio::Interest::PRIORITY);
        }
        interest.expect("an interest is never empty")
    }
}

impl BitOr for Interest {
    type Output = Interest;

    fn bitor(self, other: Interest) -> Interest {
        self.add(other)
    }
}

impl fmt::Debug for Interest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Interest(")?;
        self.0.write_names(f)?;
        f.write_str(")")
    }
}

/// What is the case with a source, as far as the runtime knows.
///
/// Readiness is a hint: an operation on a source that is said to be ready may still answer `WouldBlock`.
///
/// Counterpart: `tokio::io::Ready`.
///
/// ```
/// use rt::io::Ready;
///
/// let ready = Ready::READABLE | Ready::READ_CLOSED;
/// assert!(ready.is_readable() && !ready.is_writable());
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Ready(u8);

impl Ready {
    /// Nothing.
    pub const EMPTY: Ready = Ready(0);
    /// There is something to read.
    pub const READABLE: Ready = Ready(1);
    /// There is room to write.
    pub const WRITABLE: Ready = Ready(1 << 1);
    /// The other side will send no more. What it sent before may still be there to read.
    pub const READ_CLOSED: Ready = Ready(1 << 2);
    /// Writing is over: it will only ever fail.
    pub const WRITE_CLOSED: Ready = Ready(1 << 3);
    /// There is urgent data. Reported on Linux and Android only.
    pub const PRIORITY: Ready = Ready(1 << 4);
    /// The source is in an error state; the next operation tells which.
    pub const ERROR: Ready = Ready(1 << 5);
    /// Everything above.
    pub const ALL: Ready = Ready((1 << 6) - 1);

    /// Whether nothing is the case.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether a read would not block: there are bytes, or the end.
    pub const fn is_readable(self) -> bool {
        self.0 & (Ready::READABLE.0 | Ready::READ_CLOSED.0) != 0
    }

    /// Whether a write would not block: there is room, or it fails.
    pub const fn is_writable(self) -> bool {
        self.0 & (Ready::WRITABLE.0 | Ready::WRITE_CLOSED.0) != 0
    }

    /// Whether the other side will send no more.
    pub const fn is_read_closed(self) -> bool {
        self.0 & Ready::READ_CLOSED.0 != 0
    }

    /// Whether writing is over.
    pub const fn is_write_closed(self) -> bool {
        self.0 & Ready::WRITE_CLOSED.0 != 0
    }

    /// Whether there is urgent data.
    pub const fn is_priority(self) -> bool {
        self.0 & Ready::PRIORITY.0 != 0
    }

    /// Whether the source is in an error state.
    pub const fn is_error(self) -> bool {
        self.0 & Ready::ERROR.0 != 0
    }

    /// What an event says. A source in an error state is ready both ways, for any operation fetches the error.
    pub(crate) fn of_event(event: &mio::event::Event) -> Ready {
        let mut ready = Ready::EMPTY;
        let mut note = |is_so: bool, means: Ready| {
            if is_so {
                ready |= means;
            }
        };
        note(event.is_readable(), Ready::READABLE);
        note(event.is_writable(), Ready::WRITABLE);
        note(event.is_read_closed(), Ready::READ_CLOSED);
        note(event.is_write_closed(), Ready::WRITE_CLOSED);
        note(event.is_priority(), Ready::PRIORITY);
        note(event.is_error(), Ready::ERROR | Ready::READABLE | Ready::WRITABLE);
        ready
    }

    pub(crate) const fn bits(self) -> u8 {
        self.0
    }

    /// What does not stand for a readiness is left out.
    pub(crate) const fn from_bits(bits: u8) -> Ready {
        Ready(bits & Ready::ALL.0)
    }

    fn write_names(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (Ready::READABLE, "READABLE"),
            (Ready::WRITABLE, "WRITABLE"),
            (Ready::READ_CLOSED, "READ_CLOSED"),
            (Ready::WRITE_CLOSED, "WRITE_CLOSED"),
            (Ready::PRIORITY, "PRIORITY"),
            (Ready::ERROR, "ERROR"),
        ];
        let mut first = true;
        for (_, name) in names.iter().filter(|(ready, _)| self.0 & ready.0 != 0) {
            write!(f, "{}{name}", if first { "" } else { " | " })?;
            first = false;
        }
        Ok(())
    }
}

impl BitOr for Ready {
    type Output = Ready;

    fn bitor(self, other: Ready) -> Ready {
        Ready(self.0 | other.0)
    }
}

impl BitOrAssign for Ready {
    fn bitor_assign(&mut self, other: Ready) {
        self.0 |= other.0;
    }
}

impl BitAnd for Ready {
    type Output = Ready;

    fn bitand(self, other: Ready) -> Ready {
        Ready(self.0 & other.0)
    }
}

impl Sub for Ready {
    type Output = Ready;

    fn sub(self, other: Ready) -> Ready {
        Ready(self.0 & !other.0)
    }
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ready(")?;
        self.write_names(f)?;
        f.write_str(")")
    }
}
