//! What went wrong with a lookup, said with the name.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

/// A lookup's failure. All who waited for it get one, so what went wrong is shared.
#[derive(Debug)]
pub(super) struct LookupError {
    host: Arc<str>,
    source: Arc<io::Error>,
}

impl LookupError {
    /// As an `io::Error` of the kind that the failure has; where the system tells only in words, of the kind that those mean.
    pub(super) fn io(host: Arc<str>, source: Arc<io::Error>) -> io::Error {
        let kind = if says_no_such_name(&source) { io::ErrorKind::NotFound } else { source.kind() };
        io::Error::new(kind, LookupError { host, source })
    }
}

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "looking up {:?}: {}", self.host, self.source)
    }
}

impl Error for LookupError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

/// What `getaddrinfo` says of a name that does not exist, or has no address, in the words of glibc, of musl and of the BSDs: the
/// standard library passes on the words only.
const NO_SUCH_NAME: [&str; 6] = [
    "Name or service not known",
    "No address associated with hostname",
    "Name does not resolve",
    "Name has no usable address",
    "nodename nor servname provided, or not known",
    "no address associated with name",
];

/// The same on Windows: `WSAHOST_NOT_FOUND` and `WSANO_DATA`.
const NO_SUCH_NAME_WINDOWS: [i32; 2] = [11001, 11004];

fn says_no_such_name(error: &io::Error) -> bool {
    if cfg!(windows) {
        return error.raw_os_error().is_some_and(|code| NO_SUCH_NAME_WINDOWS.contains(&code));
    }
    error.raw_os_error().is_none() && {
        let text = error.to_string();
        NO_SUCH_NAME.iter().any(|words| text.ends_with(words))
    }
}
