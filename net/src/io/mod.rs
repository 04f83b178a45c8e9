//! Reading and writing: the traits and methods of futures-io, and what those lack or do slower.
//!
//! - [`copy`] and [`copy_bidirectional`] pump bytes, through one buffer per thread: what is idle holds none.
//! - [`duplex`] is a connection within the program, for tests and for gluing things together; [`join()`] makes one stream of two halves.
//! - The rest is futures-util's, under the names that it has there.

mod copy;
mod duplex;
mod join;
mod pump;

pub use copy::{copy, copy_bidirectional};
pub use duplex::{DuplexStream, duplex};
pub use join::{Join, join};

#[doc(no_inline)]
pub use futures_util::io::{
    AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncSeek, AsyncSeekExt, AsyncWrite, AsyncWriteExt,
    BufReader, BufWriter, Cursor, ReadHalf, WriteHalf,
};
