//! A rustls connection over a stream: which bytes go where, and who is woken.

use crate::tls::error::{self, Peer};
use crate::tls::transport::{Transport, Writing};
use futures_util::io::{AsyncRead, AsyncWrite};
use rustls::Connection;
use std::io::{self, BufRead, IoSlice, IoSliceMut, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

/// How many bytes of records rustls holds for a stream below that does not take them.
const MOST_UNSENT: usize = 64 * 1024;

pub(crate) struct Session<S> {
    pub(crate) transport: Transport<S>,
    /// Boxed: it is large, and futures that hold a stream are moved.
    pub(crate) connection: Box<Connection>,
    pub(crate) accepts_truncated_close: bool,
    /// Whom a client connected to. On the server, rustls knows it.
    domain: Option<Box<str>>,
    /// rustls has plaintext, or knows of the end.
    pub(crate) is_readable: bool,
    /// There was a close_notify, or the stream below has ended.
    has_ended: bool,
    /// rustls gave the connection up; it tells why again whenever it is asked.
    has_failed: bool,
    is_closing: bool,
    /// Who waits for the stream below to take records, pass them on or close. Readers send what waits as well, but must not take this one's place there.
    writer: Option<Waker>,
}

impl<S> Session<S> {
    pub(crate) fn new(transport: Transport<S>, mut connection: Connection) -> Self {
        connection.set_buffer_limit(Some(MOST_UNSENT));
        Self {
            transport,
            connection: Box::new(connection),
            accepts_truncated_close: false,
            domain: None,
            is_readable: false,
            has_ended: false,
            has_failed: false,
            is_closing: false,
            writer: None,
        }
    }

    pub(crate) fn with_domain(mut self, domain: &str) -> Self {
        self.domain = Some(domain.into());
        self
    }

    pub(crate) fn with_accept_truncated_close(mut self, accept: bool) -> Self {
        self.accepts_truncated_close = accept;
        self
    }

    pub(crate) fn server_name(&self) -> Option<&str> {
        match &*self.connection {
            Connection::Client(_) => self.domain.as_deref(),
            Connection::Server(connection) => connection.server_name(),
        }
    }

    pub(crate) fn peer(&self) -> Peer<'_> {
        match &*self.connection {
            Connection::Client(_) => Peer::Server(self.domain.as_deref().unwrap_or("the server")),
            Connection::Server(_) => Peer::Client,
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    /// Moves plaintext into `buf`; nothing only at the end, or if there is no room.
    #[inline]
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        loop {
            ready!(self.poll_readable(cx))?;
            let result = self.connection.reader().read(buf);
            match &result {
                Ok(count) => self.is_readable = *count == buf.len() || self.has_ended,
                // The last read was an exact fit.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.is_readable = false;
                    continue;
                }
                Err(_) => {}
            }
            return Poll::Ready(self.end(result));
        }
    }

    pub(crate) fn poll_read_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut bufs = bufs.iter_mut().skip_while(|buf| buf.is_empty());
        let Some(first) = bufs.next() else { return Poll::Ready(Ok(0)) };
        let mut count = ready!(self.poll_read(cx, first))?;
        for buf in bufs {
            // What the first one has left over.
            let Ok(more) = self.connection.reader().read(buf) else { break };
            count += more;
        }
        Poll::Ready(Ok(count))
    }

    pub(crate) fn poll_fill_buf(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        self.is_readable = self.has_ended || self.has_plaintext();
        ready!(self.poll_readable(cx))?;
        let chunk = self.connection.reader().fill_buf().map(<[u8]>::len);
        self.end(chunk)?;
        // What was an end that is accepted is an error here again.
        Poll::Ready(Ok(self.connection.reader().into_first_chunk().unwrap_or_default()))
    }

    pub(crate) fn consume(&mut self, count: usize) {
        self.connection.reader().consume(count);
    }

    /// Waits until rustls has plaintext, or knows of the end.
    #[inline]
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.is_readable {
            ready!(self.poll_receive(cx))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Judges an end without a close_notify.
    fn end(&self, result: io::Result<usize>) -> io::Result<usize> {
        match result {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                if self.accepts_truncated_close {
                    Ok(0)
                } else {
                    Err(error::truncated())
                }
            }
            result => result,
        }
    }

    /// Reads once from the stream below and decrypts what is complete. `Ok(0)` is its end.
    pub(crate) fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.connection.wants_write() && !self.connection.is_handshaking() {
            self.send_meanwhile(cx);
        }
        if self.has_failed {
            return Poll::Ready(self.process().map(|()| 0));
        }
        let mut records = ready!(self.transport.poll_records(cx))?;
        let count = self.connection.read_tls(&mut records)?;
        self.transport.consume(count);
        self.has_ended |= count == 0;
        if let Err(error) = self.process() {
            self.has_failed = true;
            // The alert that says why. What came before the fault is handed out before the error.
            if !self.connection.is_handshaking() {
                self.send_meanwhile(cx);
                self.is_readable = self.has_plaintext();
                if self.is_readable {
                    return Poll::Ready(Ok(count));
                }
            }
            return Poll::Ready(Err(error));
        }
        Poll::Ready(Ok(count))
    }

    /// Decrypts what is complete.
    fn process(&mut self) -> io::Result<()> {
        match self.connection.process_new_packets() {
            Ok(state) => {
                self.has_ended |= state.peer_has_closed();
                self.is_readable = self.has_ended || state.plaintext_bytes_to_read() > 0;
                Ok(())
            }
            Err(fault) => Err(error::broken(self.peer(), self.connection.is_handshaking(), fault)),
        }
    }

    fn has_plaintext(&mut self) -> bool {
        matches!(self.connection.reader().fill_buf(), Ok(chunk) if !chunk.is_empty())
    }

    /// Sends what waits, on behalf of a reader. What goes wrong is the writer's to hear.
    fn send_meanwhile(&mut self, cx: &mut Context<'_>) {
        match self.writer.take() {
            None => drop(self.poll_send(cx)),
            Some(writer) => match self.poll_send(&mut Context::from_waker(&writer)) {
                Poll::Pending => self.writer = Some(writer),
                Poll::Ready(_) => writer.wake(),
            },
        }
    }

    /// Hands records to the stream below until rustls has none.
    pub(crate) fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.connection.wants_write() {
            match self.connection.write_tls(&mut Writing { io: &mut self.transport.io, cx }) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// The same for one who waits for it, and whose place readers keep.
    fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = self.poll_send(cx);
        self.keep_place(&polled, cx);
        polled
    }

    /// Remembers who waits in the stream below.
    fn keep_place(&mut self, polled: &Poll<io::Result<()>>, cx: &Context<'_>) {
        match &mut self.writer {
            writer if polled.is_ready() => *writer = None,
            Some(writer) => writer.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
    }

    #[inline]
    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    /// Encrypts and sends. Nothing is taken while records of earlier writes wait; what is taken and cannot be sent, waits.
    pub(crate) fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.is_closing {
            return Poll::Ready(Err(error::closed()));
        }
        if self.connection.wants_write() {
            ready!(self.poll_sent(cx))?;
        }
        let count = match self.connection.writer().write_vectored(bufs) {
            Ok(count) => count,
            Err(refusal) => return Poll::Ready(Err(self.process().err().unwrap_or(refusal))),
        };
        match self.poll_send(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(count)),
        }
    }

    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_sent(cx))?;
        let polled = Pin::new(&mut self.transport.io).poll_flush(cx);
        self.keep_place(&polled, cx);
        polled
    }

    pub(crate) fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_closing {
            self.is_closing = true;
            self.connection.send_close_notify();
        }
        ready!(self.poll_sent(cx))?;
        let polled = Pin::new(&mut self.transport.io).poll_close(cx);
        self.keep_place(&polled, cx);
        polled
    }
}
