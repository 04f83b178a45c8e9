//! Unix listeners and streams: bytes, ends, credentials, names.
#![cfg(unix)]

#[path = "../../tests/support/flavor.rs"]
mod flavor;
#[path = "support/directory.rs"]
mod directory;

use directory::Directory;
use futures_util::future::{join, join3};
use futures_util::io::{AsyncReadExt, AsyncWriteExt};
use futures_util::stream::StreamExt;
use rt_net::{UnixListener, UnixStream};
use rt_runtime::{Interest, Ready};
use std::future::{Future, poll_fn};
use std::io::{ErrorKind, IoSlice, IoSliceMut, Read};
use std::pin::{Pin, pin};
use std::task::Poll;

/// The system takes 1024 buffers at a time: what it leaves does not mean that the stream is full, or drained.
#[test]
fn more_buffers_than_the_system_takes() {
    flavor::block_on(async {
        let (mut near, mut far) = UnixStream::pair().unwrap();
        // Watched both ways: from now on only events tell.
        near.ready(Interest::READABLE | Interest::WRITABLE).await.unwrap();
        let sent: Vec<u8> = (0..3000).map(|n| (n % 251) as u8).collect();
        let slices: Vec<IoSlice<'_>> = sent.chunks(1).map(IoSlice::new).collect();
        let mut written = 0;
        while written < sent.len() {
            written += near.write_vectored(&slices[written..]).await.unwrap();
        }
        let mut received = vec![0; sent.len()];
        let mut read = 0;
        while read < received.len() {
            let mut room: Vec<IoSliceMut<'_>> = received[read..].chunks_mut(1).map(IoSliceMut::new).collect();
            read += far.read_vectored(&mut room).await.unwrap();
        }
        assert_eq!(received, sent);
    });
}

#[test]
fn bytes_both_ways_through_a_path() {
    flavor::block_on(async {
        let directory = Directory::new();
        let path = directory.path("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let (near, far) = join(UnixStream::connect(&path), listener.accept()).await;
        let (mut near, (mut far, peer)) = (near.unwrap(), far.unwrap());
        assert!(peer.is_unnamed());
        assert_eq!(near.peer_addr().unwrap().as_pathname(), Some(&*path));
        assert_eq!(far.local_addr().unwrap().as_pathname(), Some(&*path));
        assert_eq!(listener.local_addr().unwrap().as_pathname(), Some(&*path));
        for text in ["one", "two", "three"] {
            near.write_all(text.as_bytes()).await.unwrap();
            let mut buf = [0; 64];
            let n = far.read(&mut buf).await.unwrap();
            far.write_all(&buf[..n]).await.unwrap();
            let n = near.read(&mut buf).await.unwrap();
            assert_eq!(&buf[..n], text.as_bytes());
        }
    });
}

#[test]
fn paths_that_can_not_be() {
    flavor::block_on(async {
        let directory = Directory::new();
        let path = directory.path("socket");
        assert_eq!(UnixStream::connect(&path).await.unwrap_err().kind(), ErrorKind::NotFound);
        let listener = UnixListener::bind(&path).unwrap();
        assert_eq!(UnixListener::bind(&path).unwrap_err().kind(), ErrorKind::AddrInUse);
        drop(listener);
        assert_eq!(UnixStream::connect(&path).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        let long = directory.path(&"x".repeat(200));
        assert_eq!(UnixListener::bind(&long).unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(UnixStream::connect(&long).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn abstract_names() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::SocketAddr;
    flavor::block_on(async {
        let name = format!("rt-test-{}-{:?}", std::process::id(), std::thread::current().id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let listener = UnixListener::bind_addr(&address).unwrap();
        assert_eq!(listener.local_addr().unwrap().as_abstract_name(), Some(name.as_bytes()));
        let mut near = UnixStream::connect_addr(&address).await.unwrap();
        let (mut far, _) = listener.accept().await.unwrap();
        near.write_all(b"x").await.unwrap();
        assert_eq!(far.read(&mut [0; 8]).await.unwrap(), 1);

        // As a path that begins with NUL, too.
        drop(listener);
        assert_eq!(UnixStream::connect_addr(&address).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        let listener = UnixListener::bind(format!("\0{name}")).unwrap();
        assert_eq!(listener.local_addr().unwrap().as_abstract_name(), Some(name.as_bytes()));
        UnixStream::connect(format!("\0{name}")).await.unwrap();
        listener.accept().await.unwrap();
    });
}

#[test]
fn more_than_the_buffers_hold() {
    flavor::block_on(async {
        let (mut near, mut far) = UnixStream::pair().unwrap();
        let sent: Vec<u8> = (0..4 << 20).map(|i: u32| (i / 1000) as u8).collect();
        let sending = async {
            near.write_all(&sent).await.unwrap();
            near.shutdown().await.unwrap();
        };
        let receiving = async {
            let mut received = Vec::new();
            far.read_to_end(&mut received).await.unwrap();
            received
        };
        let ((), received) = join(sending, receiving).await;
        assert!(received == sent);
    });
}

#[test]
fn vectored_both_ways() {
    flavor::block_on(async {
        let (mut near, mut far) = UnixStream::pair().unwrap();
        assert_eq!(near.write_vectored(&[IoSlice::new(b"he"), IoSlice::new(b"llo")]).await.unwrap(), 5);
        let (mut a, mut b) = ([0; 3], [0; 8]);
        let n = far.read_vectored(&mut [IoSliceMut::new(&mut a), IoSliceMut::new(&mut b)]).await.unwrap();
        assert_eq!((n, &a, &b[..2]), (5, b"hel", &b"lo"[..]));
        assert_eq!(far.try_write_vectored(&[IoSlice::new(b"by"), IoSlice::new(b"e")]).unwrap(), 3);
        near.readable().await.unwrap();
        assert_eq!(near.try_read_vectored(&mut [IoSliceMut::new(&mut a), IoSliceMut::new(&mut b)]).unwrap(), 3);
        assert_eq!(&a, b"bye");
    });
}

#[test]
fn half_close_leaves_the_other_direction_open() {
    flavor::block_on(async {
        let (mut near, mut far) = UnixStream::pair().unwrap();
        near.write_all(b"question").await.unwrap();
        near.shutdown().await.unwrap();
        near.shutdown().await.unwrap();
        let mut question = String::new();
        far.read_to_string(&mut question).await.unwrap();
        far.write_all(b"answer").await.unwrap();
        far.close().await.unwrap();
        let mut answer = String::new();
        near.read_to_string(&mut answer).await.unwrap();
        assert_eq!((&*question, &*answer), ("question", "answer"));
        assert_eq!(near.write(b"more").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
        for _ in 0..3 {
            assert_eq!(far.read(&mut [0; 8]).await.unwrap(), 0, "the end is read again and again");
        }
    });
}

#[test]
fn peer_is_gone_while_reading() {
    flavor::block_on(async {
        let (near, mut far) = UnixStream::pair().unwrap();
        let mut buf = [0; 8];
        let mut reading = Box::pin(far.read(&mut buf));
        assert!(poll_once(reading.as_mut()).await.is_pending());
        drop(near);
        assert_eq!(reading.await.unwrap(), 0);
        assert_eq!(far.write(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
        far.shutdown().await.unwrap();
    });
}

#[test]
fn peer_is_gone_with_unread_bytes() {
    flavor::block_on(async {
        let (near, mut far) = UnixStream::pair().unwrap();
        far.write_all(b"unread").await.unwrap();
        near.try_write(b"last").unwrap();
        drop(near);
        let mut buf = [0; 8];
        // Linux tells that bytes were lost before it gives what had come.
        let mut results = Vec::new();
        for _ in 0..2 {
            results.push(far.read(&mut buf).await.map_err(|error| error.kind()));
        }
        assert!(results.contains(&Ok(4)), "{results:?}");
    });
}

#[test]
fn peer_is_gone_while_writing() {
    flavor::block_on(async {
        let (near, mut far) = UnixStream::pair().unwrap();
        fill(&far);
        let mut writing = Box::pin(far.write(b"x"));
        assert!(poll_once(writing.as_mut()).await.is_pending());
        drop(near);
        assert_eq!(writing.await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn peer_is_gone_before_it_is_accepted() {
    flavor::block_on(async {
        let directory = Directory::new();
        let listener = UnixListener::bind(directory.path("socket")).unwrap();
        let mut near = UnixStream::connect(directory.path("socket")).await.unwrap();
        near.write_all(b"bye").await.unwrap();
        drop(near);
        let (mut far, _) = listener.accept().await.unwrap();
        let mut text = String::new();
        far.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "bye");
    });
}

#[test]
fn writable_again_when_the_peer_has_read() {
    flavor::block_on(async {
        let (near, mut far) = UnixStream::pair().unwrap();
        let filled = fill(&near);
        let mut writable = Box::pin(near.writable());
        assert!(poll_once(writable.as_mut()).await.is_pending());
        let mut drained = 0;
        while drained < filled {
            drained += far.read(&mut [0; 1 << 16]).await.unwrap();
        }
        writable.await.unwrap();
        assert_eq!(near.try_write(b"x").unwrap(), 1);
    });
}

#[test]
fn read_and_write_pend_in_one_stream() {
    flavor::block_on(async {
        let (mut near, mut far) = UnixStream::pair().unwrap();
        let filled = fill(&near);
        let (mut reader, mut writer) = UnixStream::split(&mut near);
        let reading = async {
            let mut buf = [0; 1];
            reader.read_exact(&mut buf).await.unwrap();
            buf[0]
        };
        let writing = async { writer.write_all(b"z").await.unwrap() };
        let other = async {
            far.write_all(b"a").await.unwrap();
            let mut all = vec![0; filled + 1];
            far.read_exact(&mut all).await.unwrap();
            all[filled]
        };
        let (read, (), last) = join3(reading, writing, other).await;
        assert_eq!((read, last), (b'a', b'z'));
    });
}

#[test]
fn reading_and_writing_futures_that_are_dropped_at_every_poll_lose_and_double_nothing() {
    flavor::block_on(async {
        let (mut near, mut far) = UnixStream::pair().unwrap();
        let sent: Vec<u8> = (0..1 << 20).map(|i: u32| (i / 7) as u8).collect();
        let (mut written, mut received, mut drops) = (0, Vec::new(), 0);
        while received.len() < sent.len() {
            if written < sent.len() {
                match poll_once(pin!(near.write(&sent[written..]))).await {
                    Poll::Ready(result) => written += result.unwrap(),
                    Poll::Pending => drops += 1,
                }
            }
            let mut buf = [0; 3000];
            match poll_once(pin!(far.read(&mut buf))).await {
                Poll::Ready(result) => received.extend_from_slice(&buf[..result.unwrap()]),
                Poll::Pending => {
                    drops += 1;
                    // The reactor turns.
                    rt::task::yield_now().await;
                }
            }
        }
        assert!(drops > 0 && received == sent);
    });
}

#[test]
fn accepting_future_that_is_dropped_at_every_poll_loses_no_connection() {
    flavor::block_on(async {
        let directory = Directory::new();
        let path = directory.path("socket");
        let listener = UnixListener::bind(&path).unwrap();
        for _ in 0..20 {
            assert!(poll_once(pin!(listener.accept())).await.is_pending());
            let mut dropped = Box::pin(listener.accept());
            assert!(poll_once(dropped.as_mut()).await.is_pending());
            let near = UnixStream::connect(&path).await.unwrap();
            drop(dropped);
            let (far, _) = listener.accept().await.unwrap();
            near.try_write(b"x").unwrap();
            far.readable().await.unwrap();
        }
    });
}

#[test]
fn ways_to_accept() {
    flavor::block_on(async {
        let directory = Directory::new();
        let path = directory.path("socket");
        let listener = UnixListener::bind(&path).unwrap();
        assert_eq!(listener.try_accept().unwrap_err().kind(), ErrorKind::WouldBlock);
        let mut all = Vec::new();
        for _ in 0..3 {
            all.push(UnixStream::connect(&path).await.unwrap());
        }
        listener.try_accept().unwrap();
        poll_fn(|cx| listener.poll_accept(cx)).await.unwrap();
        listener.incoming().next().await.unwrap().unwrap();
        assert!(poll_once(pin!(listener.incoming().next())).await.is_pending());
        assert!(listener.take_error().unwrap().is_none());
    });
}

/// Elsewhere the connection is refused. No event tells when there is room again. In virtual time, so that the pauses take none.
#[cfg(target_os = "linux")]
#[test]
fn connecting_to_a_full_backlog_waits() {
    let runtime = rt::runtime::Builder::new_current_thread().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let directory = Directory::new();
        let path = directory.path("socket");
        let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
        socket.set_nonblocking(true).unwrap();
        socket.bind(&socket2::SockAddr::unix(&path).unwrap()).unwrap();
        socket.listen(0).unwrap();
        let listener = UnixListener::from_std(socket.into()).unwrap();
        let mut waiting = Vec::new();
        let mut connecting = loop {
            let mut connecting = Box::pin(UnixStream::connect(path.clone()));
            match poll_once(connecting.as_mut()).await {
                Poll::Ready(stream) => waiting.push(stream.unwrap()),
                Poll::Pending => break connecting,
            }
            assert!(waiting.len() < 100, "a backlog of 0 has no end");
        };
        for _ in 0..3 {
            // After a pause it is still full.
            rt::time::advance(std::time::Duration::from_millis(50)).await;
            assert!(poll_once(connecting.as_mut()).await.is_pending());
        }
        listener.accept().await.unwrap();
        let near = connecting.await.unwrap();
        for _ in &waiting {
            listener.accept().await.unwrap();
        }
        assert!(near.peer_addr().unwrap().as_pathname() == Some(&path));
    });
}

#[cfg(target_os = "linux")]
#[test]
fn credentials_are_those_of_this_process() {
    flavor::block_on(async {
        let (near, far) = UnixStream::pair().unwrap();
        let peer = near.peer_cred().unwrap();
        assert_eq!(peer, far.peer_cred().unwrap());
        assert_eq!(peer.pid(), Some(std::process::id() as i32));
        assert_eq!(peer.uid(), rustix::process::getuid().as_raw());
        assert_eq!(peer.gid(), rustix::process::getgid().as_raw());
    });
}

#[test]
fn halves() {
    flavor::block_on(async {
        let (near, mut far) = UnixStream::pair().unwrap();
        let (mut reader, mut writer) = near.into_split();
        writer.writable().await.unwrap();
        assert!(writer.ready(Interest::WRITABLE).await.unwrap().is_writable());
        assert_eq!(writer.try_write(b"a").unwrap(), 1);
        writer.write_all(b"b").await.unwrap();
        far.write_all(b"cd").await.unwrap();
        reader.readable().await.unwrap();
        let mut buf = [0; 1];
        assert_eq!(reader.try_read(&mut buf).unwrap(), 1);
        reader.read_exact(&mut buf).await.unwrap();
        assert_eq!(&buf, b"d");
        assert!(reader.local_addr().unwrap().is_unnamed() && writer.peer_addr().unwrap().is_unnamed());

        let (other, _other_far) = UnixStream::pair().unwrap();
        let error = reader.reunite(other.into_split().1).unwrap_err();
        assert!(error.to_string().contains("two different streams"));
        let near = writer.reunite(error.0).unwrap();

        let (reader, writer) = near.into_split();
        writer.forget();
        assert_eq!(far.read(&mut [0; 8]).await.unwrap(), 2, "what was written before");
        assert!(poll_once(pin!(far.read(&mut [0; 8]))).await.is_pending(), "writing is open");
        drop(reader);
        assert_eq!(far.read(&mut [0; 8]).await.unwrap(), 0);
    });
}

#[test]
fn dropped_writing_half_ends_writing() {
    flavor::block_on(async {
        let (near, mut far) = UnixStream::pair().unwrap();
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
fn there_and_back_to_the_standard_library() {
    flavor::block_on(async {
        let (mut near, mut far) = UnixStream::pair().unwrap();
        for _ in 0..3 {
            near.write_all(b"x").await.unwrap();
            assert_eq!(far.read(&mut [0; 8]).await.unwrap(), 1);
            assert!(poll_once(pin!(far.read(&mut [0; 8]))).await.is_pending(), "it is watched");
            let mut plain = far.into_std().unwrap();
            assert_eq!(plain.read(&mut [0; 1]).unwrap_err().kind(), ErrorKind::WouldBlock);
            far = UnixStream::try_from(plain).unwrap();
        }
        let directory = Directory::new();
        let listener = UnixListener::bind(directory.path("socket")).unwrap();
        assert!(poll_once(pin!(listener.accept())).await.is_pending());
        let listener = UnixListener::try_from(listener.into_std().unwrap()).unwrap();
        let _near = UnixStream::connect(directory.path("socket")).await.unwrap();
        listener.accept().await.unwrap();
    });
}

#[test]
fn futures_go_to_other_threads() {
    flavor::block_on(async {
        let directory = Directory::new();
        let path = directory.path("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let client = rt::spawn(async move {
            let (mut reader, mut writer) = UnixStream::connect(path).await?.into_split();
            writer.write_all(b"x").await?;
            reader.read(&mut [0; 8]).await
        });
        let server = rt::spawn(async move {
            let (stream, _) = listener.accept().await?;
            let mut fds = [const { None }; 1];
            let received = stream.recv_with_fds(&mut [0; 8], &mut fds).await?;
            stream.send_with_fds(b"y", &[std::os::fd::AsFd::as_fd(&stream)]).await?;
            std::io::Result::Ok(received)
        });
        assert_eq!(server.await.unwrap().unwrap(), (1, 0));
        assert_eq!(client.await.unwrap().unwrap(), 1);
    });
}

#[test]
fn ready_tells_which() {
    flavor::block_on(async {
        let (mut near, far) = UnixStream::pair().unwrap();
        let both = Interest::READABLE | Interest::WRITABLE;
        assert_eq!(far.ready(both).await.unwrap(), Ready::WRITABLE);
        near.shutdown().await.unwrap();
        far.readable().await.unwrap();
        let ready = far.ready(both).await.unwrap();
        assert!(ready.is_readable() && ready.is_writable() && ready.is_read_closed());
    });
}

/// Writes until there is no room.
fn fill(stream: &UnixStream) -> usize {
    let mut filled = 0;
    loop {
        match stream.try_write(&[0; 1 << 16]) {
            Ok(n) => filled += n,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return filled,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Polls once with the task's waker.
async fn poll_once<F: Future + ?Sized>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}
