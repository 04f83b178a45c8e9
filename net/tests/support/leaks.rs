//! Rounds of connections that leave nothing behind.

#[path = "../../../tests/support/counting.rs"]
mod counting;

use counting::held_by_all;

const MOST_ROUNDS: usize = 4;

/// A round is of so many `connections`, which leave no descriptor, and less memory than any allocation for each of them would take.
///
/// The first round fills pools and tables, which stay. How full they are when one ends differs a little with several workers, and a worker
/// gets its alarm when it has its first deadline; what is lost with each connection is lost in each round, so one round without loss will
/// do.
pub(crate) async fn leaves_nothing(connections: usize, mut round: impl AsyncFnMut()) {
    round().await;
    let a_word_each = (connections * size_of::<usize>()) as isize;
    let is_nothing = |&(opened, bytes): &(isize, isize)| opened == 0 && bytes < a_word_each;
    let mut left = Vec::new();
    while left.len() < MOST_ROUNDS && !left.last().is_some_and(is_nothing) {
        let (descriptors_before, before) = (descriptors(), held_by_all());
        round().await;
        left.push((descriptors() - descriptors_before, held_by_all() - before));
    }
    assert!(
        left.last().is_some_and(is_nothing),
        "left of {connections} connections, in descriptors and bytes: {left:?}"
    );
}

fn descriptors() -> isize {
    std::fs::read_dir("/proc/self/fd").unwrap().count() as isize
}
