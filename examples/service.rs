//! A small line server as an application of services: `cargo run --example service -- 127.0.0.1:8007 greeting.txt`.
//!
//! Who connects is greeted, and gets back each line that it sends. Between the lines `begin` and `commit` it is not to be interrupted.
//!
//! - Ctrl-C or `SIGTERM`: no new connections; who is between `begin` and `commit` may finish; the others are told goodbye. At the
//!   deadline, or at the second Ctrl-C, the program ends and tells who was late.
//! - `SIGHUP`: the greeting is read again.

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    server::main()
}

#[cfg(not(unix))]
fn main() {
    println!("applications of services run on Unix");
}

#[cfg(unix)]
mod server {
    use rt::Failure;
    use rt::app::{Application, Phase, SystemEvent};
    use rt::deferred::DeferredList;
    use rt::protocol::{Address, ConnectionLost, LineHandler, LineReceiver, Lines, TcpServerEndpoint, Transport};
    use rt::service::{Service, ServiceHandle, StreamServerEndpointService};
    use std::cell::{Cell, RefCell};
    use std::collections::BTreeMap;
    use std::net::SocketAddr;
    use std::path::PathBuf;
    use std::process::ExitCode;
    use std::rc::Rc;

    pub(super) fn main() -> ExitCode {
        let mut arguments = std::env::args().skip(1);
        let address: SocketAddr = match arguments.next().unwrap_or_else(|| "127.0.0.1:8007".to_owned()).parse() {
            Ok(address) => address,
            Err(error) => {
                eprintln!("the first argument is an address with a port: {error}");
                return ExitCode::FAILURE;
            }
        };
        let greeting = arguments.next().map(PathBuf::from);

        let mut application = Application::new("lines");
        if let Some(path) = arguments.next() {
            application = application.pid_file(path);
        }
        // Started first and stopped last: the server is gone when they are.
        let sessions = ServiceHandle::named("sessions", Sessions { greeting_file: greeting, ..Sessions::default() });
        sessions.set_service_parent(application.services()).expect("the name is free");
        let factory = {
            let sessions = sessions.clone();
            move |_peer: &Address| LineReceiver::new(Line { sessions: sessions.clone(), session: None })
        };
        let server = StreamServerEndpointService::new(TcpServerEndpoint::new(address), factory);
        let server = ServiceHandle::named("server", server);
        server.set_service_parent(application.services()).expect("the name is free");

        application.handle().add_system_event_trigger(Phase::After, SystemEvent::Startup, move || async move {
            let port = server.when_listening().expect("it was started").await?;
            println!("listening on {}", port.host());
            Ok::<_, Failure>(())
        });
        rt::app::run(application)
    }

    /// The connections, and what all of them share.
    #[derive(Default)]
    struct Sessions {
        greeting_file: Option<PathBuf>,
        greeting: RefCell<Vec<u8>>,
        open: RefCell<BTreeMap<u64, Rc<Session>>>,
        count: Cell<u64>,
        is_stopping: Cell<bool>,
    }

    struct Session {
        number: u64,
        transport: Transport,
        is_busy: Cell<bool>,
    }

    impl Service for Sessions {
        async fn start_service(&self, this: &ServiceHandle<Self>) -> Result<(), Failure> {
            self.reconfigure(this).await
        }

        async fn stop_service(&self, _this: &ServiceHandle<Self>) -> Result<(), Failure> {
            self.is_stopping.set(true);
            let open: Vec<_> = self.open.borrow().values().cloned().collect();
            let closed: Vec<_> = open.iter().map(|session| session.transport.closed()).collect();
            open.iter().filter(|session| !session.is_busy.get()).for_each(|session| session.say_goodbye());
            DeferredList::new(closed).start().await?;
            Ok(())
        }

        async fn reconfigure(&self, _this: &ServiceHandle<Self>) -> Result<(), Failure> {
            if let Some(path) = &self.greeting_file {
                let greeting = rt::fs::read(path).await?;
                *self.greeting.borrow_mut() = greeting.trim_ascii_end().to_vec();
            }
            Ok(())
        }
    }

    impl Session {
        fn say_goodbye(&self) {
            self.transport.write(b"goodbye\r\n");
            self.transport.lose_connection();
        }
    }

    /// One connection.
    struct Line {
        sessions: ServiceHandle<Sessions>,
        session: Option<Rc<Session>>,
    }

    impl LineHandler for Line {
        fn connection_made(&mut self, lines: &mut Lines<'_>) {
            let number = self.sessions.count.replace(self.sessions.count.get() + 1);
            let session = Rc::new(Session { number, transport: Transport::clone(lines), is_busy: Cell::new(false) });
            self.sessions.open.borrow_mut().insert(number, session.clone());
            lines.send_line(&self.sessions.greeting.borrow());
            // It came in the last moment.
            if self.sessions.is_stopping.get() {
                session.say_goodbye();
            }
            self.session = Some(session);
        }

        fn line_received(&mut self, lines: &mut Lines<'_>, line: &[u8]) {
            let session = self.session.as_ref().expect("the connection was made");
            match line {
                b"begin" => session.is_busy.set(true),
                b"commit" => session.is_busy.set(false),
                _ => {}
            }
            lines.send_line(line);
            if self.sessions.is_stopping.get() && !session.is_busy.get() {
                session.say_goodbye();
            }
        }

        fn connection_lost(&mut self, _lines: &mut Lines<'_>, _reason: &ConnectionLost) {
            if let Some(session) = self.session.take() {
                self.sessions.open.borrow_mut().remove(&session.number);
            }
        }
    }
}
