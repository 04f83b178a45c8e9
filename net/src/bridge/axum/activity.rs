//! Who notices that an HTTP/1 client does nothing.
//!
//! hyper can do that with a timer of its own for the head of each request, which it allocates, arms, disarms and frees: a thirtieth of
//! all that a small request costs. Here the requests are counted, and a timer looks now and then whether the count has changed.

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use rt_runtime::time::{Instant, Sleep, sleep};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

/// What has happened on a connection.
///
/// One task changes it, the connection's, so that it loads and stores where several would have to add.
#[derive(Default)]
pub(super) struct Activity {
    /// Requests whose head has come.
    begun: AtomicU64,
    /// Requests that are answered to the last byte.
    ended: AtomicU64,
    /// The client does not read what is to be sent.
    is_blocked: AtomicBool,
}

impl Activity {
    /// The latest write or flush had to wait, or had not.
    pub(super) fn set_blocked(&self, is_blocked: bool) {
        self.is_blocked.store(is_blocked, Ordering::Relaxed);
    }
}

fn increment(count: &AtomicU64) {
    count.store(count.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
}

/// A request that is under way until this is dropped.
pub(super) struct UnderWay(Arc<Activity>);

impl UnderWay {
    pub(super) fn begin(activity: &Arc<Activity>) -> UnderWay {
        increment(&activity.begun);
        UnderWay(activity.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        increment(&self.0.ended);
    }
}

/// The body of an answer, with which the request ends.
pub(super) struct LastOf {
    body: Body,
    _under_way: Option<UnderWay>,
}

impl LastOf {
    pub(super) fn new(body: Body, under_way: Option<UnderWay>) -> LastOf {
        LastOf { body, _under_way: under_way }
    }
}

impl HttpBody for LastOf {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// How many times within the limit the count is looked at.
const LOOKS: u32 = 4;

/// Looks whether anything happens.
pub(super) struct Watch {
    activity: Arc<Activity>,
    interval: Duration,
    sleep: Sleep,
    /// How many requests had begun at the latest look.
    seen: u64,
    /// Whether one was under way at the latest look, which has ended since, perhaps just now.
    was_busy: bool,
    /// Looks in a row that found nothing new.
    quiet: u32,
}

impl Watch {
    /// For a connection that has been open since `opened` without a request.
    pub(super) fn new(activity: Arc<Activity>, limit: Duration, opened: Instant) -> Watch {
        // Not 0, which would be to look without end.
        let interval = (limit / LOOKS).max(Duration::from_millis(1));
        let mut quiet = 0;
        let mut rest = opened.elapsed();
        while quiet < LOOKS - 1 && rest >= interval {
            rest -= interval;
            quiet += 1;
        }
        let sleep = sleep(interval.saturating_sub(rest));
        Watch { activity, interval, sleep, seen: 0, was_busy: false, quiet }
    }

    /// Waits until no request has been under way, and nothing that is to be sent, for the whole limit.
    pub(super) fn poll_quiet(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while Pin::new(&mut self.sleep).poll(cx).is_ready() {
            let Activity { begun, ended, is_blocked } = &*self.activity;
            let begun = begun.load(Ordering::Relaxed);
            let is_busy = begun != ended.load(Ordering::Relaxed) || is_blocked.load(Ordering::Relaxed);
            self.quiet = if is_busy || self.was_busy || begun != self.seen { 0 } else { self.quiet + 1 };
            (self.seen, self.was_busy) = (begun, is_busy);
            if self.quiet == LOOKS {
                return Poll::Ready(());
            }
            Pin::new(&mut self.sleep).reset(Instant::now() + self.interval);
        }
        Poll::Pending
    }
}
