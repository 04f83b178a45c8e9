#[rt::test(start_paused = true)]
fn adds() {
    assert_eq!(1 + 1, 2);
}

fn main() {}
