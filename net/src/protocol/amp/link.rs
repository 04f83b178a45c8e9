//! What the protocol and those who call the peer share: what was asked, and whether anything can be sent.

use super::{
    ANSWER, ASK, AmpBox, CallError, ERROR, ERROR_CODE, ERROR_DESCRIPTION, MAX_VALUE_LENGTH, RemoteAmpError,
    UNKNOWN_ERROR_CODE,
};
use crate::protocol::{ConnectionLost, Protocol, Transport};
use rt_deferred::{Deferred, Failure, Resolver};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

/// One connection. Nothing in it is borrowed while code of the user runs.
#[derive(Default)]
pub(super) struct Link {
    state: RefCell<State>,
    calls: RefCell<BTreeMap<u64, Call>>,
    last_tag: Cell<u64>,
    pub(super) max_calls: Cell<usize>,
    /// Commands of the peer that have no answer yet.
    unanswered: Cell<usize>,
    pub(super) max_commands: Cell<usize>,
    /// A command of the peer's may put another protocol in place.
    is_switching: Cell<bool>,
    has_paused: Cell<bool>,
    /// The protocol that takes the connection over.
    successor: RefCell<Option<Box<dyn Protocol>>>,
    /// What is to be sent under TLS, while the peer has not agreed to it.
    before_tls: RefCell<Option<Vec<u8>>>,
    has_tls: Cell<bool>,
}

#[derive(Default)]
enum State {
    #[default]
    Unconnected,
    Connected(Transport),
    /// Connected, but no box may be sent: another protocol comes, or is there.
    Locked(Transport),
    Lost(ConnectionLost),
}

/// A question to the peer.
pub(super) struct Call {
    pub(super) answer: Resolver<AmpBox>,
    pub(super) then: Then,
}

/// What happens to the connection when an answer is there.
pub(super) enum Then {
    GoOn,
    Switch(Box<dyn FnOnce() -> Box<dyn Protocol>>),
    #[cfg_attr(not(feature = "tls"), allow(dead_code))]
    StartTls(Box<dyn FnOnce(&Transport)>),
}

/// What a responder has to say.
pub(super) struct Answer {
    pub(super) fields: AmpBox,
    pub(super) then: Then,
}

impl Link {
    pub(super) fn connected(&self, transport: &Transport) {
        self.state.replace(State::Connected(transport.clone()));
    }

    /// Fails what waits for an answer, in the order in which it was asked.
    pub(super) fn lost(&self, reason: &ConnectionLost) {
        let before = self.state.replace(State::Lost(reason.clone()));
        drop((before, self.successor.take(), self.before_tls.take()));
        for call in self.calls.take().into_values() {
            let _ = call.answer.errback(reason.clone());
        }
    }

    pub(super) fn transport(&self) -> Option<Transport> {
        match &*self.state.borrow() {
            State::Connected(transport) | State::Locked(transport) => Some(transport.clone()),
            State::Unconnected | State::Lost(_) => None,
        }
    }

    /// Asks the peer something.
    pub(super) fn ask(&self, mut question: AmpBox, then: Then) -> Deferred<AmpBox> {
        if let Err(failure) = self.check_open() {
            return Deferred::fail(failure);
        }
        let limit = self.max_calls.get();
        if self.calls.borrow().len() >= limit {
            return Deferred::fail(CallError::TooManyCalls { limit });
        }
        let tag = self.last_tag.get() + 1;
        self.last_tag.set(tag);
        put(&mut question, ASK, format!("{tag:x}").as_bytes());
        self.send(question);
        match then {
            Then::GoOn => {}
            Then::Switch(_) => self.lock(),
            Then::StartTls(_) => {
                self.has_tls.set(true);
                self.before_tls.replace(Some(Vec::new()));
            }
        }
        let (deferred, answer) = Deferred::new();
        self.calls.borrow_mut().insert(tag, Call { answer, then });
        deferred
    }

    /// Tells the peer something.
    pub(super) fn tell(&self, command: AmpBox) -> Result<(), Failure> {
        self.check_open()?;
        self.send(command);
        Ok(())
    }

    pub(super) fn check_open(&self) -> Result<(), Failure> {
        match &*self.state.borrow() {
            State::Connected(_) => Ok(()),
            State::Unconnected => Err(CallError::NotConnected.into()),
            State::Locked(_) => Err(CallError::Switched.into()),
            State::Lost(reason) => Err(reason.clone().into()),
        }
    }

    /// The question with this tag, which has its answer now.
    pub(super) fn take_call(&self, tag: &[u8]) -> Option<Call> {
        let number = u64::from_str_radix(std::str::from_utf8(tag).ok()?, 16).ok()?;
        if format!("{number:x}").as_bytes() != tag {
            return None;
        }
        self.calls.borrow_mut().remove(&number)
    }

    /// The peer would not have what a question was to be followed by.
    pub(super) fn refused(&self, then: &Then, why: &Failure) {
        match (then, self.transport()) {
            (Then::Switch(_), Some(_)) => self.unlock(),
            // What waits for TLS never goes in the clear.
            (Then::StartTls(_), Some(transport)) => transport.abort_with(ConnectionLost::Tls(why.clone())),
            _ => {}
        }
    }

    /// Both sides are agreed on TLS.
    pub(super) fn start_tls(&self, start: Box<dyn FnOnce(&Transport)>) {
        self.has_tls.set(true);
        if let Some(transport) = self.transport() {
            start(&transport);
        }
        self.send_what_waited();
    }

    pub(super) fn has_tls(&self) -> bool {
        self.has_tls.get()
    }

    /// A command of the peer begins, which may put another protocol in place.
    pub(super) fn command_begins(&self, may_switch: bool) {
        self.unanswered.update(|count| count + 1);
        self.is_switching.set(may_switch);
    }

    /// Reads on unless too many commands are under way, or nobody knows what the next bytes mean.
    pub(super) fn hold_or_read_on(&self) {
        let Some(transport) = self.transport() else { return };
        let has_to_pause = self.is_switching.get() || self.unanswered.get() >= self.max_commands.get();
        if has_to_pause == self.has_paused.replace(has_to_pause) {
            return;
        }
        if has_to_pause { transport.pause_producing() } else { transport.resume_producing() }
    }

    /// A command of the peer has its result. An error is one that nobody has handled.
    pub(super) fn respond(
        &self,
        tag: Option<&[u8]>,
        was_to_switch: bool,
        result: Result<Answer, Failure>,
    ) -> Result<(), Failure> {
        self.unanswered.update(|count| count - 1);
        if was_to_switch {
            self.is_switching.set(false);
        }
        let done = match (tag, result) {
            (Some(tag), Ok(answer)) => {
                self.answer(tag, answer);
                Ok(())
            }
            (Some(tag), Err(failure)) => self.send_error(tag, failure),
            (None, Ok(_)) => Ok(()),
            (None, Err(failure)) => {
                self.lose_connection();
                Err(failure)
            }
        };
        self.hold_or_read_on();
        done
    }

    pub(super) fn take_successor(&self) -> Option<Box<dyn Protocol>> {
        self.successor.take()
    }

    fn answer(&self, tag: &[u8], Answer { mut fields, then }: Answer) {
        put(&mut fields, ANSWER, tag);
        self.send(fields);
        match then {
            Then::GoOn => {}
            Then::Switch(build) => {
                self.lock();
                let successor = build();
                if self.transport().is_some() {
                    self.successor.replace(Some(successor));
                }
            }
            Then::StartTls(start) => self.start_tls(start),
        }
    }

    fn send_error(&self, tag: &[u8], failure: Failure) -> Result<(), Failure> {
        let known = failure.downcast_ref::<RemoteAmpError>().cloned();
        let is_known = known.is_some();
        let error = known.unwrap_or_else(|| RemoteAmpError::new(UNKNOWN_ERROR_CODE, "Unknown Error").fatal());
        let mut fields = AmpBox::new();
        put(&mut fields, ERROR, tag);
        put(&mut fields, ERROR_CODE, &error.code);
        put(&mut fields, ERROR_DESCRIPTION, error.description.as_bytes());
        self.send(fields);
        if error.is_fatal {
            self.lose_connection();
        }
        if is_known { Ok(()) } else { Err(failure) }
    }

    /// Where no box can be sent any more, it is thrown away.
    fn send(&self, whole: AmpBox) {
        let State::Connected(transport) = &*self.state.borrow() else { return };
        let bytes = whole.into_bytes();
        match &mut *self.before_tls.borrow_mut() {
            None => transport.write(&bytes),
            Some(waiting) => {
                waiting.extend(bytes);
                if let Some(cap) = transport.write_limits().cap
                    && waiting.len() > cap
                {
                    transport.abort_with(ConnectionLost::WriteLimit { unsent: waiting.len(), cap });
                }
            }
        }
    }

    fn send_what_waited(&self) {
        if let (Some(waited), Some(transport)) = (self.before_tls.take(), self.transport())
            && !waited.is_empty()
        {
            transport.write(&waited);
        }
    }

    fn lock(&self) {
        if let Some(transport) = self.transport() {
            self.state.replace(State::Locked(transport));
        }
    }

    fn unlock(&self) {
        if let Some(transport) = self.transport() {
            self.state.replace(State::Connected(transport));
        }
    }

    fn lose_connection(&self) {
        if let Some(transport) = self.transport() {
            transport.lose_connection();
        }
    }
}

/// Puts what AMP itself has to say into a box; what is too long is clipped.
pub(super) fn put(fields: &mut AmpBox, key: &str, value: &[u8]) {
    let value = &value[..value.len().min(MAX_VALUE_LENGTH)];
    fields.insert(key, value).expect("a key of our own, and a value that was clipped");
}
