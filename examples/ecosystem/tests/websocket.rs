//! The program `websocket`, driven by async-tungstenite on rt, by Python's standard library and by Node's own WebSocket.

mod support;

use async_tungstenite::tungstenite::{Error, Message};
use async_tungstenite::{WebSocketStream, client_async};
use futures_util::StreamExt;
use futures_util::io::{AsyncReadExt, AsyncWriteExt};
use rt::net::TcpStream;
use std::process::Command;
use support::{Program, installed, output_of};

#[rt::test]
async fn what_one_says_all_hear() {
    let (server, address) = start();
    let mut first = connect(&address).await;
    first.send("alone".into()).await.unwrap();
    assert_eq!(hear(&mut first).await, "alone");
    let mut second = connect(&address).await;
    second.send("hello".into()).await.unwrap();
    assert_eq!(hear(&mut second).await, "hello");
    assert_eq!(hear(&mut first).await, "hello");
    let long = "long ".repeat(10_000);
    first.send(long.as_str().into()).await.unwrap();
    assert_eq!(hear(&mut first).await, long);
    assert_eq!(hear(&mut second).await, long);

    // One leaves; the goodbye is answered, and the other stays.
    first.close(None).await.unwrap();
    while let Some(message) = first.next().await {
        assert!(message.unwrap().is_close());
    }
    second.send("still here".into()).await.unwrap();
    assert_eq!(hear(&mut second).await, "still here");

    server.interrupt();
    let Message::Close(Some(goodbye)) = second.next().await.unwrap().unwrap() else { panic!("no goodbye") };
    assert_eq!(goodbye.reason.as_str(), "goodbye");
    assert!(second.next().await.is_none());
    rt::spawn_blocking(|| ends(server)).await.unwrap();
}

/// More than the limit in one message: the connection ends, and only this one.
#[rt::test]
async fn message_that_is_too_long() {
    let (server, address) = start();
    let mut other = connect(&address).await;
    let mut client = connect(&address).await;
    client.send(Message::binary(vec![0; 65 * 1024])).await.unwrap();
    let end = client.next().await;
    assert!(matches!(end, None | Some(Err(_) | Ok(Message::Close(_)))), "{end:?}");
    other.send("here".into()).await.unwrap();
    assert_eq!(hear(&mut other).await, "here");
    drop(other);
    server.interrupt();
    rt::spawn_blocking(|| ends(server)).await.unwrap();
}

#[rt::test]
async fn request_that_is_no_handshake() {
    let (server, address) = start();
    for (request, status) in [("GET /chat", "400"), ("GET /", "200"), ("GET /nowhere", "404")] {
        let mut stream = TcpStream::connect(&*address).await.unwrap();
        let request = format!("{request} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
    let Err(Error::Http(refused)) = client_async(format!("ws://{address}/"), stream(&address).await).await else {
        panic!("a page is no chat");
    };
    assert_eq!(refused.status(), 200);
    server.interrupt();
    rt::spawn_blocking(|| ends(server)).await.unwrap();
}

/// A client of its own, in the standard library's words: handshake, masked frames of each length, ping, close.
#[test]
fn python() {
    if !installed("python3") {
        return;
    }
    let (server, address) = start();
    let said = output_of(Command::new("python3").arg("-c").arg(PYTHON).arg(&address));
    assert_eq!(said, "accepted\nheard 5\nheard 200\nheard 60000\npong ping!\nclosed 1000\n");
    server.interrupt();
    ends(server);
}

const PYTHON: &str = r#"
import base64, hashlib, os, socket, struct, sys
host, port = sys.argv[1].split(":")
conn = socket.create_connection((host, int(port)), timeout=60)
key = base64.b64encode(os.urandom(16))
conn.sendall(b"GET /chat HTTP/1.1\r\nHost: here\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
             b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key + b"\r\n\r\n")
file = conn.makefile("rb")
assert file.readline().startswith(b"HTTP/1.1 101 ")
headers = {}
while (line := file.readline().strip()):
    name, value = line.split(b": ", 1)
    headers[name.lower()] = value
magic = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
assert headers[b"sec-websocket-accept"] == base64.b64encode(magic), headers
print("accepted")

def send(opcode, payload):
    n, mask = len(payload), os.urandom(4)
    length = bytes([0x80 | n]) if n < 126 else struct.pack(">BH", 0xfe, n)
    conn.sendall(bytes([0x80 | opcode]) + length + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload)))

def receive():
    first, n = file.read(2)
    if n == 126: n, = struct.unpack(">H", file.read(2))
    elif n == 127: n, = struct.unpack(">Q", file.read(8))
    return first & 15, file.read(n)

for n in (5, 200, 60000):
    send(1, b"x" * n)
    assert receive() == (1, b"x" * n)
    print("heard", n)
send(9, b"ping!")
opcode, payload = receive()
assert opcode == 10
print("pong", payload.decode())
send(8, struct.pack(">H", 1000))
opcode, payload = receive()
assert opcode == 8
print("closed", *struct.unpack(">H", payload[:2]))
assert file.read() == b""
"#;

/// What a browser's page does, by the same interface.
#[test]
fn node() {
    if !installed("node") {
        return;
    }
    // Built in without a word since version 22, with one since 20.10.
    let has = |option: &[&str]| {
        let mut question = Command::new("node");
        question.args(option).args(["-e", "process.exit(typeof WebSocket === 'function' ? 0 : 1)"]);
        question.output().is_ok_and(|answer| answer.status.success())
    };
    let Some(option) = [&[][..], &["--experimental-websocket"]].into_iter().find(|option| has(option)) else {
        println!("skipped: this node has no WebSocket of its own");
        return;
    };
    let (server, address) = start();
    let said = output_of(Command::new("node").args(option).args(["-e", NODE, &address]));
    assert_eq!(said, "page\nheard one\nheard two\nclosed\n");
    server.interrupt();
    ends(server);
}

const NODE: &str = r#"
(async () => {
  const address = process.argv[1];
  const page = await (await fetch(`http://${address}/`)).text();
  if (page.includes("new WebSocket(")) console.log("page");
  const chat = new WebSocket(`ws://${address}/chat`);
  chat.onopen = () => chat.send("one");
  chat.onmessage = (event) => {
    console.log("heard " + event.data);
    if (event.data === "one") chat.send("two");
    else chat.close();
  };
  chat.onclose = (event) => console.log("closed");
})();
"#;

fn start() -> (Program, String) {
    let mut server = Program::start(env!("CARGO_BIN_EXE_websocket"), &["127.0.0.1:0"]);
    let address = server.line_after("Listening on http://");
    (server, address)
}

fn ends(mut server: Program) {
    server.line_after("Everybody has left");
    server.ends_well();
}

async fn stream(address: &str) -> TcpStream {
    TcpStream::connect(address).await.unwrap()
}

async fn connect(address: &str) -> WebSocketStream<TcpStream> {
    client_async(format!("ws://{address}/chat"), stream(address).await).await.unwrap().0
}

async fn hear(client: &mut WebSocketStream<TcpStream>) -> String {
    client.next().await.unwrap().unwrap().into_text().unwrap().to_string()
}
