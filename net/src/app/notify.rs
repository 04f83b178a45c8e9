//! What is told to systemd, or to whatever else has set `NOTIFY_SOCKET`.

use rustix::time::{ClockId, clock_gettime};
use std::env;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process;
use std::time::Duration;

/// How long a supervisor with a full queue is waited for. All else waits meanwhile.
const PATIENCE: Duration = Duration::from_millis(250);

/// Tells how the application is, if anybody asked for it. Nothing is lost if that fails: the supervisor has its own limits.
pub(super) struct Notifier(Option<(UnixDatagram, SocketAddr)>);

impl Notifier {
    pub(super) fn from_env() -> Self {
        let address = env::var_os("NOTIFY_SOCKET").filter(|path| !path.is_empty());
        Self(address.and_then(|path| Some((socket().ok()?, address_of(path.as_bytes()).ok()?))))
    }

    /// It has started, or has read its configuration.
    pub(super) fn ready(&self) {
        self.send("READY=1");
    }

    pub(super) fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let micros = now.tv_sec as i128 * 1_000_000 + now.tv_nsec as i128 / 1_000;
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
    }

    pub(super) fn stopping(&self) {
        self.send("STOPPING=1");
    }

    pub(super) fn alive(&self) {
        self.send("WATCHDOG=1");
    }

    /// How often it is to say that it is alive: twice in the time after which it would be killed.
    pub(super) fn watchdog_interval(&self) -> Option<Duration> {
        self.0.as_ref()?;
        let number = |name| env::var(name).ok()?.parse::<u64>().ok();
        let is_for_us = env::var_os("WATCHDOG_PID").is_none() || number("WATCHDOG_PID") == Some(process::id().into());
        let micros = number("WATCHDOG_USEC").filter(|micros| *micros > 1 && is_for_us)?;
        Some(Duration::from_micros(micros / 2))
    }

    fn send(&self, state: &str) {
        if let Some((socket, address)) = &self.0 {
            let _ = socket.send_to_addr(state.as_bytes(), address);
        }
    }
}

fn socket() -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(PATIENCE))?;
    Ok(socket)
}

fn address_of(path: &[u8]) -> io::Result<SocketAddr> {
    match path {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        [b'@', name @ ..] => {
            #[cfg(target_os = "android")]
            use std::os::android::net::SocketAddrExt;
            #[cfg(target_os = "linux")]
            use std::os::linux::net::SocketAddrExt;
            SocketAddr::from_abstract_name(name)
        }
        path => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(path)),
    }
}
