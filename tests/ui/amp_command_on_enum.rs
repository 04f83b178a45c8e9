use rt::protocol::amp::Command;

#[derive(Command)]
enum Either {
    This,
    That,
}

fn main() {}
