//! A port while the process has no descriptor to spare. A process and a test of its own, for its limit of descriptors.
#![cfg(unix)]

#[path = "../../tests/support/flavor.rs"]
mod flavor;
#[path = "support/descriptors.rs"]
mod descriptors;
#[path = "support/newcomers.rs"]
mod newcomers;
#[path = "support/protocols.rs"]
mod protocols;

use newcomers::Notices;
use protocols::{Log, NotingFactory};
use rt::protocol::ListenOptions;

#[test]
fn newcomers_are_refused_and_all_is_well_when_there_are_descriptors_again() {
    flavor::block_on(async {
        let notices = Notices::default();
        let told = notices.clone();
        let log = Log::default();
        let port = ListenOptions::new()
            .on_notice(move |notice| told.lock().unwrap().push(notice.to_string()))
            .listen_tcp("127.0.0.1:0", NotingFactory::new(&log))
            .unwrap();
        let _clients = newcomers::refused(port.host().ip().unwrap(), &notices).await;
        port.stop_listening().await.unwrap();
        let built = log.take().iter().filter(|line| *line == "build").count();
        assert_eq!(built, 2, "the factory hears of those who are served");
    });
}
