//! Waiting for a socket by hand, and operations of the user's own: the same for every kind of socket, over its `source`.

/// What is called when a socket is readable, in the words of its kind; with the name of the `poll` form.
macro_rules! waits_to_read {
    ($socket:ident, $try_read:ident, $poll_ready:ident) => {
        #[doc = concat!("Waits until [`", stringify!($try_read), "`](", stringify!($socket), "::", stringify!($try_read), ") and its siblings are worth a try.")]
        ///
        /// # Errors
        ///
        /// The runtime has shut down.
        ///
        /// # Cancel safety
        ///
        /// Nothing is lost when the future is dropped; others that wait go on waiting.
        pub async fn readable(&self) -> std::io::Result<()> {
            self.source.readable().await
        }

        #[doc = concat!("[`readable`](", stringify!($socket), "::readable) for one caller at a time.")]
        ///
        /// # Errors
        ///
        /// The runtime has shut down.
        pub fn $poll_ready(&self, cx: &mut std::task::Context<'_>) -> std::task::Poll<std::io::Result<()>> {
            self.source.poll_read_ready(cx)
        }
    };
}

/// The same for writing.
macro_rules! waits_to_write {
    ($socket:ident, $try_write:ident, $poll_ready:ident) => {
        #[doc = concat!("Waits until [`", stringify!($try_write), "`](", stringify!($socket), "::", stringify!($try_write), ") and its siblings are worth a try.")]
        ///
        /// # Errors
        ///
        /// The runtime has shut down.
        ///
        /// # Cancel safety
        ///
        /// Nothing is lost when the future is dropped; others that wait go on waiting.
        pub async fn writable(&self) -> std::io::Result<()> {
            self.source.writable().await
        }

        #[doc = concat!("[`writable`](", stringify!($socket), "::writable) for one caller at a time.")]
        ///
        /// # Errors
        ///
        /// The runtime has shut down.
        pub fn $poll_ready(&self, cx: &mut std::task::Context<'_>) -> std::task::Poll<std::io::Result<()>> {
            self.source.poll_write_ready(cx)
        }
    };
}

/// Waiting for either.
macro_rules! waits {
    () => {
        /// Waits until any of `interest` is the case, and tells what is.
        ///
        /// # Errors
        ///
        /// The runtime has shut down.
        ///
        /// # Cancel safety
        ///
        /// Nothing is lost when the future is dropped; others that wait go on waiting.
        pub async fn ready(&self, interest: rt_runtime::Interest) -> std::io::Result<rt_runtime::Ready> {
            self.source.ready(interest).await
        }
    };
}

/// Operations that the socket has no method for.
macro_rules! operations_of_the_users {
    () => {
        /// Calls `f`, which does one non-blocking operation of its own on this socket, unless it is known that it would block.
        ///
        /// # Errors
        ///
        /// [`WouldBlock`](std::io::ErrorKind::WouldBlock) without a call when the socket is known not to be ready; otherwise those of
        /// `f`.
        pub fn try_io<R>(
            &self,
            interest: rt_runtime::Interest,
            f: impl FnOnce() -> std::io::Result<R>,
        ) -> std::io::Result<R> {
            self.source.try_io(interest, |_| f())
        }

        /// Calls `f`, which does one non-blocking operation of its own on this socket, when `interest` is satisfied, until it says
        /// something else than `WouldBlock`.
        ///
        /// # Errors
        ///
        /// Those of `f`; the runtime has shut down.
        ///
        /// # Cancel safety
        ///
        /// A dropped future has either not completed `f`, or has returned its result.
        pub async fn async_io<R>(
            &self,
            interest: rt_runtime::Interest,
            mut f: impl FnMut() -> std::io::Result<R>,
        ) -> std::io::Result<R> {
            self.source.async_io(interest, |_| f()).await
        }
    };
}

pub(crate) use {operations_of_the_users, waits, waits_to_read, waits_to_write};
