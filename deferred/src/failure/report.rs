//! How a failure prints, and the error that stands for one.

use std::backtrace::Backtrace;
use std::error::Error;
use std::fmt;

use super::{Cause, Failure};

/// What `Failure::into_error` makes.
pub(super) struct AsError(pub(super) Failure);

impl Error for AsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.error()?.source()
    }
}

impl fmt::Display for AsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for AsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Failure {
    /// The message; `{:#}` adds the sources.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.inner.cause {
            Cause::Error(error) => write!(f, "{error}")?,
            Cause::Panic { message: Some(message), .. } => write!(f, "panicked: {message}")?,
            Cause::Panic { message: None, .. } => write!(f, "panicked with something that is not a text")?,
        }
        if f.alternate() {
            for source in self.sources() {
                write!(f, ": {source}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Failure {
    /// A report of several lines.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        for source in self.sources() {
            write!(f, "\n  because: {source}")?;
        }
        write!(f, "\n  failure made at {}", self.place())?;
        if let Some(backtrace) = self.backtrace() {
            write_backtrace(f, backtrace)?;
        }
        Ok(())
    }
}

fn write_backtrace(f: &mut fmt::Formatter<'_>, backtrace: &Backtrace) -> fmt::Result {
    write!(f, "\n{}", backtrace.to_string().trim_end())
}

impl Failure {
    /// The error's source, the source's source, and so on.
    fn sources(&self) -> impl Iterator<Item = &(dyn Error + 'static)> {
        std::iter::successors(self.error().and_then(|error| error.source()), |error| (*error).source())
    }
}
