//! TLS below strings, and AMP that goes under it.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rt::Deferred;
use rt::net::tls::{TlsAcceptor, TlsConnector};
use rt::protocol::amp::Amp;
use rt::protocol::{
    StreamClientEndpoint, TcpClientEndpoint, connect_protocol, listen_tcp, listen_tls, wrap_client_tls,
};

use crate::calls_commands::{Log, Sum, server};
use crate::strings::{Format, client_sends, port_of, server_answers, side};
use crate::twisted::{Twisted, block_on};

/// An authority and a server that it certifies, as files that Twisted can read; gone after the test.
struct Certificates {
    folder: PathBuf,
}

impl Certificates {
    fn new(test: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("interop_{test}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a writable folder");
        let (authority_key, server_key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.distinguished_name.push(DnType::CommonName, "interop authority");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_pem = authority.self_signed(&authority_key).unwrap().pem();
        let issuer = Issuer::new(authority, authority_key);
        let mut server = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        server.distinguished_name.push(DnType::CommonName, "localhost");
        let server_pem = server.signed_by(&server_key, &issuer).unwrap().pem();
        for (name, pem) in
            [("authority.pem", authority_pem), ("server.pem", server_pem), ("server.key", server_key.serialize_pem())]
        {
            fs::write(folder.join(name), pem).expect("a writable folder");
        }
        Self { folder }
    }

    fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from_pem_files(self.folder.join("server.pem"), self.folder.join("server.key")).unwrap()
    }

    fn connector(&self) -> TlsConnector {
        let authority = self.folder.join("authority.pem");
        TlsConnector::builder().only_these_roots().root_pem_file(authority).build().unwrap()
    }

    fn path(&self) -> &str {
        self.folder.to_str().expect("a path in UTF-8")
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn strings_of_a_twisted_client_and_our_server() {
    let Some(twisted) = Twisted::find() else { return };
    let certificates = Certificates::new("twisted_client");
    for format in Format::ALL {
        block_on(async {
            let strings = format.strings();
            let (factory, seen, over) = side(format, None);
            let port = listen_tls("127.0.0.1:0", &certificates.acceptor(), factory).unwrap();
            let arguments = [format.name(), "connect", &port_of(&port), "--tls", certificates.path()];
            client_sends(twisted.start("strings.py", arguments), &strings, &seen, over).await;
        });
    }
}

#[test]
fn strings_of_our_client_and_a_twisted_server() {
    let Some(twisted) = Twisted::find() else { return };
    let certificates = Certificates::new("our_client");
    for format in Format::ALL {
        block_on(async {
            let strings = format.strings();
            let mut server = twisted.start("strings.py", [format.name(), "serve", "--tls", certificates.path()]);
            let endpoint = TcpClientEndpoint::new(("127.0.0.1", server.port().await));
            let (factory, seen, over) = side(format, Some(strings.clone()));
            wrap_client_tls(&certificates.connector(), "localhost", endpoint).connect(factory).await.unwrap();
            server_answers(server, &strings, &seen, over).await;
        });
    }
}

#[test]
fn amp_of_a_twisted_client_goes_under_tls() {
    let Some(twisted) = Twisted::find() else { return };
    let certificates = Certificates::new("amp_twisted_client");
    block_on(async {
        let log = Log::default();
        let (over, ended) = Deferred::new();
        let amp = server(&log).start_tls_responder(&certificates.acceptor());
        let mut amp = Some(amp.on_connection_lost(move |reason| _ = ended.callback(reason.is_clean())));
        let port = listen_tcp("127.0.0.1:0", move |_: &_| amp.take().expect("one connection")).unwrap();
        let arguments = ["tls", "connect", &port_of(&port), "--certificates", certificates.path()];
        let told = twisted.start("calls.py", arguments).rest().await;
        assert_eq!(told, ["total 3", "total 7", "certificate of interop authority", "lost ConnectionDone"]);
        assert!(over.await.unwrap());
        assert_eq!(log.take(), ["sum 1 2", "sum 3 4"]);
    });
}

#[test]
fn amp_of_our_client_goes_under_tls() {
    let Some(twisted) = Twisted::find() else { return };
    let certificates = Certificates::new("amp_our_client");
    block_on(async {
        let mut server = twisted.start("calls.py", ["tls", "serve", "--certificates", certificates.path()]);
        let endpoint = TcpClientEndpoint::new(("127.0.0.1", server.port().await));
        let connection = connect_protocol(&endpoint, Amp::new()).await.unwrap();
        let remote = connection.with(|amp, _| amp.remote()).unwrap();
        assert_eq!(remote.call_remote(Sum { a: 1, b: 2 }).await.unwrap().total, 3);
        let started = remote.start_tls(&certificates.connector(), "localhost");
        let meanwhile = remote.call_remote(Sum { a: 3, b: 4 });
        started.await.unwrap();
        assert_eq!(meanwhile.await.unwrap().total, 7);
        assert_eq!(connection.transport().peer_certificates().len(), 1);
        connection.transport().lose_connection();
        assert!(connection.transport().closed().await.unwrap().is_clean());
        assert_eq!(server.rest().await, ["sum 1 2", "sum 3 4", "lost ConnectionDone"]);
    });
}
