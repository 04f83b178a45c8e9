#[rt::main]
fn main() {
    println!("hello");
}
