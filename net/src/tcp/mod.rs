//! TCP: listener, stream, its halves, and the socket before it is either.

mod connector;
mod listener;
mod race;
mod socket;
mod split;
mod stream;

pub use connector::TcpConnector;
pub use listener::{Incoming, TcpListener};
pub use socket::TcpSocket;
pub use split::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};
pub use stream::TcpStream;
