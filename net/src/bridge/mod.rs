//! By which the ecosystem runs on rt: other crates' traits on our types, one file per crate, each behind a feature.

#[cfg(feature = "hickory")]
pub mod hickory;
#[cfg(feature = "axum")]
pub mod axum;
#[cfg(feature = "hyper")]
pub mod hyper;
#[cfg(all(feature = "quinn", any(unix, windows)))]
pub mod quinn;
#[cfg(feature = "tokio-io")]
mod tokio_io;

/// Calls the macro of a bridge for every stream that is to read and write in another crate's way:
/// `$bridge!(read [bounds] type)` and `$bridge!(write [bounds] type, vectored)`. The last word says whether one call writes several
/// buffers, or copies or splits them (`plain`).
#[cfg(any(feature = "hyper", feature = "tokio-io"))]
macro_rules! every_stream {
    ($bridge:ident) => {
        $bridge!(read [] crate::TcpStream);
        $bridge!(read [] crate::ReadHalf<'_>);
        $bridge!(read [] crate::OwnedReadHalf);
        $bridge!(write [] crate::TcpStream, vectored);
        $bridge!(write [] crate::WriteHalf<'_>, vectored);
        $bridge!(write [] crate::OwnedWriteHalf, vectored);
        $bridge!(read [] crate::io::DuplexStream);
        $bridge!(write [] crate::io::DuplexStream, vectored);
        #[cfg(unix)]
        mod of_unix {
            use super::*;
            $bridge!(read [] crate::UnixStream);
            $bridge!(read [] crate::unix::ReadHalf<'_>);
            $bridge!(read [] crate::unix::OwnedReadHalf);
            $bridge!(read [] crate::unix::pipe::Receiver);
            $bridge!(write [] crate::UnixStream, vectored);
            $bridge!(write [] crate::unix::WriteHalf<'_>, vectored);
            $bridge!(write [] crate::unix::OwnedWriteHalf, vectored);
            $bridge!(write [] crate::unix::pipe::Sender, vectored);
        }
    };
}

#[cfg(any(feature = "hyper", feature = "tokio-io"))]
use every_stream;
