//! Netstrings: `5:hello,`.

use super::format::{Format, Parsed, StringTooLong};
use super::string_receiver::StringReceiver;
use crate::protocol::Transport;
use std::io::Write;

/// A [`Protocol`](crate::protocol::Protocol) for netstrings: `5:hello,`.
///
/// What is no netstring, or is longer than the limit, loses the connection as soon as it can be seen, and nothing comes after it:
/// see [`is_broken_peer`](StringReceiver::is_broken_peer).
///
/// Counterpart: `twisted.protocols.basic.NetstringReceiver`.
///
/// ```
/// use rt::protocol::{NetstringReceiver, StringHandler, Strings};
/// use rt::testing::StringTransportWithDisconnection;
///
/// struct Echo;
/// impl StringHandler for Echo {
///     fn string_received(&mut self, strings: &mut Strings<'_>, string: &[u8]) {
///         strings.send_string(string).expect("netstrings have any length");
///     }
/// }
///
/// let connection = StringTransportWithDisconnection::new(NetstringReceiver::new(Echo));
/// connection.data_received(b"5:hello,05:");
/// assert_eq!(connection.string_transport().value(), b"5:hello,");
/// assert!(connection.handle().transport().is_disconnecting());
/// ```
pub type NetstringReceiver<H> = StringReceiver<H, Netstring>;

/// The length in decimal digits, a colon, the string, a comma.
#[derive(Debug)]
pub enum Netstring {}

impl Format for Netstring {
    const REFUSES_AGAIN: bool = true;

    fn parse(bytes: &[u8], max_length: usize) -> Parsed {
        let mut length: usize = 0;
        let mut digits = 0;
        loop {
            let Some(byte) = bytes.get(digits) else {
                return Parsed::Incomplete(digits + 1);
            };
            match byte {
                b':' if digits > 0 => break,
                b'0'..=b'9' if digits == 0 || length > 0 => {
                    // What does not fit into a number is too much as well.
                    length = length.saturating_mul(10).saturating_add(usize::from(byte - b'0'));
                    if length > max_length {
                        return Parsed::TooLong(length);
                    }
                }
                _ => return Parsed::Malformed,
            }
            digits += 1;
        }
        let begin = digits + 1;
        let end = begin.saturating_add(length);
        match bytes.get(end) {
            Some(b',') => Parsed::String { string: begin..end, total: end + 1 },
            Some(_) => Parsed::Malformed,
            None => Parsed::Incomplete(end.saturating_add(1)),
        }
    }

    fn send(transport: &Transport, string: &[u8]) -> Result<(), StringTooLong> {
        send_netstring(transport, string);
        Ok(())
    }
}

/// Sends `string` as a netstring, for who has nothing but the transport.
///
/// ```
/// use rt::protocol::send_netstring;
/// use rt::testing::StringTransport;
///
/// let double = StringTransport::new();
/// send_netstring(&double.transport(), b"hello");
/// assert_eq!(double.value(), b"5:hello,");
/// ```
///
/// Counterpart: `NetstringReceiver.sendString`.
pub fn send_netstring(transport: &Transport, string: &[u8]) {
    let mut prefix = [0; 24];
    let mut left = &mut prefix[..];
    write!(left, "{}:", string.len()).expect("a number of 64 bits has at most 20 digits");
    let unused = left.len();
    let length = prefix.len() - unused;
    transport.backend().write_sequence(&[&prefix[..length], string, b","]);
}
