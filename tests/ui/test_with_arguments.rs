#[rt::test]
async fn adds(left: u32) {
    assert_eq!(left + 1, 2);
}

fn main() {}
