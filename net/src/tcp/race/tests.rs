//! The race in virtual time, with attempts that do as they are told.

use super::*;
use futures_util::FutureExt;
use rt_runtime::time::Instant;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

const V4: [&str; 3] = ["192.0.2.1:1", "192.0.2.2:1", "192.0.2.3:1"];
const V6: [&str; 3] = ["[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8::3]:1"];

const SECOND: Duration = Duration::from_secs(1);

/// What becomes of an attempt: never anything, or after so many milliseconds a connection or a failure.
#[derive(Clone, Copy)]
enum Fate {
    Hangs,
    Connects(u64),
    Fails(u64, io::ErrorKind),
}

/// A network in which each address has a fate.
struct World {
    start: Instant,
    fates: HashMap<SocketAddr, Fate>,
    /// Which attempts began, and at which millisecond.
    begun: Rc<RefCell<Vec<(String, u128)>>>,
    alive: Rc<Cell<usize>>,
}

impl World {
    fn new(fates: &[(&str, Fate)]) -> Self {
        let fates = fates.iter().map(|(address, fate)| (address.parse().unwrap(), *fate)).collect();
        Self { start: Instant::now(), fates, begun: Rc::default(), alive: Rc::default() }
    }

    /// Connects to `addresses`; the success is the address.
    fn race(&self, addresses: &[&str]) -> impl Future<Output = io::Result<String>> + Unpin + use<> {
        let (start, fates, begun, alive) = (self.start, self.fates.clone(), self.begun.clone(), self.alive.clone());
        race(addresses.iter().map(|text| text.parse().unwrap()).collect(), ATTEMPT_DELAY, move |address| {
            begun.borrow_mut().push((address.to_string(), start.elapsed().as_millis()));
            alive.set(alive.get() + 1);
            let alive = Alive(alive.clone());
            let fate = fates[&address];
            async move {
                let _alive = alive;
                match fate {
                    Fate::Hangs => std::future::pending().await,
                    Fate::Connects(after) => {
                        sleep(Duration::from_millis(after)).await;
                        Ok(address.to_string())
                    }
                    Fate::Fails(0, kind) => Err(kind.into()),
                    Fate::Fails(after, kind) => {
                        sleep(Duration::from_millis(after)).await;
                        Err(kind.into())
                    }
                }
            }
        })
    }

    #[track_caller]
    fn assert_begun(&self, expected: &[(&str, u128)]) {
        let expected: Vec<_> = expected.iter().map(|&(address, at)| (address.to_owned(), at)).collect();
        assert_eq!(*self.begun.borrow(), expected);
        assert_eq!(self.alive.get(), 0, "attempts that nobody gave up");
    }

    fn elapsed(&self) -> u128 {
        self.start.elapsed().as_millis()
    }
}

struct Alive(Rc<Cell<usize>>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

fn in_virtual_time<F: Future>(future: F) -> F::Output {
    rt_runtime::runtime::Builder::new_current_thread().start_paused(true).build().unwrap().block_on(future)
}

#[test]
fn first_address_answers_in_time() {
    in_virtual_time(async {
        let world = World::new(&[(V6[0], Fate::Connects(249)), (V4[0], Fate::Connects(0))]);
        assert_eq!(world.race(&[V6[0], V4[0]]).await.unwrap(), V6[0]);
        world.assert_begun(&[(V6[0], 0)]);
    });
}

#[test]
fn first_address_hangs() {
    in_virtual_time(async {
        let world = World::new(&[(V6[0], Fate::Hangs), (V4[0], Fate::Connects(10))]);
        assert_eq!(world.race(&[V6[0], V4[0]]).await.unwrap(), V4[0]);
        assert_eq!(world.elapsed(), 260);
        world.assert_begun(&[(V6[0], 0), (V4[0], 250)]);
    });
}

#[test]
fn first_address_is_slow_and_wins_still() {
    in_virtual_time(async {
        let world = World::new(&[(V6[0], Fate::Connects(300)), (V4[0], Fate::Connects(100))]);
        assert_eq!(world.race(&[V6[0], V4[0]]).await.unwrap(), V6[0]);
        assert_eq!(world.elapsed(), 300);
        world.assert_begun(&[(V6[0], 0), (V4[0], 250)]);
    });
}

#[test]
fn next_begins_at_once_when_one_fails() {
    in_virtual_time(async {
        let refused = io::ErrorKind::ConnectionRefused;
        let world = World::new(&[
            (V6[0], Fate::Fails(20, refused)),
            (V4[0], Fate::Fails(0, refused)),
            (V6[1], Fate::Connects(5)),
        ]);
        assert_eq!(world.race(&[V6[0], V4[0], V6[1]]).await.unwrap(), V6[1]);
        assert_eq!(world.elapsed(), 25);
        world.assert_begun(&[(V6[0], 0), (V4[0], 20), (V6[1], 20)]);
    });
}

#[test]
fn a_failure_begins_the_delay_anew() {
    in_virtual_time(async {
        let fails = Fate::Fails(50, io::ErrorKind::ConnectionRefused);
        let world =
            World::new(&[(V4[0], Fate::Hangs), (V4[1], fails), (V4[2], Fate::Hangs), (V6[0], Fate::Connects(0))]);
        assert_eq!(world.race(&[V4[0], V4[1], V4[2], V6[0]]).await.unwrap(), V6[0]);
        // The families take turns. IPv6 answers at once, so the rest is never tried.
        world.assert_begun(&[(V4[0], 0), (V6[0], 250)]);

        let world = World::new(&[(V4[0], Fate::Hangs), (V4[1], fails), (V4[2], Fate::Hangs), (V6[0], Fate::Hangs)]);
        let race = rt_runtime::time::timeout(Duration::from_secs(60), world.race(&[V4[0], V6[0], V4[1], V4[2]]));
        assert!(race.await.is_err());
        world.assert_begun(&[(V4[0], 0), (V6[0], 250), (V4[1], 500), (V4[2], 550)]);
    });
}

#[test]
fn families_take_turns() {
    let order = |addresses: &[&str]| -> Vec<String> {
        let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
        interleaved(addresses).iter().map(SocketAddr::to_string).collect()
    };
    assert_eq!(order(&[V6[0], V6[1], V6[2], V4[0], V4[1]]), [V6[0], V4[0], V6[1], V4[1], V6[2]]);
    assert_eq!(order(&[V4[0], V4[1], V6[0]]), [V4[0], V6[0], V4[1]]);
    assert_eq!(order(&[V4[2], V4[0]]), [V4[2], V4[0]]);
    assert!(order(&[]).is_empty());
}

#[test]
fn all_fail_and_the_most_telling_failure_is_told() {
    in_virtual_time(async {
        let world = World::new(&[
            (V6[0], Fate::Fails(0, io::ErrorKind::Unsupported)),
            (V4[0], Fate::Fails(30, io::ErrorKind::ConnectionRefused)),
            (V4[1], Fate::Fails(10, io::ErrorKind::NetworkUnreachable)),
        ]);
        let error = world.race(&[V6[0], V4[0], V4[1]]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        let text = error.to_string();
        assert!(text.starts_with(&format!("connecting to {}: ", V4[0])), "{text}");
        assert!(text.contains(V6[0]) && text.contains(V4[1]), "{text}");
        let source =
            error.get_ref().and_then(|error| error.source()).and_then(|source| source.downcast_ref::<io::Error>());
        assert_eq!(source.map(io::Error::kind), Some(io::ErrorKind::ConnectionRefused));
        world.assert_begun(&[(V6[0], 0), (V4[0], 0), (V4[1], 30)]);
    });
}

#[test]
fn the_first_failure_is_told_if_no_host_was_reached() {
    in_virtual_time(async {
        let unreachable = Fate::Fails(0, io::ErrorKind::NetworkUnreachable);
        let world = World::new(&[(V6[0], unreachable), (V4[0], Fate::Fails(0, io::ErrorKind::Unsupported))]);
        let error = world.race(&[V6[0], V4[0]]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NetworkUnreachable);
        assert!(error.to_string().starts_with(&format!("connecting to {}: ", V6[0])));
    });
}

#[test]
fn many_failures_are_counted_not_told() {
    in_virtual_time(async {
        let addresses: Vec<_> = (1..=9).map(|port| format!("192.0.2.9:{port}")).collect();
        let addresses: Vec<_> = addresses.iter().map(String::as_str).collect();
        let fates: Vec<_> =
            addresses.iter().map(|address| (*address, Fate::Fails(0, io::ErrorKind::ConnectionRefused))).collect();
        let text = World::new(&fates).race(&addresses).await.unwrap_err().to_string();
        assert!(text.ends_with("and 4 more failed") && text.contains("192.0.2.9:5"), "{text}");
        assert!(!text.contains("192.0.2.9:6"), "{text}");
    });
}

#[test]
fn no_delay_tries_all_at_once() {
    in_virtual_time(async {
        let mut begun = 0;
        let addresses = V4.map(|text| text.parse().unwrap());
        let mut all = race(addresses.to_vec(), Duration::ZERO, |_| {
            begun += 1;
            std::future::pending::<io::Result<()>>()
        });
        assert!((&mut all).now_or_never().is_none());
        drop(all);
        assert_eq!(begun, 3);
    });
}

#[test]
fn delay_that_never_ends() {
    in_virtual_time(async {
        let addresses = V4.map(|text| text.parse().unwrap());
        let connected = race(addresses.to_vec(), Duration::MAX, |address| async move {
            if address == addresses[2] { Ok(()) } else { Err(io::ErrorKind::ConnectionRefused.into()) }
        });
        connected.await.unwrap();
    });
}

#[test]
fn thousands_of_addresses() {
    in_virtual_time(async {
        let start = Instant::now();
        let addresses: Vec<SocketAddr> = (1..=2_000).map(|port| SocketAddr::from(([192, 0, 2, 1], port))).collect();
        let (alive, peak) = (Rc::new(Cell::new(0)), Cell::new(0));
        let last = race(addresses, Duration::from_millis(1), |address| {
            alive.set(alive.get() + 1);
            peak.set(peak.get().max(alive.get()));
            let alive = Alive(alive.clone());
            async move {
                let _alive = alive;
                sleep(SECOND).await;
                if address.port() == 2_000 { Ok(address) } else { Err(io::ErrorKind::TimedOut.into()) }
            }
        });
        assert_eq!(last.await.unwrap().port(), 2_000);
        assert_eq!((peak.get(), alive.get()), (MOST_AT_ONCE, 0));
        // The sixteen take turns, so to say.
        assert_eq!(start.elapsed().as_secs(), 2_000 / MOST_AT_ONCE as u64);
    });
}

#[test]
fn nowhere_to_go() {
    in_virtual_time(async {
        let error = World::new(&[]).race(&[]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    });
}

#[test]
fn dropped_after_each_of_its_polls() {
    let fates =
        [(V4[0], Fate::Hangs), (V4[1], Fate::Fails(10, io::ErrorKind::ConnectionRefused)), (V4[2], Fate::Connects(10))];
    for polls in 0_u32.. {
        let finished = in_virtual_time(async {
            let world = World::new(&fates);
            let mut racing = world.race(&[V4[0], V4[1], V4[2]]);
            let mut left = polls;
            let result = std::future::poll_fn(|cx| match left.checked_sub(1) {
                None => Poll::Ready(None),
                Some(fewer) => {
                    left = fewer;
                    let polled = racing.poll_unpin(cx).map(Some);
                    if left == 0 && polled.is_pending() { Poll::Ready(None) } else { polled }
                }
            });
            let result = result.await;
            drop(racing);
            assert_eq!(world.alive.get(), 0, "after {polls} polls");
            result.is_some()
        });
        if finished {
            assert!(polls > 3, "it waited three times");
            return;
        }
    }
}
