#[rt::test(leftovers = "warn")]
async fn test() {}

fn main() {}
