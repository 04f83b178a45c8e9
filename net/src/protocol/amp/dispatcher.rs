//! The protocol, as it is put together: its responders and limits.

use super::link::{Answer, Link, Then};
use super::{AmpBox, Arguments, BoxLimits, BoxParser, Command, Remote};
use crate::protocol::{ConnectionLost, Protocol};
use rt_deferred::{Deferred, Failure, IntoOutcome, maybe_deferred};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

/// A connection on which both sides call each other's commands.
///
/// Each side gives it a [responder](Amp::responder) for each command that the peer may call, and calls the peer's by
/// [`call_remote`](Amp::call_remote) or by a [`Remote`], which may be kept.
///
/// Counterpart: `twisted.protocols.amp.AMP`.
///
/// ```
/// use rt::protocol::amp::{Amp, Command};
/// use rt::protocol::{Factory, Address, for_protocol};
///
/// #[derive(Command)]
/// struct Ping;
///
/// // What an endpoint takes.
/// let mut factory = for_protocol(|| Amp::new().responder(|Ping| ()));
/// assert!(factory.build_protocol(&Address::Memory).is_some());
/// ```
pub struct Amp {
    pub(super) parser: BoxParser,
    pub(super) responders: BTreeMap<Cow<'static, str>, Responder>,
    pub(super) link: Rc<Link>,
    /// Bytes that came and wait until reading goes on.
    pub(super) held: Vec<u8>,
    /// The protocol that has taken the connection over.
    pub(super) successor: Option<Box<dyn Protocol>>,
    pub(super) made: Option<Hook<Remote>>,
    pub(super) lost: Option<Hook<ConnectionLost>>,
}

type Hook<T> = Box<dyn FnOnce(&T)>;

pub(super) struct Responder {
    pub(super) call: Box<dyn FnMut(AmpBox) -> Deferred<Answer>>,
    pub(super) may_switch: bool,
}

impl Amp {
    /// A side that knows no command.
    pub fn new() -> Self {
        let link = Link::default();
        link.max_calls.set(MAX_CALLS);
        link.max_commands.set(MAX_COMMANDS);
        Self {
            parser: BoxParser::new(BoxLimits::default()),
            responders: BTreeMap::new(),
            link: Rc::new(link),
            held: Vec::new(),
            successor: None,
            made: None,
            lost: None,
        }
    }

    /// Answers the command `C` by calling `respond`, in place of the responder that there is for it.
    ///
    /// It returns what a Deferred's callback may: the response, a `Result` with it, a Deferred, or a future; see [`IntoOutcome`].
    /// Commands begin in the order in which they come, and are answered as soon as their response is there.
    ///
    /// Counterpart: `Command.responder`.
    ///
    /// ```
    /// use rt::Failure;
    /// use rt::protocol::amp::{Amp, Arguments, Command};
    ///
    /// #[derive(Command)]
    /// #[amp(response = Length)]
    /// struct Measure { text: String }
    ///
    /// #[derive(Arguments)]
    /// struct Length { length: u32 }
    ///
    /// let at_once = Amp::new().responder(|Measure { text }| Length { length: text.len() as u32 });
    /// let perhaps = Amp::new().responder(|Measure { text }| Ok::<_, Failure>(Length { length: text.len().try_into()? }));
    /// let later = Amp::new().responder(|Measure { text }| async move { Length { length: text.len() as u32 } });
    /// # drop((at_once, perhaps, later));
    /// ```
    #[must_use]
    pub fn responder<C, K, R>(self, mut respond: impl FnMut(C) -> R + 'static) -> Self
    where
        C: Command,
        R: IntoOutcome<C::Response, K>,
    {
        self.respond_to::<C>(false, move |command| {
            maybe_deferred(|| respond(command)).try_callback(|response| {
                let mut fields = AmpBox::new();
                response.write_to(&mut fields)?;
                Ok(Answer { fields, then: Then::GoOn })
            })
        })
    }

    /// Answers the command of this name by calling `respond` with its box.
    ///
    /// It returns the box of the answer, in any of the ways of [`responder`](Amp::responder); an error with a code is a
    /// [`RemoteAmpError`](super::RemoteAmpError).
    ///
    /// Counterpart: a method `amp_NAME`, as `SimpleStringLocator` finds it.
    ///
    /// ```
    /// use rt::protocol::amp::{Amp, AmpBox, RemoteAmpError};
    ///
    /// let amp = Amp::new().string_responder("Upper", |mut fields: AmpBox| {
    ///     let text: String = fields.argument("text").map_err(|error| RemoteAmpError::new("BAD", error.to_string()))?;
    ///     fields.set_argument("text", &text.to_uppercase()).expect("as short as before");
    ///     Ok::<_, RemoteAmpError>(fields)
    /// });
    /// # drop(amp);
    /// ```
    #[must_use]
    pub fn string_responder<K, R>(
        mut self,
        name: impl Into<Cow<'static, str>>,
        mut respond: impl FnMut(AmpBox) -> R + 'static,
    ) -> Self
    where
        R: IntoOutcome<AmpBox, K>,
    {
        let call = Box::new(move |fields| {
            maybe_deferred(|| respond(fields)).add_callback(|fields| Answer { fields, then: Then::GoOn })
        });
        self.responders.insert(name.into(), Responder { call, may_switch: false });
        self
    }

    /// Answers the command `C`, and hands the connection over to the protocol that `respond` returns.
    ///
    /// Nothing is read while it is undecided, and no box is sent after the answer. What the peer sends from there on is the new
    /// protocol's; calls that wait for an answer fail when the connection goes.
    ///
    /// Counterpart: the responder of a `ProtocolSwitchCommand`.
    #[must_use]
    pub fn switch_responder<C, K, R>(self, mut respond: impl FnMut(C) -> R + 'static) -> Self
    where
        C: Command<Response = ()>,
        R: IntoOutcome<Box<dyn Protocol>, K>,
    {
        self.respond_to::<C>(true, move |command| {
            maybe_deferred(|| respond(command)).try_callback(|protocol: Box<dyn Protocol>| {
                Ok(Answer { fields: AmpBox::new(), then: Then::Switch(Box::new(|| protocol)) })
            })
        })
    }

    /// Calls `made` when there is a connection: a side that has something to ask at once asks it there.
    #[must_use]
    pub fn on_connection_made(mut self, made: impl FnOnce(&Remote) + 'static) -> Self {
        self.made = Some(Box::new(made));
        self
    }

    /// Calls `lost` when the connection is gone, before calls that wait for an answer fail.
    #[must_use]
    pub fn on_connection_lost(mut self, lost: impl FnOnce(&ConnectionLost) + 'static) -> Self {
        self.lost = Some(Box::new(lost));
        self
    }

    /// How much a box of the peer may hold.
    #[must_use]
    pub fn box_limits(mut self, limits: BoxLimits) -> Self {
        self.parser = BoxParser::new(limits);
        self
    }

    /// How many calls may wait for an answer, 65,536 by default; those beyond fail at once, with
    /// [`TooManyCalls`](super::CallError::TooManyCalls). One that was cancelled waits until its answer comes.
    #[must_use]
    pub fn max_calls(self, most: usize) -> Self {
        self.link.max_calls.set(most);
        self
    }

    /// How many commands of the peer may be under way, 1,024 by default: with as many, nothing is read until one is answered.
    ///
    /// That goes for answers, too: responders that wait for answers of the same peer need fewer calls than this under way.
    ///
    /// # Panics
    ///
    /// If it is 0.
    #[must_use]
    pub fn max_commands(self, most: usize) -> Self {
        assert!(most > 0, "at least one command has to be answered at a time");
        self.link.max_commands.set(most);
        self
    }

    /// The peer, for those who call it.
    pub fn remote(&self) -> Remote {
        Remote { link: self.link.clone() }
    }

    /// Calls a command of the peer: see [`Remote::call_remote`].
    #[track_caller]
    pub fn call_remote<C: Command>(&self, command: C) -> Deferred<C::Response> {
        self.remote().call_remote(command)
    }

    pub(super) fn respond_to<C: Command>(
        mut self,
        may_switch: bool,
        mut respond: impl FnMut(C) -> Deferred<Answer> + 'static,
    ) -> Self {
        let call = Box::new(move |fields: AmpBox| match C::from_box(&fields) {
            Err(error) => Deferred::fail(error),
            Ok(command) => respond(command).add_errback(|failure: Failure| match C::errors().encode(&failure) {
                Some(error) => Err::<Answer, Failure>(error.into()),
                None => Err(failure),
            }),
        });
        self.responders.insert(C::NAME.into(), Responder { call, may_switch });
        self
    }
}

const MAX_CALLS: usize = 65_536;
const MAX_COMMANDS: usize = 1024;

impl Default for Amp {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Amp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Amp").field("responders", &self.responders.keys()).finish_non_exhaustive()
    }
}
