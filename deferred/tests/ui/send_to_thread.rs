//! A Deferred belongs to its thread.

use rt_deferred::Deferred;

fn main() {
    let (deferred, resolver) = Deferred::<u32>::new();
    std::thread::spawn(move || resolver.callback(1));
    drop(deferred);
}
