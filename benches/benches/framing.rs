//! Guards what callbacks, awaits and coroutines cost beside boxed closures and oneshot channels (wall time).

mod support;

use criterion::{Criterion, criterion_group, criterion_main};
use rt_benches::scenario::framing;

fn framings(criterion: &mut Criterion) {
    support::theme(criterion, framing::ALL);
}

criterion_group! { name = benches; config = support::criterion(); targets = framings }
criterion_main!(benches);
