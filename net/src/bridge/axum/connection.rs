//! HTTP on one connection.

use super::activity::{Activity, Watch};
use super::answer::Tower;
use super::interruption::{Interruption, Interruptions};
use super::listener::Accepted;
use super::make::{IncomingStream, MakeService};
use super::settings::Settings;
use super::sniff::Sniffed;
use crate::{Connection, Listener};
use futures_util::future::{Either, select};
use hyper::Version;
use rt_runtime::time::{Instant, timeout};
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// Serves one connection to its end.
pub(super) async fn converse<L, M, Kind>(
    io: L::Io,
    connection: Connection<L::Addr>,
    mut make_service: M,
    settings: Arc<Settings>,
) where
    L: Listener<Io: Accepted>,
    M: MakeService<L, Kind>,
{
    let remote_addr = connection.peer_addr().clone();
    let mut interruptions = Interruptions::new(connection);
    let limit = settings.header_read_timeout;
    let opened = Instant::now();
    let opening = pin!(within(limit, open(io)));
    // A client that has not said anything yet has nothing to lose when the server ends.
    let Either::Left((Ok((mut stream, version)), _)) = select(opening, poll_fn(|cx| interruptions.poll(cx))).await
    else {
        return;
    };
    make_service.ready().await;
    let service = make_service.make(IncomingStream { io: stream.get_ref(), remote_addr }).await;
    drop(make_service);
    // What goes wrong is the client's: it has gone, or has not spoken HTTP and was told so.
    let _ = if version == Version::HTTP_2 {
        let service = Tower { service, activity: None };
        let connection = settings.http2.serve_connection(stream, service);
        drop(settings);
        until_the_end(connection, interruptions, |connection| connection.graceful_shutdown()).await
    } else {
        let activity = limit.map(|_| Arc::<Activity>::default());
        stream.note_writes(activity.clone());
        interruptions.watch(limit.zip(activity.clone()).map(|(limit, activity)| Watch::new(activity, limit, opened)));
        let service = Tower { service, activity };
        let connection = settings.http1.serve_connection(stream, service).with_upgrades();
        drop(settings);
        until_the_end(connection, interruptions, |connection| connection.graceful_shutdown()).await
    };
}

/// A stream, and the version that is spoken on it.
async fn open<A: Accepted>(io: A) -> io::Result<(Sniffed<A::Stream>, Version)> {
    let (stream, agreed) = io.establish().await?;
    let mut stream = Sniffed::nothing(stream);
    let version = match agreed {
        Some(Version::HTTP_2) => {
            // Its opening has to come in time as well. If something else comes, hyper says so to the client.
            stream.read_version().await?;
            Version::HTTP_2
        }
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

/// Polls the connection until it is over or has been quiet for too long, and tells it once when the server ends.
async fn until_the_end<C, A, T, E>(
    connection: C,
    mut interruptions: Interruptions<A>,
    end: impl FnOnce(Pin<&mut C>),
) -> Option<C::Output>
where
    C: Future<Output = Result<T, E>>,
{
    let mut connection = pin!(connection);
    let mut end = Some(end);
    let turn = |cx: &mut Context<'_>| {
        match interruptions.poll(cx) {
            Poll::Ready(Interruption::Quiet) => return Poll::Ready(None),
            Poll::Ready(Interruption::Ending) => {
                if let Some(end) = end.take() {
                    end(connection.as_mut());
                }
            }
            Poll::Pending => {}
        }
        connection.as_mut().poll(cx).map(Some)
    };
    poll_fn(turn).await
}
