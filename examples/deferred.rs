//! One job, three times: with callbacks, with `#[rt::inline_callbacks]`, and with plain async.
//!
//! The job fetches three pages, waits for each as long as it is worth, and says how many words it has. A page that is not
//! there is no reason to give up, and neither is one that takes too long. The site is a server of its own on 127.0.0.1:
//! ask for a path on a line, get `ok` or `missing` and the page.
//!
//! Fetching one page is there three times, too, as one meets it: `get_page_sync` blocks, `get_page_then` takes a completion
//! callback, and `get_page` returns a Deferred. The last two stand on `fetch`, which is async.
//!
//! ```sh
//! cargo run --example deferred
//! ```

use std::io::ErrorKind::NotFound;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use rt::deferred::{Deferred, Failure, Reactor, TimedOut, defer_to_thread, ensure_deferred, gather_results};
use rt::net::{TcpListener, TcpStream};
use rt::time::timeout;

/// What to fetch, and how long each is worth waiting for. `/slow` never comes.
const PAGES: [(&str, Duration); 3] =
    [("/index", Duration::from_secs(60)), ("/gone", Duration::from_secs(60)), ("/slow", Duration::from_millis(50))];

#[rt::main]
async fn main() -> Result<(), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let site = listener.local_addr()?;
    rt::spawn(serve(listener));

    // What a page is, however one comes by it.
    let blocking = defer_to_thread(move || get_page_sync(site, "/index"));
    let (with_callback, resolver) = Deferred::new();
    get_page_then(site, "/index", move |page| {
        // `Err` would mean that it was fired before, which nobody does here.
        let _ = resolver.resolve(page.map_err(Failure::from));
    });
    let pages = gather_results([blocking, with_callback, get_page(site, "/index")]).await?;
    println!("the same page three times: {}", pages.windows(2).all(|pair| pair[0] == pair[1]));

    // All three at once, each of which starts here: a Deferred is not lazy.
    let callbacks = gather_results(PAGES.map(|(path, limit)| words_with_callbacks(site, path, limit)));
    let coroutines = gather_results(PAGES.map(|(path, limit)| words_with_inline_callbacks(site, path, limit)));
    println!("with callbacks: {}", callbacks.await?.join(", "));
    println!("with inline_callbacks: {}", coroutines.await?.join(", "));

    let [(a, x), (b, y), (c, z)] = PAGES;
    let futures = rt::try_join!(words(site, a, x), words(site, b, y), words(site, c, z))?;
    println!("with async: {}", <[String; 3]>::from(futures).join(", "));
    Ok(())
}

/// Callbacks see values, errbacks see failures. One that is not for an errback goes on to the next.
fn words_with_callbacks(site: SocketAddr, path: &'static str, limit: Duration) -> Deferred<String> {
    get_page(site, path)
        .add_timeout(limit, &Reactor)
        .add_callback(|page| format!("{} words", page.split_whitespace().count()))
        .add_errback(|failure| failure.trap::<TimedOut>().map(|_| "too slow".to_owned()))
        .add_errback(|failure| failure.trap_kind(NotFound).map(|_| "not there".to_owned()))
        .add_callback(move |result: String| format!("{path} {result}"))
}

/// The same Deferreds in straight code. Callers get a `Deferred<String>`, and the body has started.
#[rt::inline_callbacks]
async fn words_with_inline_callbacks(site: SocketAddr, path: &'static str, limit: Duration) -> Result<String, Failure> {
    let result = match get_page(site, path).add_timeout(limit, &Reactor).await {
        Ok(page) => format!("{} words", page.split_whitespace().count()),
        Err(failure) if failure.check::<TimedOut>() => "too slow".to_owned(),
        Err(failure) if failure.check_kind(NotFound) => "not there".to_owned(),
        Err(failure) => return Err(failure),
    };
    Ok(format!("{path} {result}"))
}

/// No Deferred takes part: it runs when it is polled, and is cancelled by being dropped.
async fn words(site: SocketAddr, path: &'static str, limit: Duration) -> Result<String, io::Error> {
    let result = match timeout(limit, fetch(site, path)).await {
        Ok(Ok(page)) => format!("{} words", page.split_whitespace().count()),
        Err(_elapsed) => "too slow".to_owned(),
        Ok(Err(error)) if error.kind() == NotFound => "not there".to_owned(),
        Ok(Err(error)) => return Err(error),
    };
    Ok(format!("{path} {result}"))
}

/// Blocks the thread until the page is there.
fn get_page_sync(site: SocketAddr, path: &str) -> io::Result<String> {
    let mut stream = std::net::TcpStream::connect(site)?;
    writeln!(stream, "{path}")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    page_of(&answer)
}

/// Returns at once, and calls `done` when the page is there. Nobody can stop it.
fn get_page_then(site: SocketAddr, path: &'static str, done: impl FnOnce(io::Result<String>) + 'static) {
    drop(rt::spawn_local(async move { done(fetch(site, path).await) }));
}

/// Returns at once; cancelling the Deferred hangs up.
fn get_page(site: SocketAddr, path: &'static str) -> Deferred<String> {
    ensure_deferred(fetch(site, path))
}

async fn fetch(site: SocketAddr, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(site).await?;
    stream.write_all(format!("{path}\n").as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    page_of(&answer)
}

fn page_of(answer: &str) -> io::Result<String> {
    match answer.split_once('\n') {
        Some(("ok", page)) => Ok(page.to_owned()),
        Some(("missing", _)) => Err(io::Error::new(NotFound, "the site has no such page")),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "an answer begins with `ok` or `missing` on a line")),
    }
}

async fn serve(listener: TcpListener) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        rt::spawn(answer(stream));
    }
}

async fn answer(stream: TcpStream) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader.take(1024));
    let mut path = String::new();
    reader.read_line(&mut path).await?;
    match path.trim_end() {
        "/index" => writer.write_all(b"ok\nA Deferred is a promise that somebody else keeps.\n").await?,
        // Until the other side hangs up.
        "/slow" => drop(reader.read_line(&mut path).await?),
        _ => writer.write_all(b"missing\n").await?,
    }
    writer.close().await
}
