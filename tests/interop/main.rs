//! The real Twisted, from PyPI, at the other end of a connection: its clients with our servers and our clients with its servers, for
//! lines, netstrings, length-prefixed strings, AMP, and TLS below each.
//!
//! Each test compares what both sides saw. Twisted's are the scripts beside this file, which run in a virtual environment that the first
//! test makes in the target directory. Where there is no Python, or Twisted cannot be installed, the tests are skipped, and say so on
//! standard error; with `RT_INTEROP=require` in the environment they fail, and with `RT_INTEROP=skip` they are skipped in any case.

#![cfg(unix)]

mod calls;
mod calls_commands;
mod strings;
#[cfg(feature = "tls")]
mod tls;
mod twisted;
