use rt::protocol::amp::Command;

#[derive(Command)]
#[amp(errors(ZeroDivision))]
struct Divide {
    numerator: i64,
}

fn main() {}
