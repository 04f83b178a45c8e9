//! tokio's I/O traits on rt's streams, by what tokio's own extensions make of them; tokio's runtime is not there.

use rt::net::{TcpListener, TcpStream};
use std::future::{Future, poll_fn};
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use tokio::io::{
    AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, ReadBuf, copy, copy_bidirectional,
};

#[rt::test]
async fn lines_through_a_buffer() {
    let (mut near, far) = pair().await;
    near.write_all(b"one\ntwo\nthree").await.unwrap();
    near.shutdown().await.unwrap();
    let mut lines = BufReader::new(far).lines();
    for line in ["one", "two", "three"] {
        assert_eq!(lines.next_line().await.unwrap().unwrap(), line);
    }
    assert_eq!(lines.next_line().await.unwrap(), None);
}

#[rt::test]
async fn copy_between_split_halves() {
    let (near, far) = pair().await;
    let (mut reading, mut writing) = far.into_split();
    let echo = rt::spawn(async move {
        let copied = copy(&mut reading, &mut writing).await.unwrap();
        writing.shutdown().await.unwrap();
        copied
    });
    let sent: Vec<u8> = (0..2_000_000_u32).map(|number| (number / 1000) as u8).collect();
    let (mut reading, mut writing) = near.into_split();
    let sending = {
        let sent = sent.clone();
        rt::spawn(async move {
            writing.write_all(&sent).await.unwrap();
            // Dropping the half ends writing.
        })
    };
    let mut received = Vec::new();
    reading.read_to_end(&mut received).await.unwrap();
    sending.await.unwrap();
    assert!(received == sent);
    assert_eq!(echo.await.unwrap(), sent.len() as u64);
}

#[rt::test]
async fn copy_both_ways_keeps_half_closed() {
    let (mut client, mut proxy_near) = pair().await;
    let (mut proxy_far, mut server) = pair().await;
    let proxy = rt::spawn(async move { copy_bidirectional(&mut proxy_near, &mut proxy_far).await.unwrap() });
    client.write_all(b"question").await.unwrap();
    client.shutdown().await.unwrap();
    let mut question = String::new();
    server.read_to_string(&mut question).await.unwrap();
    server.write_all(b"the answer").await.unwrap();
    server.shutdown().await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert_eq!((&*question, &*answer), ("question", "the answer"));
    assert_eq!(proxy.await.unwrap(), (8, 10));
}

#[rt::test]
async fn borrowed_halves() {
    let (mut near, mut far) = pair().await;
    let (mut reading, mut writing) = TcpStream::split(&mut near);
    writing.write_all(b"ping").await.unwrap();
    let mut buf = [0; 4];
    far.read_exact(&mut buf).await.unwrap();
    far.write_all(&buf).await.unwrap();
    reading.read_exact(&mut buf).await.unwrap();
    assert_eq!(&buf, b"ping");
}

#[rt::test]
async fn several_buffers_in_one_call() {
    let (mut near, mut far) = pair().await;
    assert!(near.is_write_vectored());
    let bufs = [IoSlice::new(b"one "), IoSlice::new(b"and "), IoSlice::new(b"two")];
    let written = poll_fn(|cx| Pin::new(&mut near).poll_write_vectored(cx, &bufs)).await.unwrap();
    assert_eq!(written, 11);
    drop(near);
    let mut text = String::new();
    far.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "one and two");
}

/// Filled is what came and no more, whether the memory was initialized, partly initialized or not, and behind what was filled before.
#[rt::test]
async fn reads_into_memory_of_every_kind() {
    let (mut near, mut far) = pair().await;
    let mut initialized = [b'-'; 8];
    let mut partly = [MaybeUninit::uninit(); 8];
    let mut not = [MaybeUninit::uninit(); 8];
    let mut partly = ReadBuf::uninit(&mut partly);
    partly.initialize_unfilled_to(5);
    for mut buf in [ReadBuf::new(&mut initialized), partly, ReadBuf::uninit(&mut not)] {
        buf.put_slice(b"<");
        near.write_all(b"abc").await.unwrap();
        poll_fn(|cx| Pin::new(&mut far).poll_read(cx, &mut buf)).await.unwrap();
        assert_eq!(buf.filled(), b"<abc");
        near.write_all(b"defghi").await.unwrap();
        poll_fn(|cx| Pin::new(&mut far).poll_read(cx, &mut buf)).await.unwrap();
        assert_eq!(buf.filled(), b"<abcdefg");
        let mut rest = [0; 2];
        far.read_exact(&mut rest).await.unwrap();
        assert_eq!(&rest, b"hi");
    }
}

#[cfg(unix)]
#[rt::test]
async fn pipes_of_a_child_and_a_file() {
    use rt::process::Command;
    use std::process::Stdio;
    let mut child =
        Command::new("tr").args(["a-z", "A-Z"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"through a child").await.unwrap();
    input.shutdown().await.unwrap();
    drop(input);
    let mut output = String::new();
    child.stdout.take().unwrap().read_to_string(&mut output).await.unwrap();
    assert_eq!(output, "THROUGH A CHILD");
    assert!(child.wait().await.unwrap().success());

    let path = std::env::temp_dir().join(format!("rt-tokio-io-{}", std::process::id()));
    let mut file = rt::fs::File::create(&path).await.unwrap();
    file.write_all(b"in a file").await.unwrap();
    file.flush().await.unwrap();
    let mut text = String::new();
    rt::fs::File::open(&path).await.unwrap().read_to_string(&mut text).await.unwrap();
    rt::fs::remove_file(&path).await.unwrap();
    assert_eq!(text, "in a file");
}

/// `read` and `write` may be dropped whenever they have not returned: each byte comes once. Here each future lives for one poll.
#[rt::test]
async fn futures_dropped_after_every_poll() {
    let (near, far) = pair().await;
    let (mut reading, _keep) = far.into_split();
    let (_keep, mut writing) = near.into_split();
    let sent: Vec<u8> = (0..1_000_000_u32).map(|number| (number / 777) as u8).collect();
    let sending = rt::spawn({
        let sent = sent.clone();
        async move {
            let mut rest = &*sent;
            while !rest.is_empty() {
                let offered = rest.len().min(70_000);
                let written = poll_fn(|cx| pin!(writing.write(&rest[..offered])).poll(cx)).await.unwrap();
                rest = &rest[written..];
            }
        }
    });
    let mut received = Vec::new();
    let mut buf = vec![0; 50_000];
    loop {
        let count = poll_fn(|cx| pin!(reading.read(&mut buf)).poll(cx)).await.unwrap();
        received.extend_from_slice(&buf[..count]);
        if received.len() >= sent.len() {
            break;
        }
    }
    sending.await.unwrap();
    assert!(received == sent);
}

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (far, _) = listener.accept().await.unwrap();
    (near, far)
}
