//! A callback takes what the one before it returned.

use rt_deferred::Deferred;

fn main() {
    let _length = Deferred::succeed(1_u32).add_callback(|text: String| text.len());
}
