//! By which the ecosystem runs on rt: other crates' traits on our types, one file per crate, each behind a feature.

#[cfg(feature = "hickory")]
pub mod hickory;
