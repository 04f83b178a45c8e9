use rt::protocol::amp::Arguments;

#[derive(Arguments)]
struct Total {
    #[amp(name = "")]
    total: i64,
}

fn main() {}
