//! Measures `rt` beside its peers and beside a floor: the same work done by a bare loop.
//!
//! A [`scenario`] is one thing a runtime does, written once over the small traits of [`subject`]; a subject is one
//! runtime behind those traits. Their pairs are [cases](scenario::Case): [`compare`] runs them interleaved, each sample in
//! a fresh process, and the criterion benches run them one group per scenario.

pub mod compare;
pub mod floor;
pub mod meter;
pub mod scenario;
pub mod subject;
