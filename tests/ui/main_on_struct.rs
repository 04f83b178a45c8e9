#[rt::main]
struct Program;

fn main() {}
