//! Guards what tasks, wake-ups, messages and timers cost on two workers (wall time).

mod support;

use criterion::{Criterion, criterion_group, criterion_main};
use rt_benches::scenario::multi;

fn multi(criterion: &mut Criterion) {
    support::theme(criterion, multi::TIMED);
}

criterion_group! { name = benches; config = support::criterion(); targets = multi }
criterion_main!(benches);
