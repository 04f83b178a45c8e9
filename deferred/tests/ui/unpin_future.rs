//! A future that is `Unpin` counts as a value: `async { it.await }` counts as a future.

use std::pin::Pin;

use rt_deferred::{Deferred, success_result_of};

fn boxed() -> Pin<Box<dyn Future<Output = u32>>> {
    Box::pin(async { 1 })
}

fn main() {
    let number: Deferred<u32> = Deferred::succeed(()).add_callback(|()| boxed());
    let _: u32 = success_result_of(number);
    let _ = Deferred::succeed(()).add_callback(|()| boxed()).add_callback(|n| n + 1);
}
