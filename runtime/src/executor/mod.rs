//! What runs: the blocking pool.

#[cfg_attr(not(test), allow(dead_code, unused_imports))]
pub(crate) mod blocking;
