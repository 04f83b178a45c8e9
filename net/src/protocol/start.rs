//! From a stream to a running protocol.

use super::{Address, Factory, ProtocolHandle, drive};
use futures_util::io::{AsyncRead, AsyncWrite};
use rt_deferred::Failure;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs a protocol that `factory` makes on `stream`. `None` if it makes none; then the stream is closed.
///
/// # Errors
///
/// The factory panicked. The stream is closed.
pub(crate) fn start<S, F>(
    stream: S,
    peer: &Address,
    factory: &mut F,
) -> Result<Option<ProtocolHandle<F::Protocol>>, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    F: Factory,
{
    match catch_unwind(AssertUnwindSafe(|| factory.build_protocol(peer))) {
        Ok(protocol) => Ok(protocol.map(|protocol| drive(stream, protocol))),
        Err(payload) => Err(Failure::from_panic(payload)),
    }
}
