#[rt::main(leftovers = "fail")]
async fn main() {}
