#[rt::test(left_overs = "fail")]
async fn test() {}

fn main() {}
