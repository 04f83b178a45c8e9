//! A client that connects again: what the recordings of Twisted do not have.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use rt::deferred::{Clock, assert_no_result, failure_result_of, success_result_of};
use rt::protocol::{Address, ConnectionLost, Factory, Protocol, ProtocolHandle, StreamClientEndpoint, Transport};
use rt::service::{ClientService, ServiceHandle, backoff_policy, default_backoff_policy};
use rt::testing::{Request, StringTransportWithDisconnection};
use rt::{Deferred, Resolver};

struct Silent;
impl Protocol for Silent {
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

type Connection = Rc<StringTransportWithDisconnection<Silent>>;

/// Connects at once, and keeps the connections.
#[derive(Clone, Default)]
struct AtOnce {
    made: Rc<RefCell<Vec<Connection>>>,
}

impl StreamClientEndpoint for AtOnce {
    fn connect<F: Factory>(&self, mut factory: F) -> Deferred<ProtocolHandle<F::Protocol>> {
        let protocol = factory.build_protocol(&Address::Memory).unwrap();
        let connection = Rc::new(StringTransportWithDisconnection::new(protocol));
        let handle = connection.handle();
        let any: Rc<dyn std::any::Any> = connection;
        self.made.borrow_mut().push(any.downcast().expect("the protocol of this file"));
        Deferred::succeed(handle)
    }
}

impl AtOnce {
    fn connection(&self, number: usize) -> Connection {
        self.made.borrow()[number].clone()
    }
}

fn asks_to_abort(connection: &Connection) -> bool {
    let requests = connection.string_transport().take_requests();
    requests.iter().any(|request| matches!(request, Request::AbortConnection(_)))
}

#[test]
fn connection_that_is_refused_is_aborted() {
    let (clock, endpoint) = (Clock::new(), AtOnce::default());
    let client = ClientService::new(endpoint.clone(), |_: &Address| Silent)
        .clock(&clock)
        .retry_policy(|_| Duration::from_secs(1))
        .prepare_connection(|_| Err::<(), _>("wrong password"));
    let client = ServiceHandle::new(client);
    drop(client.start_service());
    let connected = client.when_connected(1);
    assert!(asks_to_abort(&endpoint.connection(0)));
    clock.advance(Duration::from_secs(1));
    assert_eq!(failure_result_of(connected).to_string(), "wrong password");
    // That it is gone then is no news.
    endpoint.connection(0).lose(ConnectionLost::Aborted);
    assert_eq!(endpoint.made.borrow().len(), 2);
    success_result_of(client.stop_service());
}

#[test]
fn connection_that_is_lost_while_it_is_prepared_is_a_failed_attempt() {
    let (clock, endpoint) = (Clock::new(), AtOnce::default());
    let client = ClientService::new(endpoint.clone(), |_: &Address| Silent)
        .clock(&clock)
        .retry_policy(|_| Duration::from_secs(1))
        .prepare_connection(|_| {
            let (never, resolver) = Deferred::<()>::new();
            resolver.detach();
            never
        });
    let client = ServiceHandle::new(client);
    drop(client.start_service());
    let connected = client.when_connected(1);
    assert_no_result(&connected);
    endpoint.connection(0).lose(ConnectionLost::TimedOut);
    assert!(matches!(failure_result_of(connected).downcast_ref(), Some(ConnectionLost::TimedOut)));
    clock.advance(Duration::from_secs(1));
    assert_eq!(endpoint.made.borrow().len(), 2);

    // And one that is to stop meanwhile gives its connection up.
    success_result_of(client.stop_service());
    assert!(asks_to_abort(&endpoint.connection(1)));
}

#[test]
fn attempt_that_succeeds_though_it_was_cancelled_is_closed_again() {
    /// Its canceller lets the connection through.
    struct Stubborn(AtOnce);
    impl StreamClientEndpoint for Stubborn {
        fn connect<F: Factory>(&self, factory: F) -> Deferred<ProtocolHandle<F::Protocol>> {
            let endpoint = self.0.clone();
            let (deferred, resolver) =
                Deferred::with_canceller(move |resolver: &Resolver<ProtocolHandle<F::Protocol>>| {
                    let handle = success_result_of(endpoint.connect(factory));
                    resolver.callback(handle).unwrap();
                });
            resolver.detach();
            deferred
        }
    }
    let endpoint = AtOnce::default();
    let client = ServiceHandle::new(ClientService::new(Stubborn(endpoint.clone()), |_: &Address| Silent));
    drop(client.start_service());
    let stopped = client.stop_service();
    assert_no_result(&stopped);
    let connection = endpoint.connection(0);
    assert!(matches!(connection.string_transport().take_requests()[..], [Request::LoseConnection]));
    connection.lose(ConnectionLost::Done);
    success_result_of(stopped);
}

#[test]
fn waiter_that_stops_the_client_from_its_callback() {
    let endpoint = AtOnce::default();
    let client = ServiceHandle::new(ClientService::new(endpoint.clone(), |_: &Address| Silent));
    let (stopping, inner) = (Rc::new(RefCell::new(None)), client.clone());
    let kept = stopping.clone();
    drop(client.when_connected(None).add_callback(move |_| {
        *kept.borrow_mut() = Some(inner.stop_service());
    }));
    drop(client.start_service());
    assert!(!client.is_running());
    endpoint.connection(0).lose(ConnectionLost::Done);
    let stopped = stopping.take().expect("it was called");
    success_result_of(stopped);
}

#[test]
fn delays_between_attempts() {
    let seconds = Duration::from_secs;
    let asked = Rc::new(Cell::new(0));
    let jitter = asked.clone();
    let policy = backoff_policy(seconds(1), seconds(60), 1.5, move || {
        jitter.set(jitter.get() + 1);
        Duration::from_millis(jitter.get())
    });
    assert_eq!(policy(1), Duration::from_millis(1501));
    assert_eq!(policy(2), Duration::from_millis(2252));
    assert_eq!(policy(u32::MAX), Duration::from_millis(60_003));
    for factor in [f64::NAN, f64::INFINITY, 1e300] {
        assert_eq!(backoff_policy(seconds(1), seconds(60), factor, || Duration::ZERO)(3), seconds(60));
    }
    assert_eq!(backoff_policy(seconds(1), seconds(60), -2.0, || Duration::ZERO)(1), Duration::ZERO);
    let default = default_backoff_policy();
    assert!((0..100).all(|_| (1500..=2500).contains(&default(1).as_millis())));
}

#[test]
fn waiters_that_cancel_are_forgotten() {
    let client = ServiceHandle::new(ClientService::new(AtOnce::default(), |_: &Address| Silent));
    let kept = client.when_connected(None);
    for _ in 0..1000 {
        let waiting = client.when_connected(3);
        waiting.cancel();
        assert!(failure_result_of(waiting).check::<rt::deferred::Cancelled>());
    }
    let told = format!("{client_service:?}", client_service = &*client);
    assert!(told.contains("waiting: 1,"), "{told}");
    drop(client.start_service());
    success_result_of(kept);
    let told = format!("{client_service:?}", client_service = &*client);
    assert!(told.contains("waiting: 0,"), "{told}");
}

#[test]
fn policy_that_asks_for_the_connection() {
    struct Nobody;
    impl StreamClientEndpoint for Nobody {
        fn connect<F: Factory>(&self, _: F) -> Deferred<ProtocolHandle<F::Protocol>> {
            Deferred::fail("nobody answers")
        }
    }
    type Client = ServiceHandle<ClientService<Nobody, fn(&Address) -> Silent>>;
    let (clock, asked) = (Clock::new(), Rc::new(RefCell::new(None)));
    let own: Rc<RefCell<Option<Client>>> = Rc::default();
    let (asking, client) = (asked.clone(), own.clone());
    let factory: fn(&Address) -> Silent = |_| Silent;
    let service = ClientService::new(Nobody, factory).clock(&clock).retry_policy(move |_| {
        let waiting = client.borrow().as_ref().map(|client: &Client| client.when_connected(None));
        *asking.borrow_mut() = waiting;
        Duration::from_secs(1)
    });
    let client = ServiceHandle::new(service);
    *own.borrow_mut() = Some(client.clone());
    drop(client.start_service());
    // It runs, and goes on trying.
    assert_no_result(asked.borrow().as_ref().unwrap());
    drop(client.stop_service());
    own.take();
    assert!(failure_result_of(asked.take().unwrap()).check::<rt::deferred::Cancelled>());
}

#[test]
fn runtime_that_ends_before_the_client() {
    use rt::protocol::{StreamServerEndpoint, TcpClientEndpoint, TcpServerEndpoint};
    let ((), reported) = rt::deferred::unhandled::capture(|| {
        let runtime = rt::Builder::new_current_thread().build().unwrap();
        let client = runtime.block_on(async {
            let server = TcpServerEndpoint::new("127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap());
            let port = server.listen(|_: &Address| Silent).await.unwrap();
            let Address::Ip(address) = port.host() else { panic!("it is TCP") };
            let client = ClientService::new(TcpClientEndpoint::new(address), |_: &Address| Silent);
            let client = ServiceHandle::new(client);
            drop(client.start_service());
            client.when_connected(1).await.unwrap();
            client
        });
        drop(runtime);
        drop(client);
    });
    assert!(reported.is_empty(), "{reported:?}");
}

#[test]
fn waiter_of_a_client_that_is_stopped_before_it_starts() {
    let client = ServiceHandle::new(ClientService::new(AtOnce::default(), |_: &Address| Silent));
    let waiting = client.when_connected(None);
    success_result_of(client.stop_service());
    assert!(failure_result_of(waiting).check::<rt::deferred::Cancelled>());
}
