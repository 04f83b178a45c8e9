//! Misuse of the macros: each file in `ui/` is one mistake, and the `.stderr` beside it is what the compiler says to it.
//!
//! `TRYBUILD=overwrite cargo test --test ui` writes the `.stderr` files anew; read them before you commit them.

#[test]
#[cfg(feature = "macros")]
fn misuse_is_refused_in_a_sentence() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
