use rt::protocol::amp::Arguments;

#[derive(Arguments)]
struct Total {
    total: std::time::Duration,
}

fn main() {}
