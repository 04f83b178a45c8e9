//! Unix sockets.

use super::connecting::connect_by;
use super::{StreamClientEndpoint, StreamServerEndpoint};
use crate::protocol::{ConnectOptions, Factory, ListenOptions, Port, ProtocolHandle};
use rt_deferred::{Deferred, execute};
use std::path::PathBuf;

/// A path to listen at.
///
/// Counterpart: `UNIXServerEndpoint`.
///
/// ```
/// # #[cfg(unix)]
/// # fn main() {
/// use rt::protocol::{ListenOptions, UnixServerEndpoint};
///
/// let endpoint = UnixServerEndpoint::new("/run/finger").with_options(ListenOptions::new().mode(0o660).lock_file(true));
/// # }
/// # #[cfg(not(unix))]
/// # fn main() {}
/// ```
#[derive(Clone, Debug)]
pub struct UnixServerEndpoint {
    path: PathBuf,
    options: ListenOptions,
}

impl UnixServerEndpoint {
    /// Listens at `path`, see [`listen_unix`](crate::protocol::listen_unix).
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), options: ListenOptions::new() }
    }

    /// The same with other settings.
    #[must_use]
    pub fn with_options(mut self, options: ListenOptions) -> Self {
        self.options = options;
        self
    }
}

impl StreamServerEndpoint for UnixServerEndpoint {
    fn listen<F: Factory>(&self, factory: F) -> Deferred<Port> {
        execute(|| Ok(self.options.listen_unix(&self.path, factory)?))
    }
}

/// A path to connect to.
///
/// Counterpart: `UNIXClientEndpoint`.
///
/// ```
/// # #[cfg(unix)]
/// # fn main() {
/// use rt::protocol::{ConnectOptions, UnixClientEndpoint};
/// use rt::time::Duration;
///
/// let options = ConnectOptions::new().timeout(Duration::from_secs(1));
/// let endpoint = UnixClientEndpoint::new("/run/finger").with_options(options);
/// # }
/// # #[cfg(not(unix))]
/// # fn main() {}
/// ```
#[derive(Clone, Debug)]
pub struct UnixClientEndpoint {
    path: PathBuf,
    options: ConnectOptions,
}

impl UnixClientEndpoint {
    /// Connects to the socket at `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), options: ConnectOptions::new() }
    }

    /// The same with other settings, of which the timeout is used.
    #[must_use]
    pub fn with_options(mut self, options: ConnectOptions) -> Self {
        self.options = options;
        self
    }
}

impl StreamClientEndpoint for UnixClientEndpoint {
    #[track_caller]
    fn connect<F: Factory>(&self, factory: F) -> Deferred<ProtocolHandle<F::Protocol>> {
        connect_by(&self.options.dial_unix(&self.path), factory)
    }
}
