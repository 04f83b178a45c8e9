//! Endpoints: connecting and listening as values, giving up, and TLS over them.

#[path = "../../tests/support/flavor.rs"]
mod flavor;
#[path = "support/protocols.rs"]
mod protocols;
#[cfg(target_os = "linux")]
#[path = "support/silence.rs"]
mod silence;

use protocols::{Echo, Log, NotingFactory, Quiet, Quirk};
use rt::deferred::Cancelled;
#[cfg(feature = "tls")]
use rt::deferred::Deferred;
use rt::net::TcpListener;
use rt::protocol::{
    Address, HandleError, HostnameEndpoint, NoProtocol, Port, StreamClientEndpoint, StreamServerEndpoint,
    TcpClientEndpoint, client_from_string, connect_protocol, for_protocol, listen_tcp, server_from_string,
};
#[cfg(feature = "tls")]
use rt::protocol::{ConnectionLost, Factory, Protocol, ProtocolHandle, Transport};
use std::io::ErrorKind;
use std::net::SocketAddr;

fn echo_server() -> Port {
    listen_tcp("127.0.0.1:0", for_protocol(|| Echo)).unwrap()
}

fn address(port: &Port) -> SocketAddr {
    port.host().ip().unwrap()
}

fn endpoint(port: &Port) -> TcpClientEndpoint {
    TcpClientEndpoint::new(port.host())
}

#[test]
fn protocol_is_made_before_the_deferred_fires_and_may_be_called() {
    flavor::block_on(async {
        let port = echo_server();
        let log = Log::default();
        let client = connect_protocol(&endpoint(&port), Quiet(log.clone())).await.unwrap();
        assert_eq!(log.take(), ["made"]);
        assert_eq!(client.transport().peer(), port.host());
        client.with(|_, transport| transport.write(b"hello")).unwrap();
        log.until(1).await;
        assert_eq!(log.take(), ["data hello"]);
        client.transport().lose_connection();
        assert!(client.transport().closed().await.unwrap().is_clean());
        assert_eq!(client.with(|_, _| ()), Err(HandleError::Lost));
    });
}

#[test]
fn factory_runs_from_the_attempt_to_the_loss() {
    flavor::block_on(async {
        let port = echo_server();
        let log = Log::default();
        let connecting = endpoint(&port).connect(NotingFactory::new(&log));
        assert_eq!(log.take(), ["start"]);
        let client = connecting.await.unwrap();
        assert_eq!(log.take(), ["build", "made"]);
        client.transport().abort_connection();
        client.transport().closed().await.unwrap();
        assert_eq!(log.take(), ["lost the connection was aborted by this side", "stop"]);
    });
}

#[test]
fn attempt_that_fails() {
    flavor::block_on(async {
        let log = Log::default();
        let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let failure = TcpClientEndpoint::new(nobody).connect(NotingFactory::new(&log)).await.unwrap_err();
        assert_eq!(failure.kind(), Some(ErrorKind::ConnectionRefused));
        let failure = TcpClientEndpoint::new("no port").connect(NotingFactory::new(&log)).await.unwrap_err();
        assert_eq!(failure.kind(), Some(ErrorKind::InvalidInput));
        let failure = TcpClientEndpoint::new(Address::Memory).connect(NotingFactory::new(&log)).await.unwrap_err();
        assert_eq!(failure.to_string(), "memory is no IP address with a port");
        assert_eq!(log.take(), ["start", "stop"].repeat(3));
    });
}

#[test]
fn factory_without_a_protocol_or_with_a_panic() {
    flavor::block_on(async {
        let port = echo_server();
        let log = Log::default();
        let factory = |quirk| NotingFactory::new(&log).with_quirks(&[quirk]);
        assert!(endpoint(&port).connect(factory(Quirk::None)).await.unwrap_err().check::<NoProtocol>());
        assert!(endpoint(&port).connect(factory(Quirk::Panic)).await.unwrap_err().is_panic());
        assert_eq!(log.take(), ["start", "build", "stop", "start", "build", "stop"]);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn cancelled_attempt() {
    flavor::block_on(async {
        let silence = silence::Silence::new().await;
        let log = Log::default();
        let connecting = TcpClientEndpoint::new(silence.address).connect(NotingFactory::new(&log));
        rt::task::yield_now().await;
        connecting.cancel();
        assert!(connecting.await.unwrap_err().check::<Cancelled>());
        assert_eq!(log.take(), ["start", "stop"]);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn attempt_takes_too_long() {
    use rt::time::{Duration, Instant};
    flavor::builder().start_paused(true).build().unwrap().block_on(async {
        let silence = silence::Silence::new().await;
        let begin = Instant::now();
        let text = format!("tcp:127.0.0.1:{}:timeout=2.5", silence.address.port());
        let failure = connect_protocol(&client_from_string(&text).unwrap(), Echo).await.unwrap_err();
        assert_eq!((failure.kind(), begin.elapsed()), (Some(ErrorKind::TimedOut), Duration::from_millis(2500)));
        let failure = connect_protocol(&TcpClientEndpoint::new(silence.address), Echo).await.unwrap_err();
        assert_eq!((failure.kind(), begin.elapsed()), (Some(ErrorKind::TimedOut), Duration::from_millis(32_500)));
    });
}

#[test]
fn name_with_several_addresses() {
    flavor::block_on(async {
        let port = echo_server();
        let endpoint = HostnameEndpoint::new("localhost", address(&port).port());
        let client = connect_protocol(&endpoint, Echo).await.unwrap();
        assert_eq!(client.transport().peer(), port.host());
        let unknown = HostnameEndpoint::new("nobody.invalid", 80);
        assert!(connect_protocol(&unknown, Echo).await.is_err());
    });
}

#[test]
fn local_address_of_a_client() {
    flavor::block_on(async {
        let port = echo_server();
        let text = format!("tcp:127.0.0.1:{}:bindAddress=127.0.0.3", address(&port).port());
        let client = connect_protocol(&client_from_string(&text).unwrap(), Echo).await;
        // Elsewhere there is one loopback address.
        if cfg!(target_os = "linux") {
            assert_eq!(client.unwrap().transport().host().ip().unwrap().ip().to_string(), "127.0.0.3");
        }
    });
}

#[test]
fn strings_for_both_sides() {
    flavor::block_on(async {
        let port =
            server_from_string("tcp:0:interface=127.0.0.1").unwrap().listen(for_protocol(|| Echo)).await.unwrap();
        let client = client_from_string(&format!("tcp:{}", port.host())).unwrap();
        let log = Log::default();
        let client = connect_protocol(&client, Quiet(log.clone())).await.unwrap();
        client.transport().write(b"hello");
        log.until(2).await;
        assert_eq!(log.take(), ["made", "data hello"]);
    });
}

#[cfg(unix)]
mod unix {
    use super::*;
    use rt::protocol::{AlreadyListened, ListenOptions, UnixClientEndpoint, UnixServerEndpoint, listen_unix};
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    /// A path that is unused, in a directory of this test's own.
    struct Place(PathBuf);

    impl Place {
        fn new(test: &str) -> Self {
            let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}-{}", std::process::id()));
            std::fs::create_dir_all(&directory).unwrap();
            Self(directory)
        }

        fn path(&self) -> PathBuf {
            self.0.join("socket")
        }

        fn files(&self) -> Vec<String> {
            let entries = std::fs::read_dir(&self.0).unwrap();
            let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn socket_is_removed_with_its_port() {
        flavor::block_on(async {
            let place = Place::new("removed");
            let endpoint = UnixServerEndpoint::new(place.path()).with_options(ListenOptions::new().mode(0o640));
            let port = endpoint.listen(for_protocol(|| Echo)).await.unwrap();
            assert_eq!(port.host(), Address::Unix(Some(place.path())));
            assert_eq!(std::fs::metadata(place.path()).unwrap().permissions().mode() & 0o7777, 0o640);
            let log = Log::default();
            let client = connect_protocol(&UnixClientEndpoint::new(place.path()), Quiet(log.clone())).await.unwrap();
            client.transport().write(b"hello");
            log.until(2).await;
            assert_eq!(log.take(), ["made", "data hello"]);
            port.stop_listening().await.unwrap();
            assert!(place.files().is_empty());
            let failure = connect_protocol(&UnixClientEndpoint::new(place.path()), Echo).await.unwrap_err();
            assert_eq!(failure.kind(), Some(ErrorKind::NotFound));
        });
    }

    #[test]
    fn path_that_exists() {
        flavor::block_on(async {
            let place = Place::new("exists");
            let port = listen_unix(place.path(), for_protocol(|| Echo)).unwrap();
            let taken = listen_unix(place.path(), for_protocol(|| Echo)).unwrap_err();
            assert_eq!(taken.kind(), ErrorKind::AddrInUse);
            let said = format!("cannot listen on {}: ", place.path().display());
            assert!(taken.to_string().starts_with(&said), "{taken}");
            // Somebody else's socket is not removed with the port.
            std::fs::remove_file(place.path()).unwrap();
            let other = listen_unix(place.path(), for_protocol(|| Echo)).unwrap();
            port.stop_listening().await.unwrap();
            assert_eq!(place.files(), ["socket"]);
            other.stop_listening().await.unwrap();
            // What is no socket is left alone, with a lock as well.
            std::fs::write(place.path(), "precious").unwrap();
            let options = ListenOptions::new().lock_file(true);
            assert_eq!(
                options.listen_unix(place.path(), for_protocol(|| Echo)).unwrap_err().kind(),
                ErrorKind::AddrInUse
            );
            assert_eq!(place.files(), ["socket"]);
        });
    }

    #[test]
    fn lock_tells_a_port_from_a_socket_left_behind() {
        flavor::block_on(async {
            let place = Place::new("lock");
            // As a process leaves it that was killed.
            drop(std::os::unix::net::UnixListener::bind(place.path()).unwrap());
            let text = format!("unix:{}", rt::protocol::quote_string_argument(place.path().to_str().unwrap()));
            let endpoint = server_from_string(&text).unwrap();
            let port = endpoint.listen(for_protocol(|| Echo)).await.unwrap();
            assert_eq!(place.files(), ["socket", "socket.lock"]);
            let failure = endpoint.listen(for_protocol(|| Echo)).await.unwrap_err();
            assert_eq!(failure.kind(), Some(ErrorKind::AddrInUse));
            let (socket, lock) = (place.path(), place.0.join("socket.lock"));
            let expected = format!("{} is listened on: another port has locked {}", socket.display(), lock.display());
            assert_eq!(failure.to_string(), expected);
            let client = client_from_string(&text).unwrap();
            connect_protocol(&client, Echo).await.unwrap();
            port.stop_listening().await.unwrap();
            assert!(place.files().is_empty());
            endpoint.listen(for_protocol(|| Echo)).await.unwrap();
        });
    }

    #[test]
    fn adopted_socket_is_listened_on_once() {
        use rt::protocol::AdoptedStreamServerEndpoint;
        flavor::block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let endpoint = AdoptedStreamServerEndpoint::tcp(listener);
            let port = endpoint.clone().listen(for_protocol(|| Echo)).await.unwrap();
            connect_protocol(&super::endpoint(&port), Echo).await.unwrap();
            assert!(endpoint.listen(for_protocol(|| Echo)).await.unwrap_err().check::<AlreadyListened>());

            let place = Place::new("adopted");
            let listener = rt::net::UnixListener::bind(place.path()).unwrap();
            let port = AdoptedStreamServerEndpoint::unix(listener).listen(for_protocol(|| Echo)).await.unwrap();
            connect_protocol(&UnixClientEndpoint::new(place.path()), Echo).await.unwrap();
            port.stop_listening().await.unwrap();
            assert_eq!(place.files(), ["socket"], "it belongs to who has made it");
        });
    }
}

#[cfg(feature = "tls")]
mod tls {
    use super::*;
    use crate::certificates::{Authority, Folder};
    use rt::protocol::{
        TcpServerEndpoint, connect_tls, drive, listen_tls, quote_string_argument, wrap_client_tls, wrap_server_tls,
    };
    use std::cell::Cell;

    #[test]
    fn both_sides_over_endpoints() {
        flavor::block_on(async {
            let authority = Authority::new("roots");
            let acceptor = authority.identity(&["server.example"]).acceptor();
            let log = Log::default();
            let server = wrap_server_tls(&acceptor, TcpServerEndpoint::new("127.0.0.1:0"));
            let port = server.listen(NotingFactory::new(&log)).await.unwrap();
            let client = wrap_client_tls(&authority.connector(), "server.example", endpoint(&port));
            let seen = Log::default();
            let client = connect_protocol(&client, Quiet(seen.clone())).await.unwrap();
            // Waits for the end of the handshake.
            client.transport().write(b"hello");
            seen.until(3).await;
            assert_eq!(seen.take(), ["made", "shaken", "data hello"]);
            assert_eq!(client.transport().peer_certificates().len(), 1);
            client.transport().lose_connection();
            assert!(client.transport().closed().await.unwrap().is_clean());
            log.until(6).await;
            assert_eq!(
                log.take(),
                ["start", "build", "made", "shaken", "data hello", "lost the connection was closed"]
            );
        });
    }

    #[test]
    fn certificate_for_somebody_else() {
        flavor::block_on(async {
            let authority = Authority::new("roots");
            let acceptor = authority.identity(&["server.example"]).acceptor();
            let log = Log::default();
            let port = listen_tls("127.0.0.1:0", &acceptor, NotingFactory::new(&log)).unwrap();
            let client = wrap_client_tls(&authority.connector(), "other.example", endpoint(&port));
            let client = connect_protocol(&client, Echo).await.unwrap();
            client.transport().write(b"secret");
            let reason = client.transport().closed().await.unwrap();
            assert!(matches!(reason, ConnectionLost::Tls(_)), "{reason}");
            assert!(reason.to_string().contains("other.example"), "{reason}");
            log.until(4).await;
            let log = log.take();
            assert_eq!(log[..3], ["start", "build", "made"]);
            assert!(log[3].starts_with("lost TLS failed"), "{log:?}");
        });
    }

    #[test]
    fn connector_and_port() {
        flavor::block_on(async {
            let authority = Authority::new("roots");
            let acceptor = authority.identity(&["localhost"]).acceptor();
            let port = listen_tls("127.0.0.1:0", &acceptor, for_protocol(|| Echo)).unwrap();
            let log = Log::default();
            let connector =
                connect_tls(("localhost", address(&port).port()), &authority.connector(), NotingFactory::new(&log));
            log.until(5).await;
            assert_eq!(log.take(), ["start", "connecting", "build", "made", "shaken"]);
            connector.disconnect();
            log.until(3).await;
            assert_eq!(log.take(), ["lost the connection was closed", "client lost the connection was closed", "stop"]);
        });
    }

    /// Who does not ask the factory for TLS gets no protocol from it.
    #[test]
    fn endpoint_that_would_go_on_in_the_open() {
        struct Careless(Cell<Option<rt::io::DuplexStream>>);
        impl StreamClientEndpoint for Careless {
            fn connect<F: Factory>(&self, mut factory: F) -> Deferred<ProtocolHandle<F::Protocol>> {
                match factory.build_protocol(&Address::Memory) {
                    Some(protocol) => Deferred::succeed(drive(self.0.take().unwrap(), protocol)),
                    None => Deferred::fail(NoProtocol),
                }
            }
        }
        flavor::block_on(async {
            let (_near, far) = rt::io::duplex(64);
            let connector = Authority::new("roots").connector();
            let endpoint = wrap_client_tls(&connector, "server.example", Careless(Cell::new(Some(far))));
            let failure = connect_protocol(&endpoint, Echo).await.unwrap_err();
            assert_eq!(
                failure.to_string(),
                "the endpoint below does not do TLS: it has to start connections by drive_factory"
            );
        });
    }

    /// Says hello under TLS.
    struct Greeter(Log);

    impl Protocol for Greeter {
        fn connection_made(&mut self, transport: &Transport) {
            transport.write(b"hello");
        }
        fn data_received(&mut self, _: &Transport, data: &[u8]) {
            self.0.note(String::from_utf8_lossy(data));
        }
    }

    #[test]
    fn strings() {
        flavor::block_on(async {
            let folder = Folder::new("endpoint-strings");
            let authority = Authority::new("roots");
            let (certificate, key) = authority.identity(&["localhost"]).write(&folder, "server");
            let roots = folder.write("roots.pem", &authority.pem);
            let quoted = |path: &std::path::Path| quote_string_argument(path.to_str().unwrap());
            let (certificate, key) = (quoted(&certificate), quoted(&key));
            let roots = quoted(roots.parent().unwrap());
            for server in [
                format!("ssl:0:privateKey={key}:certKey={certificate}:interface=127.0.0.1"),
                format!("tls:0:{certificate}:{key}:127.0.0.1"),
            ] {
                let port = server_from_string(&server).unwrap().listen(for_protocol(|| Echo)).await.unwrap();
                let number = address(&port).port();
                let below = quote_string_argument(&format!("tcp:127.0.0.1:{number}"));
                for client in [
                    format!("tls:localhost:{number}:trustRoots={roots}"),
                    format!("tls:localhost:trustRoots={roots}:endpoint={below}"),
                    format!("ssl:localhost:{number}:caCertsDir={roots}"),
                    format!("ssl:127.0.0.1:{number}:caCertsDir={roots}:hostname=localhost"),
                ] {
                    let log = Log::default();
                    let endpoint = client_from_string(&client).unwrap();
                    let client = connect_protocol(&endpoint, Greeter(log.clone())).await.unwrap();
                    log.until(1).await;
                    assert_eq!(log.take(), ["hello"]);
                    client.transport().lose_connection();
                }
            }
        });
    }

    #[test]
    fn mistakes_in_strings() {
        let folder = Folder::new("endpoint-mistakes");
        let path = quote_string_argument(folder.write("not.pem", "no certificate").to_str().unwrap());
        let said = |text: &str| server_from_string(text).unwrap_err();
        let missing = said("ssl:443:privateKey=/nowhere/key.pem");
        assert!(missing.reason().starts_with("\"/nowhere/key.pem\" cannot be read: "), "{missing}");
        assert_eq!(missing.offset(), 19);
        assert_eq!(said(&format!("tls:443:{path}")).offset(), 8);
        assert_eq!(said("ssl:x:sslmethod=SSLv3").offset(), 6);
        let key = client_from_string("tls:localhost:443:privateKey=key.pem").unwrap_err();
        assert_eq!(key.reason(), "there is a key, and no certificate that it is for");
        let nested = client_from_string(r"tls:localhost:endpoint=tcp\:localhost").unwrap_err();
        assert_eq!((nested.reason(), nested.offset()), ("endpoint: tcp needs port", 23));
        let roots = client_from_string("tls:localhost:443:trustRoots=/nowhere").unwrap_err();
        assert!(roots.reason().starts_with("\"/nowhere\" cannot be read: "), "{roots}");
    }
}

#[cfg(feature = "tls")]
#[path = "support/certificates.rs"]
mod certificates;
