//! Standard input and output of this process, as a connection.

use super::start::start;
use super::{Address, Factory, Listening, Port, Protocol, ProtocolHandle, StreamServerEndpoint, drive_from};
use crate::io::{Join, join};
use rt_deferred::Deferred;
use rt_runtime::stdio::{Stdin, Stdout, stdin, stdout};
use std::cell::RefCell;
use std::rc::Rc;

/// Runs protocols over standard input and output of this process.
///
/// The end of input is that of the connection's reading side: [`read_connection_lost`](Protocol::read_connection_lost). Losing the
/// connection sends what was written and closes nothing: the descriptors are the process's. Input that comes after that is for others,
/// but for what was read ahead (at most 8 KiB), which the next one who asks for [standard input](rt_runtime::stdio) in this process gets.
///
/// Two protocols that run at the same time share the input: what one gets, the other does not see.
///
/// Counterpart: `twisted.internet.stdio.StandardIO`.
///
/// ```no_run
/// use rt::protocol::{Protocol, StandardIo, Transport};
///
/// struct Echo;
///
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
///         transport.write(data);
///     }
/// }
///
/// #[rt::main]
/// async fn main() {
///     StandardIo::new(Echo).transport().closed().await.unwrap();
/// }
/// ```
#[derive(Debug)]
pub struct StandardIo;

impl StandardIo {
    /// Runs `protocol`, as a task of this thread. Its `connection_made` is called before this returns.
    ///
    /// # Panics
    ///
    /// On a thread that drives no runtime.
    #[expect(clippy::new_ret_no_self, reason = "it is Twisted's name; what it makes is a running protocol")]
    pub fn new<P: Protocol>(protocol: P) -> ProtocolHandle<P> {
        drive_from(stream(), Address::StandardIo, None, protocol)
    }
}

/// Standard input and output of this process, as a place where a server listens: each time with one connection, which is there already.
///
/// What listening gives is a [`Port`] without a function: [`stop_listening`](Port::stop_listening) does not end the connection.
///
/// Counterpart: `twisted.internet.endpoints.StandardIOEndpoint`.
///
/// ```no_run
/// use rt::protocol::{Protocol, StandardIoEndpoint, StreamServerEndpoint, Transport, for_protocol};
///
/// struct Greeter;
///
/// impl Protocol for Greeter {
///     fn connection_made(&mut self, transport: &Transport) {
///         transport.write(b"hello\n");
///         transport.lose_connection();
///     }
///     fn data_received(&mut self, _: &Transport, _: &[u8]) {}
/// }
///
/// #[rt::main]
/// async fn main() -> Result<(), rt::Failure> {
///     StandardIoEndpoint.listen(for_protocol(|| Greeter)).await?;
///     rt::time::sleep(rt::time::Duration::from_secs(1)).await;
///     Ok(())
/// }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct StandardIoEndpoint;

impl StreamServerEndpoint for StandardIoEndpoint {
    /// Runs the protocol that `factory` makes. It fails if the factory panics.
    fn listen<F: Factory>(&self, mut factory: F) -> Deferred<Port> {
        factory.start_factory();
        match start(stream(), &Address::StandardIo, &mut factory) {
            Ok(_) => Deferred::succeed(Port::new(Rc::new(Listened(RefCell::new(Some(factory)))))),
            Err(failure) => {
                factory.stop_factory();
                Deferred::fail(failure)
            }
        }
    }
}

/// What has the factory until nobody listens any more.
struct Listened<F: Factory>(RefCell<Option<F>>);

impl<F: Factory> Listening for Listened<F> {
    fn host(&self) -> Address {
        Address::StandardIo
    }

    fn stop_listening(&self) -> Deferred<()> {
        let factory = self.0.take();
        if let Some(mut factory) = factory {
            factory.stop_factory();
        }
        Deferred::succeed(())
    }
}

fn stream() -> Join<Stdin, Stdout> {
    join(stdin(), stdout())
}
