//! What went wrong, in sentences. The fault as rustls has it stays the `source` of every error.

use rustls::{AlertDescription, CertificateError, Error as Fault, InconsistentKeys, InvalidMessage};
use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

/// Who is at the other end.
#[derive(Clone, Copy)]
pub(crate) enum Peer<'a> {
    /// The server of this name.
    Server(&'a str),
    Client,
}

impl fmt::Display for Peer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::Server(name) => f.write_str(name),
            Peer::Client => f.write_str("the client"),
        }
    }
}

/// rustls gave up during the handshake or later.
pub(crate) fn broken(peer: Peer<'_>, is_handshaking: bool, fault: Fault) -> io::Error {
    let what = if is_handshaking { "TLS handshake" } else { "TLS connection" };
    let sentence = format!("{what} with {peer} failed: {}", reason(peer, &fault));
    with_source(io::ErrorKind::InvalidData, sentence, fault)
}

/// The stream below ended and no close_notify came.
#[cold]
pub(crate) fn truncated() -> io::Error {
    let sentence = "the connection ended without TLS's close_notify, so what was read may have been cut short by somebody on \
                    the way; if the protocol above knows its own end, accept_truncated_close(true) makes this a plain end";
    io::Error::new(io::ErrorKind::UnexpectedEof, sentence)
}

#[cold]
pub(crate) fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "this TLS stream was closed: it writes no more")
}

pub(crate) fn ended_in_handshake(peer: Peer<'_>) -> io::Error {
    let sentence = format!("TLS handshake with {peer} failed: the connection ended before the handshake did");
    io::Error::new(io::ErrorKind::UnexpectedEof, sentence)
}

pub(crate) fn timed_out(peer: Peer<'_>, limit: Duration) -> io::Error {
    let sentence = format!("TLS handshake with {peer} failed: it took longer than the limit of {limit:?}");
    io::Error::new(io::ErrorKind::TimedOut, sentence)
}

/// Something that the user gave, or a file, is not what it should be.
pub(crate) fn invalid(sentence: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, sentence.into())
}

pub(crate) fn invalid_because(sentence: impl Into<String>, source: impl Error + Send + Sync + 'static) -> io::Error {
    with_source(io::ErrorKind::InvalidInput, sentence.into(), source)
}

fn with_source(kind: io::ErrorKind, sentence: String, source: impl Error + Send + Sync + 'static) -> io::Error {
    io::Error::new(kind, Sentence { sentence, source: Box::new(source) })
}

#[derive(Debug)]
struct Sentence {
    sentence: String,
    source: Box<dyn Error + Send + Sync>,
}

impl fmt::Display for Sentence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl Error for Sentence {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

fn reason(peer: Peer<'_>, fault: &Fault) -> String {
    match fault {
        Fault::InvalidCertificate(fault) => certificate(peer, fault),
        Fault::AlertReceived(alert) => refusal(*alert),
        Fault::NoCertificatesPresented => "it sent no certificate, and one is required".into(),
        Fault::NoApplicationProtocol => "it offered no application protocol (ALPN) that is spoken here".into(),
        Fault::InvalidMessage(InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion) => {
            "what it sent is not TLS; perhaps it does without on this port".into()
        }
        Fault::DecryptError => "a record does not decrypt: it was changed on the way".into(),
        // What rustls says when the resolver has none.
        Fault::General(text) if text == "no server certificate chain resolved" => {
            "there is no certificate for the name that it asked for, and no default".into()
        }
        fault => fault.to_string(),
    }
}

fn certificate(peer: Peer<'_>, fault: &CertificateError) -> String {
    use CertificateError::{
        BadEncoding, BadSignature, Expired, ExpiredContext, NotValidForName, NotValidForNameContext, NotValidYet,
        NotValidYetContext, Revoked, UnknownIssuer,
    };
    match fault {
        Expired => "its certificate has expired".into(),
        ExpiredContext { time, not_after } => {
            format!(
                "its certificate expired {} ago by the clock of this machine",
                span(not_after.as_secs(), time.as_secs())
            )
        }
        NotValidYet => "its certificate is not valid yet".into(),
        NotValidYetContext { time, not_before } => {
            format!(
                "its certificate is not valid yet: by the clock of this machine it will be in {}",
                span(time.as_secs(), not_before.as_secs())
            )
        }
        NotValidForName => format!("its certificate is not for {peer}"),
        NotValidForNameContext { expected, presented } if presented.is_empty() => {
            format!("its certificate is not for {} but names nobody", expected.to_str())
        }
        NotValidForNameContext { expected, presented } => {
            format!("its certificate is not for {} but for {}", expected.to_str(), presented.join(", "))
        }
        UnknownIssuer => {
            let option = match peer {
                Peer::Server(_) => "root_pem_file",
                Peer::Client => "client_root_pem_file",
            };
            format!(
                "its certificate comes from an issuer that is not trusted here, or from itself; {option} adds whom to trust"
            )
        }
        BadSignature => {
            "a signature is wrong: that of its certificate's issuer, or the one that proves the certificate to be its own"
                .into()
        }
        BadEncoding => "its certificate cannot be decoded".into(),
        Revoked => "its certificate has been revoked".into(),
        fault => format!("its certificate is not good: {fault}"),
    }
}

/// What an alert of the other side means for ours.
fn refusal(alert: AlertDescription) -> String {
    let meaning = match alert {
        AlertDescription::CertificateRequired => "it requires a certificate, and none was sent to it",
        AlertDescription::UnknownCA => "it does not trust the issuer of our certificate",
        AlertDescription::CertificateExpired => "it finds our certificate expired or not yet valid",
        AlertDescription::CertificateRevoked => "it finds our certificate revoked",
        AlertDescription::BadCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnsupportedCertificate => "it does not accept our certificate",
        AlertDescription::HandshakeFailure => "it finds nothing that both sides support, or misses a certificate",
        AlertDescription::ProtocolVersion => "it speaks no TLS version that is spoken here",
        AlertDescription::NoApplicationProtocol => "it speaks no application protocol (ALPN) that was offered to it",
        AlertDescription::UnrecognisedName => "it does not serve the name that was asked for",
        AlertDescription::AccessDenied => "it denies access, or has no certificate for the name that was asked for",
        AlertDescription::DecryptError | AlertDescription::BadRecordMac => {
            "what it got does not decrypt or verify there"
        }
        _ => "it gave up",
    };
    format!("{meaning} (alert {alert:?})")
}

/// A time span, roughly.
fn span(from: u64, to: u64) -> String {
    let seconds = to.saturating_sub(from);
    let (count, unit) = match seconds {
        0..60 => (seconds, "second"),
        60..3_600 => (seconds / 60, "minute"),
        3_600..86_400 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// Why a key and a certificate do not go together.
pub(crate) fn is_mismatch(fault: &Fault) -> bool {
    matches!(fault, Fault::InconsistentKeys(InconsistentKeys::KeyMismatch))
}
