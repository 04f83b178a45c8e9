//! By which the ecosystem runs on rt: other crates' traits on our types, one file per crate, each behind a feature.

#[cfg(feature = "axum")]
pub mod axum;
#[cfg(feature = "hickory")]
pub mod hickory;
#[cfg(feature = "hyper")]
pub mod hyper;
#[cfg(all(feature = "quinn", any(unix, windows)))]
pub mod quinn;
#[cfg(any(feature = "hyper", feature = "tokio-io"))]
mod scratch;
#[cfg(feature = "tokio-io")]
mod tokio_io;
#[cfg(all(unix, any(feature = "hyper", feature = "tokio-io")))]
mod uninit;

/// Calls the macro of a bridge for every stream that is to read and write in another crate's way, with the bounds of its parameters.
/// `receive` is `read` for those that can do without a copy.
#[cfg(any(feature = "hyper", feature = "tokio-io"))]
macro_rules! every_stream {
    ($bridge:ident) => {
        $bridge!(receive [] crate::TcpStream);
        $bridge!(receive [] crate::ReadHalf<'_>);
        $bridge!(receive [] crate::OwnedReadHalf);
        $bridge!(write [] crate::TcpStream);
        $bridge!(write [] crate::WriteHalf<'_>);
        $bridge!(write [] crate::OwnedWriteHalf);

        $bridge!(read [] crate::io::DuplexStream);
        $bridge!(write [] crate::io::DuplexStream);

        #[cfg(unix)]
        $bridge!(read [] crate::UnixStream);
        #[cfg(unix)]
        $bridge!(read [] crate::unix::ReadHalf<'_>);
        #[cfg(unix)]
        $bridge!(read [] crate::unix::OwnedReadHalf);
        #[cfg(unix)]
        $bridge!(read [] crate::unix::pipe::Receiver);
        #[cfg(unix)]
        $bridge!(write [] crate::UnixStream);
        #[cfg(unix)]
        $bridge!(write [] crate::unix::WriteHalf<'_>);
        #[cfg(unix)]
        $bridge!(write [] crate::unix::OwnedWriteHalf);
        #[cfg(unix)]
        $bridge!(write [] crate::unix::pipe::Sender);

        #[cfg(feature = "tls")]
        $bridge!(read [S: AsyncRead + AsyncWrite + Unpin] crate::tls::TlsStream<S>);
        #[cfg(feature = "tls")]
        $bridge!(write [S: AsyncRead + AsyncWrite + Unpin] crate::tls::TlsStream<S>);
    };
}

#[cfg(any(feature = "hyper", feature = "tokio-io"))]
use every_stream;
