//! Writing to a shared descriptor without waiting, and without a trace.
//!
//! The mode of a descriptor belongs to its open file, so it is left alone. Instead each single call says that it must not wait: for
//! sockets every Unix has such a call, for pipes Linux since 6.5. Terminals and files have none.

#[cfg(unix)]
pub(super) use unix::Direct;

#[cfg(not(unix))]
pub(super) use elsewhere::Direct;

#[cfg(unix)]
mod unix {
    use std::io;
    use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
    use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

    use rustix::fs::FileType;
    use rustix::io::Errno;
    use rustix::net::SendFlags;

    /// A descriptor that others have, too.
    pub(in super::super) struct Direct {
        descriptor: Box<dyn AsFd + Send + Sync>,
        way: AtomicU8,
    }

    /// Not known yet, or nothing can be said because the descriptor is closed.
    const UNKNOWN: u8 = 0;
    const SOCKET: u8 = 1;
    const PIPE: u8 = 2;
    /// There is no call that does not wait.
    const NONE: u8 = 3;

    impl Direct {
        pub(in super::super) fn new(descriptor: impl AsFd + Send + Sync + 'static) -> Self {
            Self { descriptor: Box::new(descriptor), way: AtomicU8::new(UNKNOWN) }
        }

        /// A duplicate, to wait for readiness with: a poller that is given the descriptor itself could be asked to watch it twice.
        pub(in super::super) fn duplicate(&self) -> io::Result<OwnedFd> {
            self.descriptor.as_fd().try_clone_to_owned()
        }

        /// `None` if the system knows no way for this kind of file.
        pub(in super::super) fn try_write(&self, buf: &[u8]) -> Option<io::Result<usize>> {
            let descriptor = self.descriptor.as_fd();
            let result = loop {
                let result = match self.way(descriptor) {
                    SOCKET => rustix::net::send(descriptor, buf, SendFlags::DONTWAIT),
                    PIPE => write_to_pipe(descriptor, buf),
                    _ => return None,
                };
                if !matches!(result, Err(Errno::INTR)) {
                    break result;
                }
            };
            match result {
                // An older system, a pipe with a name, or something else than it was before.
                Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL | Errno::NOTSOCK | Errno::SPIPE) => {
                    self.way.store(NONE, Relaxed);
                    None
                }
                // The C library's streams take no notice of a standard stream that is closed, and nor does the thread.
                Err(Errno::BADF) => None,
                result => Some(result.map_err(io::Error::from)),
            }
        }

        fn way(&self, descriptor: BorrowedFd<'_>) -> u8 {
            match self.way.load(Relaxed) {
                UNKNOWN => {
                    let way = rustix::fs::fstat(descriptor)
                        .map_or(UNKNOWN, |stat| way(FileType::from_raw_mode(stat.st_mode)));
                    self.way.store(way, Relaxed);
                    way
                }
                way => way,
            }
        }
    }

    fn way(file_type: FileType) -> u8 {
        match file_type {
            FileType::Socket => SOCKET,
            FileType::Fifo => PIPE,
            _ => NONE,
        }
    }

    #[cfg(target_os = "linux")]
    fn write_to_pipe(descriptor: BorrowedFd<'_>, buf: &[u8]) -> rustix::io::Result<usize> {
        // At the current position, which a pipe does not have.
        rustix::io::pwritev2(descriptor, &[io::IoSlice::new(buf)], u64::MAX, rustix::io::ReadWriteFlags::NOWAIT)
    }

    #[cfg(not(target_os = "linux"))]
    fn write_to_pipe(_: BorrowedFd<'_>, _: &[u8]) -> rustix::io::Result<usize> {
        Err(Errno::OPNOTSUPP)
    }
}

#[cfg(not(unix))]
mod elsewhere {
    use std::io;

    /// There is no such way.
    pub(in super::super) enum Direct {}

    impl Direct {
        pub(in super::super) fn try_write(&self, _: &[u8]) -> Option<io::Result<usize>> {
            match *self {}
        }
    }
}
