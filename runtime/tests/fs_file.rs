//! Open files: streams, positions, and what is left when futures are dropped.

#[path = "../../tests/support/flavor.rs"]
mod flavor;
#[path = "support/directory.rs"]
mod directory;

use std::future::{Future, poll_fn};
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use directory::Directory;
use futures_util::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use rt_runtime::fs::{self, File, OpenOptions};

fn numbers(count: usize) -> Vec<u8> {
    (0..count).map(|n| (n % 251) as u8).collect()
}

/// A new file for reading and writing with this in it.
async fn with(directory: &Directory, contents: &[u8]) -> File {
    let path = directory.path("file");
    fs::write(&path, contents).await.unwrap();
    OpenOptions::new().read(true).write(true).open(path).await.unwrap()
}

#[test]
fn reads_writes_and_seeks_in_any_order() {
    flavor::block_on(async {
        let directory = Directory::new();
        let mut file = with(&directory, b"0123456789").await;
        let mut two = [0; 2];
        file.read_exact(&mut two).await.unwrap();
        file.write_all(b"ab").await.unwrap();
        file.read_exact(&mut two).await.unwrap();
        assert_eq!(&two, b"45");
        assert_eq!(file.seek(SeekFrom::Current(-3)).await.unwrap(), 3);
        file.write_all(b"X").await.unwrap();
        assert_eq!(file.seek(SeekFrom::End(-1)).await.unwrap(), 9);
        file.write_all(b"YZ").await.unwrap();
        file.seek(SeekFrom::Start(0)).await.unwrap();
        let mut text = String::new();
        AsyncReadExt::read_to_string(&mut file, &mut text).await.unwrap();
        assert_eq!(text, "01aX45678YZ");
        assert!(file.seek(SeekFrom::Current(-100)).await.is_err());
        assert!(file.seek(SeekFrom::Current(i64::MIN)).await.is_err());
        assert_eq!(file.stream_position().await.unwrap(), 11);
    });
}

/// Every future is dropped after its first poll: nothing is lost, nothing doubled.
#[test]
fn reads_and_writes_that_are_dropped_at_every_poll() {
    flavor::block_on(async {
        let directory = Directory::new();
        let path = directory.path("file");
        let bytes = numbers(300_000);
        let mut file = File::create_new(&path).await.unwrap();
        file.set_max_buf_size(10_000);
        let mut written = 0;
        while written < bytes.len() {
            written += poll_fn(|cx| pin!(file.write(&bytes[written..])).poll(cx)).await.unwrap();
        }
        poll_fn(|cx| pin!(file.flush()).poll(cx)).await.unwrap();
        assert!(fs::read(&path).await.unwrap() == bytes);
        assert_eq!(poll_fn(|cx| pin!(file.seek(SeekFrom::Start(0))).poll(cx)).await.unwrap(), 0);
        let (mut read, mut chunk) = (Vec::new(), [0; 7_000]);
        loop {
            // Each time another size, also smaller ones than that of the future which was dropped.
            let room = 1 + read.len() % 6_999;
            match poll_fn(|cx| pin!(file.read(&mut chunk[..room])).poll(cx)).await.unwrap() {
                0 => break,
                count => read.extend_from_slice(&chunk[..count]),
            }
        }
        assert!(read == bytes);
    });
}

#[test]
fn bytes_of_a_dropped_read_are_read_again_where_that_matters() {
    one_blocking_thread().block_on(async {
        let directory = Directory::new();
        for what in 0..5 {
            let mut file = with(&directory, b"0123456789").await;
            read_for_nobody(&mut file, 4).await;
            match what {
                0 => file.write_all(b"ab").await.unwrap(),
                1 => assert_eq!(file.seek(SeekFrom::Current(2)).await.unwrap(), 2),
                2 => {
                    let mut std = file.into_std().await.unwrap();
                    assert_eq!(std.stream_position().unwrap(), 0);
                    continue;
                }
                3 => assert_eq!(file.try_clone().await.unwrap().read(&mut [0; 2]).await.unwrap(), 2),
                _ => file.set_len(10).await.unwrap(),
            }
            let mut rest = Vec::new();
            file.read_to_end(&mut rest).await.unwrap();
            assert_eq!(rest, if what == 4 { &b"0123456789"[..] } else { b"23456789" });
        }
    });
}

#[test]
fn whole_rest_at_once() {
    one_blocking_thread().block_on(async {
        let directory = Directory::new();
        let bytes = numbers(500_000);
        let mut file = with(&directory, &bytes).await;
        let mut head = [0; 5];
        file.read_exact(&mut head).await.unwrap();
        let mut all = b"before".to_vec();
        assert_eq!(file.read_to_end(&mut all).await.unwrap(), bytes.len() - 5);
        assert!(all[6..] == bytes[5..]);
        assert_eq!(file.read_to_end(&mut all).await.unwrap(), 0);
        // The bytes of a call that is dropped are there for the next.
        file.seek(SeekFrom::Start(0)).await.unwrap();
        let mut rest = Vec::new();
        poll_and_drop(file.read_to_end(&mut rest)).await;
        assert!(rest.is_empty());
        file.read_exact(&mut head).await.unwrap();
        assert_eq!(head, bytes[..5]);
        file.read_to_end(&mut rest).await.unwrap();
        assert!(rest == bytes[5..]);
    });
}

#[test]
fn file_that_grows_after_its_end_was_read() {
    flavor::block_on(async {
        let directory = Directory::new();
        let mut file = with(&directory, b"one").await;
        let mut buf = [0; 8];
        assert_eq!(file.read(&mut buf).await.unwrap(), 3);
        assert_eq!(file.read(&mut buf).await.unwrap(), 0);
        fs::write(directory.path("file"), "one two").await.unwrap();
        assert_eq!(file.read(&mut buf).await.unwrap(), 4);
    });
}

/// What a read found whose future was dropped is no news any more.
#[test]
fn end_that_nobody_was_told_before_the_file_grew() {
    one_blocking_thread().block_on(async {
        let directory = Directory::new();
        for by_writing in [false, true] {
            let mut file = with(&directory, b"").await;
            poll_and_drop(file.read(&mut [0; 4])).await;
            file.flush().await.unwrap();
            match by_writing {
                false => file.set_len(4).await.unwrap(),
                true => assert_eq!(file.write_at(b"four", 0).await.unwrap(), 4),
            }
            assert_eq!(file.read(&mut [0; 4]).await.unwrap(), 4);
        }
    });
}

#[cfg(target_os = "linux")]
#[test]
fn error_of_a_write_is_told_by_what_comes_next() {
    flavor::block_on(async {
        let full = || async { OpenOptions::new().write(true).open("/dev/full").await.unwrap() };
        for what in 0..5 {
            let mut file = full().await;
            assert_eq!(file.write(b"accepted").await.unwrap(), 8);
            let result = match what {
                0 => file.flush().await,
                1 => file.write(b"more").await.map(drop),
                2 => file.sync_all().await,
                3 => file.seek(SeekFrom::Start(0)).await.map(drop),
                _ => file.close().await,
            };
            assert_eq!(result.unwrap_err().kind(), ErrorKind::StorageFull);
            // Told once; what was not written is not read either.
            file.flush().await.unwrap();
        }
    });
}

#[cfg(unix)]
#[test]
fn at_places_of_its_own() {
    flavor::block_on(async {
        let directory = Directory::new();
        let file = Arc::new(with(&directory, b"0123456789").await);
        let tasks: Vec<_> = (0..10)
            .map(|n| {
                let file = Arc::clone(&file);
                rt_runtime::spawn(async move {
                    let mut digit = [0];
                    assert_eq!(file.read_at(&mut digit, n).await.unwrap(), 1);
                    assert_eq!(file.write_at(&[digit[0] + 49], n).await.unwrap(), 1);
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let mut file = Arc::into_inner(file).unwrap();
        let mut text = Vec::new();
        file.read_to_end(&mut text).await.unwrap();
        assert_eq!(text, b"abcdefghij");
        assert_eq!(file.read_at(&mut [0; 4], 100).await.unwrap(), 0);
    });
}

/// All who wait for an operation hear of its end.
#[test]
fn several_wait_for_one_write() {
    flavor::block_on(async {
        let directory = Directory::new();
        let mut file = with(&directory, b"").await;
        file.write_all(&numbers(1_000_000)).await.unwrap();
        let file = Arc::new(file);
        let tasks: Vec<_> = (0..10)
            .map(|n| {
                let file = Arc::clone(&file);
                rt_runtime::spawn(
                    async move { if n % 2 == 0 { file.sync_all().await } else { file.sync_data().await } },
                )
            })
            .collect();
        for task in tasks {
            task.await.unwrap().unwrap();
        }
        assert_eq!(file.metadata().await.unwrap().len(), 1_000_000);
    });
}

#[test]
fn length_and_options() {
    flavor::block_on(async {
        let directory = Directory::new();
        let path = directory.path("file");
        let mut file = File::create(&path).await.unwrap();
        assert_eq!(file.read(&mut [0; 4]).await.unwrap_err().kind(), std::io::Error::from_raw_os_error(9).kind());
        file.write_all(b"0123456789").await.unwrap();
        file.set_len(3).await.unwrap();
        assert_eq!(file.metadata().await.unwrap().len(), 3);
        file.set_permissions(file.metadata().await.unwrap().permissions()).await.unwrap();
        assert_eq!(File::create_new(&path).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
        let mut options = std::fs::OpenOptions::new();
        let mut more = OpenOptions::from(options.append(true).clone()).open(&path).await.unwrap();
        more.write_all(b"345").await.unwrap();
        more.close().await.unwrap();
        assert_eq!(fs::read(&path).await.unwrap(), b"012345");
        let truncated = File::options().write(true).truncate(true).open(&path).await.unwrap();
        assert_eq!(truncated.metadata().await.unwrap().len(), 0);
        assert_eq!(truncated.max_buf_size(), 2 * 1024 * 1024);
    });
}

#[test]
fn given_back_to_the_standard_library() {
    one_blocking_thread().block_on(async {
        let directory = Directory::new();
        let mut file = with(&directory, b"0123456789").await;
        file.seek(SeekFrom::Start(4)).await.unwrap();
        let mut std = file.try_into_std().unwrap();
        let mut text = String::new();
        std.read_to_string(&mut text).unwrap();
        assert_eq!(text, "456789");
        std.seek(SeekFrom::Start(0)).unwrap();
        let mut file = File::from(std);
        read_for_nobody(&mut file, 2).await;
        let file = file.try_into_std().expect_err("bytes are in the buffer");
        file.into_std().await.unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "4567890123456789");
    });
}

/// Its file is left as it was, and says so.
#[test]
fn runtime_that_shuts_down_before_a_write_begins() {
    let directory = Directory::new();
    let path = directory.path("file");
    let runtime = one_blocking_thread();
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let mut file = runtime.block_on(async {
        let mut file = File::create(&path).await.unwrap();
        // The pool's only thread is busy.
        rt_runtime::spawn_blocking(move || wait.recv());
        file.write_all(b"accepted").await.unwrap();
        file
    });
    runtime.shutdown_background();
    let error = flavor::block_on(async { file.flush().await }).unwrap_err();
    assert!(error.to_string().contains("shut down"), "{error}");
    drop(go);
    flavor::block_on(async {
        file.write_all(b"again").await.unwrap();
        file.close().await.unwrap();
    });
    assert_eq!(std::fs::read(&path).unwrap(), b"again");
}

/// A runtime whose blocking calls take turns.
fn one_blocking_thread() -> rt_runtime::runtime::Runtime {
    flavor::builder().max_blocking_threads(1).build().unwrap()
}

/// Polls a future once which needs the pool's only thread; that is busy meanwhile, so the future is pending, and dropped.
async fn poll_and_drop<F: Future>(future: F) {
    let (done, wait) = std::sync::mpsc::channel::<()>();
    let busy = rt_runtime::spawn_blocking(move || wait.recv());
    let mut future = Box::pin(future);
    assert!(poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending())).await);
    drop(future);
    drop(done);
    assert!(busy.await.unwrap().is_err());
}

/// Reads into the file's buffer: the future is dropped.
async fn read_for_nobody(file: &mut File, count: usize) {
    poll_and_drop(file.read(&mut vec![0; count])).await;
    // Until it is done: an empty read takes nothing.
    assert_eq!(file.read(&mut []).await.unwrap(), 0);
}
