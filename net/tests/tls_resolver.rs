//! Which certificate a server shows, and what happens when files change or are not what they should be.

#[path = "support/certificates.rs"]
mod certificates;
#[path = "../../tests/support/flavor.rs"]
mod flavor;
#[path = "support/pipe.rs"]
mod pipe;

use certificates::{Authority, Folder, Identity};
use futures_util::future::join;
use futures_util::io::{AsyncReadExt, AsyncWriteExt};
use pipe::{End, pipe};
use rt_net::tls::rustls;
use rt_net::tls::rustls::pki_types::{CertificateDer, pem::PemObject};
use rt_net::tls::{SniResolver, TlsAcceptor, TlsStream};
use std::io;
use std::sync::Arc;
use std::task::Poll;

#[test]
fn name_then_wildcard_then_default() {
    flavor::block_on(async {
        let authority = Authority::new("roots");
        let shop = authority.identity(&["shop.example", "*.shop.example"]);
        let basket = authority.identity(&["basket.shop.example"]);
        // Good for all names, so that the client is content and tells which one it got.
        let default = authority.identity(&["other.example", "a.b.shop.example", "127.0.0.1", "shop.example"]);
        let resolver = Arc::new(SniResolver::new());
        resolver.add_pem(&shop.certificate, &shop.key).unwrap();
        resolver.add_pem(&basket.certificate, &basket.key).unwrap();
        let acceptor = TlsAcceptor::builder().resolver(resolver.clone()).build().unwrap();

        let (near, far) = shake(&authority, "other.example", &acceptor).await;
        let text = far.unwrap_err().to_string();
        assert!(text.ends_with("there is no certificate for the name that it asked for, and no default"), "{text}");
        assert!(near.unwrap_err().to_string().contains("for the name that was asked for"));

        resolver.set_default_pem(&default.certificate, &default.key).unwrap();
        for (name, expected) in [
            ("shop.example", &shop),
            ("SHOP.Example", &shop),
            ("www.shop.example", &shop),
            ("basket.shop.example", &basket),
            ("a.b.shop.example", &default),
            ("other.example", &default),
            ("127.0.0.1", &default),
        ] {
            let (near, _) = shake(&authority, name, &acceptor).await;
            assert_eq!(shown(&near.unwrap()), der(expected), "{name}");
        }
    });
}

#[test]
fn several_certificates_of_one_acceptor() {
    flavor::block_on(async {
        let authority = Authority::new("roots");
        let [one, two] = ["one.example", "two.example"].map(|name| authority.identity(&[name]));
        let acceptor = TlsAcceptor::builder()
            .certificate_pem(&one.certificate, &one.key)
            .certificate_pem(&two.certificate, &two.key)
            .build()
            .unwrap();
        for (name, expected) in [("one.example", &one), ("two.example", &two)] {
            let (near, _) = shake(&authority, name, &acceptor).await;
            assert_eq!(shown(&near.unwrap()), der(expected));
        }
        let (near, _) = shake(&authority, "three.example", &acceptor).await;
        assert!(near.unwrap_err().to_string().contains("not for three.example but for "), "the first is the default");
    });
}

#[test]
fn names_given_by_hand() {
    flavor::block_on(async {
        let authority = Authority::new("roots");
        let folder = Folder::new("names_given_by_hand");
        let identity = authority.identity(&["one.example", "two.example"]);
        let (certificate, key) = identity.write(&folder, "cert");
        let resolver = Arc::new(SniResolver::new());
        resolver.add_pem_files_for(["Two.example"], &certificate, &key).unwrap();
        assert_eq!(format!("{resolver:?}"), r#"SniResolver { names: ["two.example"], has_default: false }"#);
        let acceptor = TlsAcceptor::builder().resolver(resolver.clone()).build().unwrap();
        shake(&authority, "one.example", &acceptor).await.0.unwrap_err();
        shake(&authority, "two.example", &acceptor).await.0.unwrap();
        for name in ["", "*", "a b", "*.*.example", "one.example:443"] {
            let error = resolver.add_pem_files_for([name], &certificate, &key).unwrap_err();
            assert!(error.to_string().contains("is no name to choose a certificate by"), "{error}");
        }
        let unnamed = authority.identity(&["127.0.0.1"]);
        let (certificate, key) = unnamed.write(&folder, "unnamed");
        let error = resolver.add_pem_files(&certificate, &key).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "the certificate in {} bears no DNS name; give it names, or make it the default",
                certificate.display()
            )
        );
        resolver.set_default_pem_files(&certificate, &key).unwrap();
    });
}

#[test]
fn names_that_end_with_a_dot() {
    flavor::block_on(async {
        let authority = Authority::new("roots");
        let folder = Folder::new("names_that_end_with_a_dot");
        let identity = authority.identity(&["one.example", "*.two.example"]);
        let (certificate, key) = identity.write(&folder, "cert");
        let resolver = Arc::new(SniResolver::new());
        resolver.add_pem_files_for(["one.example.", "*.two.example."], &certificate, &key).unwrap();
        let acceptor = TlsAcceptor::builder().resolver(resolver.clone()).build().unwrap();
        for name in ["one.example", "one.example.", "www.two.example", "www.two.example."] {
            shake(&authority, name, &acceptor).await.0.unwrap();
            // As a client says it that does not take the dot away.
            let (mut near, far) = pipe(1 << 16);
            near.write_all(&client_hello(name)).await.unwrap();
            let start = acceptor.accept_lazy(far).await.unwrap();
            assert_eq!(start.client_hello().server_name(), Some(name));
            let mut accepting = Box::pin(start.accept());
            let polled = std::future::poll_fn(|cx| Poll::Ready(accepting.as_mut().poll(cx))).await;
            assert!(polled.is_pending(), "{name}: {polled:?}");
        }
        for name in [".", "one.example..", "*."] {
            resolver.add_pem_files_for([name], &certificate, &key).unwrap_err();
        }
    });
}

/// A client's first record, with `name` in it as it is.
fn client_hello(name: &str) -> Vec<u8> {
    let plain = name.trim_end_matches('.');
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    // The name that is sent is as long, and the dot takes the place of its last byte.
    let stand_in = if plain == name { plain.to_owned() } else { format!("{plain}x") };
    let mut client = rustls::ClientConnection::new(Arc::new(config), stand_in.clone().try_into().unwrap()).unwrap();
    let mut hello = Vec::new();
    client.write_tls(&mut hello).unwrap();
    let at = hello.windows(stand_in.len()).position(|window| window == stand_in.as_bytes()).unwrap();
    hello[at..at + name.len()].copy_from_slice(name.as_bytes());
    hello
}

#[test]
fn reload_while_serving() {
    flavor::block_on(async {
        let authority = Authority::new("roots");
        let folder = Folder::new("reload_while_serving");
        let old = authority.identity(&["www.example"]);
        let (certificate, key) = old.write(&folder, "www");
        let acceptor = TlsAcceptor::from_pem_files(&certificate, &key).unwrap();
        let resolver = acceptor.resolver().unwrap();
        let (near, far) = shake(&authority, "www.example", &acceptor).await;
        let (mut near, mut far) = (near.unwrap(), far.unwrap());

        let new = authority.identity(&["www.example"]);
        // Half of the new: the key does not fit, and all stays as it was.
        std::fs::write(&certificate, &new.certificate).unwrap();
        let error = resolver.reload().unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "the private key in {} does not belong to the first certificate in {}, \
                 which has to be that of the key's owner",
                key.display(),
                certificate.display()
            )
        );
        std::fs::remove_file(&key).unwrap();
        let error = resolver.reload().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(error.to_string().starts_with(&format!("{} cannot be read: ", key.display())), "{error}");
        let (still, _) = shake(&authority, "www.example", &acceptor).await;
        assert_eq!(shown(&still.unwrap()), der(&old));

        std::fs::write(&key, &new.key).unwrap();
        resolver.reload().unwrap();
        let (renewed, _) = shake(&authority, "www.example", &acceptor).await;
        assert_eq!(shown(&renewed.unwrap()), der(&new));
        // The connection of before goes on.
        near.write_all(b"still here").await.unwrap();
        let mut text = [0; 10];
        far.read_exact(&mut text).await.unwrap();
        assert_eq!(&text, b"still here");
    });
}

#[test]
fn replacing_all_takes_certificates_away() {
    flavor::block_on(async {
        let authority = Authority::new("roots");
        let [one, two] = ["one.example", "two.example"].map(|name| authority.identity(&[name]));
        let resolver = Arc::new(SniResolver::new());
        resolver.add_pem(&one.certificate, &one.key).unwrap();
        let acceptor = TlsAcceptor::builder().resolver(resolver.clone()).build().unwrap();
        shake(&authority, "one.example", &acceptor).await.0.unwrap();
        let other = SniResolver::new();
        other.add_pem(&two.certificate, &two.key).unwrap();
        resolver.replace(other);
        shake(&authority, "one.example", &acceptor).await.0.unwrap_err();
        shake(&authority, "two.example", &acceptor).await.0.unwrap();
    });
}

#[test]
fn certificate_that_takes_over_all_names_of_another_replaces_it() {
    flavor::block_on(async {
        let authority = Authority::new("roots");
        let folder = Folder::new("certificate_that_takes_over");
        let old = authority.identity(&["www.example"]);
        let (certificate, key) = old.write(&folder, "old");
        let resolver = SniResolver::new();
        resolver.add_pem_files(&certificate, &key).unwrap();
        let new = authority.identity(&["www.example"]);
        resolver.add_pem(&new.certificate, &new.key).unwrap();
        // So its files are no longer needed.
        std::fs::remove_file(&certificate).unwrap();
        resolver.reload().unwrap();
    });
}

#[test]
fn keys_that_are_encrypted_or_cut_short() {
    let identity = Identity::self_signed(&["one.example"]);
    let error = |key: &str| {
        let built = TlsAcceptor::builder().certificate_pem(&identity.certificate, key).build();
        built.unwrap_err().to_string()
    };
    let older = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n\
                 -----END RSA PRIVATE KEY-----\n";
    assert_eq!(error(older), "the PEM text given holds an encrypted key; `openssl pkey` decrypts it");
    let newer = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    assert!(error(newer).ends_with("it holds ENCRYPTED PRIVATE KEY; `openssl pkey` decrypts a key"));
    let cut = &identity.key[..100];
    assert_eq!(error(cut), "the PEM text given is not well-formed PEM: END PRIVATE KEY is missing");
    assert!(error(&identity.key.replace('M', "-")).contains("is not well-formed PEM: "));
}

#[test]
fn files_that_hold_something_else() {
    let folder = Folder::new("files_that_hold_something_else");
    let Identity { certificate, key } = Identity::self_signed(&["localhost"]);
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let both = format!("{certificate}{key}");
    for (certificates, keys, expected) in [
        (&*key, &*key, "c.pem has to hold a CERTIFICATE in PEM, and it holds PRIVATE KEY"),
        (&certificate, &certificate, "k.pem has to hold a PRIVATE KEY in PEM, and it holds CERTIFICATE"),
        (&certificate, "", "k.pem has to hold a PRIVATE KEY in PEM, and it holds nothing"),
        ("certificate", &key, "c.pem has to hold a CERTIFICATE in PEM, and it holds no PEM"),
        (
            "0\u{1}\u{1}",
            &key,
            "c.pem has to hold a CERTIFICATE in PEM, and it holds no PEM but DER, perhaps; \
             `openssl x509` or `openssl pkey` converts it",
        ),
        (
            &certificate,
            encrypted,
            "k.pem has to hold a PRIVATE KEY in PEM, and it holds ENCRYPTED PRIVATE KEY; `openssl pkey` decrypts a key",
        ),
        (&certificate, &format!("{key}{key}"), "k.pem holds 2 private keys, and there must be one"),
        (&certificate[..200], &key, "c.pem is not well-formed PEM: "),
        (&both, &Identity::self_signed(&["localhost"]).key, "k.pem does not belong to the first certificate in "),
    ] {
        let (c, k) = (folder.write("c.pem", certificates), folder.write("k.pem", keys));
        let error = TlsAcceptor::from_pem_files(&c, &k).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}\n{expected}");
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        // With resolvers it is the same.
        assert_eq!(SniResolver::new().add_pem_files(&c, &k).unwrap_err().to_string(), error.to_string());
    }
    let (c, k) = (folder.write("c.pem", &both), folder.write("k.pem", &both));
    TlsAcceptor::from_pem_files(c, k).unwrap();
    let nowhere = TlsAcceptor::from_pem_files("nowhere.pem", "nowhere.key").unwrap_err();
    assert_eq!(nowhere.kind(), io::ErrorKind::NotFound);
    assert!(nowhere.to_string().starts_with("nowhere.pem cannot be read: "), "{nowhere}");
    let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let error = TlsAcceptor::builder().certificate_pem(garbage, &key).build().unwrap_err();
    assert!(error.to_string().starts_with("the certificate in the PEM text given with the private key"), "{error}");
    let error = rt_net::tls::TlsConnector::builder().root_pem(garbage).only_these_roots().build().unwrap_err();
    assert!(error.to_string().starts_with("a certificate in the PEM text given cannot be a root: "), "{error}");
}

async fn shake(
    authority: &Authority,
    name: &str,
    acceptor: &TlsAcceptor,
) -> (io::Result<TlsStream<End>>, io::Result<TlsStream<End>>) {
    let (near, far) = pipe(1 << 16);
    join(authority.connector().connect(name, near), acceptor.accept(far)).await
}

fn shown(stream: &TlsStream<End>) -> CertificateDer<'static> {
    stream.peer_certificates().unwrap()[0].clone()
}

fn der(identity: &Identity) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap()
}
