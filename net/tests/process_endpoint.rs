//! Child processes that one connects to.
#![cfg(unix)]

#[path = "../../tests/support/flavor.rs"]
mod flavor;

use flavor::block_on;
use rt_net::protocol::{
    Address, ConnectionLost, NoProtocol, ProcessEnd, ProcessEndpoint, Protocol, StreamClientEndpoint, Transport,
    connect_protocol,
};
use rt_runtime::process::Command;
use std::cell::RefCell;
use std::io;
use std::rc::Rc;

/// Collects what comes.
#[derive(Clone, Default)]
struct Collect(Rc<RefCell<Vec<u8>>>);

impl Protocol for Collect {
    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        self.0.borrow_mut().extend_from_slice(data);
    }
}

fn sh(script: &str) -> ProcessEndpoint {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    ProcessEndpoint::new(command)
}

fn end_of(reason: &ConnectionLost) -> ProcessEnd {
    let ConnectionLost::Lost(failure) = reason else { panic!("{reason:?}") };
    let error = failure.downcast_ref::<io::Error>().unwrap();
    error.get_ref().unwrap().downcast_ref::<ProcessEnd>().unwrap().clone()
}

#[test]
fn much_goes_there_and_back() {
    block_on(async {
        let collect = Collect::default();
        let cat = connect_protocol(&ProcessEndpoint::new(Command::new("cat")), collect.clone()).await.unwrap();
        assert!(matches!(cat.transport().peer(), Address::Process(_)));
        let data: Vec<u8> = (0..1_000_000_u32).map(|n| n as u8).collect();
        cat.transport().write(&data);
        cat.transport().lose_write_connection();
        assert!(cat.transport().closed().await.unwrap().is_clean());
        assert!(*collect.0.borrow() == data);
    });
}

#[test]
fn each_connection_is_a_process() {
    block_on(async {
        let endpoint = sh("echo $$");
        let (first, second) = (Collect::default(), Collect::default());
        for collect in [&first, &second] {
            let connection = connect_protocol(&endpoint, collect.clone()).await.unwrap();
            assert!(connection.transport().closed().await.unwrap().is_clean());
        }
        assert_ne!(first.0, second.0);
    });
}

#[test]
fn process_that_fails_after_its_last_word() {
    block_on(async {
        let collect = Collect::default();
        let connection = connect_protocol(&sh("echo oh; exit 3"), collect.clone()).await.unwrap();
        let reason = connection.transport().closed().await.unwrap();
        assert_eq!(end_of(&reason).exit_code(), Some(3));
        assert_eq!(*collect.0.borrow(), b"oh\n");
        assert!(reason.to_string().contains("exit code 3"), "{reason}");
    });
}

#[test]
fn process_that_does_not_read_all_is_heard_all_the_same() {
    block_on(async {
        let collect = Collect::default();
        let connection = connect_protocol(&sh("head -c 3; sleep 0; echo enough"), collect.clone()).await.unwrap();
        connection.transport().write(&[b'x'; 1 << 20]);
        assert!(connection.transport().closed().await.unwrap().is_clean());
        assert_eq!(*collect.0.borrow(), b"xxxenough\n");
    });
}

#[test]
fn connection_that_is_lost_here() {
    block_on(async {
        let mut command = Command::new("cat");
        command.kill_on_drop(true);
        let connection = connect_protocol(&ProcessEndpoint::new(command), Collect::default()).await.unwrap();
        let Address::Process(pid) = connection.transport().peer() else { panic!("it is a process") };
        connection.transport().lose_connection();
        assert!(connection.transport().closed().await.unwrap().is_clean());
        rt_runtime::process::__wait_until_reaped(pid);
    });
}

#[test]
fn program_that_does_not_exist() {
    block_on(async {
        let endpoint = ProcessEndpoint::new(Command::new("/no/such/program"));
        let failure = connect_protocol(&endpoint, Collect::default()).await.unwrap_err();
        assert!(failure.check_kind(io::ErrorKind::NotFound));
    });
}

#[test]
fn factory_that_makes_nothing() {
    struct Nothing;
    impl rt_net::protocol::Factory for Nothing {
        type Protocol = Collect;
        fn build_protocol(&mut self, _: &Address) -> Option<Collect> {
            None
        }
    }
    block_on(async {
        let failure = ProcessEndpoint::new(Command::new("cat")).connect(Nothing).await.unwrap_err();
        assert!(failure.check::<NoProtocol>());
    });
}
