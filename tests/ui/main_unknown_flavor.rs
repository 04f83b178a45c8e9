#[rt::main(flavor = "threaded")]
async fn main() {}
