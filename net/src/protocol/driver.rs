//! Between a stream and a protocol.

use super::{Protocol, ProtocolHandle};
use futures_util::io::{AsyncRead, AsyncWrite};

/// Runs `protocol` on `stream`, as a task of this thread.
pub fn drive<S, P>(stream: S, protocol: P) -> ProtocolHandle<P>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    P: Protocol,
{
    let _ = (stream, protocol);
    todo!()
}
