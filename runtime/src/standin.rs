//! Stands in for the context, the budget, time and tasks in the tests of this branch.
#![allow(missing_docs, dead_code, unreachable_pub)]

use crate::reactor::driver::{Driver, DriverHandle};
use crate::reactor::mio::MioDriver;
use std::cell::RefCell;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

pub struct Handle(Arc<DriverHandle>);

impl Handle {
    pub(crate) fn driver(&self) -> &Arc<DriverHandle> {
        &self.0
    }
}

thread_local! {
    static HANDLE: RefCell<Option<Arc<Handle>>> = const { RefCell::new(None) };
}

pub mod context {
    use super::*;

    pub(crate) const NO_RUNTIME: &str = "outside of a runtime";

    pub(crate) fn reactor_handle() -> Option<Arc<Handle>> {
        HANDLE.with_borrow(Clone::clone)
    }
}

pub mod coop {
    use super::*;

    pub(crate) fn poll_proceed(_: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }
}

struct Bell(Arc<DriverHandle>, std::sync::atomic::AtomicBool, std::sync::atomic::AtomicBool);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.1.store(true, std::sync::atomic::Ordering::SeqCst);
        if self.2.swap(false, std::sync::atomic::Ordering::SeqCst) {
            self.0.wake();
        }
    }
}

pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut driver = MioDriver::new().unwrap();
    let before = HANDLE.replace(Some(Arc::new(Handle(driver.handle().clone()))));
    let bell = Arc::new(Bell(driver.handle().clone(), true.into(), false.into()));
    let waker = Waker::from(bell.clone());
    let mut future = Box::pin(future);
    let mut woken = Vec::new();
    let output = loop {
        if bell.1.swap(false, std::sync::atomic::Ordering::SeqCst) {
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                break output;
            }
            continue;
        }
        bell.2.store(true, std::sync::atomic::Ordering::SeqCst);
        if !bell.1.load(std::sync::atomic::Ordering::SeqCst) {
            driver.wait(None, &mut woken).unwrap();
        }
        bell.2.store(false, std::sync::atomic::Ordering::SeqCst);
        // Woken by the driver's own thread: no ring is needed.
        for waker in woken.drain(..) {
            waker.wake();
        }
    };
    drop(future);
    HANDLE.set(before);
    output
}

pub mod task {
    use super::*;
    use std::sync::Mutex;

    #[derive(Debug)]
    pub struct JoinError;

    impl std::fmt::Display for JoinError {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("panicked")
        }
    }

    impl std::error::Error for JoinError {}

    pub async fn spawn_blocking<R: Send + 'static>(f: impl FnOnce() -> R + Send + 'static) -> Result<R, JoinError> {
        let shared = Arc::new(Mutex::new((None, None::<Waker>)));
        let theirs = shared.clone();
        std::thread::spawn(move || {
            let result = f();
            let waker = {
                let mut shared = theirs.lock().unwrap();
                shared.0 = Some(result);
                shared.1.take()
            };
            if let Some(waker) = waker {
                waker.wake();
            }
        });
        std::future::poll_fn(|cx| {
            let mut shared = shared.lock().unwrap();
            match shared.0.take() {
                Some(result) => Poll::Ready(Ok(result)),
                None => {
                    shared.1 = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}

pub mod time {
    pub async fn sleep(duration: std::time::Duration) {
        super::task::spawn_blocking(move || std::thread::sleep(duration)).await.unwrap();
    }
}
