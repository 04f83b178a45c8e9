//! Guards what a task costs to make, run and join, from inside the runtime and from a plain thread (wall time).

mod support;

use criterion::{Criterion, criterion_group, criterion_main};
use rt_benches::scenario::spawn;

fn spawn(criterion: &mut Criterion) {
    support::theme(criterion, spawn::ALL);
}

criterion_group! { name = benches; config = support::criterion(); targets = spawn }
criterion_main!(benches);
