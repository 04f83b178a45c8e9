use rt::protocol::amp::{Arguments, Command};

#[derive(Debug)]
struct Refused;

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("refused")
    }
}

impl std::error::Error for Refused {}

#[derive(Command)]
#[amp(response = Done, errors(Refused = "REFUSED"))]
struct Ask {
    number: i64,
}

#[derive(Arguments)]
struct Done {}

fn main() {}
