//! Guards what a request costs a server: CPU time of its process, which is alone on a processor.

mod support;

use criterion::{Criterion, criterion_group, criterion_main};
use rt_benches::scenario::tcp;

fn tcp(criterion: &mut Criterion) {
    support::theme(criterion, tcp::ALL);
}

criterion_group! { name = benches; config = support::criterion(); targets = tcp }
criterion_main!(benches);
