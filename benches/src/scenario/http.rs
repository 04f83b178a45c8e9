//! The same axum router on rt and on tokio.

use axum::Router;
use axum::routing::get;

use super::{Case, Load, Scenario, Target, Unit, Work, tcp};
use crate::subject::net::Http;

/// The scenarios of this theme.
pub const ALL: &[&Scenario] = &[&HTTP1, &HTTP1_TAIL, &HTTP2];

/// HTTP/1.1, connections that stay.
pub static HTTP1: Scenario = Scenario {
    name: "http1-hello",
    title: "HTTP/1.1 hello by axum, 64 connections",
    batches: 40_000,
    targets: &[Target::Share("tokio", 0.95)],
    tolerance: 0.,
    ..Scenario::DEFAULT
};

/// The same, how long a request takes.
pub static HTTP1_TAIL: Scenario = Scenario {
    name: "http1-hello-p99",
    title: "p99 of HTTP/1.1 hello, 64 connections",
    unit: Unit::Latency,
    batches: 40_000,
    targets: &[Target::Share("tokio", 1.)],
    tolerance: 0.1,
    ..Scenario::DEFAULT
};

/// HTTP/2, many requests under way on one connection.
pub static HTTP2: Scenario = Scenario {
    name: "http2-100",
    title: "HTTP/2 hello by axum, 4 x 100 streams",
    batches: 60_000,
    targets: &[Target::Share("tokio", 0.95)],
    tolerance: 0.,
    ..Scenario::DEFAULT
};

/// What every subject that serves HTTP does.
pub fn cases<S: Http>() -> Vec<Case> {
    let http1 = Load::Http1 { connections: 64 };
    let http2 = Load::Http2 { connections: 4, streams: 100 };
    vec![
        Case::new::<S>(&HTTP1, Work::Serve(hello::<S>, http1)),
        Case::new::<S>(&HTTP1_TAIL, Work::ServeTail(hello::<S>, http1, 99.)),
        Case::new::<S>(&HTTP2, Work::Serve(hello::<S>, http2)),
    ]
}

fn hello<S: Http>() {
    let router = Router::new().route("/", get(|| async { "hello" }));
    S::block_on(S::serve_http(tcp::listen(), router)).expect("a listener");
}
