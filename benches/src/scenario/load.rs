//! What the load generator does to a server.

/// What the load generator does to a server.
#[derive(Clone, Copy, Debug)]
pub enum Load {
    /// Requests of 64 bytes over TCP connections that stay, so many under way on each; the server sends them back.
    Echo {
        /// How many connections.
        connections: usize,
        /// Requests without an answer yet, per connection.
        in_flight: usize,
    },
    /// Reads what the server sends without end; a request is 64 KiB.
    Bulk {
        /// How many connections.
        connections: usize,
    },
    /// Connects, has one request of 64 bytes sent back, closes; so many at a time.
    Connect {
        /// How many at a time.
        connections: usize,
    },
    /// [`Echo`](Load::Echo) over Unix sockets, one request under way on each.
    UnixEcho {
        /// How many connections.
        connections: usize,
    },
    /// [`Echo`](Load::Echo) under TLS 1.3, one request under way on each.
    TlsEcho {
        /// How many connections.
        connections: usize,
    },
    /// Datagrams of 64 bytes from sockets of their own, so many under way from each; the server sends them back.
    Datagrams {
        /// How many sockets.
        clients: usize,
        /// Datagrams that have not come back yet, per socket. They are sent together, in one system call.
        in_flight: usize,
        /// They are sent as one train (`UDP_SEGMENT`) and may come back so (`UDP_GRO`).
        trains: bool,
    },
    /// `GET /` by HTTP/1.1 over connections that stay, one under way on each.
    Http1 {
        /// How many connections.
        connections: usize,
    },
    /// `GET /` by HTTP/2, without TLS.
    Http2 {
        /// How many connections.
        connections: usize,
        /// Requests without an answer yet, per connection.
        streams: usize,
    },
}
