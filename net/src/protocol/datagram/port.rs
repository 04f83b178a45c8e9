//! Sockets for datagrams, opened and served.

use super::place::{Connected, Event, Place, Tells, Unconnected};
use super::state::State;
use super::task::Task;
use super::{ConnectedDatagramProtocol, DatagramAddress, DatagramProtocol, DatagramTransport};
use crate::addr::ToSocketAddrs;
use crate::protocol::listen::cannot_listen;
use crate::protocol::{ConnectionLost, HandleError, Port};
use crate::target::Target;
use crate::udp::UdpSocket;
use rt_deferred::Deferred;
use std::cell::RefCell;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::panic::Location;
use std::rc::Rc;

/// A socket for datagrams that a protocol runs on. A cheap handle; dropping it leaves the socket open.
///
/// Counterpart: `IListeningPort`, with the protocol.
///
/// ```
/// use rt::protocol::{DatagramProtocol, UdpTransport, listen_udp};
/// use std::net::SocketAddr;
///
/// #[derive(Default)]
/// struct Count(u32);
///
/// impl DatagramProtocol for Count {
///     fn datagram_received(&mut self, _: &UdpTransport, _: &[u8], _: SocketAddr) {
///         self.0 += 1;
///     }
/// }
///
/// # fn main() -> Result<(), rt::Failure> {
/// # rt::block_on(async {
/// let port = listen_udp("127.0.0.1:0", Count::default())?;
/// assert_eq!(port.with(|count, _| count.0), Ok(0));
/// port.stop_listening().await?;
/// assert!(port.with(|count, _| count.0).is_err());
/// # Ok(())
/// # })
/// # }
/// ```
pub struct DatagramPort<P, A: DatagramAddress = SocketAddr>(Rc<Place<P, A>>);

/// The port of a UDP socket.
pub type UdpPort<P> = DatagramPort<P, SocketAddr>;

/// Runs `protocol` on a UDP socket that is bound to `address`, as a task of this thread; `start_protocol` is called before this
/// returns. Port 0 takes a free port. `address` is an address: names are not looked up.
///
/// Counterpart: `reactor.listenUDP`.
///
/// # Errors
///
/// Those of `bind`; [`InvalidInput`](io::ErrorKind::InvalidInput) if `address` is a name.
///
/// # Panics
///
/// If this thread does not drive a runtime.
#[track_caller]
pub fn listen_udp<P: DatagramProtocol>(address: impl ToSocketAddrs, protocol: P) -> io::Result<UdpPort<P>> {
    run(bound(&address, std::net::UdpSocket::bind)?, protocol, Unconnected)
}

/// [`listen_udp`] on a port number that others on this machine listen on, too, as long as all of them do it this way
/// (`SO_REUSEADDR`): each gets what is sent to a group that it [joined](DatagramTransport::join_group).
///
/// Counterpart: `reactor.listenMulticast` with `listenMultiple`.
///
/// # Errors
///
/// Those of [`listen_udp`].
///
/// # Panics
///
/// If this thread does not drive a runtime.
#[track_caller]
pub fn listen_multicast<P: DatagramProtocol>(address: impl ToSocketAddrs, protocol: P) -> io::Result<UdpPort<P>> {
    run(bound(&address, shared)?, protocol, Unconnected)
}

/// Runs `protocol` on a UDP socket that is connected to `address`, as a task of this thread; `start_protocol` is called before this
/// returns. `address` is an address: names are not looked up.
///
/// Counterpart: `listenUDP` with `transport.connect`.
///
/// # Errors
///
/// The system has no way there; [`InvalidInput`](io::ErrorKind::InvalidInput) if `address` is a name.
///
/// # Panics
///
/// If this thread does not drive a runtime.
#[track_caller]
pub fn connect_udp<P: ConnectedDatagramProtocol>(address: impl ToSocketAddrs, protocol: P) -> io::Result<UdpPort<P>> {
    let mut failure = nothing();
    for address in numeric(&address)? {
        let any = if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let socket = std::net::UdpSocket::bind(SocketAddr::new(any, 0))?;
        match socket.connect(address) {
            Ok(()) => return run(adopted(socket)?, protocol, Connected),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// Runs `protocol` on a socket that exists, with whatever options it has, as a task of this thread.
///
/// Counterpart: `reactor.adoptDatagramPort`.
///
/// # Errors
///
/// Those of `getsockname`.
///
/// # Panics
///
/// If this thread does not drive a runtime.
#[track_caller]
pub fn adopt_udp<P: DatagramProtocol>(socket: UdpSocket, protocol: P) -> io::Result<UdpPort<P>> {
    run(socket, protocol, Unconnected)
}

/// Runs any kind of protocol on any kind of socket.
#[track_caller]
pub(super) fn run<P, A, T>(socket: A::Socket, protocol: P, tells: T) -> io::Result<DatagramPort<P, A>>
where
    P: 'static,
    A: DatagramAddress,
    T: Tells<P, A>,
{
    let state = Rc::new(State::new(socket)?);
    let made = Location::caller();
    let place = Rc::new(Place { protocol: RefCell::new(Some(protocol)), state, made });
    drop(rt_runtime::spawn_local(Task::new(place.clone(), tells)));
    let port = DatagramPort(place);
    port.0.event(tells, &port.transport(), Event::Start);
    Ok(port)
}

impl<P: 'static, A: DatagramAddress> DatagramPort<P, A> {
    /// Calls `f` with the protocol and its transport.
    ///
    /// # Errors
    ///
    /// The socket is closed, and the protocol gone; or this was called from within one of the protocol's own events.
    pub fn with<R>(&self, f: impl FnOnce(&mut P, &DatagramTransport<A>) -> R) -> Result<R, HandleError> {
        /// Also when `f` panics.
        struct Finally<'a, A: DatagramAddress>(&'a State<A>);
        impl<A: DatagramAddress> Drop for Finally<'_, A> {
            fn drop(&mut self) {
                self.0.no_longer_busy();
            }
        }
        let _finally = Finally(&self.0.state);
        let mut protocol = self.0.protocol.try_borrow_mut().map_err(|_| HandleError::Busy)?;
        let protocol = protocol.as_mut().ok_or(HandleError::Lost)?;
        Ok(f(protocol, &self.transport()))
    }

    /// What the protocol is given with its events.
    pub fn transport(&self) -> DatagramTransport<A> {
        DatagramTransport::new(self.0.state.clone())
    }

    /// Where it is; with the number that the system chose, if it was asked to.
    pub fn host(&self) -> A {
        self.transport().host()
    }

    /// Closes the socket: see [`DatagramTransport::stop_listening`].
    pub fn stop_listening(&self) -> Deferred<()> {
        self.transport().stop_listening()
    }

    /// Fires with the reason when the socket is closed, after the protocol was told; at once if it is.
    pub fn closed(&self) -> Deferred<ConnectionLost> {
        self.transport().closed()
    }
}

/// For who keeps ports of all kinds.
impl<P: 'static, A: DatagramAddress> From<DatagramPort<P, A>> for Port {
    fn from(port: DatagramPort<P, A>) -> Port {
        Port::new(port.0.state.clone())
    }
}

impl<P, A: DatagramAddress> Clone for DatagramPort<P, A> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<P: 'static, A: DatagramAddress> fmt::Debug for DatagramPort<P, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DatagramPort").field(&self.host()).finish()
    }
}

/// The addresses that stand there in numbers.
fn numeric(address: &impl ToSocketAddrs) -> io::Result<Vec<SocketAddr>> {
    Target::of(address).addresses_now()
}

/// A socket at the first of the addresses that `bind` can have.
fn bound<A: ToSocketAddrs>(
    address: &A,
    bind: impl Fn(SocketAddr) -> io::Result<std::net::UdpSocket>,
) -> io::Result<UdpSocket> {
    let mut failure = nothing();
    for address in numeric(address)? {
        match bind(address) {
            Ok(socket) => return adopted(socket),
            Err(error) => failure = cannot_listen(address, error),
        }
    }
    Err(failure)
}

fn shared(address: SocketAddr) -> io::Result<std::net::UdpSocket> {
    use socket2::{Domain, Protocol, Socket, Type};
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    // The systems of the BSD family distinguish.
    #[cfg(all(
        unix,
        not(any(target_os = "solaris", target_os = "illumos", target_os = "linux", target_os = "android"))
    ))]
    socket.set_reuse_port(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

fn adopted(socket: std::net::UdpSocket) -> io::Result<UdpSocket> {
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket)
}

fn nothing() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "the list of addresses is empty")
}
