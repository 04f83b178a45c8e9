//! Handshakes that succeed, and those that do not, in each way.

#[path = "support/certificates.rs"]
mod certificates;
#[path = "../../tests/support/flavor.rs"]
mod flavor;
#[path = "support/pairs.rs"]
mod pairs;
#[path = "support/pipe.rs"]
mod pipe;

use certificates::{Authority, Identity};
use futures_util::future::{join, try_join};
use futures_util::io::{AsyncReadExt, AsyncWriteExt};
use pairs::{VERSIONS, only, poll_once};
use pipe::{End, pipe};
use rt_net::tls::rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use rt_net::tls::rustls::server::{ClientHello, ResolvesServerCert};
use rt_net::tls::rustls::sign::CertifiedKey;
use rt_net::tls::rustls::{self, HandshakeKind, version};
use rt_net::tls::{TlsAcceptor, TlsConnector, TlsStream};
use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

type Shaken = (io::Result<TlsStream<End>>, io::Result<TlsStream<End>>);

#[test]
fn alpn_takes_the_servers_first_of_what_the_client_offers() {
    flavor::block_on(async {
        let authority = Authority::new("roots");
        let acceptor = server(&authority).alpn(["h2", "http/1.1"]).build().unwrap();
        for (offered, agreed) in
            [(&["http/1.1", "h2"][..], Some(&b"h2"[..])), (&["http/1.1"], Some(b"http/1.1")), (&[], None)]
        {
            let connector = client(&authority).alpn(offered).build().unwrap();
            let (near, far) = shake(&connector, "localhost", &acceptor).await;
            assert_eq!(near.unwrap().alpn_protocol(), agreed);
            assert_eq!(far.unwrap().alpn_protocol(), agreed);
        }
    });
}

#[test]
fn alpn_without_a_common_protocol_fails_on_both_sides() {
    flavor::block_on(async {
        let authority = Authority::new("roots");
        let acceptor = server(&authority).alpn(["h2"]).build().unwrap();
        let connector = client(&authority).alpn(["imap"]).build().unwrap();
        let (near, far) = shake(&connector, "localhost", &acceptor).await;
        says(near, "localhost failed: it speaks no application protocol (ALPN) that was offered to it");
        says(far, "the client failed: it offered no application protocol (ALPN) that is spoken here");
    });
}

#[test]
fn session_is_resumed_unless_a_side_does_not_want() {
    flavor::block_on(async {
        let authority = Authority::new("roots");
        for (by_server, by_client, kind) in [
            (true, true, HandshakeKind::Resumed),
            (true, false, HandshakeKind::Full),
            (false, true, HandshakeKind::Full),
        ] {
            let acceptor = server(&authority).session_resumption(by_server).build().unwrap();
            let connector = client(&authority).session_resumption(by_client).build().unwrap();
            for expected in [HandshakeKind::Full, kind] {
                let (near, far) = shake(&connector, "localhost", &acceptor).await;
                let (mut near, mut far) = (near.unwrap(), far.unwrap());
                assert_eq!(near.handshake_kind(), Some(expected));
                // The ticket is on its way with the first bytes.
                far.write_all(b"x").await.unwrap();
                near.read_exact(&mut [0; 1]).await.unwrap();
            }
        }
    });
}

#[test]
fn certificate_that_has_expired() {
    flavor::block_on(async {
        let authority = Authority::new("roots");
        let identity = authority.identity_with(&["localhost"], |params| {
            params.not_before = rcgen::date_time_ymd(2001, 1, 1);
            params.not_after = rcgen::date_time_ymd(2002, 1, 1);
        });
        let (near, far) = shake(&authority.connector(), "localhost", &identity.acceptor()).await;
        let error = says(near, "TLS handshake with localhost failed: its certificate expired ");
        assert!(error.to_string().contains(" days ago by the clock of this machine"), "{error}");
        assert!(matches!(fault(&error), rustls::Error::InvalidCertificate(_)));
        says(far, "it finds our certificate expired or not yet valid (alert CertificateExpired)");
    });
}

#[test]
fn certificate_that_is_not_valid_yet() {
    flavor::block_on(async {
        let authority = Authority::new("roots");
        let identity = authority.identity_with(&["localhost"], |params| {
            params.not_before = rcgen::date_time_ymd(4000, 1, 1);
            params.not_after = rcgen::date_time_ymd(4001, 1, 1);
        });
        let (near, _) = shake(&authority.connector(), "localhost", &identity.acceptor()).await;
        says(near, "its certificate is not valid yet: by the clock of this machine it will be in ");
    });
}

#[test]
fn certificate_for_another_name() {
    flavor::block_on(async {
        let authority = Authority::new("roots");
        let acceptor = authority.identity(&["one.example", "two.example"]).acceptor();
        let (near, _) = shake(&authority.connector(), "localhost", &acceptor).await;
        let error = says(near, "TLS handshake with localhost failed: its certificate is not for localhost but for ");
        assert!(error.to_string().contains("one.example") && error.to_string().contains("two.example"), "{error}");
    });
}

#[test]
fn certificate_for_an_address() {
    flavor::block_on(async {
        let authority = Authority::new("roots");
        let acceptor = authority.identity(&["127.0.0.1"]).acceptor();
        let (near, far) = shake(&authority.connector(), "127.0.0.1", &acceptor).await;
        assert_eq!(near.unwrap().server_name(), Some("127.0.0.1"));
        assert_eq!(far.unwrap().server_name(), None);
    });
}

#[test]
fn certificate_of_an_unknown_issuer_or_of_itself() {
    flavor::block_on(async {
        let authority = Authority::new("roots");
        let stranger = Authority::new("strangers");
        for identity in [stranger.identity(&["localhost"]), Identity::self_signed(&["localhost"])] {
            let (near, far) = shake(&authority.connector(), "localhost", &identity.acceptor()).await;
            says(
                near,
                "localhost failed: its certificate comes from an issuer that is not trusted here, or from itself",
            );
            says(far, "it does not trust the issuer of our certificate (alert UnknownCA)");
        }
    });
}

#[test]
fn certificate_of_one_who_only_bears_the_issuers_name() {
    flavor::block_on(async {
        // Same name, another key.
        let (authority, impostor) = (Authority::new("roots"), Authority::new("roots"));
        let acceptor = impostor.identity(&["localhost"]).acceptor();
        let (near, _) = shake(&authority.connector(), "localhost", &acceptor).await;
        assert!(matches!(
            fault(&near.unwrap_err()),
            rustls::Error::InvalidCertificate(
                rustls::CertificateError::BadSignature | rustls::CertificateError::UnknownIssuer
            )
        ));
    });
}

#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl ResolvesServerCert for Always {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}

#[test]
fn certificate_of_somebody_else() {
    flavor::block_on(async {
        let authority = Authority::new("roots");
        let (stolen, own) = (authority.identity(&["localhost"]), authority.identity(&["thief.example"]));
        let config = stolen.acceptor().config().clone();
        let certificate = CertificateDer::from_pem_slice(stolen.certificate.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).unwrap();
        let key = config.crypto_provider().key_provider.load_private_key(key).unwrap();
        let mut config = rustls::ServerConfig::clone(&config);
        config.cert_resolver = Arc::new(Always(Arc::new(CertifiedKey::new(vec![certificate], key))));
        let acceptor = TlsAcceptor::from(Arc::new(config));
        for version in VERSIONS {
            let (near, far) = shake(&only(version, &authority), "localhost", &acceptor).await;
            says(near, "or the one that proves the certificate to be its own");
            says(far, "(alert DecryptError)");
        }
    });
}

#[test]
fn early_data_is_refused_before_any_is_lost() {
    flavor::block_on(async {
        let authority = Authority::new("roots");
        let mut config = rustls::ServerConfig::clone(server(&authority).build().unwrap().config());
        config.max_early_data_size = 1000;
        let config = Arc::new(config);
        let error = TlsAcceptor::from(config.clone()).accept(pipe(64).1).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert!(error.to_string().contains("max_early_data_size has to be 0, and it is 1000"), "{error}");
        let (near, far) = pipe(1 << 16);
        let lazily = async { server(&authority).build()?.accept_lazy(far).await?.accept_with(config).await };
        let (_, error) = join(authority.connector().connect("localhost", near), lazily).await;
        assert_eq!(error.unwrap_err().kind(), io::ErrorKind::InvalidInput);
    });
}

#[test]
fn client_certificate_required() {
    flavor::block_on(async {
        let (authority, customers, strangers) = (Authority::new("a"), Authority::new("b"), Authority::new("c"));
        let acceptor = server(&authority).client_root_pem(&customers.pem).build().unwrap();

        let customer = customers.identity(&["customer.example"]);
        let connector =
            client(&authority).client_certificate_pem(&customer.certificate, &customer.key).build().unwrap();
        let (near, far) = shake(&connector, "localhost", &acceptor).await;
        near.unwrap();
        assert_eq!(far.unwrap().peer_certificates().unwrap().len(), 1);

        // With TLS 1.3 the client hears of it with its first read.
        let (near, far) = shake(&authority.connector(), "localhost", &acceptor).await;
        says(far, "the client failed: it sent no certificate, and one is required");
        let error = near.unwrap().read(&mut [0; 8]).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "TLS connection with localhost failed: \
             it requires a certificate, and none was sent to it (alert CertificateRequired)"
        );

        let stranger = strangers.identity(&["stranger.example"]);
        let connector =
            client(&authority).client_certificate_pem(&stranger.certificate, &stranger.key).build().unwrap();
        let (near, far) = shake(&connector, "localhost", &acceptor).await;
        says(far, "not trusted here, or from itself; client_root_pem_file adds whom to trust");
        let error = near.unwrap().read(&mut [0; 8]).await.unwrap_err();
        assert!(error.to_string().ends_with("(alert UnknownCA)"), "{error}");
    });
}

#[test]
fn client_certificate_optional() {
    flavor::block_on(async {
        let (authority, customers) = (Authority::new("a"), Authority::new("b"));
        let acceptor =
            server(&authority).client_root_pem(&customers.pem).client_certificate_optional().build().unwrap();
        let (near, far) = shake(&authority.connector(), "localhost", &acceptor).await;
        near.unwrap();
        assert!(far.unwrap().peer_certificates().is_none());
        let stranger = authority.identity(&["stranger.example"]);
        let connector =
            client(&authority).client_certificate_pem(&stranger.certificate, &stranger.key).build().unwrap();
        says(shake(&connector, "localhost", &acceptor).await.1, "an issuer that is not trusted here");
    });
}

#[test]
fn alert_of_one_who_has_gone_already_is_what_is_told() {
    flavor::block_on(async {
        let authority = Authority::new("roots");
        let acceptor = server(&authority).build().unwrap();
        let (mut middle_near, far) = pipe(1 << 16);
        let (near, mut middle_far) = pipe(1 << 16);
        let mut connecting = Box::pin(only(VERSIONS[0], &authority).connect("localhost", near));
        assert!(poll_once(connecting.as_mut()).await.is_pending());
        carry(&mut middle_far, &mut middle_near).await;
        let mut accepting = Box::pin(acceptor.accept(far));
        assert!(poll_once(accepting.as_mut()).await.is_pending());
        let flight = middle_near.arrived();
        carry(&mut middle_near, &mut middle_far).await;
        // Behind the server's flight, which is read first, an alert. And nobody to take the client's answer.
        middle_far.write_all(&[21, 3, 3, 0, 2, 2, 40]).await.unwrap();
        drop(middle_far.in_steps_of(flight));
        let error = connecting.await.unwrap_err();
        assert!(error.to_string().contains("(alert HandshakeFailure)"), "{error}");
    });
}

#[test]
fn no_common_version() {
    flavor::block_on(async {
        let authority = Authority::new("roots");
        let identity = authority.identity(&["localhost"]);
        let acceptor = identity.acceptor();
        let provider = acceptor.config().crypto_provider().clone();
        let old = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[VERSIONS[0]])
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(acceptor.resolver().unwrap().clone());
        let (near, far) = shake(&only(VERSIONS[1], &authority), "localhost", &TlsAcceptor::from(Arc::new(old))).await;
        says(near, "it speaks no TLS version that is spoken here (alert ProtocolVersion)");
        assert!(matches!(fault(&far.unwrap_err()), rustls::Error::PeerIncompatible(_)));
    });
}

#[test]
fn name_that_is_none() {
    flavor::block_on(async {
        let connector = Authority::new("roots").connector();
        for name in ["", "localhost:443", "two words", "https://example.org"] {
            let error = connector.connect(name, pipe(64).0).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert!(error.to_string().contains("a DNS name or an IP address, without a port"), "{error}");
        }
    });
}

#[test]
fn peer_that_does_not_speak_tls() {
    flavor::block_on(async {
        let authority = Authority::new("roots");
        let (near, mut far) = pipe(1 << 16);
        far.write_all(b"220 mail.example ESMTP\r\n").await.unwrap();
        let error = authority.connector().connect("localhost", near).await.unwrap_err();
        assert!(
            error.to_string().ends_with("what it sent is not TLS; perhaps it does without on this port"),
            "{error}"
        );
        let (mut near, far) = pipe(1 << 16);
        near.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        let error = authority.identity(&["localhost"]).acceptor().accept(far).await.unwrap_err();
        assert!(error.to_string().contains("the client failed: what it sent is not TLS"), "{error}");
    });
}

#[test]
fn connection_that_ends_or_is_reset_at_each_stage() {
    flavor::block_on(async {
        let authority = Authority::new("roots");
        let acceptor = authority.identity(&["localhost"]).acceptor();
        for version in VERSIONS {
            for is_reset in [false, true] {
                // What the server says is cut off after so many bytes, then what the client says.
                for cut in (0..500).step_by(31) {
                    let (near, mut far) = pipe(1 << 16);
                    let mut connecting = Box::pin(only(version, &authority).connect("localhost", near));
                    let (real_near, real_far) = pipe(1 << 16);
                    let mut accepting = Box::pin(acceptor.accept(real_far));
                    let mut real_near = real_near;
                    assert!(poll_once(connecting.as_mut()).await.is_pending());
                    let mut hello = vec![0; far.arrived()];
                    far.read_exact(&mut hello).await.unwrap();
                    real_near.write_all(&hello).await.unwrap();
                    assert!(poll_once(accepting.as_mut()).await.is_pending());
                    let mut flight = vec![0; real_near.arrived()];
                    real_near.read_exact(&mut flight).await.unwrap();
                    assert!(flight.len() > 500, "{}", flight.len());
                    far.write_all(&flight[..cut]).await.unwrap();
                    assert!(poll_once(connecting.as_mut()).await.is_pending());
                    let kind = if is_reset {
                        far.reset();
                        real_near.reset();
                        io::ErrorKind::ConnectionReset
                    } else {
                        far.close().await.unwrap();
                        real_near.close().await.unwrap();
                        io::ErrorKind::UnexpectedEof
                    };
                    assert_eq!(connecting.await.unwrap_err().kind(), kind);
                    assert_eq!(accepting.await.unwrap_err().kind(), kind);
                }
            }
        }
    });
}

#[test]
fn peer_that_stalls_is_given_ten_seconds() {
    paused(async {
        let authority = Authority::new("roots");
        let connector = authority.connector();
        let acceptor = authority.identity(&["localhost"]).acceptor();
        let ten = Duration::from_secs(10);
        let (near, _far) = pipe(1 << 16);
        let began = rt::time::Instant::now();
        let error = connector.connect("localhost", near).await.unwrap_err();
        assert_eq!((error.kind(), began.elapsed().as_secs()), (io::ErrorKind::TimedOut, ten.as_secs()));
        assert_eq!(error.to_string(), "TLS handshake with localhost failed: it took longer than the limit of 10s");
        // One who neither writes nor takes what is written.
        let (near, _far) = pipe(1);
        assert_eq!(connector.connect("localhost", near).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        let (_near, far) = pipe(1 << 16);
        assert_eq!(acceptor.accept(far).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        let (_near, far) = pipe(1 << 16);
        assert_eq!(acceptor.accept_lazy(far).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    });
}

/// All that a side still has to do is to send, and the other one takes nothing and has said its last word.
#[test]
fn peer_that_ends_before_it_has_taken_the_last_flight() {
    paused(async {
        let authority = Authority::new("roots");
        let acceptor = authority.identity(&["localhost"]).acceptor();
        let began = rt::time::Instant::now();
        let (near, mut far) = pipe(40);
        let (mut real_near, real_far) = pipe(1 << 16);
        let mut accepting = Box::pin(acceptor.accept(real_far));
        let server = async {
            real_near.write_all(&record(&mut far).await).await.unwrap();
            assert!(poll_once(accepting.as_mut()).await.is_pending());
            carry(&mut real_near, &mut far).await;
            far.close().await.unwrap();
            far
        };
        let (result, _far) = join(only(&version::TLS13, &authority).connect("localhost", near), server).await;
        assert_eq!((result.unwrap_err().kind(), began.elapsed().as_secs()), (io::ErrorKind::TimedOut, 10));

        let began = rt::time::Instant::now();
        let (mut near, far) = pipe(40);
        let (real_near, mut real_far) = pipe(1 << 16);
        let mut connecting = Box::pin(only(&version::TLS12, &authority).connect("localhost", real_near));
        let client = async {
            assert!(poll_once(connecting.as_mut()).await.is_pending());
            carry(&mut real_far, &mut near).await;
            // From ServerHello to ServerHelloDone.
            real_far.write_all(&record(&mut near).await).await.unwrap();
            assert!(poll_once(connecting.as_mut()).await.is_pending());
            carry(&mut real_far, &mut near).await;
            near.close().await.unwrap();
            near
        };
        let (result, _near) = join(acceptor.accept(far), client).await;
        assert_eq!((result.unwrap_err().kind(), began.elapsed().as_secs()), (io::ErrorKind::TimedOut, 10));
    });
}

#[test]
fn limit_that_is_set_or_taken_away() {
    paused(async {
        let authority = Authority::new("roots");
        let connector = client(&authority).handshake_timeout(Some(Duration::from_secs(1))).build().unwrap();
        let began = rt::time::Instant::now();
        let (near, _far) = pipe(1 << 16);
        connector.connect("localhost", near).await.unwrap_err();
        assert_eq!(began.elapsed().as_secs(), 1);
        let (near, _far) = pipe(1 << 16);
        let endless = connector.with_handshake_timeout(None).connect("localhost", near);
        assert!(rt::time::timeout(Duration::from_secs(1_000_000), endless).await.is_err());
    });
}

#[test]
fn without_a_limit_no_runtime_is_needed() {
    let authority = Authority::new("roots");
    let connector = authority.connector().with_handshake_timeout(None);
    let acceptor = authority.identity(&["localhost"]).acceptor().with_handshake_timeout(None);
    let (near, far) = pipe(1 << 16);
    let shaking = Box::pin(try_join(connector.connect("localhost", near), acceptor.accept(far)));
    let (mut near, mut far) = futures_util::FutureExt::now_or_never(async {
        let mut shaking = shaking;
        loop {
            if let std::task::Poll::Ready(result) = poll_once(shaking.as_mut()).await {
                return result.unwrap();
            }
        }
    })
    .unwrap();
    futures_util::FutureExt::now_or_never(async {
        near.write_all(b"x").await.unwrap();
        far.read_exact(&mut [0; 1]).await.unwrap();
    })
    .unwrap();
}

#[test]
fn system_roots_trust_no_certificate_of_ours() {
    flavor::block_on(async {
        let acceptor = Authority::new("roots").identity(&["localhost"]).acceptor();
        match TlsConnector::new() {
            Ok(connector) => {
                says(shake(&connector, "localhost", &acceptor).await.0, "root_pem_file adds whom to trust")
            }
            Err(error) => {
                assert!(error.to_string().starts_with("this system has no root certificates"), "{error}");
                error
            }
        };
    });
}

#[test]
fn options_that_make_no_sense() {
    let authority = Authority::new("roots");
    let text = |result: io::Result<TlsConnector>| result.unwrap_err().to_string();
    assert_eq!(text(TlsConnector::builder().only_these_roots().build()), "no other was given: root_pem_file adds some");
    assert_eq!(
        text(client(&authority).alpn([""]).build()),
        "the name of an application protocol (ALPN) has 1 to 255 bytes, and this one has 0"
    );
    let text = |result: io::Result<TlsAcceptor>| result.unwrap_err().to_string();
    assert_eq!(
        text(TlsAcceptor::builder().build()),
        "a TLS server needs a certificate: certificate_pem_files adds one"
    );
    assert_eq!(
        text(server(&authority).client_certificate_optional().build()),
        "client_certificate_optional needs to know whom to trust: client_root_pem_file says so"
    );
    assert_eq!(
        text(server(&authority).alpn(["x".repeat(256)]).build()),
        "the name of an application protocol (ALPN) has 1 to 255 bytes, and this one has 256"
    );
}

fn client(authority: &Authority) -> rt_net::tls::TlsConnectorBuilder {
    TlsConnector::builder().only_these_roots().root_pem(&authority.pem)
}

fn server(authority: &Authority) -> rt_net::tls::TlsAcceptorBuilder {
    let identity = authority.identity(&["localhost"]);
    TlsAcceptor::builder().certificate_pem(identity.certificate, identity.key)
}

async fn shake(connector: &TlsConnector, name: &str, acceptor: &TlsAcceptor) -> Shaken {
    let (near, far) = pipe(1 << 16);
    join(connector.connect(name, near), acceptor.accept(far)).await
}

/// Moves what is on its way to one end into the other.
async fn carry(from: &mut End, to: &mut End) {
    let mut bytes = vec![0; from.arrived()];
    from.read_exact(&mut bytes).await.unwrap();
    to.write_all(&bytes).await.unwrap();
}

/// The next record that arrives.
async fn record(from: &mut End) -> Vec<u8> {
    let mut record = vec![0; 5];
    from.read_exact(&mut record).await.unwrap();
    let length = usize::from(u16::from_be_bytes([record[3], record[4]]));
    record.resize(5 + length, 0);
    from.read_exact(&mut record[5..]).await.unwrap();
    record
}

/// The error, whose text has `part` in it.
#[track_caller]
fn says(result: io::Result<TlsStream<End>>, part: &str) -> io::Error {
    let error = result.unwrap_err();
    assert!(error.to_string().contains(part), "{error}");
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    error
}

fn fault(error: &io::Error) -> &rustls::Error {
    error.source().unwrap().downcast_ref().unwrap()
}

/// Runs with a clock that jumps to the next deadline whenever nothing else is to do.
fn paused(future: impl Future<Output = ()>) {
    rt::runtime::Builder::new_current_thread().start_paused(true).build().unwrap().block_on(future);
}
