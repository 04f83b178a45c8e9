use rt::protocol::{Address, Factory, Protocol, Transport, connect_tcp};

struct Discard;

impl Protocol for Discard {
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

struct Discards;

impl Factory for Discards {
    type Protocol = Discard;

    fn build_protocol(&mut self, _: &Address) -> Option<Discard> {
        Some(Discard)
    }
}

fn main() {
    connect_tcp("127.0.0.1:9", Discards);
}
