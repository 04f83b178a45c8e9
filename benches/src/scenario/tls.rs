//! Servers under TLS 1.3, with rustls and ring on both sides.

use std::fmt::Write;
use std::sync::Arc;

use rcgen::CertifiedKey;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::version::TLS13;

use super::{Case, Load, Scenario, Target, Work, tcp};
use crate::subject::net::Tls;

/// The scenarios of this theme.
pub const ALL: &[&Scenario] = &[&ECHO_64];

/// The name in the server's certificate.
pub const SERVER_NAME: &str = "localhost";

/// Few connections, all busy.
pub static ECHO_64: Scenario = Scenario {
    name: "tls-echo-64",
    title: "TLS echo, 64 connections",
    batches: 40_000,
    targets: &[Target::Share("tokio", 1.)],
    ..Scenario::DEFAULT
};

/// What every subject with TLS does.
pub fn cases<S: Tls>() -> Vec<Case> {
    let work = Work::Serve(echo::<S>, Load::TlsEcho { connections: 64 });
    vec![Case::new::<S>(&ECHO_64, work)]
}

/// With a certificate of its own, which the load generator is told beside the address, in hexadecimal digits.
fn echo<S: Tls>() {
    let CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed([SERVER_NAME.to_owned()]).expect("a certificate");
    let hex = cert.der().iter().fold(String::from(" "), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .expect("ring has TLS 1.3")
        .with_no_client_auth()
        .with_single_cert(vec![cert.into()], signing_key.into())
        .expect("the key of the certificate");
    S::block_on(S::serve_tls(tcp::listen_beside(&hex), Arc::new(config))).expect("a listener");
}
