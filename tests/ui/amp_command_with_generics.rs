use rt::protocol::amp::Command;

#[derive(Command)]
struct Sum<T> {
    a: T,
}

fn main() {}
