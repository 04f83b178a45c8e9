#[rt::inline_callbacks]
struct Page;

fn main() {}
