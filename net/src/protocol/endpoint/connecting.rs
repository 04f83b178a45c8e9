//! What the endpoints of clients have in common.

use super::StreamClientEndpoint;
use crate::protocol::connect::dial::Dial;
use crate::protocol::start::stop;
use crate::protocol::{Address, Factory, Protocol, ProtocolHandle, drive_factory};
use rt_deferred::{Deferred, Failure, ensure_deferred};
use std::panic::Location;

/// Connects to `endpoint`, and runs `protocol` on the connection.
///
/// If the endpoint connects but never asks for a protocol, or asks for a second one, there is none: see [`NoProtocol`](crate::protocol::NoProtocol).
///
/// Counterpart: `twisted.internet.endpoints.connectProtocol`.
///
/// ```
/// use rt::protocol::{Protocol, TcpClientEndpoint, Transport, connect_protocol, for_protocol, listen_tcp};
///
/// /// Counts what comes.
/// #[derive(Default)]
/// struct Count(usize);
///
/// impl Protocol for Count {
///     fn data_received(&mut self, _: &Transport, data: &[u8]) {
///         self.0 += data.len();
///     }
/// }
///
/// # fn main() -> Result<(), rt::deferred::Failure> {
/// # rt::block_on(async {
/// let port = listen_tcp("127.0.0.1:0", for_protocol(Count::default))?;
/// let endpoint = TcpClientEndpoint::new(port.host().ip().unwrap());
/// let client = connect_protocol(&endpoint, Count::default()).await?;
/// assert_eq!(client.with(|count, _| count.0)?, 0);
/// client.transport().lose_connection();
/// # Ok(())
/// # })
/// # }
/// ```
pub fn connect_protocol<E, P>(endpoint: &E, protocol: P) -> Deferred<ProtocolHandle<P>>
where
    E: StreamClientEndpoint,
    P: Protocol,
{
    endpoint.connect(OneShot(Some(protocol)))
}

/// Makes one protocol.
struct OneShot<P>(Option<P>);

impl<P: Protocol> Factory for OneShot<P> {
    type Protocol = P;

    fn build_protocol(&mut self, _: &Address) -> Option<P> {
        self.0.take()
    }
}

/// Dials, and runs the protocol that `factory` makes.
#[track_caller]
pub(super) fn connect_by<D: Dial, F: Factory>(dial: &D, factory: F) -> Deferred<ProtocolHandle<F::Protocol>> {
    let dialling = dial.dial();
    let mut running = Running::start(factory);
    ensure_deferred(async move {
        let (stream, peer) = dialling.await?;
        let handle = drive_factory(stream, &peer, &mut running.factory)?;
        drop(handle.transport().closed().add_callback(move |_| drop(running)));
        Ok::<_, Failure>(handle)
    })
}

/// A factory that was told to start, and is told to stop when this is dropped: the attempt has failed or was given up, or the
/// connection is gone.
struct Running<F: Factory> {
    factory: F,
    /// Where it was told to start.
    made: &'static Location<'static>,
}

impl<F: Factory> Running<F> {
    #[track_caller]
    fn start(mut factory: F) -> Self {
        factory.start_factory();
        Self { factory, made: Location::caller() }
    }
}

impl<F: Factory> Drop for Running<F> {
    fn drop(&mut self) {
        stop(&mut self.factory, self.made);
    }
}
