//! Where I/O and time meet.

pub(crate) mod driver;
pub(crate) mod mio;
pub(crate) mod readiness;
pub(crate) mod ready;
pub(crate) mod registry;

#[cfg(all(test, unix, not(loom)))]
mod driver_checks;
#[cfg(test)]
mod readiness_checks;
