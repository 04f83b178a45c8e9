//! A string protocol that is in one of several states.

use super::strings::{StringHandler, Strings};
use crate::protocol::ConnectionLost;
use std::fmt;

/// What a [`StatefulStringProtocol`] does in its states.
///
/// Counterpart: the `proto_*` methods of `twisted.protocols.basic.StatefulStringProtocol`.
pub trait StatefulStringHandler: 'static {
    /// In what states it can be; most often an enum.
    type State: 'static;

    /// A string came. Gives the state that comes next; `None` is Twisted's `done`: the connection is closed, and strings that still come are
    /// thrown away.
    fn string_received(&mut self, state: Self::State, strings: &mut Strings<'_>, string: &[u8]) -> Option<Self::State>;

    /// The connection is there. Called once, before anything else.
    fn connection_made(&mut self, strings: &mut Strings<'_>) {
        let _ = strings;
    }

    /// See [`StringHandler::length_limit_exceeded`].
    fn length_limit_exceeded(&mut self, strings: &mut Strings<'_>, length: usize) {
        let _ = length;
        strings.lose_connection();
    }

    /// The connection is gone, and nothing is called any more.
    fn connection_lost(&mut self, strings: &mut Strings<'_>, reason: &ConnectionLost) {
        let _ = (strings, reason);
    }
}

/// A [`StringHandler`] that is in one of several states, and asks its [`StatefulStringHandler`] for the next at each string.
///
/// Counterpart: `twisted.protocols.basic.StatefulStringProtocol`.
///
/// ```
/// use rt::protocol::{NetstringReceiver, StatefulStringHandler, StatefulStringProtocol, Strings};
/// use rt::testing::StringTransportWithDisconnection;
///
/// struct Login;
///
/// enum State {
///     Name,
///     Password { name: String },
/// }
///
/// impl StatefulStringHandler for Login {
///     type State = State;
///
///     fn string_received(&mut self, state: State, strings: &mut Strings<'_>, string: &[u8]) -> Option<State> {
///         match state {
///             State::Name => Some(State::Password { name: String::from_utf8_lossy(string).into_owned() }),
///             State::Password { name } if string == b"sesame" => {
///                 strings.send_string(format!("welcome, {name}").as_bytes()).ok()?;
///                 None
///             }
///             State::Password { .. } => Some(State::Name),
///         }
///     }
/// }
///
/// let receiver = NetstringReceiver::new(StatefulStringProtocol::new(Login, State::Name));
/// let connection = StringTransportWithDisconnection::new(receiver);
/// connection.data_received(b"3:ali,4:what,3:ali,6:sesame,4:late,");
/// assert_eq!(connection.string_transport().value(), b"12:welcome, ali,");
/// assert!(connection.handle().transport().is_disconnecting());
/// ```
pub struct StatefulStringProtocol<H: StatefulStringHandler> {
    handler: H,
    /// `None` when it is done.
    state: Option<H::State>,
}

impl<H: StatefulStringHandler> StatefulStringProtocol<H> {
    /// `handler`, in the state that comes first.
    pub fn new(handler: H, initial: H::State) -> Self {
        Self { handler, state: Some(initial) }
    }

    /// Who receives the strings.
    pub fn handler(&self) -> &H {
        &self.handler
    }

    /// The state it is in; `None` when it is done.
    pub fn state(&self) -> Option<&H::State> {
        self.state.as_ref()
    }
}

impl<H: StatefulStringHandler> StringHandler for StatefulStringProtocol<H> {
    fn connection_made(&mut self, strings: &mut Strings<'_>) {
        self.handler.connection_made(strings);
    }

    fn string_received(&mut self, strings: &mut Strings<'_>, string: &[u8]) {
        let Some(state) = self.state.take() else { return };
        self.state = self.handler.string_received(state, strings, string);
        if self.state.is_none() {
            strings.lose_connection();
        }
    }

    fn length_limit_exceeded(&mut self, strings: &mut Strings<'_>, length: usize) {
        self.handler.length_limit_exceeded(strings, length);
    }

    fn connection_lost(&mut self, strings: &mut Strings<'_>, reason: &ConnectionLost) {
        self.handler.connection_lost(strings, reason);
    }
}

impl<H: StatefulStringHandler<State: fmt::Debug>> fmt::Debug for StatefulStringProtocol<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatefulStringProtocol").field("state", &self.state).finish_non_exhaustive()
    }
}
