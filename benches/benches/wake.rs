//! Guards what a wake-up costs, from task to task and from a plain thread through the poller (wall time).

mod support;

use criterion::{Criterion, criterion_group, criterion_main};
use rt_benches::scenario::wake;

fn wake(criterion: &mut Criterion) {
    support::theme(criterion, wake::ALL);
}

criterion_group! { name = benches; config = support::criterion(); targets = wake }
criterion_main!(benches);
