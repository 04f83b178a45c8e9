//! A descriptor held back, with which to accept and close connections when there is no other.

use std::fs::File;

/// A descriptor that can be given up, and how often a connection was refused with its help.
pub(super) struct Reserve {
    descriptor: Option<File>,
    refused: u64,
}

impl Reserve {
    pub(super) fn new() -> Self {
        Self { descriptor: open(), refused: 0 }
    }

    /// Gives it up for one `accept`. False if there is none: somebody else was faster to take the last descriptor.
    pub(super) fn give_up(&mut self) -> bool {
        if self.descriptor.is_none() {
            self.descriptor = open();
        }
        self.descriptor.take().is_some()
    }

    /// Takes a descriptor again, after what was accepted with its help has been closed.
    pub(super) fn take_back(&mut self, refused: bool) {
        self.refused += u64::from(refused);
        self.descriptor = open();
    }

    pub(super) fn refused(&self) -> u64 {
        self.refused
    }
}

#[cfg(unix)]
fn open() -> Option<File> {
    File::open("/dev/null").ok()
}

/// Elsewhere sockets and files do not share a table, so a file would not help.
#[cfg(not(unix))]
fn open() -> Option<File> {
    None
}
