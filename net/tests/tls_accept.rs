//! Servers: STARTTLS on a live stream, the choice after the ClientHello, and listeners with slow clients.

#[path = "support/certificates.rs"]
mod certificates;
#[path = "../../tests/support/flavor.rs"]
mod flavor;
#[path = "support/pairs.rs"]
mod pairs;
#[path = "support/pipe.rs"]
mod pipe;

use certificates::Authority;
use futures_util::future::{join, try_join};
use futures_util::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use pairs::{poll_once, tcp};
use pipe::pipe;
use rt_net::tls::rustls::server::{ClientHello, ResolvesServerCert};
use rt_net::tls::rustls::{ServerConfig, sign::CertifiedKey};
use rt_net::tls::{TlsAcceptor, TlsListener};
use rt_net::{TcpListener, TcpStream};
use std::io;
use std::sync::Arc;
use std::sync::mpsc;

#[test]
fn starttls_on_a_live_stream() {
    flavor::block_on(async {
        let authority = Authority::new("roots");
        let acceptor = authority.identity(&["mail.example"]).acceptor();
        let (near, far) = tcp().await;
        let client = async {
            let mut near = BufReader::new(near);
            let mut line = String::new();
            near.read_line(&mut line).await?;
            assert_eq!(line, "220 ready\r\n");
            near.write_all(b"STARTTLS\r\n").await?;
            line.clear();
            near.read_line(&mut line).await?;
            assert_eq!(line, "220 go ahead\r\n");
            let received = near.buffer().to_vec();
            let mut near =
                authority.connector().connect_with_buffer("mail.example", near.into_inner(), received).await?;
            near.write_all(b"EHLO me\r\n").await?;
            near.close().await?;
            let mut answer = String::new();
            near.read_to_string(&mut answer).await?;
            io::Result::Ok(answer)
        };
        let server = async {
            let mut far = BufReader::new(far);
            far.write_all(b"220 ready\r\n").await?;
            let mut line = String::new();
            far.read_line(&mut line).await?;
            assert_eq!(line, "STARTTLS\r\n");
            far.write_all(b"220 go ahead\r\n").await?;
            let received = far.buffer().to_vec();
            let mut far = acceptor.accept_with_buffer(far.into_inner(), received).await?;
            line.clear();
            far.read_line(&mut line).await?;
            assert_eq!(line, "EHLO me\r\n");
            far.write_all(b"250 hello\r\n").await?;
            far.close().await
        };
        let (answer, ()) = try_join(client, server).await.unwrap();
        assert_eq!(answer, "250 hello\r\n");
    });
}

#[test]
fn hello_that_came_with_the_plaintext_loses_no_byte() {
    flavor::block_on(async {
        let authority = Authority::new("roots");
        let acceptor = authority.identity(&["localhost"]).acceptor();
        for size in [10, 100, 1 << 16] {
            let (mut near, far) = pipe(1 << 16);
            near.write_all(b"PROXY header\r\n").await.unwrap();
            let client = authority.connector().connect("localhost", near);
            let server = async {
                let mut far = BufReader::with_capacity(size, far);
                // The ClientHello is there before the header is read.
                rt::task::yield_now().await;
                far.read_line(&mut String::new()).await?;
                let received = far.buffer().to_vec();
                acceptor.accept_with_buffer(far.into_inner(), received).await
            };
            let (mut near, mut far) = try_join(client, server).await.unwrap();
            near.write_all(b"x").await.unwrap();
            far.read_exact(&mut [0; 1]).await.unwrap();
        }
    });
}

#[test]
fn plaintext_slipped_in_behind_starttls_is_refused_on_both_sides() {
    flavor::block_on(async {
        let authority = Authority::new("roots");
        let acceptor = authority.identity(&["localhost"]).acceptor();
        let (near, far) = pipe(1 << 16);
        let client = authority.connector().connect("localhost", near);
        let server = acceptor.accept_with_buffer(far, "RCPT TO:<victim>\r\n");
        let (near, far) = join(client, server).await;
        assert!(far.unwrap_err().to_string().contains("what it sent is not TLS"));
        near.unwrap_err();
        let (near, far) = pipe(1 << 16);
        let client = authority.connector().connect_with_buffer("localhost", near, "250 welcome\r\n");
        let (near, _) = join(client, acceptor.accept(far)).await;
        assert!(near.unwrap_err().to_string().contains("what it sent is not TLS"));
    });
}

#[test]
fn choice_after_the_client_hello() {
    flavor::block_on(async {
        let authority = Authority::new("roots");
        let public = authority.identity(&["www.example"]).acceptor();
        let inner = authority.identity(&["admin.example"]);
        let admin = TlsAcceptor::builder().certificate_pem(inner.certificate, inner.key).alpn(["h2"]).build().unwrap();
        for name in ["www.example", "admin.example"] {
            let (near, far) = pipe(300);
            let client = authority.connector().connect(name, near.in_steps_of(10));
            let server = async {
                let start = public.accept_lazy(far).await?;
                assert_eq!(start.client_hello().server_name(), Some(name));
                match start.client_hello().server_name() {
                    Some("admin.example") => start.accept_with(admin.config().clone()).await,
                    _ => start.accept().await,
                }
            };
            let (mut near, mut far) = try_join(client, server).await.unwrap();
            assert_eq!(far.server_name(), Some(name));
            near.write_all(b"x").await.unwrap();
            far.read_exact(&mut [0; 1]).await.unwrap();
        }
    });
}

#[test]
fn choice_that_is_refused_or_not_reached() {
    flavor::block_on(async {
        let authority = Authority::new("roots");
        let acceptor = authority.identity(&["www.example"]).acceptor();
        let modern: Arc<ServerConfig> = Arc::new(
            ServerConfig::builder_with_provider(acceptor.config().crypto_provider().clone())
                .with_protocol_versions(&[pairs::VERSIONS[1]])
                .unwrap()
                .with_no_client_auth()
                .with_cert_resolver(acceptor.resolver().unwrap().clone()),
        );
        let (near, far) = pipe(1 << 16);
        let client = pairs::only(pairs::VERSIONS[0], &authority).connect("www.example", near);
        let server = async { acceptor.accept_lazy(far).await?.accept_with(modern).await };
        let (near, far) = join(client, server).await;
        assert_eq!(far.unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert!(near.unwrap_err().to_string().contains("(alert ProtocolVersion)"));

        let (mut near, far) = pipe(1 << 16);
        near.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        let error = acceptor.accept_lazy(far).await.unwrap_err();
        assert!(error.to_string().contains("what it sent is not TLS"), "{error}");
        assert!(near.arrived() > 0, "the client is told");

        let (mut near, far) = pipe(1 << 16);
        near.write_all(&[22, 3, 1]).await.unwrap();
        near.close().await.unwrap();
        assert_eq!(acceptor.accept_lazy(far).await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    });
}

#[test]
fn slow_clients_keep_nobody_waiting() {
    flavor::block_on(async {
        let authority = Authority::new("roots");
        let acceptor = authority.identity(&["localhost"]).acceptor();
        let (failures, failed) = mpsc::channel();
        let mut listener = TlsListener::new(TcpListener::bind("127.0.0.1:0").await.unwrap(), acceptor)
            .on_failure(move |error, peer| failures.send((error, peer)).unwrap());
        let address = listener.local_addr().unwrap();
        let silent = TcpStream::connect(address).await.unwrap();
        let mut rude = TcpStream::connect(address).await.unwrap();
        rude.write_all(b"hello?\n").await.unwrap();
        let connector = authority.connector();
        let client = async { connector.connect("localhost", TcpStream::connect(address).await?).await };
        let (mut near, accepted) = try_join(client, listener.accept()).await.unwrap();
        let (mut far, peer) = accepted;
        assert_eq!(peer, near.get_ref().local_addr().unwrap());
        near.write_all(b"x").await.unwrap();
        far.read_exact(&mut [0; 1]).await.unwrap();
        // The next one goes past the rude one as well, if that is still to be heard of.
        let client = async { connector.connect("localhost", TcpStream::connect(address).await?).await };
        try_join(client, listener.accept()).await.unwrap();
        drop(silent);
        let client = async { connector.connect("localhost", TcpStream::connect(address).await?).await };
        try_join(client, listener.accept()).await.unwrap();
        drop(listener);
        let peers: Vec<_> = failed.iter().map(|(_, peer)| peer).collect();
        assert!(peers.contains(&rude.local_addr().unwrap()), "{peers:?}");
    });
}

#[test]
fn no_more_handshakes_than_allowed() {
    flavor::builder().start_paused(true).build().unwrap().block_on(async {
        let authority = Authority::new("roots");
        let acceptor = authority.identity(&["localhost"]).acceptor();
        let mut listener =
            TlsListener::new(TcpListener::bind("127.0.0.1:0").await.unwrap(), acceptor).with_max_handshakes(1);
        let address = listener.local_addr().unwrap();
        let _silent = TcpStream::connect(address).await.unwrap();
        let stream = TcpStream::connect(address).await.unwrap();
        let began = rt::time::Instant::now();
        let connecting = authority.connector().with_handshake_timeout(None).connect("localhost", stream);
        // Its turn comes when the silent one has had its ten seconds.
        let (near, far) = join(connecting, listener.accept()).await;
        near.unwrap();
        far.unwrap();
        assert_eq!(began.elapsed().as_secs(), 10);
    });
}

#[test]
fn listener_that_is_dropped_breaks_handshakes_off() {
    flavor::block_on(async {
        let authority = Authority::new("roots");
        let acceptor = authority.identity(&["localhost"]).acceptor().with_handshake_timeout(None);
        let mut listener = TlsListener::new(TcpListener::bind("127.0.0.1:0").await.unwrap(), acceptor);
        let address = listener.local_addr().unwrap();
        let mut silent = TcpStream::connect(address).await.unwrap();
        // It is accepted before the one behind it.
        let connector = authority.connector();
        let client = async { connector.connect("localhost", TcpStream::connect(address).await?).await };
        try_join(client, listener.accept()).await.unwrap();
        drop(listener);
        assert_eq!(silent.read(&mut [0; 1]).await.unwrap(), 0);
    });
}

#[test]
fn accept_that_is_dropped_loses_no_connection() {
    flavor::block_on(async {
        let authority = Authority::new("roots");
        let acceptor = authority.identity(&["localhost"]).acceptor();
        let mut listener = TlsListener::new(TcpListener::bind("127.0.0.1:0").await.unwrap(), acceptor);
        let address = listener.local_addr().unwrap();
        let clients = rt::spawn(async move {
            let connector = authority.connector();
            for _ in 0..20 {
                let stream = TcpStream::connect(address).await.unwrap();
                connector.connect("localhost", stream).await.unwrap().close().await.unwrap();
            }
        });
        let mut accepted = 0;
        while accepted < 20 {
            match poll_once(Box::pin(listener.accept()).as_mut()).await {
                std::task::Poll::Ready(result) => {
                    result.unwrap();
                    accepted += 1;
                }
                std::task::Poll::Pending => rt::task::yield_now().await,
            }
        }
        clients.await.unwrap();
    });
}

#[derive(Debug)]
struct Panics;

impl ResolvesServerCert for Panics {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        panic!("no idea")
    }
}

#[test]
fn resolver_that_panics_fails_one_handshake() {
    flavor::block_on(async {
        let authority = Authority::new("roots");
        let provider = authority.connector().config().crypto_provider().clone();
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Panics));
        let (failures, failed) = mpsc::channel();
        let mut listener =
            TlsListener::new(TcpListener::bind("127.0.0.1:0").await.unwrap(), TlsAcceptor::from(Arc::new(config)))
                .on_failure(move |error, _| failures.send(error).unwrap());
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let mut accepting = Box::pin(listener.accept());
        let mut connecting = Box::pin(authority.connector().connect("localhost", stream));
        let error = loop {
            assert!(poll_once(accepting.as_mut()).await.is_pending());
            let _ = poll_once(connecting.as_mut()).await.map(|result| assert!(result.is_err()));
            match failed.try_recv() {
                Ok(error) => break error,
                Err(_) => rt::task::yield_now().await,
            }
        };
        assert_eq!(error.to_string(), "the handshake panicked: no idea");
    });
}
