//! A handle is used up by adding a callback: go on with the one that is returned.

use rt_deferred::Deferred;

fn main() {
    let deferred = Deferred::succeed(1);
    let _doubled = deferred.add_callback(|n| n * 2);
    let _tripled = deferred.add_callback(|n| n * 3);
}
