//! Lines, netstrings and length-prefixed strings out of a stream of bytes.
//!
//! The receivers deliver from the piece of bytes that came. Only the unfinished end of it is copied, and searched once: a
//! [`Held`](held::Held) holds it, until the rest of it comes or a pause ends.

mod line;
mod lines;
mod deliver_lines;
mod delimiter;
mod int_string;
mod netstring;
mod string_receiver;
mod strings;
mod stateful;
mod format;
mod held;
mod file_sender;

pub use file_sender::{FileSender, FileTransferStopped};
pub use format::StringTooLong;
pub use int_string::{
    Int8StringReceiver, Int16StringReceiver, Int32StringReceiver, IntPrefix, send_int8_string, send_int16_string,
    send_int32_string,
};
pub use line::{LineOnlyReceiver, LineProtocol, LineReceiver};
pub use lines::{LineHandler, Lines, send_line};
pub use netstring::{Netstring, NetstringReceiver, send_netstring};
pub use stateful::{StatefulStringHandler, StatefulStringProtocol};
pub use string_receiver::StringReceiver;
pub use strings::{StringHandler, Strings};
