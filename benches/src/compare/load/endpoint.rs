//! Where a server is, and how one connects to it.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{self, UnixStream};
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::TLS13;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::scenario::tls::SERVER_NAME;

/// Something to connect to.
pub(super) trait Endpoint {
    /// A connection.
    type Stream: Read + Write + AsFd + Send + 'static;

    /// Connects; the stream blocks.
    fn open(&self) -> io::Result<Self::Stream>;
}

/// The address that a server of TCP or UDP says.
pub(super) fn tcp(line: &str) -> io::Result<SocketAddr> {
    line.parse().map_err(|_| unexpected(line))
}

/// The name that a server on a Unix socket says.
pub(super) fn unix(line: &str) -> io::Result<net::SocketAddr> {
    net::SocketAddr::from_abstract_name(line)
}

impl Endpoint for SocketAddr {
    type Stream = TcpStream;

    fn open(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(self)?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

impl Endpoint for net::SocketAddr {
    type Stream = UnixStream;

    fn open(&self) -> io::Result<UnixStream> {
        UnixStream::connect_addr(self)
    }
}

/// A server under TLS.
pub(super) struct Tls {
    address: SocketAddr,
    config: Arc<ClientConfig>,
}

impl Tls {
    /// Reads the address and the certificate that such a server says.
    pub(super) fn parse(line: &str) -> io::Result<Self> {
        let (address, certificate) = line.split_once(' ').ok_or_else(|| unexpected(line))?;
        let certificate = bytes(certificate).ok_or_else(|| unexpected(line))?;
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(certificate)).map_err(io::Error::other)?;
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&TLS13])
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { address: tcp(address)?, config: Arc::new(config) })
    }
}

impl Endpoint for Tls {
    type Stream = TlsStream;

    fn open(&self) -> io::Result<TlsStream> {
        let name = ServerName::try_from(SERVER_NAME).map_err(io::Error::other)?;
        let connection = ClientConnection::new(self.config.clone(), name).map_err(io::Error::other)?;
        Ok(TlsStream(StreamOwned::new(connection, self.address.open()?)))
    }
}

/// A TCP connection under TLS.
pub(super) struct TlsStream(StreamOwned<ClientConnection, TcpStream>);

impl Read for TlsStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for TlsStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl AsFd for TlsStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.sock.as_fd()
    }
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    hex.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

fn unexpected(line: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("said {line:?} instead of its address"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_cross_the_pipe() {
        assert_eq!(bytes("00ff1a"), Some(vec![0, 255, 26]));
        assert_eq!(bytes("0g"), None);
    }

    #[test]
    fn a_server_that_says_something_else() {
        assert_eq!(tcp("idle").unwrap_err().to_string(), "said \"idle\" instead of its address");
        assert!(Tls::parse("127.0.0.1:1").is_err());
    }
}
