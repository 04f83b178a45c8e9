#[rt::main(unhandled = "panic")]
async fn main() {}
