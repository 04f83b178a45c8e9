//! Part of `rt`.
