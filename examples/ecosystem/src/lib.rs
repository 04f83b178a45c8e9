//! Programs of the ecosystem on rt, each a binary of this package and each driven from outside by a test in `tests/`.
