//! The TLS echo server, as its clients see it: the built example, with `openssl s_client` where there is one, and with rt's own.

#![cfg(unix)]

mod example;

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use example::{End, Example};
use futures_util::io::{AsyncReadExt, AsyncWriteExt};
use rt::net::TcpStream;
use rt::net::tls::TlsConnector;
use rustix::process::Signal;

#[test]
fn our_own_client() {
    let files = Files::new("our_own_client");
    let (server, address) = serve(&files);
    let echoed = rt::block_on(async {
        let connector = TlsConnector::builder().only_these_roots().root_pem_file(&files.certificate).build()?;
        let stream = connector.connect("localhost", TcpStream::connect(&*address).await?).await?;
        let (mut reader, mut writer) = stream.split();
        let sent = "hello, echo\n".repeat(10_000);
        let sending = async {
            writer.write_all(sent.as_bytes()).await?;
            writer.close().await
        };
        let mut echoed = String::new();
        let receiving = reader.read_to_string(&mut echoed);
        rt::try_join!(sending, receiving)?;
        std::io::Result::Ok(echoed == sent)
    });
    assert!(echoed.unwrap());
    server.signal(Signal::INT);
    assert_eq!(server.end(), End { code: Some(0), stdout: Vec::new(), stderr: Vec::new() });
}

#[test]
fn openssl_with_both_versions() {
    if Command::new("openssl").arg("version").output().is_err() {
        println!("skipped: there is no openssl on this machine");
        return;
    }
    let files = Files::new("openssl_with_both_versions");
    let (server, address) = serve(&files);
    for version in ["-tls1_2", "-tls1_3"] {
        let mut client = Command::new("openssl")
            .args([
                "s_client",
                version,
                "-quiet",
                "-verify_return_error",
                "-servername",
                "localhost",
                "-connect",
                &address,
            ])
            .arg("-CAfile")
            .arg(&files.certificate)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl starts, as it did above");
        let mut input = client.stdin.take().expect("a pipe");
        let mut output = BufReader::new(client.stdout.take().expect("a pipe"));
        for text in ["hello, echo\n", "and once more\n"] {
            input.write_all(text.as_bytes()).expect("openssl reads");
            let mut line = String::new();
            output.read_line(&mut line).expect("text");
            assert_eq!(line, text);
        }
        client.kill().expect("it runs");
        client.wait().expect("it is ours");
    }
    server.signal(Signal::INT);
    assert_eq!(server.end().code, Some(0));
}

#[test]
fn client_without_tls_is_told_of() {
    let files = Files::new("client_without_tls");
    let (mut server, address) = serve(&files);
    let mut stream = std::net::TcpStream::connect(&address).expect("somebody listens");
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("the server reads");
    let line = server.error_line();
    let peer = stream.local_addr().expect("an address");
    assert_eq!(
        line,
        format!(
            "{peer}: TLS handshake with the client failed: what it sent is not TLS; perhaps it does without on this port"
        )
    );
}

#[test]
fn arguments_that_make_no_sense() {
    assert_eq!(Example::start("tls_echo", ["one"]).end().code, Some(2));
    let files = Files::new("arguments");
    let end = Example::start("tls_echo", [&files.key, &files.key]).end();
    let expected =
        format!("tls_echo: {} has to hold a CERTIFICATE in PEM, and it holds PRIVATE KEY", files.key.display());
    assert_eq!(end, End { code: Some(1), stdout: Vec::new(), stderr: vec![expected] });
}

fn serve(files: &Files) -> (Example, String) {
    let mut server = Example::start("tls_echo", [&files.certificate, &files.key]);
    let line = server.line();
    let address = line.strip_prefix("Listening on ").unwrap_or_else(|| panic!("an address was expected: {line}"));
    (server, address.to_owned())
}

/// A certificate for localhost and its key, gone after the test.
struct Files {
    folder: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
}

impl Files {
    fn new(test: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("tls_echo_{test}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a writable folder");
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a name that is one");
        let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
        std::fs::write(&certificate, made.cert.pem()).expect("a writable folder");
        std::fs::write(&key, made.signing_key.serialize_pem()).expect("a writable folder");
        Self { folder, certificate, key }
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
