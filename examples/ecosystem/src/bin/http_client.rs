//! Fetches a page and saves it to a file: Twisted's `getPage` and `downloadPage`.
//!
//! ```text
//! http_client https://example.org/ page.html
//! http_client https://localhost:8443/ page.txt cert.pem
//! ```
//!
//! HTTP/1.1, or HTTP/2 where the server offers it under TLS. The page goes to the file piece by piece; the file appears under its name
//! when it is complete. The last argument is a certificate to trust besides those of the system.

use futures_util::io::AsyncWriteExt;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response, Uri, header};
use rt::fs::{self, File};
use rt::hyper::{Executor, Timer};
use rt::net::TcpStream;
use rt::net::tls::TlsConnector;
use rt::time::{Duration, timeout};
use std::error::Error;

const USAGE: &str = "usage: http_client URL FILE [ROOT.pem]";

/// For a connection, and for each piece of the page.
const PATIENCE: Duration = Duration::from_secs(30);

type Failure = Box<dyn Error + Send + Sync>;

#[rt::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (url, file, root) = match &*arguments {
        [url, file] => (url, file, None),
        [url, file, root] => (url, file, Some(root)),
        _ => return Err(USAGE.into()),
    };
    let response = timeout(PATIENCE, get(url.parse()?, root)).await??;
    let (version, status) = (response.version(), response.status());
    if !status.is_success() {
        return Err(format!("{url} answers {status}").into());
    }
    let length = download(response.into_body(), file).await?;
    println!("{version:?} {status}: {length} bytes in {file}");
    Ok(())
}

async fn get(url: Uri, root: Option<&String>) -> Result<Response<Incoming>, Failure> {
    let host = url.host().ok_or("the URL names no host")?.to_owned();
    let is_secure = match url.scheme_str() {
        Some("https") => true,
        Some("http") => false,
        _ => return Err("the URL begins neither with http:// nor with https://".into()),
    };
    let url = as_asked_for(&url)?;
    let port = url.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
    // A colon inside is an address of IPv6's, which a URL has in brackets.
    let name = host.trim_start_matches('[').trim_end_matches(']');
    let stream = TcpStream::connect((name, port)).await?;
    stream.set_nodelay(true)?;
    if !is_secure {
        return over_http1(stream, &url).await;
    }
    let mut connector = TlsConnector::builder().alpn(["h2", "http/1.1"]);
    if let Some(root) = root {
        connector = connector.root_pem_file(root);
    }
    let stream = connector.build()?.connect(name, stream).await?;
    if stream.alpn_protocol() == Some(b"h2") { over_http2(stream, &url).await } else { over_http1(stream, &url).await }
}

/// As a request has it: with a path, and without a user. Whoever is logged in is nobody else's business.
fn as_asked_for(url: &Uri) -> Result<Uri, Failure> {
    let host = url.authority().ok_or("the URL names no host")?.as_str();
    let host = host.rsplit('@').next().unwrap_or(host);
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    Ok(Uri::builder().scheme(url.scheme_str().unwrap_or("http")).authority(host).path_and_query(path).build()?)
}

async fn over_http1<S>(stream: S, url: &Uri) -> Result<Response<Incoming>, Failure>
where
    S: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(stream).await?;
    rt::spawn(connection);
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let host = url.authority().ok_or("the URL names no host")?.as_str();
    let request = Request::get(path).header(header::HOST, host).header(header::CONNECTION, "close");
    Ok(sender.send_request(request.body(Empty::<Bytes>::new())?).await?)
}

async fn over_http2<S>(stream: S, url: &Uri) -> Result<Response<Incoming>, Failure>
where
    S: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let (mut sender, connection) = http2::Builder::new(Executor).timer(Timer).handshake(stream).await?;
    rt::spawn(connection);
    Ok(sender.send_request(Request::get(url.clone()).body(Empty::<Bytes>::new())?).await?)
}

/// Writes the page beside `path` and puts it there when it is complete.
async fn download(mut page: Incoming, path: &str) -> Result<u64, Failure> {
    let partial = format!("{path}.part");
    let outcome = save(&mut page, &partial).await;
    match outcome {
        Ok(length) => {
            fs::rename(&partial, path).await?;
            Ok(length)
        }
        Err(error) => {
            // The first error tells more than one of tidying up.
            let _ = fs::remove_file(&partial).await;
            Err(error)
        }
    }
}

async fn save(page: &mut Incoming, path: &str) -> Result<u64, Failure> {
    let mut file = File::create(path).await?;
    let mut length = 0;
    while let Some(frame) = timeout(PATIENCE, page.frame()).await? {
        if let Ok(piece) = frame?.into_data() {
            length += piece.len() as u64;
            file.write_all(&piece).await?;
        }
    }
    file.close().await?;
    Ok(length)
}
