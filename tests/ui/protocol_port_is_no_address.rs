fn main() {
    rt::protocol::TcpServerEndpoint::new(8080u16);
}
