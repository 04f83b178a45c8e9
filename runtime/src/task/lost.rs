//! Outputs that nobody has looked at: a panic or an error among them is reported, not lost.

use std::any::{Any, type_name};
use std::error::Error;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::mem::discriminant;
use std::panic::Location;
use std::sync::OnceLock;

use rt_deferred::Failure;
use rt_deferred::unhandled::{self, Unhandled};

use super::{JoinError, JoinFailure};

/// Told, once set, where each task was spawned that is dropped unfinished because its runtime ends.
pub(crate) static UNFINISHED: OnceLock<fn(&'static Location<'static>)> = OnceLock::new();

/// Tells [`UNFINISHED`].
pub(super) fn note_unfinished(spawned_at: &'static Location<'static>) {
    if let Some(note) = UNFINISHED.get() {
        note(spawned_at);
    }
}

/// Whether a `T` may be an error: whether it is a `Result` of any kind. A constant, once compiled.
#[inline(always)]
pub(crate) fn may_be_error<T>() -> bool {
    // Without specialization this is the way to ask; a type of another crate cannot have a name that begins with `core`.
    type_name::<T>().starts_with("core::result::Result<")
}

/// Drops an output that nobody will look at, and reports it if it is a panic or an error. An abort is neither.
#[inline(always)]
pub(crate) fn drop_unseen<T: 'static>(output: Result<T, JoinFailure>, spawned: &'static Location<'static>) {
    match output {
        Ok(value) if may_be_error::<T>() && is_error(&value) => report(error_of(value), spawned),
        Ok(value) => drop(value),
        Err(JoinFailure::Cancelled) => {}
        Err(JoinFailure::Panicked(payload)) => report(Failure::from_panic(payload), spawned),
    }
}

#[cold]
fn report(failure: Failure, spawned: &'static Location<'static>) {
    unhandled::report(Unhandled::of_task(failure, spawned));
}

/// Whether a `Result` of unknown types is an `Err`. Variants can be told apart without knowing what is in them.
fn is_error<T>(result: &T) -> bool {
    let hash = |variant: &dyn Fn(&mut DefaultHasher)| {
        let mut hasher = DefaultHasher::new();
        variant(&mut hasher);
        hasher.finish()
    };
    hash(&|hasher| discriminant(result).hash(hasher)) == hash(&|hasher| discriminant(&Err::<(), ()>(())).hash(hasher))
}

/// The error of a `Result` that is one, as far as its type is known here.
#[cold]
fn error_of<T: 'static>(value: T) -> Failure {
    let mut value = Some(value);
    known(&mut value).unwrap_or_else(|| Failure::new(Unknown(type_name::<T>())))
}

macro_rules! known {
    ($value:ident: $values:tt, $errors:tt) => { known!(@errors $value $values $errors) };
    (@errors $value:ident $values:tt [$($error:ty),* $(,)?]) => { $(known!(@values $value $values $error);)* };
    (@values $value:ident [$($ok:ty),* $(,)?] $error:ty) => {$(
        if let Some(result) = $value.downcast_mut::<Option<Result<$ok, $error>>>() {
            return result.take().and_then(Result::err).map(Failure::from);
        }
    )*};
}

/// The usual errors of tasks, and the values that usually go with them.
fn known(value: &mut dyn Any) -> Option<Failure> {
    known!(value:
        [(), bool, u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize, f32, f64, char, String, Vec<u8>],
        [
            std::io::Error, Failure, Box<dyn Error + Send + Sync>, String, &'static str, JoinError, fmt::Error,
            std::num::ParseIntError, std::num::ParseFloatError, std::str::Utf8Error, std::string::FromUtf8Error,
            std::net::AddrParseError, std::env::VarError,
        ]
    );
    None
}

/// An error whose type is not known here.
#[derive(Debug)]
struct Unknown(&'static str);

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "an error in a `{}`; what it says is told to who awaits the task, or with `Failure` as its type",
            self.0
        )
    }
}

impl Error for Unknown {}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug)]
    struct Mine;

    fn lost<T: 'static>(output: T) -> Vec<String> {
        let ((), lost) = unhandled::capture(|| drop_unseen(Ok(output), Location::caller()));
        lost.iter().map(|unhandled| unhandled.failure.to_string()).collect()
    }

    #[test]
    fn values() {
        assert!(lost(1).is_empty());
        assert!(lost(Ok::<(), io::Error>(())).is_empty());
        assert!(lost(Ok::<String, Mine>("fine".to_owned())).is_empty());
        assert!(lost(Some(Err::<(), Mine>(Mine))).is_empty());
    }

    #[test]
    fn errors_of_known_types() {
        assert_eq!(lost(Err::<(), _>(io::Error::other("disk full"))), ["disk full"]);
        assert_eq!(lost(Err::<usize, _>(Failure::new("no paper"))), ["no paper"]);
        assert_eq!(lost("x".parse::<u8>()), ["invalid digit found in string"]);
    }

    #[test]
    fn errors_of_unknown_types_and_shapes() {
        let text = &lost(Err::<u8, Mine>(Mine))[0];
        assert!(text.contains("Mine"), "{text}");
        // Without a word of its own to tell the variants apart, and with neither variant holding anything.
        assert_eq!(lost(Err::<&'static u8, Box<Mine>>(Box::new(Mine))).len(), 1);
        assert_eq!(lost(Err::<(), std::num::NonZeroU8>(std::num::NonZeroU8::MIN)).len(), 1);
        assert_eq!(lost(Err::<std::convert::Infallible, ()>(())).len(), 1);
        assert!(lost(Ok::<(), std::num::NonZeroU8>(())).is_empty());
    }

    #[test]
    fn panics_and_aborts() {
        let place = Location::caller();
        let ((), lost) = unhandled::capture(|| {
            drop_unseen::<()>(Err(JoinFailure::Cancelled), place);
            drop_unseen::<()>(Err(JoinFailure::Panicked(Box::new("broken"))), place);
        });
        assert_eq!(lost.len(), 1);
        assert!(lost[0].failure.to_string().contains("broken"));
    }
}
