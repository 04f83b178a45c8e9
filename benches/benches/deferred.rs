//! Guards what callbacks, awaits and coroutines cost beside boxed closures and oneshot channels (wall time).

mod support;

use criterion::{Criterion, criterion_group, criterion_main};
use rt_benches::scenario::deferred;

fn deferreds(criterion: &mut Criterion) {
    support::theme(criterion, deferred::ALL);
}

criterion_group! { name = benches; config = support::criterion(); targets = deferreds }
criterion_main!(benches);
