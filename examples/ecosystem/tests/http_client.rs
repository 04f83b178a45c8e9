//! The program `http_client`, against a server of the standard library and against `http_server` under TLS.

mod support;

use axum::{Router, extract::Request};
use rt::axum::ListenerExt;
use rt::net::tls::TlsAcceptor;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output};
use std::thread;
use support::{Directory, Program, certificate};

#[test]
fn page_with_a_length() {
    let directory = Directory::new();
    let url = serve_once(|stream, request| {
        assert_eq!(request[0], "GET /some/page?q=1 HTTP/1.1");
        assert!(request.iter().any(|line| line.to_lowercase().starts_with("host: 127.0.0.1:")), "{request:?}");
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nthe page").unwrap();
    });
    let file = directory.path("page");
    let output = run(&[&format!("{url}/some/page?q=1"), file.to_str().unwrap()]);
    assert_eq!(text(&output.stdout), format!("HTTP/1.1 200 OK: 8 bytes in {}\n", file.display()));
    assert_eq!(std::fs::read_to_string(file).unwrap(), "the page");
}

#[test]
fn long_page_in_pieces() {
    let directory = Directory::new();
    let page: Vec<u8> = (0..3_000_000_u32).map(|number| (number / 999) as u8).collect();
    let sent = page.clone();
    let url = serve_once(move |stream, _| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
        for piece in sent.chunks(70_001) {
            stream.write_all(format!("{:x}\r\n", piece.len()).as_bytes()).unwrap();
            stream.write_all(piece).unwrap();
            stream.write_all(b"\r\n").unwrap();
        }
        stream.write_all(b"0\r\n\r\n").unwrap();
    });
    let file = directory.path("page");
    assert!(run(&[&url, file.to_str().unwrap()]).status.success());
    assert!(std::fs::read(file).unwrap() == page);
}

/// What is not complete is not there.
#[test]
fn page_that_is_cut_off() {
    let directory = Directory::new();
    let url = serve_once(|stream, _| stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf").unwrap());
    let output = run(&[&url, directory.path("page").to_str().unwrap()]);
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("IncompleteBody"), "{}", text(&output.stderr));
    assert_eq!(std::fs::read_dir(directory.path("")).unwrap().count(), 0);
}

#[test]
fn page_that_is_not_there() {
    let directory = Directory::new();
    let url = serve_once(|stream, _| stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").unwrap());
    let output = run(&[&url, directory.path("page").to_str().unwrap()]);
    assert!(text(&output.stderr).contains("answers 404 Not Found"), "{}", text(&output.stderr));
    assert!(!output.status.success());
}

#[test]
fn under_tls_by_http2() {
    let directory = Directory::new();
    let (certificate, key) = certificate(&directory);
    let (certificate, key) = (certificate.to_str().unwrap(), key.to_str().unwrap());
    let mut server = Program::start(env!("CARGO_BIN_EXE_http_server"), &["127.0.0.1:0", certificate, key]);
    let address = server.line_after("Listening on https://127.0.0.1:");
    let url = format!("https://localhost:{address}/");
    let file = directory.path("page");
    let output = run(&[&url, file.to_str().unwrap(), certificate]);
    assert_eq!(text(&output.stdout), format!("HTTP/2.0 200 OK: 14 bytes in {}\n", file.display()));
    assert_eq!(std::fs::read_to_string(file).unwrap(), "Hello from rt\n");

    // A certificate that nobody vouches for.
    let output = run(&[&url, directory.path("other").to_str().unwrap()]);
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("certificate"), "{}", text(&output.stderr));
    assert!(!Path::new(&directory.path("other")).exists());
    server.interrupt();
    server.line_after("Every request is answered");
    server.ends_well();
}

/// Neither version tells the server who is logged in, and both ask for the root where no path is given.
#[test]
fn name_of_a_user_and_no_path() {
    let directory = Directory::new();
    let file = directory.path("page");
    let url = serve_once(|stream, request| {
        assert_eq!(request[0], "GET /?q=1 HTTP/1.1");
        assert!(request.iter().any(|line| line.to_lowercase().starts_with("host: 127.0.0.1:")), "{request:?}");
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
    });
    let output = run(&[&format!("{}?q=1", url.replace("//", "//me:secret@")), file.to_str().unwrap()]);
    assert!(output.status.success(), "{}", text(&output.stderr));

    let (certificate, key) = certificate(&directory);
    let acceptor = TlsAcceptor::builder().certificate_pem_files(&certificate, key).alpn(["h2"]).build().unwrap();
    let app = Router::new().fallback(|request: Request| async move { request.uri().to_string() });
    let (address, listening) = std::sync::mpsc::channel();
    thread::spawn(move || {
        rt::block_on(async {
            let listener = rt::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            address.send(listener.local_addr().unwrap().port()).unwrap();
            rt::axum::serve(listener.tls(acceptor), app).await
        })
    });
    let port = listening.recv().unwrap();
    let url = format!("https://me:secret@localhost:{port}?q=1");
    let output = run(&[&url, file.to_str().unwrap(), certificate.to_str().unwrap()]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(std::fs::read_to_string(file).unwrap(), format!("https://localhost:{port}/?q=1"));
}

/// One request is answered by `answer`, and the connection closed.
fn serve_once(answer: impl FnOnce(&mut TcpStream, Vec<String>) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
        let request = lines.take_while(|line| !line.is_empty()).collect();
        answer(&mut stream, request);
    });
    url
}

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_http_client")).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}
