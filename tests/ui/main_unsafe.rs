#[rt::main]
async unsafe fn main() {}
