//! Misuse of the macros: each file in `ui/` is one mistake, and the `.stderr` beside it is what the compiler says to it.
//!
//! `TRYBUILD=overwrite cargo test --test ui` writes the `.stderr` files anew; read them before you commit them.
#![cfg(feature = "macros")]

use std::env;
use std::process::Command;

/// The compiler that wrote the `.stderr` files. Others word, and lay out, what stands around our sentences in other ways.
const COMPILER: &str = "rustc 1.95.";

#[test]
fn misuse_is_refused_in_a_sentence() {
    let compiler = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(compiler).arg("--version").output().expect("the compiler tells its version").stdout;
    let version = String::from_utf8_lossy(&version);
    if version.starts_with(COMPILER) {
        trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
    } else {
        eprintln!("not compared: {} says it in other words than {COMPILER}*", version.trim());
    }
}
