//! Lines, netstrings and length-prefixed strings out of a stream of bytes.

mod deliver_lines;
mod delimiter;
mod file_sender;
mod format;
mod held;
mod int_string;
mod line;
mod lines;
mod netstring;
mod stateful;
mod string_receiver;
mod strings;

pub use file_sender::{FileSender, FileTransferStopped};
pub use int_string::{
    Int8StringReceiver, Int16StringReceiver, Int32StringReceiver, IntPrefix, send_int8_string, send_int16_string,
    send_int32_string,
};
pub use line::{LineOnlyReceiver, LineProtocol, LineReceiver};
pub use lines::{LineHandler, Lines, send_line};
pub use netstring::{Netstring, NetstringReceiver, send_netstring};
pub use stateful::{StatefulStringHandler, StatefulStringProtocol};
pub use string_receiver::StringReceiver;
pub use strings::{StringHandler, StringTooLong, Strings};
