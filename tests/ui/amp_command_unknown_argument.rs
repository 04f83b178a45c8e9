use rt::protocol::amp::Command;

#[derive(Command)]
#[amp(answer = u8)]
struct Sum {
    a: i64,
}

fn main() {}
