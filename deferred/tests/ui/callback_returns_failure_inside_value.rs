//! A value that holds a `Failure` is returned as `Ok(value)`.

use rt_deferred::{Deferred, Failure};

fn main() {
    let _pair = Deferred::succeed(1).add_callback(|n| (n, Failure::new("kept")));
}
