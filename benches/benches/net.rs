//! Guards what a request costs a server over UDP, Unix sockets, TLS and HTTP: CPU time of its process, alone on a processor.

mod support;

use criterion::{Criterion, criterion_group, criterion_main};
use rt_benches::scenario::{http, tls, udp, unix};

fn net(criterion: &mut Criterion) {
    support::theme(criterion, &[udp::ALL, unix::ALL, tls::ALL, http::ALL].concat());
}

criterion_group! { name = benches; config = support::criterion(); targets = net }
criterion_main!(benches);
