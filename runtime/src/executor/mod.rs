//! What runs: the blocking pool.

#[allow(dead_code, unused_imports)]
pub(crate) mod blocking;
