//! Arguments that are lists.

use super::{AmpBox, Argument, Arguments};

/// An argument that is a list of values of one type.
///
/// All of it is one value in the box: at most 65,535 bytes, with two more for each element.
///
/// Counterpart: `twisted.protocols.amp.ListOf`, which leaves out what is cut off at the end instead of refusing it.
///
/// ```
/// use rt::protocol::amp::{Argument, ListOf};
///
/// let primes = ListOf(vec![2, 3, 11]);
/// assert_eq!(primes.to_bytes().unwrap(), b"\0\x012\0\x013\0\x0211");
/// assert_eq!(ListOf::from_bytes(b"\0\x012\0\x013\0\x0211"), Some(primes));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ListOf<T>(pub Vec<T>);

impl<T: Argument> Argument for ListOf<T> {
    const EXPECTED: &str = "a list, each element with 16 bits of length";

    fn from_bytes(mut bytes: &[u8]) -> Option<Self> {
        let mut elements = Vec::new();
        while !bytes.is_empty() {
            let (length, rest) = bytes.split_first_chunk()?;
            let (element, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
            elements.push(T::from_bytes(element)?);
            bytes = rest;
        }
        Some(Self(elements))
    }

    fn to_bytes(&self) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        for element in &self.0 {
            let element = element.to_bytes()?;
            bytes.extend(u16::try_from(element.len()).ok()?.to_be_bytes());
            bytes.extend(element);
        }
        Some(bytes)
    }
}

impl<T> From<Vec<T>> for ListOf<T> {
    fn from(elements: Vec<T>) -> Self {
        Self(elements)
    }
}

/// An argument that is a list of boxes, each with the arguments of `T`.
///
/// All of it is one value in the box: at most 65,535 bytes.
///
/// Counterpart: `twisted.protocols.amp.AmpList`.
///
/// ```
/// use rt::protocol::amp::{AmpList, Argument, Arguments};
///
/// #[derive(Arguments, Debug, PartialEq)]
/// struct Guest { name: String, age: u8 }
///
/// let guests = AmpList(vec![Guest { name: "Ada".to_owned(), age: 36 }]);
/// let bytes = guests.to_bytes().unwrap();
/// assert_eq!(bytes, b"\0\x03age\0\x0236\0\x04name\0\x03Ada\0\0");
/// assert_eq!(AmpList::from_bytes(&bytes), Some(guests));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct AmpList<T>(pub Vec<T>);

impl<T: Arguments> Argument for AmpList<T> {
    const EXPECTED: &str = "a list of boxes";

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let boxes = AmpBox::parse(bytes).ok()?;
        boxes.iter().map(|element| T::from_box(element).ok()).collect::<Option<_>>().map(Self)
    }

    fn to_bytes(&self) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        for element in &self.0 {
            let mut one = AmpBox::new();
            element.write_to(&mut one).ok()?;
            bytes.extend(one.into_bytes());
        }
        Some(bytes)
    }
}

impl<T> From<Vec<T>> for AmpList<T> {
    fn from(elements: Vec<T>) -> Self {
        Self(elements)
    }
}
