//! Who is in the room, and what they hear of each other.

use rt::deferred::DeferredList;
use rt::protocol::{ConnectionLost, Transport};
use rt::time::{Duration, timeout};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// Most characters in a name.
const MAX_NAME: usize = 32;

/// Time for the last words.
const GOODBYE: Duration = Duration::from_secs(1);

/// Everybody who is connected.
#[derive(Default)]
pub(crate) struct Room {
    peers: RefCell<BTreeMap<u64, Peer>>,
}

/// One who is connected, and in the room once there is a name.
struct Peer {
    name: Option<String>,
    transport: Transport,
}

impl Room {
    /// Lets somebody in who has no name yet; the number that stands for them.
    pub(crate) fn connect(&self, transport: &Transport) -> u64 {
        let mut peers = self.peers.borrow_mut();
        let number = peers.last_key_value().map_or(0, |(last, _)| last + 1);
        peers.insert(number, Peer { name: None, transport: transport.clone() });
        number
    }

    /// Gives a name, or tells why that can not be.
    pub(crate) fn introduce(&self, number: u64, name: &str) -> Result<(), String> {
        check_name(name)?;
        if self.peers.borrow().values().any(|peer| peer.name.as_deref() == Some(name)) {
            return Err(format!("the name {name} is taken, choose another"));
        }
        if let Some(peer) = self.peers.borrow_mut().get_mut(&number) {
            peer.name = Some(name.to_owned());
        }
        self.tell_others(number, |name| format!("(User {name} connected)"));
        Ok(())
    }

    pub(crate) fn say(&self, number: u64, text: &str) {
        self.tell_others(number, |name| format!("#[{name}]>>> {text}"));
    }

    pub(crate) fn disconnect(&self, number: u64) {
        self.tell_others(number, |name| format!("(User {name} disconnected)"));
        self.peers.borrow_mut().remove(&number);
    }

    /// Tells everybody, and waits until they are gone, but not for ever.
    pub(crate) async fn close(&self) {
        let transports: Vec<_> = self.peers.borrow().values().map(|peer| peer.transport.clone()).collect();
        for transport in &transports {
            transport.write(b"(The room is closed)\n");
            transport.lose_connection();
        }
        let gone = DeferredList::new(transports.iter().map(Transport::closed)).start();
        if timeout(GOODBYE, gone).await.is_err() {
            transports.iter().for_each(Transport::abort_connection);
        }
    }

    /// What one who does not read is told waits, up to the write limits of the transport. Then the connection is aborted, with
    /// [`ConnectionLost::WriteLimit`], and the others hear of that: the borrow is over by then, as transports only record.
    fn tell_others(&self, number: u64, line: impl FnOnce(&str) -> String) {
        let peers = self.peers.borrow();
        let Some(name) = peers.get(&number).and_then(|peer| peer.name.as_deref()) else { return };
        let line = line(name) + "\n";
        for (other, peer) in &*peers {
            if *other != number && peer.name.is_some() {
                peer.transport.write(line.as_bytes());
            }
        }
    }
}

/// Why somebody left, for the log.
pub(crate) fn departure(reason: &ConnectionLost) -> Option<String> {
    (!reason.is_clean()).then(|| reason.to_string())
}

/// Whether one may be called that.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    if (1..=MAX_NAME).contains(&name.chars().count()) && name.chars().all(allowed) {
        return Ok(());
    }
    Err(format!("{name:?} is no name: 1 to {MAX_NAME} letters, digits, '-', '_' or '.' make one"))
}
