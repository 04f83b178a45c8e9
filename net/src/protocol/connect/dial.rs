//! What it takes to have a stream.

use crate::protocol::Address;
use crate::target::Target;
use crate::tcp::{TcpConnector, TcpStream};
#[cfg(unix)]
use crate::unix::UnixStream;
use futures_util::io::{AsyncRead, AsyncWrite};
use rt_runtime::time::timeout;
use std::future::Future;
use std::io;
#[cfg(unix)]
use std::path::PathBuf;
use std::time::Duration;

/// Makes streams to one destination.
pub(crate) trait Dial: 'static {
    type Stream: AsyncRead + AsyncWrite + Unpin + 'static;

    /// The stream, and who is at its other end.
    fn dial(&self) -> impl Future<Output = io::Result<(Self::Stream, Address)>> + 'static;

    /// What is dialled, as it was given.
    fn destination(&self) -> String;
}

/// By TCP. The connector has the time limit.
#[derive(Clone, Debug)]
pub(crate) struct DialTcp {
    pub(crate) target: Target,
    pub(crate) connector: TcpConnector,
}

impl Dial for DialTcp {
    type Stream = TcpStream;

    fn dial(&self) -> impl Future<Output = io::Result<(TcpStream, Address)>> + 'static {
        let DialTcp { target, connector } = self.clone();
        async move {
            let stream = connector.connect_to_target(target).await?;
            let peer = stream.peer_addr()?.into();
            Ok((stream, peer))
        }
    }

    fn destination(&self) -> String {
        self.target.to_string()
    }
}

/// To a Unix socket.
#[cfg(unix)]
#[derive(Clone, Debug)]
pub(crate) struct DialUnix {
    pub(crate) path: PathBuf,
    pub(crate) timeout: Option<Duration>,
}

#[cfg(unix)]
impl Dial for DialUnix {
    type Stream = UnixStream;

    fn dial(&self) -> impl Future<Output = io::Result<(UnixStream, Address)>> + 'static {
        let path = self.path.clone();
        let limit = self.timeout;
        async move {
            let connecting = UnixStream::connect(&path);
            let stream = match limit {
                None => connecting.await?,
                Some(limit) => timeout(limit, connecting).await.map_err(|_| {
                    let text = format!("no connection to {} within {limit:?}", path.display());
                    io::Error::new(io::ErrorKind::TimedOut, text)
                })??,
            };
            let peer = stream.peer_addr()?.into();
            Ok((stream, peer))
        }
    }

    fn destination(&self) -> String {
        self.path.display().to_string()
    }
}
