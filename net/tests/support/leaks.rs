//! Rounds of connections that leave nothing behind.

#[path = "../../../tests/support/counting.rs"]
mod counting;

use counting::held_by_all;

const MOST_ROUNDS: usize = 4;

/// A round is of so many `connections`, which leave no descriptor, and less memory than any allocation for each of them would take.
///
/// The first round fills pools and tables, which stay. How full they are when one ends differs a little with several workers; what is lost
/// with each connection is lost in each round, so one round without loss will do.
pub(crate) async fn leaves_nothing(connections: usize, mut round: impl AsyncFnMut()) {
    round().await;
    let a_word_each = (connections * size_of::<usize>()) as isize;
    let before = descriptors();
    let mut left = Vec::new();
    for _ in 0..MOST_ROUNDS {
        let before = held_by_all();
        round().await;
        left.push(held_by_all() - before);
        if left.iter().any(|&bytes| bytes < a_word_each) {
            break;
        }
    }
    assert_eq!(descriptors(), before);
    assert!(left.iter().any(|&bytes| bytes < a_word_each), "left of {connections} connections, in bytes: {left:?}");
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}
