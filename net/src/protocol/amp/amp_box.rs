//! A box: keys with values, as they stand on the wire.

use super::{ArgumentError, BoxError, BoxLimits, BoxParser, Field, MAX_KEY_LENGTH, MAX_VALUE_LENGTH};
use std::fmt;
use std::ops::Range;

/// What one side of an AMP connection tells the other: keys with values, both of bytes.
///
/// A key has 1 to 255 bytes and a value 0 to 65,535; a key is there once, and the last value given to it counts. Boxes are sent with
/// their keys in order, so that two boxes that are equal look equal.
///
/// Counterpart: `twisted.protocols.amp.AmpBox`, also known as `Box`.
///
/// ```
/// use rt::protocol::amp::AmpBox;
///
/// let mut question = AmpBox::new();
/// question.insert("b", "81")?;
/// question.insert("a", "13")?;
/// assert_eq!(question.serialize(), b"\0\x01a\0\x0213\0\x01b\0\x0281\0\0");
/// assert_eq!(AmpBox::parse(&question.serialize())?, [question]);
/// # Ok::<(), rt::protocol::amp::BoxError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct AmpBox {
    /// The pairs in the order of their keys, without the two zeros that end a box. Always whole.
    wire: Vec<u8>,
}

impl AmpBox {
    /// An empty box.
    pub fn new() -> Self {
        Self::default()
    }

    /// The boxes in `bytes`, which end with the last of them; the [default limits](BoxLimits) hold for each.
    ///
    /// Counterpart: `twisted.protocols.amp.parseString`, which says nothing of a box that is cut off.
    ///
    /// # Errors
    ///
    /// What is there is no box, or is cut off.
    pub fn parse(mut bytes: &[u8]) -> Result<Vec<AmpBox>, BoxError> {
        let mut parser = BoxParser::new(BoxLimits::default());
        let mut boxes = Vec::new();
        while let Some(whole) = parser.next_box(&mut bytes)? {
            boxes.push(whole);
        }
        if parser.is_in_box() { Err(BoxError::CutOff) } else { Ok(boxes) }
    }

    /// The bytes that stand for it on the wire.
    pub fn serialize(&self) -> Vec<u8> {
        self.clone().into_bytes()
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there is no key. Such a box can be sent, but says nothing: [`Amp`](super::Amp) refuses it.
    pub fn is_empty(&self) -> bool {
        self.wire.is_empty()
    }

    /// The value of `key`.
    pub fn get(&self, key: impl AsRef<[u8]>) -> Option<&[u8]> {
        let place = self.find(key.as_ref()).ok()?;
        Some(Pairs { wire: &self.wire[place], at: 0 }.next()?.1)
    }

    /// Gives `key` this value, in place of the one that it has.
    ///
    /// # Errors
    ///
    /// The key or the value is too long, or the key is empty. The box is as it was.
    pub fn insert(&mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Result<(), BoxError> {
        let (key, value) = (key.as_ref(), value.as_ref());
        let key_length = match u8::try_from(key.len()) {
            Ok(0) => return Err(BoxError::EmptyKey),
            Ok(length) => u16::from(length),
            Err(_) => return Err(BoxError::KeyTooLong { length: key.len() }),
        };
        let Ok(value_length) = u16::try_from(value.len()) else {
            return Err(BoxError::ValueTooLong { key: key.to_vec(), length: value.len() });
        };
        let pair = [&key_length.to_be_bytes(), key, &value_length.to_be_bytes(), value].concat();
        let place = self.find(key).unwrap_or_else(|place| place..place);
        self.wire.splice(place, pair);
        Ok(())
    }

    /// Removes `key`; returns the value that it had.
    pub fn remove(&mut self, key: impl AsRef<[u8]>) -> Option<Vec<u8>> {
        let value = self.get(&key)?.to_vec();
        let place = self.find(key.as_ref()).ok()?;
        self.wire.drain(place);
        Some(value)
    }

    /// The keys with their values, in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        Pairs { wire: &self.wire, at: 0 }
    }

    /// The value of `name` as an argument. `Option<T>` is an argument that need not be there.
    ///
    /// # Errors
    ///
    /// It is not there, or is none of this type.
    ///
    /// ```
    /// use rt::protocol::amp::AmpBox;
    ///
    /// let mut answer = AmpBox::new();
    /// answer.insert("total", "94")?;
    /// assert_eq!(answer.argument::<i64>("total")?, 94);
    /// assert_eq!(answer.argument::<Option<String>>("comment")?, None);
    /// # Ok::<(), rt::Failure>(())
    /// ```
    pub fn argument<T: Field>(&self, name: &str) -> Result<T, ArgumentError> {
        T::from_value(name, self.get(name))
    }

    /// Gives `name` the value that stands for `argument`; `None` removes it.
    ///
    /// # Errors
    ///
    /// The argument cannot be written, or takes more bytes than a value may have.
    pub fn set_argument<T: Field>(&mut self, name: &str, argument: &T) -> Result<(), ArgumentError> {
        match argument.to_value(name)? {
            Some(value) => self.insert(name, value).map_err(ArgumentError::Unfit)?,
            None => _ = self.remove(name),
        }
        Ok(())
    }

    /// The bytes on the wire, without a copy.
    pub(super) fn into_bytes(mut self) -> Vec<u8> {
        self.wire.extend([0, 0]);
        self.wire
    }

    /// A box of pairs that are whole and within the limits, in any order, some perhaps twice.
    pub(super) fn from_pairs(wire: Vec<u8>) -> Self {
        if (Pairs { wire: &wire, at: 0 }).is_sorted_by(|(one, _), (next, _)| one < next) {
            return Self { wire };
        }
        let mut pairs = Vec::new();
        let mut rest = Pairs { wire: &wire, at: 0 };
        let mut start = 0;
        while let Some((key, _)) = rest.next() {
            pairs.push((key, start..rest.at));
            start = rest.at;
        }
        // The last of equal keys first, and `dedup` keeps the first.
        pairs.reverse();
        pairs.sort_by_key(|(key, _)| *key);
        pairs.dedup_by_key(|(key, _)| *key);
        let sorted = pairs.into_iter().flat_map(|(_, place)| &wire[place]).copied().collect();
        Self { wire: sorted }
    }

    /// Where the pair of `key` is, or has to go.
    fn find(&self, key: &[u8]) -> Result<Range<usize>, usize> {
        let mut pairs = Pairs { wire: &self.wire, at: 0 };
        let mut start = 0;
        while let Some((one, _)) = pairs.next() {
            if one == key {
                return Ok(start..pairs.at);
            }
            if one > key {
                return Err(start);
            }
            start = pairs.at;
        }
        Err(start)
    }
}

impl fmt::Debug for AmpBox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
        f.debug_map().entries(self.iter().map(|(key, value)| (text(key), text(value)))).finish()
    }
}

/// The pairs on the wire, one after the other.
struct Pairs<'a> {
    wire: &'a [u8],
    at: usize,
}

impl<'a> Pairs<'a> {
    fn string(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.wire.get(self.at..)?.split_first_chunk()?;
        let string = rest.get(..usize::from(u16::from_be_bytes(*length)))?;
        self.at += length.len() + string.len();
        Some(string)
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        Some((self.string()?, self.string()?))
    }
}

const _: () = assert!(MAX_KEY_LENGTH == u8::MAX as usize && MAX_VALUE_LENGTH == u16::MAX as usize);
