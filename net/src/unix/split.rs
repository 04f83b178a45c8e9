//! Reading and writing one Unix stream at the same time.

use crate::unix::stream::UnixStream;
use std::os::unix::net::SocketAddr;

crate::split::halves!(UnixStream, SocketAddr, "tokio::net::unix");
