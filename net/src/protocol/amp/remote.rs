//! The peer, as those see it who call its commands.

use super::link::{Link, Then};
use super::{AmpBox, BoxError, COMMAND, Command};
use crate::protocol::{Protocol, Transport};
use rt_deferred::{Deferred, Failure};
use std::fmt;
use std::rc::Rc;

/// The peer of an [`Amp`](super::Amp), for those who call its commands. A cheap handle, from [`Amp::remote`](super::Amp::remote).
///
/// It may be used from anywhere on the connection's thread: in responders, in callbacks, in tasks.
///
/// Counterpart: the calling half of `twisted.protocols.amp.AMP`.
///
/// ```
/// use rt::protocol::amp::{Amp, Arguments, CallError, Command};
///
/// #[derive(Command)]
/// struct Ping;
///
/// let remote = Amp::new().remote();
/// let answer = remote.call_remote(Ping);
/// assert!(rt::deferred::failure_result_of(answer).check::<CallError>(), "there is no connection");
/// ```
#[derive(Clone)]
pub struct Remote {
    pub(super) link: Rc<Link>,
}

impl Remote {
    /// Calls a command of the peer. The Deferred fires with the response.
    ///
    /// Cancelling it makes it fail with [`Cancelled`](rt_deferred::Cancelled); the peer is not told, and its answer is ignored.
    ///
    /// # Errors
    ///
    /// The Deferred fails with
    ///
    /// - an error that the command [knows](super::ErrorCodes), if the peer's responder failed with it;
    /// - [`UnknownRemoteError`](super::UnknownRemoteError), if it failed with another one;
    /// - [`UnhandledCommand`](super::UnhandledCommand), if the peer has none;
    /// - [`ConnectionLost`](crate::protocol::ConnectionLost), if the connection is gone, or goes before the answer comes;
    /// - [`ArgumentError`](super::ArgumentError), if the arguments cannot be written or the response cannot be read;
    /// - [`CallError`](super::CallError), if the command could not be sent.
    ///
    /// Counterpart: `AMP.callRemote`.
    #[track_caller]
    pub fn call_remote<C: Command>(&self, command: C) -> Deferred<C::Response> {
        self.call(&command, Then::GoOn)
    }

    /// Calls a command and wants no answer: neither its response nor its error comes back.
    ///
    /// A responder that fails ends the connection.
    ///
    /// # Errors
    ///
    /// It could not be sent: the failure holds a [`ConnectionLost`](crate::protocol::ConnectionLost), an
    /// [`ArgumentError`](super::ArgumentError) or a [`CallError`](super::CallError).
    ///
    /// Counterpart: `AMP.callRemote` of a command with `requiresAnswer = False`.
    pub fn call_remote_no_answer<C: Command>(&self, command: C) -> Result<(), Failure> {
        self.link.tell(question(&command)?)
    }

    /// Calls a command by its name, with what it takes in a box. The Deferred fires with the box that comes back.
    ///
    /// # Errors
    ///
    /// As [`call_remote`](Remote::call_remote), but all errors that the peer has a code for are
    /// [`RemoteAmpError`](super::RemoteAmpError)s.
    ///
    /// Counterpart: `AMP.callRemoteString`.
    #[track_caller]
    pub fn call_remote_string(&self, name: &str, mut fields: AmpBox) -> Deferred<AmpBox> {
        match name_of(name).and_then(|name| fields.insert(COMMAND, name)) {
            Ok(()) => self.link.ask(fields, Then::GoOn),
            Err(error) => Deferred::fail(error),
        }
    }

    /// Calls a command after whose answer the connection belongs to the protocol that `build` makes, on this side and on the other.
    ///
    /// From the call on, no other command and no answer is sent. If the peer refuses, the Deferred fails as that of
    /// [`call_remote`](Remote::call_remote), and AMP goes on. The new protocol is connected before the Deferred fires, and is told of
    /// all that happens on the connection from there on.
    ///
    /// Counterpart: `AMP.callRemote` of a `ProtocolSwitchCommand`.
    #[track_caller]
    pub fn call_remote_switch<C, P>(&self, command: C, build: impl FnOnce() -> P + 'static) -> Deferred<()>
    where
        C: Command<Response = ()>,
        P: Protocol,
    {
        self.call(&command, Then::Switch(Box::new(move || Box::new(build()))))
    }

    /// The connection's transport, while there is a connection.
    pub fn transport(&self) -> Option<Transport> {
        self.link.transport()
    }

    #[track_caller]
    pub(super) fn call<C: Command>(&self, command: &C, then: Then) -> Deferred<C::Response> {
        let question = match question(command) {
            Ok(question) => question,
            Err(failure) => return Deferred::fail(failure),
        };
        self.link.ask(question, then).add_callbacks(
            |answer: AmpBox| <C::Response as super::Arguments>::from_box(&answer).map_err(Failure::from),
            |failure: Failure| Err::<C::Response, Failure>(C::errors().decode(failure)),
        )
    }
}

fn question<C: Command>(command: &C) -> Result<AmpBox, Failure> {
    let mut fields = AmpBox::new();
    command.write_to(&mut fields)?;
    fields.insert(COMMAND, name_of(C::NAME)?)?;
    Ok(fields)
}

fn name_of(name: &str) -> Result<&str, BoxError> {
    if name.is_empty() { Err(BoxError::EmptyKey) } else { Ok(name) }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("transport", &self.transport()).finish_non_exhaustive()
    }
}
