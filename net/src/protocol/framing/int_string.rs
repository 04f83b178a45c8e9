//! Strings behind their length as a number of fixed size.

use super::format::{Format, Parsed, StringTooLong};
use super::string_receiver::StringReceiver;
use crate::protocol::Transport;

/// A [`Protocol`](crate::protocol::Protocol) for strings behind their length in one byte.
///
/// Counterpart: `twisted.protocols.basic.Int8StringReceiver`.
///
/// ```
/// use rt::protocol::{Int8StringReceiver, StringHandler, Strings};
/// use rt::testing::StringTransportWithDisconnection;
///
/// struct Echo;
/// impl StringHandler for Echo {
///     fn string_received(&mut self, strings: &mut Strings<'_>, string: &[u8]) {
///         strings.send_string(string).expect("it came in the same way");
///     }
/// }
///
/// let connection = StringTransportWithDisconnection::new(Int8StringReceiver::new(Echo));
/// connection.data_received(b"\x02hi\x00\x05not a");
/// assert_eq!(connection.string_transport().value(), b"\x02hi\x00\x05not a");
/// ```
pub type Int8StringReceiver<H> = StringReceiver<H, IntPrefix<1>>;

/// A [`Protocol`](crate::protocol::Protocol) for strings behind their length in two bytes, the higher one first.
///
/// Counterpart: `twisted.protocols.basic.Int16StringReceiver`.
///
/// ```
/// use rt::protocol::{Int16StringReceiver, StringHandler, Strings};
/// use rt::testing::StringTransportWithDisconnection;
///
/// struct Count(usize);
/// impl StringHandler for Count {
///     fn string_received(&mut self, _: &mut Strings<'_>, _: &[u8]) {
///         self.0 += 1;
///     }
/// }
///
/// let connection = StringTransportWithDisconnection::new(Int16StringReceiver::new(Count(0)));
/// connection.data_received(b"\x00\x02hi\x00\x00\x00");
/// connection.handle().with(|receiver, _| assert_eq!(receiver.handler().0, 2)).unwrap();
/// ```
pub type Int16StringReceiver<H> = StringReceiver<H, IntPrefix<2>>;

/// A [`Protocol`](crate::protocol::Protocol) for strings behind their length in four bytes, the highest one first.
///
/// Counterpart: `twisted.protocols.basic.Int32StringReceiver`; the `LengthDelimitedCodec` of tokio-util.
///
/// ```
/// use rt::protocol::{Int32StringReceiver, StringHandler, Strings};
/// use rt::testing::StringTransportWithDisconnection;
///
/// struct Log;
/// impl StringHandler for Log {
///     fn string_received(&mut self, _: &mut Strings<'_>, string: &[u8]) {
///         assert_eq!(string, b"hello");
///     }
/// }
///
/// let connection = StringTransportWithDisconnection::new(Int32StringReceiver::new(Log).max_length(1024));
/// connection.data_received(b"\x00\x00\x00\x05hello");
/// assert!(!connection.handle().transport().is_disconnecting());
/// connection.data_received(b"\x00\x00\x04\x01");
/// assert!(connection.handle().transport().is_disconnecting());
/// ```
pub type Int32StringReceiver<H> = StringReceiver<H, IntPrefix<4>>;

/// The length in `N` bytes, the highest one first; up to four.
#[derive(Debug)]
pub enum IntPrefix<const N: usize> {}

impl<const N: usize> IntPrefix<N> {
    /// The greatest number that the prefix can say.
    const MAX: usize = {
        assert!(0 < N && N <= 4, "a prefix has one to four bytes");
        (u32::MAX >> (32 - 8 * N)) as usize
    };
}

impl<const N: usize> Format for IntPrefix<N> {
    const REFUSES_AGAIN: bool = false;

    #[inline]
    fn parse(bytes: &[u8], max_length: usize) -> Parsed {
        let Some(prefix) = bytes.first_chunk::<N>() else {
            return Parsed::Incomplete(N);
        };
        let length = prefix.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
        let total = N.saturating_add(length);
        if length > max_length {
            Parsed::TooLong(length)
        } else if bytes.len() < total {
            Parsed::Incomplete(total)
        } else {
            Parsed::String { string: N..total, total }
        }
    }

    fn send(transport: &Transport, string: &[u8]) -> Result<(), StringTooLong> {
        let length = string.len();
        if length > Self::MAX {
            return Err(StringTooLong { length, max: Self::MAX });
        }
        let prefix = length.to_be_bytes();
        transport.backend().write_sequence(&[&prefix[prefix.len() - N..], string]);
        Ok(())
    }
}

/// Sends `string` behind its length in one byte, for who has nothing but the transport.
///
/// # Errors
///
/// It has more than 255 bytes; nothing is sent.
///
/// Counterpart: `Int8StringReceiver.sendString`.
pub fn send_int8_string(transport: &Transport, string: &[u8]) -> Result<(), StringTooLong> {
    IntPrefix::<1>::send(transport, string)
}

/// Sends `string` behind its length in two bytes, for who has nothing but the transport.
///
/// # Errors
///
/// It has more than 65,535 bytes; nothing is sent.
///
/// Counterpart: `Int16StringReceiver.sendString`.
pub fn send_int16_string(transport: &Transport, string: &[u8]) -> Result<(), StringTooLong> {
    IntPrefix::<2>::send(transport, string)
}

/// Sends `string` behind its length in four bytes, for who has nothing but the transport.
///
/// # Errors
///
/// It has 4 GiB or more; nothing is sent.
///
/// Counterpart: `Int32StringReceiver.sendString`.
pub fn send_int32_string(transport: &Transport, string: &[u8]) -> Result<(), StringTooLong> {
    IntPrefix::<4>::send(transport, string)
}
