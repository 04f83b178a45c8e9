//! What a value in a box stands for.

use super::ArgumentError;
use std::path::PathBuf;

/// A type that an argument may have: how it is written as the value of a key.
///
/// | type | Twisted's | on the wire |
/// |---|---|---|
/// | `i8` to `i128`, `u8` to `u128`, `isize`, `usize` | `Integer` | decimal digits; what does not fit the type is refused |
/// | `Vec<u8>` | `String` | the bytes |
/// | `String` | `Unicode` | UTF-8 |
/// | `bool` | `Boolean` | `True`, `False` |
/// | `f32`, `f64` | `Float` | decimal, `inf`, `nan` |
/// | [`Decimal`](super::Decimal) | `Decimal` | as it was written |
/// | [`DateTime`](super::DateTime) | `DateTime` | 32 characters, ISO 8601 |
/// | `PathBuf` | `Path` | UTF-8; another path cannot be sent |
/// | [`ListOf<T>`](super::ListOf) | `ListOf` | each with 16 bits of length |
/// | [`AmpList<T>`](super::AmpList) | `AmpList` | boxes |
/// | `Option<T>` | `optional=True` | nothing for `None`; see [`Field`] |
///
/// Counterpart: `twisted.protocols.amp.Argument`.
///
/// ```
/// use rt::protocol::amp::Argument;
///
/// #[derive(Debug, PartialEq)]
/// struct Colour(u8, u8, u8);
///
/// impl Argument for Colour {
///     const EXPECTED: &str = "three bytes: red, green, blue";
///
///     fn from_bytes(bytes: &[u8]) -> Option<Self> {
///         let [red, green, blue] = *bytes else { return None };
///         Some(Colour(red, green, blue))
///     }
///
///     fn to_bytes(&self) -> Option<Vec<u8>> {
///         Some(vec![self.0, self.1, self.2])
///     }
/// }
///
/// assert_eq!(Colour::from_bytes(b"\x0a\x14\x1e"), Some(Colour(10, 20, 30)));
/// ```
pub trait Argument: Sized {
    /// What it should be, for errors: `"a whole number"`.
    const EXPECTED: &str;

    /// The value that `bytes` stand for; `None` if they stand for none.
    fn from_bytes(bytes: &[u8]) -> Option<Self>;

    /// The bytes that stand for the value; `None` if AMP has none for it.
    fn to_bytes(&self) -> Option<Vec<u8>>;
}

/// An argument in its box: an [`Argument`], or an `Option` of one, which need not be there.
///
/// Nobody needs to implement it.
///
/// ```
/// use rt::protocol::amp::Field;
///
/// assert_eq!(Option::<u8>::from_value("age", None), Ok(None));
/// assert!(u8::from_value("age", None).is_err());
/// ```
///
/// Counterpart: `twisted.protocols.amp.IArgumentType`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of AMP",
    label = "this is no `Argument`, nor an `Option` of one",
    note = "integers, floats, `bool`, `String`, `Vec<u8>`, `PathBuf`, and of `rt::protocol::amp` `Decimal`, `DateTime`, `ListOf<T>` and \
            `AmpList<T>` can be; others implement `rt::protocol::amp::Argument`"
)]
pub trait Field: Sized {
    /// The argument `name`, whose value this is.
    ///
    /// # Errors
    ///
    /// It is not there, or is none of this type.
    fn from_value(name: &str, value: Option<&[u8]>) -> Result<Self, ArgumentError>;

    /// The value of the argument `name`; `None` leaves it out.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    fn to_value(&self, name: &str) -> Result<Option<Vec<u8>>, ArgumentError>;
}

impl<T: Argument> Field for T {
    fn from_value(name: &str, value: Option<&[u8]>) -> Result<Self, ArgumentError> {
        let value = value.ok_or_else(|| ArgumentError::Missing { name: name.to_owned() })?;
        T::from_bytes(value).ok_or_else(|| ArgumentError::Malformed {
            name: name.to_owned(),
            expected: T::EXPECTED,
            found: value[..value.len().min(FOUND_AT_MOST)].to_vec(),
        })
    }

    fn to_value(&self, name: &str) -> Result<Option<Vec<u8>>, ArgumentError> {
        match self.to_bytes() {
            Some(bytes) => Ok(Some(bytes)),
            None => Err(ArgumentError::Unwritable { name: name.to_owned(), expected: T::EXPECTED }),
        }
    }
}

impl<T: Argument> Field for Option<T> {
    fn from_value(name: &str, value: Option<&[u8]>) -> Result<Self, ArgumentError> {
        value.map(|value| T::from_value(name, Some(value))).transpose()
    }

    fn to_value(&self, name: &str) -> Result<Option<Vec<u8>>, ArgumentError> {
        self.as_ref().map_or(Ok(None), |argument| argument.to_value(name))
    }
}

/// How much of a value an error quotes.
const FOUND_AT_MOST: usize = 64;

macro_rules! integers {
    ($($integer:ty),*) => {$(
        impl Argument for $integer {
            const EXPECTED: &str = concat!("a whole number that fits ", stringify!($integer));

            fn from_bytes(bytes: &[u8]) -> Option<Self> {
                std::str::from_utf8(bytes).ok()?.parse().ok()
            }

            fn to_bytes(&self) -> Option<Vec<u8>> {
                Some(self.to_string().into_bytes())
            }
        }
    )*};
}

integers!(i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize);

macro_rules! floats {
    ($($float:ty),*) => {$(
        impl Argument for $float {
            const EXPECTED: &str = "a number";

            fn from_bytes(bytes: &[u8]) -> Option<Self> {
                std::str::from_utf8(bytes).ok()?.parse().ok()
            }

            fn to_bytes(&self) -> Option<Vec<u8>> {
                // With a point or an exponent, as Python has it: `1.0`.
                Some(format!("{self:?}").into_bytes())
            }
        }
    )*};
}

floats!(f32, f64);

impl Argument for bool {
    const EXPECTED: &str = "True or False";

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        match bytes {
            b"True" => Some(true),
            b"False" => Some(false),
            _ => None,
        }
    }

    fn to_bytes(&self) -> Option<Vec<u8>> {
        Some(if *self { b"True".to_vec() } else { b"False".to_vec() })
    }
}

impl Argument for Vec<u8> {
    const EXPECTED: &str = "bytes";

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(bytes.to_vec())
    }

    fn to_bytes(&self) -> Option<Vec<u8>> {
        Some(self.clone())
    }
}

impl Argument for String {
    const EXPECTED: &str = "text in UTF-8";

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        String::from_utf8(bytes.to_vec()).ok()
    }

    fn to_bytes(&self) -> Option<Vec<u8>> {
        Some(self.clone().into_bytes())
    }
}

impl Argument for PathBuf {
    const EXPECTED: &str = "a path in UTF-8";

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        String::from_bytes(bytes).map(PathBuf::from)
    }

    fn to_bytes(&self) -> Option<Vec<u8>> {
        Some(self.to_str()?.as_bytes().to_vec())
    }
}
