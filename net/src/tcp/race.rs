//! Several addresses, one connection: attempts that start one after the other and race (RFC 8305, "Happy Eyeballs").

use rt_runtime::time::{Duration, Sleep, sleep};
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::vec;

/// How long an attempt has the field to itself, as the RFC recommends.
pub(super) const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Attempts that run at one time: a name may stand for thousands of addresses.
pub(super) const MOST_AT_ONCE: usize = 16;

/// Calls `attempt` with the addresses, families taking turns, and gives out what the first success is. The next begins when one has
/// failed, or `delay` after the last has begun if not too many are running. Dropped, and when one has succeeded, it drops all attempts.
pub(super) fn race<A, F, T>(addresses: Vec<SocketAddr>, delay: Duration, attempt: A) -> Race<A, F>
where
    A: FnMut(SocketAddr) -> F,
    F: Future<Output = io::Result<T>>,
{
    Race {
        waiting: interleaved(addresses).into_iter(),
        attempt,
        delay,
        next: None,
        running: Vec::new(),
        failed: Vec::new(),
    }
}

/// The future of [`race`].
pub(super) struct Race<A, F> {
    waiting: vec::IntoIter<SocketAddr>,
    attempt: A,
    delay: Duration,
    /// When the next attempt begins anyway, once one is running.
    next: Option<Sleep>,
    /// In the order in which they began.
    running: Vec<(SocketAddr, Pin<Box<F>>)>,
    failed: Vec<(SocketAddr, io::Error)>,
}

/// What is `Unpin` for sure: attempts are in boxes of their own.
impl<A, F> Unpin for Race<A, F> {}

impl<A, F, T> Future for Race<A, F>
where
    A: FnMut(SocketAddr) -> F,
    F: Future<Output = io::Result<T>>,
{
    type Output = io::Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let race = &mut *self;
        // Attempts that have just begun are polled in the next round.
        let mut unpolled = 0;
        loop {
            let failed_before = race.failed.len();
            if let Some(success) = race.poll_from(unpolled, cx) {
                race.running.clear();
                return Poll::Ready(Ok(success));
            }
            unpolled = race.running.len();
            let begins = race.running.is_empty() || race.failed.len() > failed_before || race.is_time_for_next(cx);
            if race.waiting.as_slice().is_empty() {
                return match race.running.is_empty() {
                    true => Poll::Ready(Err(Failures::io(std::mem::take(&mut race.failed)))),
                    false => Poll::Pending,
                };
            }
            if !begins {
                return Poll::Pending;
            }
            race.begin_next();
        }
    }
}

impl<A, F, T> Race<A, F>
where
    A: FnMut(SocketAddr) -> F,
    F: Future<Output = io::Result<T>>,
{
    /// Polls the attempts from the one at `first` on.
    fn poll_from(&mut self, first: usize, cx: &mut Context<'_>) -> Option<T> {
        let mut index = first;
        while let Some((address, attempt)) = self.running.get_mut(index) {
            match attempt.as_mut().poll(cx) {
                Poll::Pending => index += 1,
                Poll::Ready(Ok(success)) => return Some(success),
                Poll::Ready(Err(error)) => {
                    self.failed.push((*address, error));
                    drop(self.running.remove(index));
                }
            }
        }
        None
    }

    fn begin_next(&mut self) {
        let Some(address) = self.waiting.next() else { return };
        self.running.push((address, Box::pin((self.attempt)(address))));
        if self.waiting.as_slice().is_empty() {
            self.next = None;
            return;
        }
        // Made anew, for a delay may be longer than the clock goes on: `sleep` knows what to do with that.
        self.next = Some(sleep(self.delay));
    }

    fn is_time_for_next(&mut self, cx: &mut Context<'_>) -> bool {
        if self.running.len() >= MOST_AT_ONCE {
            return false;
        }
        self.next.as_mut().is_some_and(|next| Pin::new(next).poll(cx).is_ready())
    }
}

/// Families take turns, that of the first address first; the order within a family is kept.
fn interleaved(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let Some(first) = addresses.first().map(SocketAddr::is_ipv6) else { return addresses };
    let (mut ours, mut others) = (0, 0);
    let mut placed: Vec<_> = addresses
        .into_iter()
        .map(|address| {
            let is_other = address.is_ipv6() != first;
            let turn = if is_other { &mut others } else { &mut ours };
            *turn += 1;
            ((*turn, is_other), address)
        })
        .collect();
    placed.sort_by_key(|&(place, _)| place);
    placed.into_iter().map(|(_, address)| address).collect()
}

/// One address that could not be connected to, or all of several.
#[derive(Debug)]
pub(super) struct Failures {
    /// The most telling one.
    address: SocketAddr,
    source: io::Error,
    others: Vec<(SocketAddr, io::Error)>,
}

/// So many of the others are told.
const TOLD: usize = 4;

impl Failures {
    /// As an `io::Error` of the kind of the most telling failure: the first of those where a host was reached or waited for; if there
    /// is none, the first of all.
    fn io(mut failed: Vec<(SocketAddr, io::Error)>) -> io::Error {
        if failed.is_empty() {
            return io::Error::new(io::ErrorKind::InvalidInput, "there is no address to connect to");
        }
        let telling = failed.iter().position(|(_, error)| is_from_out_there(error)).unwrap_or(0);
        let (address, source) = failed.remove(telling);
        io::Error::new(source.kind(), Failures { address, source, others: failed })
    }

    /// The failure of the only address, said with it.
    pub(super) fn one(address: SocketAddr, source: io::Error) -> io::Error {
        Failures::io(vec![(address, source)])
    }
}

impl fmt::Display for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "connecting to {}: {}", self.address, self.source)?;
        for (address, error) in self.others.iter().take(TOLD) {
            write!(f, "; to {address}: {error}")?;
        }
        match self.others.len().saturating_sub(TOLD) {
            0 => Ok(()),
            more => write!(f, "; and {more} more failed"),
        }
    }
}

impl Error for Failures {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

/// A failure that says more than that this host cannot send there.
fn is_from_out_there(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, TimedOut};
    matches!(error.kind(), ConnectionRefused | ConnectionReset | ConnectionAborted | TimedOut)
}

#[cfg(test)]
mod tests;
