//! From a stream to a running protocol.

use super::{Address, Factory, ProtocolHandle, StartTls, drive_from};
use futures_util::io::{AsyncRead, AsyncWrite};
use rt_deferred::Failure;
use rt_deferred::unhandled::{self, Unhandled};
use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};

/// Makes a protocol by `factory` and runs it on `stream`, whose other end is `peer`: for endpoints of your own.
///
/// It is [`drive`](crate::protocol::drive) with what a factory adds: under an endpoint of `wrap_client_tls` the stream goes
/// under TLS first.
///
/// # Errors
///
/// [`NoProtocol`] if the factory makes none, or its panic. The stream is closed.
///
/// # Panics
///
/// On a thread that drives no runtime.
///
/// Counterpart: `IProtocolFactory.buildProtocol` with `IProtocol.makeConnection`.
///
/// ```
/// use rt::deferred::{Deferred, Failure};
/// use rt::io::{AsyncReadExt, DuplexStream, duplex};
/// use rt::protocol::{
///     Address, Factory, Protocol, ProtocolHandle, StreamClientEndpoint, Transport, connect_protocol, drive_factory,
/// };
/// use std::cell::Cell;
///
/// struct Greeter;
///
/// impl Protocol for Greeter {
///     fn connection_made(&mut self, transport: &Transport) {
///         transport.write(b"hello");
///         transport.lose_connection();
///     }
///     fn data_received(&mut self, _: &Transport, _: &[u8]) {}
/// }
///
/// /// Connects to the other end of a pipe in memory, once.
/// struct InMemory(Cell<Option<DuplexStream>>);
///
/// impl StreamClientEndpoint for InMemory {
///     fn connect<F: Factory>(&self, mut factory: F) -> Deferred<ProtocolHandle<F::Protocol>> {
///         let Some(stream) = self.0.take() else { return Deferred::fail("it was connected to before") };
///         match drive_factory(stream, &Address::Memory, &mut factory) {
///             Ok(handle) => Deferred::succeed(handle),
///             Err(failure) => Deferred::fail(failure),
///         }
///     }
/// }
///
/// # fn main() -> Result<(), Failure> {
/// # rt::block_on(async {
/// let (mut near, far) = duplex(64);
/// connect_protocol(&InMemory(Cell::new(Some(far))), Greeter).await?;
/// let mut text = String::new();
/// near.read_to_string(&mut text).await?;
/// assert_eq!(text, "hello");
/// # Ok(())
/// # })
/// # }
/// ```
pub fn drive_factory<S, F>(stream: S, peer: &Address, factory: &mut F) -> Result<ProtocolHandle<F::Protocol>, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    F: Factory,
{
    start(stream, peer, factory)?.ok_or_else(|| Failure::new(NoProtocol))
}

/// The same, with `None` if the factory makes no protocol.
pub(crate) fn start<S, F>(
    stream: S,
    peer: &Address,
    factory: &mut F,
) -> Result<Option<ProtocolHandle<F::Protocol>>, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    F: Factory,
{
    let built = catch_unwind(AssertUnwindSafe(|| {
        let tls = start_tls(factory);
        (tls, factory.build_protocol(peer))
    }));
    match built {
        Ok((tls, protocol)) => Ok(protocol.map(|protocol| drive_from(stream, peer.clone(), tls, protocol))),
        Err(payload) => Err(Failure::from_panic(payload)),
    }
}

/// Tells a factory to stop. If it panics, that is reported as of what was made at `place`.
pub(crate) fn stop<F: Factory>(factory: &mut F, place: &'static Location<'static>) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| factory.stop_factory())) {
        unhandled::report(Unhandled::of_task(Failure::from_panic(payload), place));
    }
}

#[cfg(feature = "tls")]
fn start_tls<F: Factory>(factory: &mut F) -> Option<StartTls> {
    factory.start_tls()
}

#[cfg(not(feature = "tls"))]
fn start_tls<F: Factory>(_: &mut F) -> Option<StartTls> {
    None
}

/// The factory made no protocol for the connection, which was closed.
///
/// Counterpart: `twisted.internet.error.NoProtocol`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoProtocol;

impl fmt::Display for NoProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the factory made no protocol for the connection, which was closed")
    }
}

impl Error for NoProtocol {}
