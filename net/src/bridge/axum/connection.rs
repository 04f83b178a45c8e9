//! HTTP on one connection.

use super::answer::Tower;
use super::drain::Member;
use super::listener::{Accepted, Listener};
use super::make::{IncomingStream, MakeService};
use super::settings::Settings;
use super::sniff::Sniffed;
use futures_util::future::{Either, select};
use hyper::Version;
use rt_runtime::time::timeout;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Context;
use std::time::Duration;

/// Serves one connection to its end.
pub(super) async fn converse<L, M, Kind>(
    io: L::Io,
    remote_addr: L::Addr,
    mut make_service: M,
    settings: Arc<Settings>,
    mut member: Member,
) where
    L: Listener,
    M: MakeService<L, Kind>,
{
    let opening = pin!(within(settings.header_read_timeout, open(io)));
    let ending = poll_fn(|cx| member.poll_begun(cx));
    // A client that has not said anything yet has nothing to lose when the server ends.
    let Either::Left((Ok((stream, version)), _)) = select(opening, ending).await else { return };
    make_service.ready().await;
    let service = make_service.make(IncomingStream { io: stream.get_ref(), remote_addr }).await;
    drop(make_service);
    let service = Tower(service);
    // What goes wrong is the client's: it has gone, or has not spoken HTTP and was told so.
    let _ = if version == Version::HTTP_2 {
        let connection = settings.http2.serve_connection(stream, service);
        drop(settings);
        until_the_end(connection, member, |connection| connection.graceful_shutdown()).await
    } else {
        let connection = settings.http1.serve_connection(stream, service).with_upgrades();
        drop(settings);
        until_the_end(connection, member, |connection| connection.graceful_shutdown()).await
    };
}

/// A stream, and the version that is spoken on it.
async fn open<A: Accepted>(io: A) -> io::Result<(Sniffed<A::Stream>, Version)> {
    let (stream, agreed) = io.establish().await?;
    let mut stream = Sniffed::nothing(stream);
    let version = match agreed {
        Some(version) => version,
        None => stream.read_version().await?,
    };
    Ok((stream, version))
}

async fn within<T>(limit: Option<Duration>, future: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    match limit {
        Some(limit) => timeout(limit, future).await.unwrap_or_else(|elapsed| Err(elapsed.into())),
        None => future.await,
    }
}

/// Polls the connection until it is over, and tells it once when the server ends.
async fn until_the_end<C: Future>(connection: C, mut member: Member, end: impl FnOnce(Pin<&mut C>)) -> C::Output {
    let mut connection = pin!(connection);
    let mut end = Some(end);
    let turn = |cx: &mut Context<'_>| {
        if end.is_some() && member.poll_begun(cx).is_ready() {
            end.take().expect("it is there")(connection.as_mut());
        }
        connection.as_mut().poll(cx)
    };
    poll_fn(turn).await
}
