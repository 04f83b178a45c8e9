//! Connectors: attempts, losses, giving up, and coming back.

#[path = "../../tests/support/flavor.rs"]
mod flavor;
#[path = "support/protocols.rs"]
mod protocols;
#[cfg(target_os = "linux")]
#[path = "support/silence.rs"]
mod silence;

use futures_util::io::{AsyncReadExt, AsyncWriteExt};
use protocols::{Log, Noting, NotingFactory, Quirk};
use rt::deferred::{Clock, Failure, unhandled};
use rt::net::{TcpListener, TcpStream};
use rt::protocol::{
    Address, ClientFactory, ConnectOptions, ConnectionLost, Connector, Factory, Protocol, Reconnecting,
    ReconnectingClientFactory, Transport, connect_tcp,
};
use rt::task::yield_now;
use rt::time::Duration;
#[cfg(target_os = "linux")]
use silence::Silence;
use std::net::SocketAddr;

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Where nobody listens.
async fn nobody() -> SocketAddr {
    listener().await.1
}

async fn accept(listener: &TcpListener) -> TcpStream {
    listener.accept().await.unwrap().0
}

/// Sends a word and has it echoed.
async fn talk(stream: &mut TcpStream, word: &str) {
    stream.write_all(word.as_bytes()).await.unwrap();
    let mut answer = vec![0; word.len()];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, word.as_bytes());
}

#[test]
fn from_the_first_attempt_to_the_loss() {
    flavor::block_on(async {
        let (listener, address) = listener().await;
        let log = Log::default();
        let connector = connect_tcp(address, NotingFactory::new(&log));
        assert!(log.take().is_empty(), "nothing happens in the call");
        assert_eq!(connector.destination(), address.to_string());
        let mut server = accept(&listener).await;
        talk(&mut server, "hello").await;
        assert_eq!(log.take(), ["start", "connecting", "build", "made", "data hello"]);
        drop(server);
        log.until(3).await;
        assert_eq!(log.take(), ["lost the connection was closed", "client lost the connection was closed", "stop"]);
    });
}

#[test]
fn refused() {
    flavor::block_on(async {
        let log = Log::default();
        let connector = connect_tcp(nobody().await, NotingFactory::new(&log));
        log.until(4).await;
        assert_eq!(log.take(), ["start", "connecting", "failed connection refused", "stop"]);
        // By hand, the same once more.
        connector.connect();
        log.until(4).await;
        assert_eq!(log.take(), ["start", "connecting", "failed connection refused", "stop"]);
    });
}

#[test]
fn no_address_at_all() {
    flavor::block_on(async {
        let log = Log::default();
        connect_tcp("nowhere", NotingFactory::new(&log));
        log.until(4).await;
        assert_eq!(log.take(), ["start", "connecting", "failed invalid input parameter", "stop"]);
        let none: &[SocketAddr] = &[];
        connect_tcp(none, NotingFactory::new(&log));
        log.until(4).await;
        assert_eq!(log.take()[3], "stop");
    });
}

#[test]
fn factory_that_tries_again_does_not_stop_in_between() {
    flavor::block_on(async {
        let log = Log::default();
        connect_tcp(nobody().await, NotingFactory::new(&log).again(2));
        log.until(8).await;
        let attempt = ["connecting", "failed connection refused"];
        assert_eq!(log.take(), [&["start"][..], &attempt, &attempt, &attempt, &["stop"]].concat());

        let (listener, address) = listener().await;
        let connector = connect_tcp(address, NotingFactory::new(&log).again(1));
        drop(accept(&listener).await);
        let second = accept(&listener).await;
        log.until(8).await;
        let lost = ["lost the connection was closed", "client lost the connection was closed"];
        let made = ["connecting", "build", "made"];
        assert_eq!(log.take(), [&["start"][..], &made, &lost, &made].concat());
        connector.disconnect();
        log.until(3).await;
        assert_eq!(log.take(), [&lost[..], &["stop"]].concat());
        drop(second);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn attempt_given_up() {
    flavor::block_on(async {
        let log = Log::default();
        let silence = Silence::new().await;
        let connector = connect_tcp(silence.address, NotingFactory::new(&log));
        log.until(2).await;
        connector.stop_connecting();
        // Once is enough.
        connector.stop_connecting();
        log.until(4).await;
        let cancelled = &*format!("failed cancelled: no connection to {} is wanted", silence.address);
        assert_eq!(log.take(), ["start", "connecting", cancelled, "stop"]);

        // At once, before there is anything to give up; `disconnect` does it as well.
        let connector = connect_tcp(silence.address, NotingFactory::new(&log));
        connector.disconnect();
        log.until(4).await;
        assert_eq!(log.take(), ["start", "connecting", cancelled, "stop"]);
    });
}

#[test]
fn requests_at_the_wrong_time_do_nothing() {
    flavor::block_on(async {
        let (listener, address) = listener().await;
        let log = Log::default();
        let connector = connect_tcp(address, NotingFactory::new(&log));
        connector.connect();
        let mut server = accept(&listener).await;
        talk(&mut server, "hello").await;
        connector.connect();
        connector.stop_connecting();
        talk(&mut server, "again").await;
        assert_eq!(log.take(), ["start", "connecting", "build", "made", "data hello", "data again"]);
        connector.disconnect();
        connector.disconnect();
        assert_eq!(server.read(&mut [0]).await.unwrap(), 0);
        log.until(3).await;
        log.take();
        connector.disconnect();
        connector.stop_connecting();
        yield_now().await;
        assert!(log.take().is_empty());
    });
}

#[cfg(target_os = "linux")]
#[test]
fn attempt_takes_too_long() {
    flavor::builder().start_paused(true).build().unwrap().block_on(async {
        let log = Log::default();
        let options = ConnectOptions::new().timeout(Duration::from_secs(7));
        let silence = Silence::new().await;
        let begin = rt::time::Instant::now();
        options.connect_tcp(silence.address, NotingFactory::new(&log));
        log.until(2).await;
        rt::time::advance(Duration::from_secs(7)).await;
        log.until(4).await;
        assert_eq!(begin.elapsed(), Duration::from_secs(7));
        assert_eq!(log.take(), ["start", "connecting", "failed timed out", "stop"]);
    });
}

#[test]
fn factory_without_a_protocol() {
    flavor::block_on(async {
        let (listener, address) = listener().await;
        let log = Log::default();
        connect_tcp(address, NotingFactory::new(&log).with_quirks(&[Quirk::None]));
        let mut server = accept(&listener).await;
        assert_eq!(server.read(&mut [0]).await.unwrap(), 0);
        log.until(5).await;
        assert_eq!(log.take(), ["start", "connecting", "build", "client lost the connection was closed", "stop"]);
    });
}

#[test]
fn factory_that_panics() {
    flavor::block_on(async {
        let (listener, address) = listener().await;
        let log = Log::default();
        connect_tcp(address, NotingFactory::new(&log).with_quirks(&[Quirk::Panic]));
        let mut server = accept(&listener).await;
        assert_eq!(server.read(&mut [0]).await.unwrap(), 0);
        log.until(5).await;
        assert_eq!(log.take(), ["start", "connecting", "build", "failed panicked: no mood for protocols", "stop"]);
    });
}

#[test]
fn panic_in_a_hook_is_reported_and_things_go_on() {
    use rt::protocol::{ClientFactory, Connector, Factory};
    struct Startled(NotingFactory);
    impl Factory for Startled {
        type Protocol = Noting;
        fn build_protocol(&mut self, peer: &Address) -> Option<Noting> {
            self.0.build_protocol(peer)
        }
    }
    impl ClientFactory for Startled {
        fn started_connecting(&mut self, _: &Connector) {
            panic!("already?");
        }
    }
    let ((), lost) = unhandled::capture(|| {
        flavor::one_thread().block_on(async {
            let (listener, address) = listener().await;
            connect_tcp(address, Startled(NotingFactory::new(&Log::default())));
            talk(&mut accept(&listener).await, "hello").await;
        });
    });
    let [lost] = &lost[..] else { panic!("{lost:?}") };
    assert_eq!(lost.failure.to_string(), "panicked: already?");
    assert!(lost.place().file().ends_with("protocol_connect.rs"), "{}", lost.place());
}

#[cfg(target_os = "linux")]
#[test]
fn end_of_the_runtime_while_connecting_and_connected() {
    let log = Log::default();
    let ((), lost) = unhandled::capture(|| {
        let runtime = flavor::one_thread();
        let _kept = runtime.block_on(async {
            let (listener, address) = listener().await;
            let factory = ReconnectingClientFactory::new(NotingFactory::new(&log));
            connect_tcp(address, factory);
            let mut server = accept(&listener).await;
            talk(&mut server, "hello").await;
            let silence = Silence::new().await;
            connect_tcp(silence.address, NotingFactory::new(&Log::default()));
            yield_now().await;
            log.take();
            (server, silence)
        });
        drop(runtime);
    });
    assert!(lost.is_empty(), "{lost:?}");
    let aborted = "the connection was aborted by this side";
    assert_eq!(log.take(), [&format!("lost {aborted}"), &format!("client lost {aborted}"), "stop"]);
}

#[cfg(unix)]
#[test]
fn unix_socket() {
    use rt::net::UnixListener;
    use rt::protocol::connect_unix;
    flavor::block_on(async {
        let path = std::env::temp_dir().join(format!("rt-protocol-connect-{}", std::process::id()));
        let log = Log::default();
        let connector = connect_unix(&path, NotingFactory::new(&log));
        log.until(4).await;
        assert_eq!(log.take(), ["start", "connecting", "failed entity not found", "stop"]);
        assert_eq!(connector.destination(), path.display().to_string());

        let listener = UnixListener::bind(&path).unwrap();
        connector.connect();
        let (mut server, _) = listener.accept().await.unwrap();
        std::fs::remove_file(&path).unwrap();
        server.write_all(b"hello").await.unwrap();
        server.read_exact(&mut [0; 5]).await.unwrap();
        assert_eq!(log.take(), ["start", "connecting", "build", "made", "data hello"]);
        connector.disconnect();
        assert_eq!(server.read(&mut [0]).await.unwrap(), 0);
    });
}

/// Lets tasks run until the clock is asked for a call, then moves it there.
async fn next_attempt(clock: &Clock) -> Duration {
    loop {
        if let [call] = &clock.delayed_calls()[..] {
            let wait = call.time() - clock.now();
            clock.advance(wait);
            return wait;
        }
        yield_now().await;
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

#[test]
fn waits_grow_up_to_the_longest() {
    flavor::block_on(async {
        let (clock, log) = (Clock::new(), Log::default());
        let factory = ReconnectingClientFactory::new(NotingFactory::new(&log))
            .initial_delay(seconds(0.5))
            .factor(2.0)
            .jitter(0.0)
            .max_delay(seconds(5.0))
            .clock(&clock);
        let reconnecting = factory.reconnecting();
        assert_eq!((reconnecting.delay(), reconnecting.retries()), (seconds(0.5), 0));
        connect_tcp(nobody().await, factory);
        for (attempt, wait) in [1.0, 2.0, 4.0, 5.0, 5.0].into_iter().enumerate() {
            log.until(4).await;
            assert_eq!(log.take(), ["start", "connecting", "failed connection refused", "stop"]);
            assert_eq!(next_attempt(&clock).await, seconds(wait));
            assert_eq!((reconnecting.delay(), reconnecting.retries()), (seconds(wait), attempt as u32 + 1));
        }
        reconnecting.reset_delay();
        assert_eq!((reconnecting.delay(), reconnecting.retries()), (seconds(0.5), 0));
        assert_eq!(next_attempt(&clock).await, seconds(1.0));
        reconnecting.stop_trying();
    });
}

#[test]
fn jitter_is_the_same_for_a_seed_and_around_the_wait() {
    let waits = |seed| {
        flavor::one_thread().block_on(async {
            let clock = Clock::new();
            let factory = ReconnectingClientFactory::new(NotingFactory::new(&Log::default()))
                .factor(1.0)
                .jitter_seed(seed)
                .clock(&clock);
            let reconnecting = factory.reconnecting();
            connect_tcp(nobody().await, factory);
            let mut waits = Vec::new();
            for _ in 0..20 {
                waits.push(next_attempt(&clock).await);
            }
            reconnecting.stop_trying();
            waits
        })
    };
    let first = waits(1);
    assert_eq!(first, waits(1));
    assert_ne!(first, waits(2));
    assert!(first.iter().any(|wait| *wait != first[0]));
}

#[test]
fn tries_only_so_many_times() {
    flavor::block_on(async {
        let (clock, log) = (Clock::new(), Log::default());
        let factory = ReconnectingClientFactory::new(NotingFactory::new(&log)).max_retries(2).clock(&clock);
        connect_tcp(nobody().await, factory);
        next_attempt(&clock).await;
        next_attempt(&clock).await;
        log.until(12).await;
        for _ in 0..100 {
            yield_now().await;
        }
        assert!(clock.delayed_calls().is_empty());
        assert_eq!(log.take().iter().filter(|line| *line == "connecting").count(), 3);
    });
}

#[test]
fn comes_back_after_a_loss() {
    flavor::block_on(async {
        let (listener, address) = listener().await;
        let (clock, log) = (Clock::new(), Log::default());
        let factory = ReconnectingClientFactory::new_with(|reconnecting| {
            let (reconnecting, log) = (reconnecting.clone(), log.clone());
            move |_: &Address| {
                reconnecting.reset_delay();
                Noting(log.clone())
            }
        })
        .jitter(0.0)
        .clock(&clock);
        let reconnecting = factory.reconnecting();
        connect_tcp(address, factory);
        for _ in 0..3 {
            talk(&mut accept(&listener).await, "hello").await;
            assert_eq!(next_attempt(&clock).await, seconds(std::f64::consts::E));
        }
        let mut last = accept(&listener).await;
        talk(&mut last, "hello").await;
        // It stays as it is; its loss is the last.
        reconnecting.stop_trying();
        talk(&mut last, "still here").await;
        log.take();
        drop(last);
        log.until(1).await;
        assert_eq!(log.take(), ["lost the connection was closed"]);
        assert!(clock.delayed_calls().is_empty());
    });
}

#[cfg(target_os = "linux")]
#[test]
fn stops_trying_while_it_waits_and_while_it_connects() {
    flavor::block_on(async {
        let (clock, log) = (Clock::new(), Log::default());
        let factory = ReconnectingClientFactory::new(NotingFactory::new(&log)).clock(&clock);
        let reconnecting = factory.reconnecting();
        connect_tcp(nobody().await, factory);
        while clock.delayed_calls().is_empty() {
            yield_now().await;
        }
        reconnecting.stop_trying();
        assert!(clock.delayed_calls().is_empty());
        log.take();

        let silence = Silence::new().await;
        let factory = ReconnectingClientFactory::new(NotingFactory::new(&log)).clock(&clock);
        let reconnecting = factory.reconnecting();
        connect_tcp(silence.address, factory);
        log.until(2).await;
        reconnecting.stop_trying();
        log.until(4).await;
        let cancelled = &*format!("failed cancelled: no connection to {} is wanted", silence.address);
        assert_eq!(log.take(), ["start", "connecting", cancelled, "stop"]);
        assert!(clock.delayed_calls().is_empty());
    });
}

#[test]
fn unused_connector_is_freed() {
    flavor::block_on(async {
        let log = Log::default();
        let factory = ReconnectingClientFactory::new(NotingFactory::new(&log)).max_retries(0);
        let connector = connect_tcp(nobody().await, factory);
        log.until(4).await;
        let dropped = std::rc::Rc::new(());
        let kept = std::rc::Rc::downgrade(&dropped);
        struct Last(std::rc::Rc<()>);
        let last = Last(dropped);
        connect_tcp(nobody().await, move |_: &Address| {
            let _ = &last.0;
            Noting(Log::default())
        });
        while kept.strong_count() > 0 {
            yield_now().await;
        }
        drop(connector);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn factory_of_an_attempt_is_stopped_at_the_end_of_the_runtime() {
    let log = Log::default();
    let ((), lost) = unhandled::capture(|| {
        let runtime = flavor::one_thread();
        let _silence = runtime.block_on(async {
            let silence = Silence::new().await;
            connect_tcp(silence.address, ReconnectingClientFactory::new(NotingFactory::new(&log).again(1)));
            log.until(2).await;
            silence
        });
        drop(runtime);
    });
    assert!(lost.is_empty(), "{lost:?}");
    let log = log.take();
    assert_eq!(log[..2], ["start", "connecting"]);
    assert!(log[2].starts_with("failed cancelled: "), "{log:?}");
    assert_eq!(log[3..], ["stop"]);
}

#[test]
fn a_wait_for_ever() {
    flavor::block_on(async {
        let log = Log::default();
        let factory = ReconnectingClientFactory::new(NotingFactory::new(&log))
            .initial_delay(Duration::MAX)
            .max_delay(Duration::MAX)
            .jitter(0.0);
        let reconnecting = factory.reconnecting();
        connect_tcp(nobody().await, factory);
        log.until(4).await;
        assert_eq!(log.take(), ["start", "connecting", "failed connection refused", "stop"]);
        assert_eq!(reconnecting.delay(), Duration::MAX);
        reconnecting.stop_trying();
    });
}

/// Has it done with trying as soon as it is connected, or when it is to make a protocol.
struct Content {
    reconnecting: Reconnecting,
    connector: Option<Connector>,
    log: Log,
    at_once: bool,
}

impl Content {
    fn has_done(&self) {
        self.reconnecting.stop_trying();
        self.connector.as_ref().unwrap().stop_connecting();
    }
}

impl Factory for Content {
    type Protocol = ContentProtocol;
    fn build_protocol(&mut self, _: &Address) -> Option<ContentProtocol> {
        if self.at_once {
            self.has_done();
        }
        let (reconnecting, connector) = (self.reconnecting.clone(), self.connector.clone());
        Some(ContentProtocol(Content { reconnecting, connector, log: self.log.clone(), at_once: self.at_once }))
    }
}

impl ClientFactory for Content {
    fn started_connecting(&mut self, connector: &Connector) {
        self.connector = Some(connector.clone());
    }
    fn client_connection_failed(&mut self, _: &Connector, reason: &Failure) {
        self.log.note(format!("failed {reason}"));
    }
    fn client_connection_lost(&mut self, _: &Connector, reason: &ConnectionLost) {
        self.log.note(format!("lost {reason}"));
    }
}

struct ContentProtocol(Content);

impl Protocol for ContentProtocol {
    fn connection_made(&mut self, _: &Transport) {
        self.0.has_done();
        self.0.log.note("made");
    }
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data);
    }
}

#[test]
fn who_stops_trying_once_there_is_a_connection_keeps_it() {
    flavor::block_on(async {
        for at_once in [false, true] {
            let (listener, address) = listener().await;
            let log = Log::default();
            let own = log.clone();
            let factory = ReconnectingClientFactory::new_with(|reconnecting| Content {
                reconnecting: reconnecting.clone(),
                connector: None,
                log: own,
                at_once,
            });
            connect_tcp(address, factory);
            let mut server = accept(&listener).await;
            talk(&mut server, "hello").await;
            assert_eq!(log.take(), ["made"]);
            drop(server);
            log.until(1).await;
            assert_eq!(log.take(), ["lost the connection was closed"]);
        }
    });
}
