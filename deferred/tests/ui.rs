//! The mistakes that users will make, each with the message that helps.

use std::env;
use std::process::Command;

/// The compiler that wrote the `.stderr` files; others say it in other words.
const COMPILER: &str = "rustc 1.95.";

#[test]
fn messages() {
    let compiler = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(compiler).arg("--version").output().expect("the compiler tells its version").stdout;
    let version = String::from_utf8_lossy(&version);
    if version.starts_with(COMPILER) {
        trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
    } else {
        eprintln!("not compared: {} says it in other words than {COMPILER}*", version.trim());
    }
}
