//! What one side may ask of the other, as types.

use super::{AmpBox, ArgumentError, RemoteAmpError, UnknownRemoteError};
use rt_deferred::Failure;
use std::error::Error;

/// A struct whose fields are arguments: of a command, of its response, or of an element of an [`AmpList`](super::AmpList).
///
/// `#[derive(Arguments)]` writes it for a struct with named fields, or with none. The key of a field is its name, or what
/// `#[amp(name = "from-address")]` says. Each is a [`Field`](super::Field): an [`Argument`](super::Argument), or an `Option` of one.
///
/// Keys that nobody asks for are ignored, as Twisted does.
///
/// Counterpart: the lists `Command.arguments` and `Command.response`.
///
/// ```
/// use rt::protocol::amp::{AmpBox, Arguments};
///
/// #[derive(Arguments, Debug, PartialEq)]
/// struct Greeting {
///     text: String,
///     #[amp(name = "from-address")]
///     from: Option<String>,
/// }
///
/// let mut fields = AmpBox::new();
/// Greeting { text: "hello".to_owned(), from: Some("me".to_owned()) }.write_to(&mut fields)?;
/// assert_eq!(fields.get("from-address"), Some(&b"me"[..]));
/// fields.remove("from-address");
/// assert_eq!(Greeting::from_box(&fields)?, Greeting { text: "hello".to_owned(), from: None });
/// # Ok::<(), rt::protocol::amp::ArgumentError>(())
/// ```
pub trait Arguments: Sized {
    /// The arguments that are in the box.
    ///
    /// # Errors
    ///
    /// One is missing, or of another type.
    fn from_box(fields: &AmpBox) -> Result<Self, ArgumentError>;

    /// Puts them into the box.
    ///
    /// # Errors
    ///
    /// One cannot be written, or is too long.
    fn write_to(&self, fields: &mut AmpBox) -> Result<(), ArgumentError>;
}

/// No arguments.
impl Arguments for () {
    fn from_box(_: &AmpBox) -> Result<Self, ArgumentError> {
        Ok(())
    }

    fn write_to(&self, _: &mut AmpBox) -> Result<(), ArgumentError> {
        Ok(())
    }
}

/// Something that one side may ask of the other: its fields are the arguments.
///
/// `#[derive(Command)]` writes it, and [`Arguments`] with it. In `#[amp(…)]` may stand:
///
/// - `response = Quotient`: what comes back; `()` without it;
/// - `name = "divide"`: what it is called on the wire; the name of the struct without it;
/// - `errors(ZeroDivision = "ZERO_DIVISION", …)`, `fatal_errors(…)`: see [`ErrorCodes`].
///
/// Counterpart: `twisted.protocols.amp.Command`.
///
/// ```
/// use rt::protocol::amp::{Arguments, Command, CommandError};
/// use std::fmt;
///
/// #[derive(Command)]
/// #[amp(response = Quotient, errors(ZeroDivision = "ZERO_DIVISION"))]
/// struct Divide { numerator: i64, denominator: i64 }
///
/// #[derive(Arguments)]
/// struct Quotient { result: f64 }
///
/// #[derive(Debug)]
/// struct ZeroDivision;
///
/// impl fmt::Display for ZeroDivision {
///     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
///         f.write_str("division by zero")
///     }
/// }
///
/// impl std::error::Error for ZeroDivision {}
///
/// impl CommandError for ZeroDivision {
///     fn from_description(_: String) -> Self {
///         ZeroDivision
///     }
/// }
///
/// assert_eq!(Divide::NAME, "Divide");
/// ```
///
/// The same by hand:
///
/// ```
/// use rt::protocol::amp::{AmpBox, ArgumentError, Arguments, Command};
///
/// struct Double { number: i64 }
///
/// impl Command for Double {
///     const NAME: &str = "Double";
///     type Response = Doubled;
/// }
///
/// impl Arguments for Double {
///     fn from_box(fields: &AmpBox) -> Result<Self, ArgumentError> {
///         Ok(Self { number: fields.argument("number")? })
///     }
///     fn write_to(&self, fields: &mut AmpBox) -> Result<(), ArgumentError> {
///         fields.set_argument("number", &self.number)
///     }
/// }
///
/// struct Doubled { result: i64 }
///
/// impl Arguments for Doubled {
///     fn from_box(fields: &AmpBox) -> Result<Self, ArgumentError> {
///         Ok(Self { result: fields.argument("result")? })
///     }
///     fn write_to(&self, fields: &mut AmpBox) -> Result<(), ArgumentError> {
///         fields.set_argument("result", &self.result)
///     }
/// }
/// ```
pub trait Command: Arguments + 'static {
    /// What it is called on the wire: 1 byte or more.
    const NAME: &str;

    /// What comes back.
    type Response: Arguments + 'static;

    /// The errors that both sides know.
    fn errors() -> ErrorCodes {
        ErrorCodes::new()
    }
}

/// An error that goes over the wire, with its text.
///
/// See [`Command`] for an example.
#[diagnostic::on_unimplemented(
    message = "the error `{Self}` cannot go over the wire",
    label = "this is no `CommandError`",
    note = "it has to implement `rt::protocol::amp::CommandError`, whose one method, `from_description`, makes the error again on the \
            caller's side"
)]
pub trait CommandError: Error + Send + Sync + 'static {
    /// The error again, on the other side, from what it printed on the one where it was made.
    fn from_description(description: String) -> Self;
}

/// Which errors of a [`Command`] go over the wire, and by which codes.
///
/// A responder that fails with one of them sends its code and what it prints; the caller's Deferred fails with an error of the same
/// type. All others are sent as `UNKNOWN`, without their text, are reported as unhandled failures by the responding side, and end the
/// connection; the caller gets an [`UnknownRemoteError`].
///
/// Counterpart: `Command.errors` and `Command.fatalErrors`.
///
/// ```
/// use rt::protocol::amp::{CommandError, ErrorCodes};
/// use std::fmt;
///
/// #[derive(Debug)]
/// struct NoSuchUser(String);
///
/// impl fmt::Display for NoSuchUser {
///     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
///         f.write_str(&self.0)
///     }
/// }
/// impl std::error::Error for NoSuchUser {}
/// impl CommandError for NoSuchUser {
///     fn from_description(description: String) -> Self {
///         NoSuchUser(description)
///     }
/// }
///
/// let codes = ErrorCodes::new().fatal_error::<NoSuchUser>("NO_SUCH_USER");
/// assert_eq!(format!("{codes:?}"), r#"["NO_SUCH_USER" (fatal)]"#);
/// ```
#[derive(Clone, Default)]
pub struct ErrorCodes {
    known: Vec<Known>,
}

#[derive(Clone)]
struct Known {
    code: &'static str,
    is_fatal: bool,
    is_in: fn(&Failure) -> bool,
    again: fn(String) -> Failure,
}

impl ErrorCodes {
    /// No errors.
    pub fn new() -> Self {
        Self::default()
    }

    /// `E` goes by this code, and the connection goes on after it.
    pub fn error<E: CommandError>(self, code: &'static str) -> Self {
        self.with::<E>(code, false)
    }

    /// `E` goes by this code, and the responding side closes the connection after it.
    pub fn fatal_error<E: CommandError>(self, code: &'static str) -> Self {
        self.with::<E>(code, true)
    }

    fn with<E: CommandError>(mut self, code: &'static str, is_fatal: bool) -> Self {
        let again = |description| Failure::new(E::from_description(description));
        self.known.push(Known { code, is_fatal, is_in: Failure::check::<E>, again });
        self
    }

    /// What goes over the wire for a failure that a responder had; `None` for one that is nobody else's business.
    pub(super) fn encode(&self, failure: &Failure) -> Option<RemoteAmpError> {
        if let Some(error) = failure.downcast_ref::<RemoteAmpError>() {
            return Some(error.clone());
        }
        let known = self.known.iter().find(|known| (known.is_in)(failure))?;
        let error = RemoteAmpError::new(known.code, failure.to_string());
        Some(if known.is_fatal { error.fatal() } else { error })
    }

    /// The failure that a caller gets for one that may have come over the wire.
    pub(super) fn decode(&self, failure: Failure) -> Failure {
        let Some(RemoteAmpError { code, description, .. }) = failure.downcast_ref::<RemoteAmpError>().cloned() else {
            return failure;
        };
        match self.known.iter().find(|known| known.code.as_bytes() == code) {
            Some(known) => (known.again)(description),
            None => Failure::new(UnknownRemoteError { code, description }),
        }
    }
}

impl std::fmt::Debug for ErrorCodes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = |known: &Known| format!("{:?}{}", known.code, if known.is_fatal { " (fatal)" } else { "" });
        write!(f, "[{}]", self.known.iter().map(shown).collect::<Vec<_>>().join(", "))
    }
}
