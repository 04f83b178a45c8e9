//! A chat by WebSocket: what one says, all hear, and who says it hears it back. The page for browsers is at `/`.
//!
//! ```text
//! websocket 127.0.0.1:8080
//! ```
//!
//! axum answers the requests, async-tungstenite speaks WebSocket on the stream that hyper leaves. A guest who does not read what the
//! others say is sent away when 256 messages wait for it. Ctrl-C says goodbye to all.

use async_tungstenite::WebSocketStream;
use async_tungstenite::tungstenite::handshake::server::create_response_with_body;
use async_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use async_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use async_tungstenite::tungstenite::{Message, Utf8Bytes};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::{Router, routing::get};
use futures_channel::mpsc;
use futures_util::StreamExt;
use futures_util::future::{Either, select};
use hyper::upgrade::OnUpgrade;
use rt::net::TcpListener;
use rt::task::JoinSet;
use rt::time::{Duration, timeout};
use std::collections::HashMap;
use std::error::Error;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

const USAGE: &str = "usage: websocket ADDRESS";
/// How many messages wait for one guest at most.
const WAITING: usize = 256;
/// The longest message, in bytes.
const LONGEST: usize = 64 * 1024;
/// How long a guest may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(5);

#[rt::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(address), None) = (arguments.next(), arguments.next()) else { return Err(USAGE.into()) };
    let room = Arc::<Room>::default();
    let app = Router::new()
        .route("/", get(|| async { Html(include_str!("websocket.html")) }))
        .route("/chat", get(enter))
        .with_state(room.clone());
    let listener = TcpListener::bind(address).await?;
    println!("Listening on http://{}", listener.local_addr()?);
    let interrupted = async {
        if rt::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    };
    rt::axum::serve(listener, app).with_graceful_shutdown(interrupted).await?;
    room.close().await;
    println!("Everybody has left");
    Ok(())
}

/// Who is there.
#[derive(Default)]
struct Room(Mutex<Guests>);

#[derive(Default)]
struct Guests {
    /// What each will be sent.
    queues: HashMap<u64, mpsc::Sender<Utf8Bytes>>,
    entered: u64,
    conversations: JoinSet<()>,
    is_closed: bool,
}

impl Room {
    /// Nothing panics under this lock, and what stands there is good at any time.
    fn guests(&self) -> std::sync::MutexGuard<'_, Guests> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(self: &Arc<Self>, upgrade: OnUpgrade) {
        let mut guests = self.guests();
        while guests.conversations.try_join_next().is_some() {}
        guests.conversations.spawn(converse(self.clone(), upgrade));
    }

    /// The number of a new guest, and what it will hear. `None`: the room is closed.
    fn listen(&self) -> Option<(u64, mpsc::Receiver<Utf8Bytes>)> {
        // A channel of futures' has one place for each sender besides.
        let (queue, heard) = mpsc::channel(WAITING - 1);
        let mut guests = self.guests();
        guests.entered += 1;
        let number = guests.entered;
        if guests.is_closed {
            return None;
        }
        guests.queues.insert(number, queue);
        Some((number, heard))
    }

    /// All hear `text`. The queue of who has too much to hear ends.
    fn say(&self, text: &Utf8Bytes) {
        self.guests().queues.retain(|_, queue| queue.try_send(text.clone()).is_ok());
    }

    fn leave(&self, number: u64) {
        self.guests().queues.remove(&number);
    }

    /// Says goodbye, and waits until all have left.
    async fn close(&self) {
        let mut conversations = {
            let mut guests = self.guests();
            guests.is_closed = true;
            guests.queues.clear();
            std::mem::take(&mut guests.conversations)
        };
        while conversations.join_next().await.is_some() {}
    }
}

/// WebSocket's opening handshake.
async fn enter(State(room): State<Arc<Room>>, mut request: Request) -> Response {
    match create_response_with_body(&request, Body::empty) {
        Ok(response) => {
            room.enter(hyper::upgrade::on(&mut request));
            response
        }
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    }
}

/// One guest, from the answer to the handshake to the end.
async fn converse(room: Arc<Room>, upgrade: OnUpgrade) {
    // It fails if the guest has gone before the answer came.
    let Ok(upgraded) = upgrade.await else { return };
    let limits = WebSocketConfig::default().max_message_size(Some(LONGEST)).max_frame_size(Some(LONGEST));
    let stream = WebSocketStream::from_raw_socket(rt::hyper::Io::new(upgraded), Role::Server, Some(limits)).await;
    let (mut sending, mut said) = stream.split();
    let Some((number, mut heard)) = room.listen() else { return };
    let speaking = async {
        while let Some(Ok(message)) = said.next().await {
            match message {
                Message::Text(text) => room.say(&text),
                Message::Close(_) => break,
                // tungstenite answers pings.
                _ => {}
            }
        }
        room.leave(number);
        // What comes after the goodbye is nobody's business, but it has to be read for the goodbye to be answered.
        while said.next().await.is_some_and(|message| message.is_ok()) {}
    };
    let hearing = async {
        while let Some(text) = heard.next().await {
            if sending.send(Message::Text(text)).await.is_err() {
                return;
            }
        }
        let goodbye = CloseFrame { code: CloseCode::Away, reason: "goodbye".into() };
        let _ = sending.send(Message::Close(Some(goodbye))).await;
    };
    let mut speaking = pin!(speaking);
    if let Either::Right(((), _)) = select(speaking.as_mut(), pin!(hearing)).await {
        let _ = timeout(GOODBYE, speaking).await;
    }
    room.leave(number);
}
