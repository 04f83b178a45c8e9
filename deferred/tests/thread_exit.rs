//! A thread exits with coroutines that wait.

use std::cell::RefCell;
use std::panic;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rt_deferred::{Abandoned, Deferred, Resolver, ensure_deferred, unhandled};

thread_local! {
    static RESOLVER: RefCell<Option<Resolver<u8>>> = const { RefCell::new(None) };
}

/// What the coroutine awaits is abandoned by a destructor of the thread, when some of what belongs to coroutines is gone.
///
/// Seen panicking on what was gone.
#[test]
fn thread_exits_while_what_a_coroutine_awaits_is_in_a_thread_local() {
    static PANICS: AtomicUsize = AtomicUsize::new(0);
    static LOST: AtomicUsize = AtomicUsize::new(0);
    panic::set_hook(Box::new(|_| {
        PANICS.fetch_add(1, Ordering::SeqCst);
    }));
    // Nobody goes on, and that is told.
    unhandled::set_hook(|unhandled| {
        LOST.fetch_add(usize::from(unhandled.failure.check::<Abandoned>()), Ordering::SeqCst);
    });
    let exits = thread::spawn(|| {
        let (awaited, resolver) = Deferred::<u8>::new();
        let waits = ensure_deferred(async move {
            // Behind what the first poll needs, and before what a resumption needs.
            RESOLVER.set(Some(resolver));
            let _ = awaited.await;
        });
        let (other, resolver) = Deferred::<u8>::new();
        let resumed = ensure_deferred(async move { other.await });
        resolver.callback(1).unwrap();
        drop((waits, resumed));
    });
    exits.join().unwrap();
    drop(panic::take_hook());
    assert_eq!(PANICS.load(Ordering::SeqCst), 0);
    assert_eq!(LOST.load(Ordering::SeqCst), 2);
}

/// Seen aborting the process.
#[test]
fn destructor_of_a_coroutine_starts_another_one_while_the_thread_exits() {
    struct StartsOne;
    impl Drop for StartsOne {
        fn drop(&mut self) {
            drop(ensure_deferred(async { 1 }));
        }
    }
    thread_local! {
        static KEPT: RefCell<Option<(Deferred<()>, Resolver<u8>)>> = const { RefCell::new(None) };
    }
    let exits = thread::spawn(|| {
        // First in, last out: nothing ends the coroutine before the thread does.
        KEPT.set(None);
        let (awaited, resolver) = Deferred::<u8>::new();
        let waits = ensure_deferred(async move {
            let _starts = StartsOne;
            let _ = awaited.await;
        });
        KEPT.set(Some((waits, resolver)));
    });
    exits.join().unwrap();
}
