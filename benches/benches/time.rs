//! Guards what a timeout costs that does not elapse, and a sleep that does (wall time).

mod support;

use criterion::{Criterion, criterion_group, criterion_main};
use rt_benches::scenario::time;

fn time(criterion: &mut Criterion) {
    support::theme(criterion, &[&time::DROPPED, &time::READY, &time::SLEEPS]);
}

criterion_group! { name = benches; config = support::criterion(); targets = time }
criterion_main!(benches);
