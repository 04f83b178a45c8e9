//! What went wrong, and where.

use std::error::Error;
use std::fmt;
use std::io;

/// The system's error, with the address that it is about; an error that says already what it is about stays what it is.
///
/// Counterpart: `CannotListenError`.
pub(in crate::protocol) fn cannot_listen(at: impl fmt::Display, error: io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(_) => io::Error::new(error.kind(), CannotListen { at: at.to_string(), error }),
        None => error,
    }
}

#[derive(Debug)]
struct CannotListen {
    at: String,
    error: io::Error,
}

impl fmt::Display for CannotListen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot listen on {}: {}", self.at, self.error)
    }
}

impl Error for CannotListen {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}
