//! Twisted's callback chains for Rust, for use with or without an executor.
//!
//! Today the crate holds what travels down the errback side of a chain: [`Failure`], an error or a panic with the place
//! where it was made, cheap to clone and ready for any thread.

pub mod failure;

pub use failure::Failure;
