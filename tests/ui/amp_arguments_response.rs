use rt::protocol::amp::Arguments;

#[derive(Arguments)]
#[amp(response = Total)]
struct Total {
    total: i64,
}

fn main() {}
