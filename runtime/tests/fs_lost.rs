//! Errors that nobody can be told any more: in a process of their own, because the hook is the process'.

#[path = "../../tests/support/flavor.rs"]
mod flavor;
#[path = "support/directory.rs"]
mod directory;

use std::future::{Future, poll_fn};
use std::sync::Mutex;
use std::task::Poll;

use directory::Directory;
use futures_util::io::{AsyncReadExt, AsyncWriteExt};
use rt_deferred::unhandled;
use rt_runtime::fs::{self, File};

static LOST: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// One test for all, as they share the hook.
#[test]
fn errors_that_are_lost_and_such_that_are_not() {
    unhandled::set_hook(|unhandled| LOST.lock().unwrap().push(unhandled.failure.to_string()));
    let runtime = flavor::builder().max_blocking_threads(1).build().unwrap();
    let directory = Directory::new();
    let missing = directory.path("no/such/place");
    let there = directory.path("there");
    std::fs::write(&there, "").unwrap();
    let reported = || std::mem::take(&mut *LOST.lock().unwrap());
    runtime.block_on(async {
        poll_and_drop(fs::read(&missing)).await;
        poll_and_drop(File::open(&missing)).await;
        // On the pool's only thread, after what was started before.
        let settled = async || rt_runtime::spawn_blocking(|| ()).await.unwrap();
        settled().await;
        assert_eq!(reported(), Vec::<String>::new(), "an answer that nobody wants");

        poll_and_drop(fs::write(&missing, "x")).await;
        settled().await;
        assert_eq!(reported().len(), 1, "a change that has failed");

        // It was not opened for writing.
        let mut file = File::open(&there).await.unwrap();
        file.write_all(b"accepted").await.unwrap();
        drop(file);
        settled().await;
        assert_eq!(reported().len(), 1, "a file that is dropped while it is written to");

        let mut file = File::open(&there).await.unwrap();
        file.write_all(b"accepted").await.unwrap();
        assert_eq!(file.read(&mut [0; 8]).await.unwrap(), 0);
        let file = file.try_into_std().expect_err("there is an error to tell");
        drop(file);
        settled().await;
        assert_eq!(reported().len(), 1, "a file that is dropped after it was written to");

        let mut file = File::open(&there).await.unwrap();
        file.write_all(b"accepted").await.unwrap();
        assert!(file.flush().await.is_err());
        drop(file);
        settled().await;
        assert_eq!(reported(), Vec::<String>::new(), "an error that was told");
    });
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
