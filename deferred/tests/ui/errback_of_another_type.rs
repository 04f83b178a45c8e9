//! What an errback returns takes the place of the value.

use rt_deferred::{Deferred, Failure};

fn main() {
    let _text = Deferred::succeed(String::new()).add_errback(|_: Failure| 5);
}
