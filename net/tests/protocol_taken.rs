//! Connections of protocols, taken as a stream: who sends, who is woken, and what comes of what was written before.

#[path = "../../tests/support/flavor.rs"]
mod flavor;

use futures_util::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use rt::io::{BufWriter, DuplexStream, duplex};
use rt::protocol::{ConnectionLost, Protocol, ProtocolHandle, Transport, drive};
use rt::task::yield_now;
use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// Counts what is told to it but the first and the last.
#[derive(Default)]
struct Counting(Rc<Cell<u32>>);

impl Protocol for Counting {
    fn data_received(&mut self, _: &Transport, _: &[u8]) {
        self.0.set(self.0.get() + 1);
    }

    fn reading_resumed(&mut self, _: &Transport) {
        self.0.set(self.0.get() + 1);
    }
}

fn counting(capacity: usize) -> (DuplexStream, ProtocolHandle<Counting>) {
    let (near, far) = duplex(capacity);
    (near, drive(far, Counting::default()))
}

#[test]
fn aborted_while_two_tasks_wait_both_are_told() {
    flavor::block_on(async {
        let (_near, handle) = counting(4);
        let (mut reader, mut writer) = handle.transport().take_stream(b"").unwrap().split();
        let reading = rt::spawn_local(async move { reader.read(&mut [0; 4]).await.unwrap_err().kind() });
        let writing = rt::spawn_local(async move { writer.write_all(&[0; 100]).await.unwrap_err().kind() });
        yield_now().await;
        handle.transport().abort_connection();
        assert_eq!(reading.await.unwrap(), io::ErrorKind::NotConnected);
        assert_eq!(writing.await.unwrap(), io::ErrorKind::NotConnected);
    });
}

#[test]
fn a_writer_waits_for_the_protocols_bytes_while_another_task_reads() {
    flavor::block_on(async {
        let (mut near, handle) = counting(4);
        handle.transport().write(b"from the protocol, ");
        let (mut reader, mut writer) = handle.transport().take_stream(b"").unwrap().split();
        let writing = rt::spawn_local(async move { writer.write_all(b"from the stream").await.map(|()| writer) });
        yield_now().await;
        // The last one who looked whether there is room.
        let reading = rt::spawn_local(async move { reader.read(&mut [0; 4]).await.map(|_| reader) });
        yield_now().await;
        let mut text = [0; 34];
        near.read_exact(&mut text).await.unwrap();
        assert_eq!(&text, b"from the protocol, from the stream");
        let _writer = writing.await.unwrap().unwrap();
        drop(near);
        drop(reading.await.unwrap().unwrap());
    });
}

#[test]
fn what_the_protocol_wrote_is_sent_though_nobody_uses_the_stream() {
    flavor::block_on(async {
        let (mut near, handle) = counting(1024);
        let transport = handle.transport();
        transport.write(&[b'x'; 100_000]);
        let stream = transport.take_stream(b"").unwrap();
        let drained = transport.drained();
        let mut text = vec![0; 100_000];
        near.read_exact(&mut text).await.unwrap();
        drained.await.unwrap();
        stream.give_back(b"");
        handle.with(|protocol, _| assert_eq!(protocol.0.get(), 0)).unwrap();
    });
}

#[test]
fn a_stream_that_is_dropped_leaves_what_was_written_before() {
    flavor::block_on(async {
        let (mut near, handle) = counting(4);
        let transport = handle.transport();
        transport.write(b"from the protocol");
        drop(transport.take_stream(b"").unwrap());
        let mut text = String::new();
        near.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "from the protocol");
        assert!(transport.closed().await.unwrap().is_clean());
    });
}

#[test]
fn a_write_of_nothing_writes_nothing() {
    flavor::block_on(async {
        let (_near, handle) = counting(4);
        let mut stream = handle.transport().take_stream(b"").unwrap();
        assert_eq!(stream.write(b"").await.unwrap(), 0);
    });
}

#[test]
fn what_was_written_and_not_flushed_is_sent_after_the_stream_is_given_back() {
    flavor::block_on(async {
        let (mut near, far) = duplex(1024);
        let handle = drive(BufWriter::new(far), Counting::default());
        let mut stream = handle.transport().take_stream(b"").unwrap();
        stream.write_all(b"unflushed").await.unwrap();
        stream.give_back(b"");
        let mut text = [0; 9];
        near.read_exact(&mut text).await.unwrap();
        assert_eq!(&text, b"unflushed");
    });
}

#[test]
fn taken_again_before_the_task_has_its_turn_no_byte_is_lost() {
    flavor::block_on(async {
        let (mut near, handle) = counting(16);
        let transport = handle.transport();
        near.write_all(b"0123456789").await.unwrap();
        let mut stream = transport.take_stream(b"").unwrap();
        let mut text = String::new();
        for _ in 0..5 {
            let mut two = [0; 2];
            stream.read_exact(&mut two).await.unwrap();
            // One of the two was too much.
            text.push(two[0].into());
            stream.give_back(&two[1..]);
            stream = transport.take_stream(b"").unwrap();
        }
        assert_eq!(text, "01234");
        let mut rest = [0; 5];
        stream.read_exact(&mut rest).await.unwrap();
        assert_eq!(&rest, b"56789");
        handle.with(|protocol, _| assert_eq!(protocol.0.get(), 0)).unwrap();
    });
}

/// Closed, it must not be flushed any more.
struct Strict {
    stream: DuplexStream,
    is_flushed: bool,
    is_closed: bool,
}

impl AsyncRead for Strict {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Strict {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    /// Takes its time.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_closed {
            return Poll::Ready(Err(io::Error::other("flushed after it was closed")));
        }
        if std::mem::replace(&mut self.is_flushed, true) {
            return Poll::Ready(Ok(()));
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.is_closed = true;
        Pin::new(&mut self.stream).poll_close(cx)
    }
}

#[test]
fn a_stream_that_is_closed_for_writing_is_not_flushed() {
    flavor::block_on(async {
        let (mut near, far) = duplex(64);
        let handle = drive(Strict { stream: far, is_flushed: false, is_closed: false }, Counting::default());
        let transport = handle.transport();
        transport.write(b"last words");
        transport.lose_write_connection();
        let mut text = String::new();
        near.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "last words");
        near.write_all(b"answer").await.unwrap();
        near.close().await.unwrap();
        let reason = transport.closed().await.unwrap();
        assert!(matches!(reason, ConnectionLost::Done), "{reason}");
    });
}
