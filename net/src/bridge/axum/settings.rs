//! What a server allows its clients.

use crate::bridge::hyper::{Executor, Timer};
use hyper::server::conn::{http1, http2};
use std::time::Duration;

/// What a server allows its clients; for [`Serve::settings`](super::Serve::settings).
///
/// The numbers that have no method here are hyper's: 100 headers, 400 KiB for them and for what is buffered of HTTP/1 requests.
///
/// Counterpart: none in axum, whose `serve` has no settings; hyper's `http1::Builder` and `http2::Builder`.
///
/// ```
/// # #[cfg(feature = "axum")]
/// # {
/// use std::time::Duration;
///
/// let strict = rt::axum::Settings::new()
///     .header_read_timeout(Duration::from_secs(5))
///     .max_headers(32)
///     .max_buf_size(64 * 1024)
///     .max_concurrent_streams(50);
/// # let _ = strict;
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Settings {
    pub(super) header_read_timeout: Option<Duration>,
    pub(super) http1: http1::Builder,
    pub(super) http2: http2::Builder<Executor>,
}

const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(30);

impl Settings {
    /// The defaults.
    pub fn new() -> Settings {
        let mut http1 = http1::Builder::new();
        // See `activity` for who does it instead.
        http1.header_read_timeout(None);
        let mut http2 = http2::Builder::new(Executor);
        // WebSockets over HTTP/2.
        http2.timer(Timer).enable_connect_protocol();
        Settings { header_read_timeout: Some(HEADER_READ_TIMEOUT), http1, http2 }
    }

    /// How long a client may take for the head of a request, from the connection or the end of the answer before it; the TLS
    /// handshake is a part of the first. The connection is closed then, or up to a quarter of this time later. `None` is for ever;
    /// 30 seconds unless set.
    ///
    /// A client that does not read its answer has all the time of the world.
    ///
    /// HTTP/2 has it for the opening of the connection only, handshake and preface: see [`keep_alive_interval`](Settings::keep_alive_interval).
    pub fn header_read_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Settings {
        self.header_read_timeout = timeout.into();
        self
    }

    /// Whether an HTTP/1 connection is used for several requests. It is unless set.
    pub fn keep_alive(mut self, keep_alive: bool) -> Settings {
        self.http1.keep_alive(keep_alive);
        self
    }

    /// How many headers an HTTP/1 request may have; 100 unless set. A client that sends more is answered with 431.
    pub fn max_headers(mut self, headers: usize) -> Settings {
        self.http1.max_headers(headers);
        self
    }

    /// How many bytes are buffered of an HTTP/1 request, and so how long its head may be; about 400 KiB unless set.
    ///
    /// # Panics
    ///
    /// For less than 8192.
    pub fn max_buf_size(mut self, bytes: usize) -> Settings {
        self.http1.max_buf_size(bytes);
        self
    }

    /// Whether the answers to pipelined HTTP/1 requests are sent together. They are not unless set.
    pub fn pipeline_flush(mut self, together: bool) -> Settings {
        self.http1.pipeline_flush(together);
        self
    }

    /// How many requests of one HTTP/2 connection are answered at a time; 200 unless set.
    pub fn max_concurrent_streams(mut self, streams: u32) -> Settings {
        self.http2.max_concurrent_streams(streams);
        self
    }

    /// How many bytes the headers of an HTTP/2 request may have; 16 KiB unless set.
    pub fn max_header_list_size(mut self, bytes: u32) -> Settings {
        self.http2.max_header_list_size(bytes);
        self
    }

    /// How often an HTTP/2 client is asked whether it is still there; never unless set.
    pub fn keep_alive_interval(mut self, interval: impl Into<Option<Duration>>) -> Settings {
        self.http2.keep_alive_interval(interval);
        self
    }

    /// How long such a client may take for its answer before the connection is closed; 20 seconds unless set.
    pub fn keep_alive_timeout(mut self, timeout: Duration) -> Settings {
        self.http2.keep_alive_timeout(timeout);
        self
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings::new()
    }
}
