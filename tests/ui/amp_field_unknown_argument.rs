use rt::protocol::amp::Arguments;

#[derive(Arguments)]
struct Total {
    #[amp(optional)]
    total: i64,
}

fn main() {}
