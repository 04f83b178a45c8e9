#[rt::main(crate = "my rt")]
async fn main() {}
