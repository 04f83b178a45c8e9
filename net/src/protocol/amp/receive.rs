//! What comes: boxes, to responders and to those who wait for an answer.

use super::link::{Answer, Then};
use super::{
    ANSWER, ASK, Amp, AmpBox, COMMAND, ERROR, ERROR_CODE, ERROR_DESCRIPTION, ProtocolViolation, RemoteAmpError,
    UNHANDLED_ERROR_CODE, UnhandledCommand,
};
use crate::protocol::{ConnectionLost, Protocol, Transport};
use rt_deferred::{Deferred, Failure};
use std::mem;

impl Protocol for Amp {
    fn connection_made(&mut self, transport: &Transport) {
        self.link.connected(transport);
        if let Some(made) = self.made.take() {
            made(&self.remote());
        }
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        match &mut self.successor {
            Some(successor) if self.held.is_empty() => successor.data_received(transport, data),
            _ => self.process(transport, data),
        }
    }

    fn connection_lost(&mut self, transport: &Transport, reason: &ConnectionLost) {
        if let Some(successor) = &mut self.successor {
            successor.connection_lost(transport, reason);
        }
        if let Some(lost) = self.lost.take() {
            lost(reason);
        }
        self.link.lost(reason);
    }

    fn read_connection_lost(&mut self, transport: &Transport) {
        match &mut self.successor {
            Some(successor) => successor.read_connection_lost(transport),
            None => {
                transport.stop_producer();
                transport.lose_connection();
            }
        }
    }

    fn write_connection_lost(&mut self, transport: &Transport) {
        if let Some(successor) = &mut self.successor {
            successor.write_connection_lost(transport);
        }
    }

    fn handshake_completed(&mut self, transport: &Transport) {
        if let Some(successor) = &mut self.successor {
            successor.handshake_completed(transport);
        }
    }

    fn reading_resumed(&mut self, transport: &Transport) {
        // A responder that took its time may have decided on a successor meanwhile.
        if let Some(successor) = self.link.take_successor() {
            self.succeed(transport, successor);
        }
        self.process(transport, &[]);
        if let Some(successor) = &mut self.successor
            && self.held.is_empty()
        {
            successor.reading_resumed(transport);
        }
    }
}

impl Amp {
    fn process(&mut self, transport: &Transport, data: &[u8]) {
        let mut held = mem::take(&mut self.held);
        let mut rest = data;
        if !held.is_empty() {
            held.extend_from_slice(data);
            rest = &held;
        }
        while self.successor.is_none() {
            // Also where a responder was asked to hang up: the rest is not for anybody.
            if transport.is_disconnecting() {
                return;
            }
            if transport.is_paused() {
                self.held = rest.to_vec();
                return;
            }
            let done = match self.parser.next_box(&mut rest) {
                Ok(Some(whole)) => self.box_received(transport, whole, rest.is_empty()).map_err(Failure::from),
                Ok(None) => return,
                Err(error) => Err(error.into()),
            };
            if let Err(failure) = done {
                return transport.abort_with(ConnectionLost::Lost(failure));
            }
        }
        self.hand_over(transport, rest);
    }

    /// What came behind the last box is the successor's.
    fn hand_over(&mut self, transport: &Transport, rest: &[u8]) {
        if transport.is_paused() {
            self.held = rest.to_vec();
        } else if let Some(successor) = &mut self.successor
            && !rest.is_empty()
        {
            successor.data_received(transport, rest);
        }
    }

    fn succeed(&mut self, transport: &Transport, mut successor: Box<dyn Protocol>) {
        successor.connection_made(transport);
        self.successor = Some(successor);
    }

    fn box_received(&mut self, transport: &Transport, whole: AmpBox, is_last: bool) -> Result<(), ProtocolViolation> {
        if let Some(tag) = whole.get(ANSWER).map(<[u8]>::to_vec) {
            self.answer_received(transport, &tag, whole, is_last)
        } else if let Some(tag) = whole.get(ERROR) {
            self.error_received(tag, &whole)
        } else if let Some(name) = whole.get(COMMAND).map(<[u8]>::to_vec) {
            self.command_received(transport, &name, whole, is_last)
        } else {
            Err(ProtocolViolation::NoMeaning)
        }
    }

    fn answer_received(
        &mut self,
        transport: &Transport,
        tag: &[u8],
        mut fields: AmpBox,
        is_last: bool,
    ) -> Result<(), ProtocolViolation> {
        let call = self.link.take_call(tag).ok_or_else(|| ProtocolViolation::NotAsked { tag: tag.to_vec() })?;
        fields.remove(ANSWER);
        match call.then {
            Then::GoOn => {}
            Then::Switch(build) => self.succeed(transport, build()),
            Then::StartTls(_) if !is_last => {
                let _ = call.answer.errback(ConnectionLost::Lost(ProtocolViolation::BeforeTls.into()));
                return Err(ProtocolViolation::BeforeTls);
            }
            Then::StartTls(start) => self.link.start_tls(start),
        }
        let _ = call.answer.callback(fields);
        Ok(())
    }

    fn error_received(&mut self, tag: &[u8], fields: &AmpBox) -> Result<(), ProtocolViolation> {
        let code = fields.get(ERROR_CODE).ok_or(ProtocolViolation::Incomplete)?;
        let description = fields.get(ERROR_DESCRIPTION).ok_or(ProtocolViolation::Incomplete)?;
        let description = String::from_utf8_lossy(description).into_owned();
        let call = self.link.take_call(tag).ok_or_else(|| ProtocolViolation::NotAsked { tag: tag.to_vec() })?;
        let failure = if code == UNHANDLED_ERROR_CODE.as_bytes() {
            Failure::new(UnhandledCommand { description })
        } else {
            Failure::new(RemoteAmpError::new(code, description))
        };
        self.link.refused(&call.then, &failure);
        let _ = call.answer.errback(failure);
        Ok(())
    }

    fn command_received(
        &mut self,
        transport: &Transport,
        name: &[u8],
        mut fields: AmpBox,
        is_last: bool,
    ) -> Result<(), ProtocolViolation> {
        let tag = fields.remove(ASK);
        fields.remove(COMMAND);
        let link = self.link.clone();
        let responder = std::str::from_utf8(name).ok().and_then(|name| self.responders.get_mut(name));
        let may_switch = responder.as_ref().is_some_and(|responder| responder.may_switch);
        link.command_begins(may_switch);
        let answer = match responder {
            Some(responder) => (responder.call)(fields),
            None => {
                let description = format!("Unhandled Command: '{}'", name.escape_ascii());
                Deferred::fail(RemoteAmpError::new(UNHANDLED_ERROR_CODE, description))
            }
        };
        let had_tls = link.has_tls();
        // A failure that is left over is nobody's any more, and reported.
        drop(answer.add_both({
            let link = link.clone();
            move |result: Result<Answer, Failure>| link.respond(tag.as_deref(), may_switch, result)
        }));
        link.hold_or_read_on();
        if let Some(successor) = link.take_successor() {
            self.succeed(transport, successor);
        }
        if !is_last && !had_tls && link.has_tls() { Err(ProtocolViolation::BeforeTls) } else { Ok(()) }
    }
}
