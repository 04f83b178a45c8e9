//! A closure that never returns does not say what it would have returned.

use rt_deferred::Deferred;

fn main() {
    let _never = Deferred::succeed(1).add_callback(|_| panic!("on purpose"));
}
