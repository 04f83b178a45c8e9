//! A callback may run when the function that added it is long over.

use rt_deferred::Deferred;

fn main() {
    let mut seen = 0;
    let _deferred = Deferred::succeed(1).add_callback(|n| seen += n);
    println!("{seen}");
}
