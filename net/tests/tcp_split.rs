//! Halves of a connection.

#[path = "../../tests/support/flavor.rs"]
mod flavor;

use futures_util::io::{AsyncReadExt, AsyncWriteExt};
use rt_net::{TcpListener, TcpStream};
use rt_runtime::Interest;
use std::io::{IoSlice, IoSliceMut};

#[test]
fn borrowed_halves_move_bytes_and_leave_the_stream_open() {
    flavor::block_on(async {
        let (mut near, mut far) = pair().await;
        {
            let (mut reader, mut writer) = TcpStream::split(&mut near);
            writer.write_all(b"ping").await.unwrap();
            writer.flush().await.unwrap();
            far.write_all(b"pong").await.unwrap();
            let mut buf = [0; 4];
            reader.read_exact(&mut buf).await.unwrap();
            assert_eq!(&buf, b"pong");
            assert_eq!(reader.local_addr().unwrap(), writer.local_addr().unwrap());
            assert_eq!(reader.peer_addr().unwrap(), writer.peer_addr().unwrap());
        }
        near.write_all(b"more").await.unwrap();
        let mut all = [0; 8];
        far.read_exact(&mut all).await.unwrap();
        assert_eq!(&all, b"pingmore");
    });
}

#[test]
fn dropped_writing_half_ends_writing() {
    flavor::block_on(async {
        let (near, mut far) = pair().await;
        let (mut reader, mut writer) = near.into_split();
        writer.write_all(b"last").await.unwrap();
        drop(writer);
        let mut all = String::new();
        far.read_to_string(&mut all).await.unwrap();
        assert_eq!(all, "last");
        far.write_all(b"answer").await.unwrap();
        let mut buf = [0; 6];
        reader.read_exact(&mut buf).await.unwrap();
        assert_eq!(&buf, b"answer");
    });
}

#[test]
fn dropped_reading_half_leaves_writing_open() {
    flavor::block_on(async {
        let (near, mut far) = pair().await;
        let (reader, mut writer) = near.into_split();
        drop(reader);
        writer.write_all(b"x").await.unwrap();
        writer.shutdown().await.unwrap();
        let mut all = String::new();
        far.read_to_string(&mut all).await.unwrap();
        assert_eq!(all, "x");
    });
}

#[test]
fn forgotten_writing_half_does_not_end_writing() {
    flavor::block_on(async {
        let (near, mut far) = pair().await;
        let (reader, writer) = near.into_split();
        writer.forget();
        assert_eq!(reader.as_ref().try_write(b"x").unwrap(), 1);
        drop(reader);
        let mut all = String::new();
        far.read_to_string(&mut all).await.unwrap();
        assert_eq!(all, "x");
    });
}

#[test]
fn closed_writing_half_ends_writing_once() {
    flavor::block_on(async {
        let (near, mut far) = pair().await;
        let (reader, mut writer) = near.into_split();
        writer.close().await.unwrap();
        assert_eq!(far.read(&mut [0; 8]).await.unwrap(), 0);
        let mut near = reader.reunite(writer).unwrap();
        far.write_all(b"y").await.unwrap();
        assert_eq!(near.read(&mut [0; 8]).await.unwrap(), 1);
    });
}

#[test]
fn reunited_stream_reads_and_writes() {
    flavor::block_on(async {
        let (near, mut far) = pair().await;
        let (reader, writer) = near.into_split();
        let mut near = writer.reunite(reader).unwrap();
        near.write_all(b"x").await.unwrap();
        assert_eq!(far.read(&mut [0; 8]).await.unwrap(), 1);
        far.write_all(b"y").await.unwrap();
        assert_eq!(near.read(&mut [0; 8]).await.unwrap(), 1);
    });
}

#[test]
fn halves_of_two_streams_do_not_reunite() {
    flavor::block_on(async {
        let ((one, _one_far), (two, _two_far)) = (pair().await, pair().await);
        let ((one_reader, _one_writer), (_two_reader, two_writer)) = (one.into_split(), two.into_split());
        let one_address = one_reader.local_addr().unwrap();
        let error = one_reader.reunite(two_writer).unwrap_err();
        assert!(error.to_string().contains("two different streams"));
        assert_eq!(error.0.local_addr().unwrap(), one_address);
    });
}

#[test]
fn halves_wait_in_two_threads() {
    flavor::block_on(async {
        let (near, mut far) = pair().await;
        let (mut reader, mut writer) = near.into_split();
        let thread = std::thread::spawn(move || {
            flavor::block_on(async move {
                let sent = vec![7; 4 << 20];
                writer.write_all(&sent).await.unwrap();
            });
        });
        let mut all = Vec::new();
        far.read_to_end(&mut all).await.unwrap();
        thread.join().unwrap();
        assert_eq!(all.len(), 4 << 20);
        far.write_all(b"x").await.unwrap();
        assert_eq!(reader.read(&mut [0; 8]).await.unwrap(), 1);
    });
}

#[test]
fn halves_by_hand() {
    flavor::block_on(async {
        let (near, far) = pair().await;
        let (mut reader, writer) = near.into_split();
        writer.writable().await.unwrap();
        assert!(writer.ready(Interest::WRITABLE).await.unwrap().is_writable());
        assert_eq!(writer.try_write(b"a").unwrap(), 1);
        assert_eq!(writer.try_write_vectored(&[IoSlice::new(b"b"), IoSlice::new(b"c")]).unwrap(), 2);
        let mut buf = [0; 3];
        let (mut far_reader, far_writer) = far.into_split();
        far_reader.read_exact(&mut buf).await.unwrap();
        assert_eq!(&buf, b"abc");
        far_writer.try_write(b"def").unwrap();
        assert_eq!(reader.peek(&mut buf).await.unwrap(), 3);
        reader.readable().await.unwrap();
        assert_eq!(reader.try_read(&mut buf[..1]).unwrap(), 1);
        assert_eq!(reader.try_read_vectored(&mut [IoSliceMut::new(&mut buf)]).unwrap(), 2);
        assert_eq!(&buf[..2], b"ef");
    });
}

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (near, listener.accept().await.unwrap().0)
}
