//! Names that a test makes up.

use crate::resolve::{Resolve, Resolving};
use std::collections::HashMap;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// Names that a test makes up, in the place of the system's. A cheap handle.
///
/// A name that it does not know does not exist ([`NotFound`](io::ErrorKind::NotFound)); one that is [held](FakeResolver::hold) is
/// answered when the test says so.
///
/// Counterpart: Twisted's `SynchronousResolver`, and the resolvers that its tests write.
///
/// ```
/// use rt::net::DnsResolver;
/// use rt::testing::FakeResolver;
/// use std::io::ErrorKind;
/// use std::net::IpAddr;
///
/// # fn main() -> std::io::Result<()> {
/// # rt::block_on(async {
/// let address = IpAddr::from([192, 0, 2, 1]);
/// let names = FakeResolver::new();
/// names.set("example.com", [address]);
/// let resolver = DnsResolver::with(names.clone());
/// assert_eq!(resolver.lookup("Example.COM").await?, [address]);
/// assert_eq!(resolver.lookup("example.net").await.unwrap_err().kind(), ErrorKind::NotFound);
/// assert_eq!(names.take_questions(), ["example.com", "example.net"]);
/// # Ok(())
/// # })
/// # }
/// ```
#[derive(Clone, Default)]
pub struct FakeResolver {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    answers: HashMap<String, Answer>,
    questions: Vec<String>,
    waiting: Vec<Waker>,
}

enum Answer {
    Found(Vec<IpAddr>),
    Failed(io::ErrorKind),
    Later,
}

impl FakeResolver {
    /// One that knows no names.
    pub fn new() -> Self {
        Self::default()
    }

    /// `host` has these addresses from here on; who waits for them gets them.
    pub fn set(&self, host: &str, addresses: impl IntoIterator<Item = IpAddr>) {
        self.answer(host, Answer::Found(addresses.into_iter().collect()));
    }

    /// Looking up `host` fails from here on; who waits for it is told.
    pub fn fail(&self, host: &str, kind: io::ErrorKind) {
        self.answer(host, Answer::Failed(kind));
    }

    /// Who asks for `host` waits from here on, until [`set`](FakeResolver::set) or [`fail`](FakeResolver::fail).
    pub fn hold(&self, host: &str) {
        self.answer(host, Answer::Later);
    }

    /// The names that were asked for since the last call of this, in order. [`DnsResolver`](crate::DnsResolver) asks for a name once
    /// at a time, in lower case.
    pub fn take_questions(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().questions)
    }

    fn answer(&self, host: &str, answer: Answer) {
        let waiting = {
            let mut state = self.lock();
            state.answers.insert(host.to_ascii_lowercase(), answer);
            std::mem::take(&mut state.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change is made in one step.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Resolve for FakeResolver {
    fn resolve(&self, host: &str) -> Resolving {
        self.lock().questions.push(host.to_owned());
        let (names, host) = (self.clone(), host.to_owned());
        Box::pin(poll_fn(move |cx| {
            let state = &mut *names.lock();
            match state.answers.get(&host) {
                Some(Answer::Found(addresses)) => Poll::Ready(Ok(addresses.clone())),
                Some(Answer::Failed(kind)) => Poll::Ready(Err((*kind).into())),
                Some(Answer::Later) => {
                    if !state.waiting.iter().any(|known| known.will_wake(cx.waker())) {
                        state.waiting.push(cx.waker().clone());
                    }
                    Poll::Pending
                }
                None => Poll::Ready(Err(io::Error::new(io::ErrorKind::NotFound, "the test does not know this name"))),
            }
        }))
    }
}

impl fmt::Debug for FakeResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        let mut names: Vec<_> = state.answers.keys().collect();
        names.sort();
        f.debug_struct("FakeResolver").field("names", &names).field("questions", &state.questions).finish()
    }
}
