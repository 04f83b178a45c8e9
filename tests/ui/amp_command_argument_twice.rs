use rt::protocol::amp::Command;

#[derive(Command)]
#[amp(name = "sum", name = "total")]
struct Sum {
    a: i64,
}

fn main() {}
