use rt::protocol::{Protocol, Transport, listen_tcp};

struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data);
    }
}

fn main() {
    let _ = listen_tcp("127.0.0.1:0", Echo);
}
