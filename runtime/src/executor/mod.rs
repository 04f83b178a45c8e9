//! What runs: the blocking pool.

#[cfg_attr(not(test), allow(dead_code))]
pub(crate) mod blocking;
