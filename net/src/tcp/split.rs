//! Reading and writing one connection at the same time.

use crate::tcp::stream::TcpStream;
use std::net::SocketAddr;

crate::split::halves!(TcpStream, SocketAddr, "tokio::net::tcp");

/// What a reading half of TCP has besides.
macro_rules! peek {
    ($half:ty, $stream:tt) => {
        impl $half {
            /// Reads without taking: the next read gives the same bytes.
            ///
            /// # Errors
            ///
            /// Those of `recv`.
            ///
            /// # Cancel safety
            ///
            /// Nothing is lost when the future is dropped.
            pub async fn peek(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                self.$stream.peek(buf).await
            }
        }
    };
}

peek!(ReadHalf<'_>, 0);
peek!(OwnedReadHalf, stream);
