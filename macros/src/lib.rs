//! Attribute macros of `rt`.
