//! Reading and writing one stream at the same time: the halves, the same for every kind of stream.

/// Defines `split`, `into_split` and the four halves of `$stream`, whose ends have an `$address`.
macro_rules! halves {
    ($stream:ident, $address:ty, $counterpart:literal) => {
        use futures_util::io::{AsyncRead, AsyncWrite};
        use rt_runtime::{Interest, Ready};
        use std::fmt;
        use std::io::{self, IoSlice, IoSliceMut};
        use std::net::Shutdown;
        use std::pin::Pin;
        use std::sync::Arc;
        use std::task::{Context, Poll};

        pub(super) fn split(stream: &mut $stream) -> (ReadHalf<'_>, WriteHalf<'_>) {
            (ReadHalf(stream), WriteHalf(stream))
        }

        pub(super) fn into_split(stream: $stream) -> (OwnedReadHalf, OwnedWriteHalf) {
            let stream = Arc::new(stream);
            (OwnedReadHalf { stream: stream.clone() }, OwnedWriteHalf { stream, shutdown_on_drop: true })
        }

        #[doc = concat!("The reading half of [`", stringify!($stream), "::split`].")]
        ///
        #[doc = concat!("Counterpart: `", $counterpart, "::ReadHalf`.")]
        #[derive(Debug)]
        pub struct ReadHalf<'a>(&'a $stream);

        #[doc = concat!("The writing half of [`", stringify!($stream), "::split`]. Dropping it does nothing.")]
        ///
        #[doc = concat!("Counterpart: `", $counterpart, "::WriteHalf`.")]
        #[derive(Debug)]
        pub struct WriteHalf<'a>(&'a $stream);

        #[doc = concat!("The reading half of [`", stringify!($stream), "::into_split`].")]
        ///
        #[doc = concat!("Counterpart: `", $counterpart, "::OwnedReadHalf`.")]
        #[derive(Debug)]
        pub struct OwnedReadHalf {
            stream: Arc<$stream>,
        }

        #[doc = concat!("The writing half of [`", stringify!($stream), "::into_split`].")]
        /// Dropping it ends writing, as its [`shutdown`](OwnedWriteHalf::shutdown) does, unless it is
        /// [forgotten](OwnedWriteHalf::forget) or [reunited](OwnedWriteHalf::reunite).
        ///
        #[doc = concat!("Counterpart: `", $counterpart, "::OwnedWriteHalf`.")]
        #[derive(Debug)]
        pub struct OwnedWriteHalf {
            stream: Arc<$stream>,
            shutdown_on_drop: bool,
        }

        /// The halves were not of one stream; they are given back.
        ///
        #[doc = concat!("Counterpart: `", $counterpart, "::ReuniteError`.")]
        #[derive(Debug)]
        pub struct ReuniteError(pub OwnedReadHalf, pub OwnedWriteHalf);

        impl fmt::Display for ReuniteError {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("halves of two different streams can not be reunited")
            }
        }

        impl std::error::Error for ReuniteError {}

        impl OwnedReadHalf {
            /// Puts the stream together again.
            ///
            /// # Errors
            ///
            /// [`ReuniteError`] if `other` is of another stream.
            pub fn reunite(self, other: OwnedWriteHalf) -> Result<$stream, ReuniteError> {
                if !Arc::ptr_eq(&self.stream, &other.stream) {
                    return Err(ReuniteError(self, other));
                }
                other.forget();
                Ok(Arc::into_inner(self.stream).expect("a stream has two halves and one of them is gone"))
            }
        }

        impl OwnedWriteHalf {
            /// Puts the stream together again.
            ///
            /// # Errors
            ///
            /// [`ReuniteError`] if `other` is of another stream.
            pub fn reunite(self, other: OwnedReadHalf) -> Result<$stream, ReuniteError> {
                other.reunite(self)
            }

            /// Drops this half and leaves writing open until the other half is dropped too.
            pub fn forget(mut self) {
                self.shutdown_on_drop = false;
            }

            /// Ends writing: the other end reads up to its end of file. Reading goes on.
            ///
            /// # Errors
            ///
            /// Those of `shutdown`.
            ///
            /// # Cancel safety
            ///
            /// It completes the first time it is polled.
            pub async fn shutdown(&mut self) -> io::Result<()> {
                self.end_writing()
            }

            fn end_writing(&mut self) -> io::Result<()> {
                self.stream.shutdown_now(Shutdown::Write)?;
                self.shutdown_on_drop = false;
                Ok(())
            }
        }

        impl Drop for OwnedWriteHalf {
            fn drop(&mut self) {
                if self.shutdown_on_drop {
                    let _ = self.stream.shutdown_now(Shutdown::Write);
                }
            }
        }

        impl WriteHalf<'_> {
            /// Ends writing: the other end reads up to its end of file. Reading goes on.
            ///
            /// # Errors
            ///
            /// Those of `shutdown`.
            ///
            /// # Cancel safety
            ///
            /// It completes the first time it is polled.
            pub async fn shutdown(&mut self) -> io::Result<()> {
                self.end_writing()
            }

            fn end_writing(&mut self) -> io::Result<()> {
                self.0.shutdown_now(Shutdown::Write)
            }
        }

        $crate::split::read_half!($stream, $address, ReadHalf<'_>, 0);
        $crate::split::read_half!($stream, $address, OwnedReadHalf, stream);
        $crate::split::write_half!($stream, $address, WriteHalf<'_>, 0);
        $crate::split::write_half!($stream, $address, OwnedWriteHalf, stream);
    };
}

/// What every half has.
macro_rules! half {
    ($stream:ident, $address:ty, $half:ty, $field:tt) => {
        impl $half {
            /// The address of this end.
            #[doc = concat!("See [`", stringify!($stream), "::local_addr`].")]
            ///
            /// # Errors
            ///
            /// Those of `getsockname`.
            pub fn local_addr(&self) -> io::Result<$address> {
                self.$field.local_addr()
            }

            /// The address of the other end.
            #[doc = concat!("See [`", stringify!($stream), "::peer_addr`].")]
            ///
            /// # Errors
            ///
            /// [`NotConnected`](io::ErrorKind::NotConnected) once the connection is gone.
            pub fn peer_addr(&self) -> io::Result<$address> {
                self.$field.peer_addr()
            }

            /// Waits until any of `interest` is the case, and tells what is.
            #[doc = concat!("See [`", stringify!($stream), "::ready`].")]
            ///
            /// # Errors
            ///
            /// The runtime has shut down.
            ///
            /// # Cancel safety
            ///
            /// Nothing is lost when the future is dropped; others that wait go on waiting.
            pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
                self.$field.ready(interest).await
            }
        }

        impl AsRef<$stream> for $half {
            fn as_ref(&self) -> &$stream {
                &self.$field
            }
        }
    };
}

/// What a reading half has.
macro_rules! read_half {
    ($stream:ident, $address:ty, $half:ty, $field:tt) => {
        $crate::split::half!($stream, $address, $half, $field);

        impl $half {
            /// Waits until [`try_read`](Self::try_read) is worth a try.
            ///
            /// # Errors
            ///
            /// The runtime has shut down.
            ///
            /// # Cancel safety
            ///
            /// Nothing is lost when the future is dropped; others that wait go on waiting.
            pub async fn readable(&self) -> io::Result<()> {
                self.$field.readable().await
            }

            /// Reads what is there.
            #[doc = concat!("See [`", stringify!($stream), "::try_read`].")]
            ///
            /// # Errors
            ///
            /// [`WouldBlock`](io::ErrorKind::WouldBlock) if nothing is there; otherwise those of `recv`.
            pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
                self.$field.try_read(buf)
            }

            /// Reads what is there into several buffers.
            #[doc = concat!("See [`", stringify!($stream), "::try_read_vectored`].")]
            ///
            /// # Errors
            ///
            /// [`WouldBlock`](io::ErrorKind::WouldBlock) if nothing is there; otherwise those of `readv`.
            pub fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                self.$field.try_read_vectored(bufs)
            }
        }

        impl AsyncRead for $half {
            fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
                self.$field.poll_read_bytes(cx, buf)
            }

            fn poll_read_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &mut [IoSliceMut<'_>],
            ) -> Poll<io::Result<usize>> {
                self.$field.poll_read_bytes_vectored(cx, bufs)
            }
        }
    };
}

/// What a writing half has.
macro_rules! write_half {
    ($stream:ident, $address:ty, $half:ty, $field:tt) => {
        $crate::split::half!($stream, $address, $half, $field);

        impl $half {
            /// Waits until [`try_write`](Self::try_write) is worth a try.
            ///
            /// # Errors
            ///
            /// The runtime has shut down.
            ///
            /// # Cancel safety
            ///
            /// Nothing is lost when the future is dropped; others that wait go on waiting.
            pub async fn writable(&self) -> io::Result<()> {
                self.$field.writable().await
            }

            /// Writes what there is room for.
            #[doc = concat!("See [`", stringify!($stream), "::try_write`].")]
            ///
            /// # Errors
            ///
            /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is no room; otherwise those of `send`.
            pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
                self.$field.try_write(buf)
            }

            /// Writes what there is room for, from several buffers.
            #[doc = concat!("See [`", stringify!($stream), "::try_write_vectored`].")]
            ///
            /// # Errors
            ///
            /// [`WouldBlock`](io::ErrorKind::WouldBlock) if there is no room; otherwise those of `writev`.
            pub fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
                self.$field.try_write_vectored(bufs)
            }
        }

        impl AsyncWrite for $half {
            fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
                self.$field.poll_write_bytes(cx, buf)
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                self.$field.poll_write_bytes_vectored(cx, bufs)
            }

            fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            fn poll_close(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(self.end_writing())
            }
        }
    };
}

pub(crate) use {half, halves, read_half, write_half};
