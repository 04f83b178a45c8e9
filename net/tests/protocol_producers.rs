//! Producers that call their transport in every callback, and what comes of a connection that has one.

#[path = "../../tests/support/flavor.rs"]
mod flavor;

use futures_util::io::{AsyncReadExt, AsyncWriteExt};
use rt::deferred::unhandled;
use rt::io::{DuplexStream, duplex};
use rt::protocol::{ConnectionLost, Producer, Protocol, ProtocolHandle, PullToPush, Transport, WriteLimits, drive};
use rt::runtime::Builder;
use rt::task::yield_now;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

type Log = Rc<RefCell<Vec<&'static str>>>;

#[derive(Default)]
struct Noting(Log);

impl Protocol for Noting {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        self.0.borrow_mut().push("data");
        if data == b"pause" {
            transport.pause_producing();
            transport.resume_producing();
            transport.pause_producing();
        }
    }

    fn reading_resumed(&mut self, transport: &Transport) {
        self.0.borrow_mut().push(if transport.is_paused() { "resumed while paused" } else { "resumed" });
    }

    fn write_connection_lost(&mut self, _: &Transport) {
        self.0.borrow_mut().push("write lost");
    }

    fn connection_lost(&mut self, _: &Transport, _: &ConnectionLost) {
        self.0.borrow_mut().push("lost");
    }
}

fn noting(capacity: usize) -> (DuplexStream, ProtocolHandle<Noting>, Log) {
    let (near, far) = duplex(capacity);
    let log = Log::default();
    (near, drive(far, Noting(log.clone())), log)
}

/// Calls everything when it is told to stop.
struct Frantic {
    transport: Transport,
    stops: Rc<Cell<u32>>,
}

impl Producer for Frantic {
    fn resume_producing(&self) {
        self.transport.write(b"more");
    }

    fn stop_producing(&self) {
        self.stops.set(self.stops.get() + 1);
        self.transport.write(b"more");
        self.transport.stop_producer();
        self.transport.unregister_producer();
        self.transport.lose_write_connection();
        self.transport.lose_connection();
        self.transport.abort_connection();
    }
}

#[test]
fn a_producer_that_stops_itself_is_stopped_once() {
    flavor::block_on(async {
        let (_near, handle, log) = noting(64);
        let transport = handle.transport();
        let stops = Rc::new(Cell::new(0));
        transport.register_producer(Frantic { transport: transport.clone(), stops: stops.clone() }, true).unwrap();
        transport.stop_producer();
        assert_eq!(stops.get(), 1);
        assert!(matches!(transport.closed().await.unwrap(), ConnectionLost::Aborted));
        assert_eq!(*log.borrow(), ["lost"]);
    });
}

#[test]
fn a_producer_that_aborts_when_it_is_stopped_does_not_hide_the_reason() {
    flavor::block_on(async {
        let (_near, handle, log) = noting(64);
        let transport = handle.transport();
        transport.set_write_limits(WriteLimits { cap: Some(1000), ..WriteLimits::default() });
        let stops = Rc::new(Cell::new(0));
        transport.register_producer(Frantic { transport: transport.clone(), stops: stops.clone() }, true).unwrap();
        transport.write(&[0; 1001]);
        assert_eq!(stops.get(), 1);
        assert!(matches!(transport.closed().await.unwrap(), ConnectionLost::WriteLimit { .. }));
        assert_eq!(*log.borrow(), ["lost"]);
    });
}

/// Writes so many pieces, and then unregisters itself.
struct Pieces {
    transport: Transport,
    left: Cell<u32>,
}

impl Producer for Pieces {
    fn resume_producing(&self) {
        match self.left.get() {
            0 => self.transport.unregister_producer(),
            left => {
                self.left.set(left - 1);
                self.transport.write(b"piece");
            }
        }
    }

    fn stop_producing(&self) {}
}

#[test]
fn the_writing_side_is_closed_when_the_producer_has_written_its_last() {
    flavor::block_on(async {
        let (mut near, handle, log) = noting(64);
        let transport = handle.transport();
        let pieces = Pieces { transport: transport.clone(), left: Cell::new(3) };
        transport.register_producer(pieces, false).unwrap();
        transport.lose_write_connection();
        let mut text = String::new();
        near.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "piecepiecepiece");
        assert_eq!(*log.borrow(), ["write lost"]);
    });
}

#[test]
fn a_writing_side_that_is_closed_twice_is_told_once() {
    flavor::block_on(async {
        let (mut near, handle, log) = noting(64);
        let transport = handle.transport();
        for _ in 0..2 {
            transport.lose_write_connection();
            assert_eq!(near.read(&mut [0; 1]).await.unwrap(), 0);
            yield_now().await;
        }
        assert_eq!(*log.borrow(), ["write lost"]);
    });
}

#[test]
fn reading_that_is_resumed_and_paused_again_at_once_is_not_told() {
    flavor::block_on(async {
        let (mut near, handle, log) = noting(64);
        near.write_all(b"pause").await.unwrap();
        for _ in 0..3 {
            yield_now().await;
        }
        handle.transport().resume_producing();
        for _ in 0..3 {
            yield_now().await;
        }
        assert_eq!(*log.borrow(), ["data", "resumed"]);
    });
}

#[test]
fn a_pull_producer_behind_an_adapter_goes_on_however_often_it_was_paused() {
    flavor::block_on(async {
        let (mut near, handle, _log) = noting(64);
        let transport = handle.transport();
        let pieces = Pieces { transport: transport.clone(), left: Cell::new(100_000) };
        let adapter = PullToPush::new(pieces, transport.clone());
        transport.register_producer(adapter.clone(), true).unwrap();
        adapter.start_streaming();
        // Each of these says that it is too much.
        for _ in 0..3 {
            transport.write(&[0; 100_000]);
        }
        let mut text = vec![0; 300_000];
        near.read_exact(&mut text).await.unwrap();
        let mut piece = [0; 5];
        near.read_exact(&mut piece).await.unwrap();
        assert_eq!(&piece, b"piece");
        adapter.stop_streaming();
    });
}

#[test]
fn a_pull_producer_that_panics_is_asked_no_more() {
    struct Panicking;
    impl Producer for Panicking {
        fn resume_producing(&self) {
            panic!("nothing to produce");
        }
        fn stop_producing(&self) {}
    }
    let ((), reports) = unhandled::capture(|| {
        Builder::new_current_thread().start_paused(true).build().unwrap().block_on(async {
            let (_near, handle, _log) = noting(64);
            let transport = handle.transport();
            let adapter = PullToPush::new(Panicking, transport.clone());
            transport.register_producer(adapter.clone(), true).unwrap();
            adapter.start_streaming();
            rt::time::advance(std::time::Duration::from_millis(1)).await;
            transport.register_producer(Panicking, true).expect("the other one is unregistered");
        });
    });
    assert_eq!(reports.len(), 1);
}
