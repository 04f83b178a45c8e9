//! Descriptors held back, with which to accept and close connections when there are no others.

use std::fs::File;

/// How many. One is enough for one connection after the other; between closing it and accepting with it, another thread may be faster.
const HELD: usize = 4;

/// Descriptors that can be given up, and how often a connection was refused with the help of one.
pub(super) struct Reserve {
    descriptors: Vec<File>,
    refused: u64,
}

impl Reserve {
    pub(super) fn new() -> Self {
        let mut reserve = Self { descriptors: Vec::with_capacity(HELD), refused: 0 };
        reserve.fill();
        reserve
    }

    /// Gives one up for one `accept`. False if there is none: others were faster to take the last descriptors.
    pub(super) fn give_up(&mut self) -> bool {
        if self.descriptors.is_empty() {
            self.fill();
        }
        self.descriptors.pop().is_some()
    }

    /// Takes descriptors again, after what was accepted with the help of one has been closed.
    pub(super) fn take_back(&mut self, refused: bool) {
        self.refused += u64::from(refused);
        self.fill();
    }

    pub(super) fn refused(&self) -> u64 {
        self.refused
    }

    fn fill(&mut self) {
        while self.descriptors.len() < HELD
            && let Some(descriptor) = open()
        {
            self.descriptors.push(descriptor);
        }
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
