//! The room's side of the connections.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use futures_util::io::AsyncRead;
use futures_util::stream::{FuturesUnordered, StreamExt};
use rt::net::{TcpListener, TcpStream};
use rt::time::timeout;

use crate::lines::Lines;
use crate::room::{Room, Visit};

/// Time to say a name in.
const INTRODUCTION: Duration = Duration::from_secs(60);
/// Time that is left to one who goes, for reading what was sent.
const GOODBYE: Duration = Duration::from_secs(1);

/// Serves a room until `until` is over, then sends everybody home.
pub(crate) async fn serve(listener: TcpListener, until: impl Future<Output = io::Result<()>>) -> io::Result<()> {
    let room = Rc::new(Room::default());
    let mut sessions = FuturesUnordered::new();
    let mut until = pin!(until);
    let result = loop {
        rt::select! {
            connection = listener.accept() => {
                let (stream, _) = connection?;
                sessions.push(rt::spawn_local(session(Rc::clone(&room), stream)));
            }
            Some(ended) = sessions.next() => if let Err(panic) = ended { eprintln!("chat: a session has failed: {panic}") },
            result = &mut until => break result,
        }
    };
    drop(listener);
    room.close();
    let everybody_gone = sessions.for_each(async |_| {});
    let _ = timeout(GOODBYE, everybody_gone).await;
    result
}

/// One connection, from its first line to its end.
async fn session(room: Rc<Room>, stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let (reader, writer) = stream.into_split();
    let mut lines = Lines::new(reader);
    let visit = room.visit();
    let guest = visit.guest();
    let mut delivery = pin!(guest.outbox.deliver(writer));
    rt::select! {
        () = converse(&visit, &mut lines) => {}
        _ = &mut delivery => return,
    }
    drop(visit);
    guest.outbox.close();
    if let Ok(Ok(())) = timeout(GOODBYE, delivery).await {
        // Closing with something unread resets the connection, and our last words might be lost with it.
        rt::spawn_local(timeout(GOODBYE, async move { lines.discard().await }));
    }
}

/// Passes on what one says until there is no more, or no name.
async fn converse(visit: &Visit, lines: &mut Lines<impl AsyncRead + Unpin>) {
    if let Err(refusal) = introduce(visit, lines).await {
        return visit.answer(&refusal);
    }
    while let Some(line) = lines.next().await {
        match line {
            Ok(text) if text.is_empty() => {}
            Ok(text) => visit.say(&text),
            Err(refusal) => visit.answer(&refusal),
        }
        // Who sends without pause must not fill the others' outboxes before they could deliver.
        rt::task::yield_now().await;
    }
}

async fn introduce(visit: &Visit, lines: &mut Lines<impl AsyncRead + Unpin>) -> Result<(), String> {
    match timeout(INTRODUCTION, lines.next()).await {
        Ok(Some(line)) => visit.introduce(line?.trim()),
        Ok(None) => Err("the first line is your name, and none came".to_owned()),
        Err(_) => Err(format!("the first line is your name, and none came within {} s", INTRODUCTION.as_secs())),
    }
}
