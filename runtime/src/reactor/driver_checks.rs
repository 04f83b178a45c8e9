//! The driver with real descriptors: what it marks, what it drops, what ends a wait.

use crate::reactor::Wait;
use crate::reactor::driver::Driver;
use crate::reactor::mio::MioDriver;
use crate::reactor::readiness::{Direction, Readiness};
use crate::reactor::ready::{Interest, Ready};
use mio::net::UnixStream;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};

const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

fn readiness() -> Arc<Readiness> {
    Arc::new(Readiness::new(Ready::EMPTY))
}

fn poll_now(driver: &mut MioDriver) {
    driver.wait(Wait::Poll, &mut Vec::new()).unwrap();
}

#[test]
fn byte_marks_readable_and_gives_out_the_waker() {
    let mut driver = MioDriver::new().unwrap();
    let (mut near, mut far) = UnixStream::pair().unwrap();
    let watched = readiness();
    driver.handle().register(&mut far, &watched, Interest::READABLE).unwrap();
    assert!(watched.poll(Direction::Read, &Context::from_waker(Waker::noop())).is_pending());
    near.write_all(b"x").unwrap();
    let mut woken = Vec::new();
    driver.wait(Wait::Block, &mut woken).unwrap();
    assert_eq!(woken.len(), 1);
    assert_eq!(watched.observe(Interest::READABLE).unwrap().ready, Ready::READABLE);
}

#[test]
fn state_at_registration_is_reported() {
    let mut driver = MioDriver::new().unwrap();
    let (mut near, mut far) = UnixStream::pair().unwrap();
    near.write_all(b"x").unwrap();
    let watched = readiness();
    driver.handle().register(&mut far, &watched, BOTH).unwrap();
    driver.wait(Wait::Block, &mut Vec::new()).unwrap();
    assert!(watched.observe(Interest::READABLE).is_some() && watched.observe(Interest::WRITABLE).is_some());
}

#[test]
fn widening_reports_what_is_the_case_already() {
    let mut driver = MioDriver::new().unwrap();
    let (_near, mut far) = UnixStream::pair().unwrap();
    let watched = readiness();
    let token = driver.handle().register(&mut far, &watched, Interest::READABLE).unwrap();
    poll_now(&mut driver);
    assert!(watched.observe(Interest::WRITABLE).is_none());
    driver.handle().reregister(&mut far, token, BOTH).unwrap();
    driver.wait(Wait::Block, &mut Vec::new()).unwrap();
    assert!(watched.observe(Interest::WRITABLE).is_some());
}

#[test]
fn event_after_deregistration_marks_nobody() {
    let mut driver = MioDriver::new().unwrap();
    let (mut near, mut far) = UnixStream::pair().unwrap();
    let watched = readiness();
    let token = driver.handle().register(&mut far, &watched, Interest::READABLE).unwrap();
    near.write_all(b"x").unwrap();
    driver.handle().deregister(&mut far, token).unwrap();
    poll_now(&mut driver);
    assert!(watched.observe(Interest::READABLE).is_none());
}

/// The first source is forgotten without telling epoll, as if a duplicate kept its file open: its event arrives under the old token,
/// whose place belongs to the second source by then.
#[test]
fn stale_event_does_not_mark_the_successor_in_its_place() {
    let mut driver = MioDriver::new().unwrap();
    let (mut near, mut far) = UnixStream::pair().unwrap();
    let (_other_near, mut other_far) = UnixStream::pair().unwrap();
    let (old, new) = (readiness(), readiness());
    let old_token = driver.handle().register(&mut far, &old, Interest::READABLE).unwrap();
    driver.handle().forget(old_token);
    let new_token = driver.handle().register(&mut other_far, &new, Interest::READABLE).unwrap();
    assert_ne!(old_token, new_token);
    near.write_all(b"x").unwrap();
    driver.wait(Wait::Block, &mut Vec::new()).unwrap();
    assert!(old.observe(Interest::READABLE).is_none());
    assert!(new.observe(Interest::READABLE).is_none());
}

/// What `DriverHandle::register` says about duplicates: the kernel still knows this number with this file.
#[test]
fn registration_left_behind_by_a_duplicate_is_taken_over() {
    let mut driver = MioDriver::new().unwrap();
    let (mut near, far) = UnixStream::pair().unwrap();
    let descriptor = std::os::fd::AsRawFd::as_raw_fd(&far);
    let (old, new) = (readiness(), readiness());
    let by_number = || mio::unix::SourceFd(&descriptor);
    let token = driver.handle().register(&mut by_number(), &old, Interest::READABLE).unwrap();
    driver.handle().forget(token);
    driver.handle().register(&mut by_number(), &new, Interest::READABLE).unwrap();
    near.write_all(b"x").unwrap();
    driver.wait(Wait::Block, &mut Vec::new()).unwrap();
    assert!(old.observe(Interest::READABLE).is_none());
    assert!(new.observe(Interest::READABLE).is_some());
}

#[test]
fn bell_rung_before_the_wait_ends_it() {
    let mut driver = MioDriver::new().unwrap();
    for _ in 0..3 {
        driver.handle().wake();
        let mut woken = Vec::new();
        driver.wait(Wait::Block, &mut woken).unwrap();
        assert!(woken.is_empty());
    }
}

#[test]
fn bell_rung_from_another_thread_ends_the_wait() {
    let mut driver = MioDriver::new().unwrap();
    let handle = driver.handle().clone();
    let ringer = std::thread::spawn(move || handle.wake());
    driver.wait(Wait::Block, &mut Vec::new()).unwrap();
    ringer.join().unwrap();
}

#[test]
fn alarms_after_any_time_go_off_then_and_once() {
    let mut driver = MioDriver::new().unwrap();
    for micros in [0, 1, 150, 999, 1_000, 1_001, 3_500, 9_999, 10_000, 11_300] {
        let start = Instant::now();
        driver.set_alarm(Duration::from_micros(micros));
        while !driver.wait(Wait::Block, &mut Vec::new()).unwrap().alarm {}
        assert!(start.elapsed() >= Duration::from_micros(micros));
        driver.handle().wake();
        assert!(!driver.wait(Wait::Block, &mut Vec::new()).unwrap().alarm);
    }
}

#[test]
fn alarm_stays_set_when_something_else_ends_the_wait() {
    let mut driver = MioDriver::new().unwrap();
    let start = Instant::now();
    driver.set_alarm(Duration::from_millis(1));
    driver.handle().wake();
    while !driver.wait(Wait::Block, &mut Vec::new()).unwrap().alarm {}
    assert!(start.elapsed() >= Duration::from_millis(1));
}

#[test]
fn alarm_set_again_takes_back_the_one_that_went_off_unheard() {
    let mut driver = MioDriver::new().unwrap();
    driver.set_alarm(Duration::from_nanos(1));
    let start = Instant::now();
    driver.set_alarm(Duration::from_millis(1));
    while !driver.wait(Wait::Block, &mut Vec::new()).unwrap().alarm {}
    assert!(start.elapsed() >= Duration::from_millis(1));
    for after in [Duration::from_secs(u64::MAX), Duration::MAX] {
        driver.set_alarm(after);
        driver.handle().wake();
        assert!(!driver.wait(Wait::Block, &mut Vec::new()).unwrap().alarm);
    }
}

#[test]
fn registering_at_a_driver_that_is_gone_fails() {
    let driver = MioDriver::new().unwrap();
    let handle = driver.handle().clone();
    drop(driver);
    let (_near, mut far) = UnixStream::pair().unwrap();
    let error = handle.register(&mut far, &readiness(), BOTH).unwrap_err();
    assert!(error.to_string().contains("shut down"));
    handle.wake();
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn dropping_the_driver_wakes_who_waits() {
    let driver = MioDriver::new().unwrap();
    let (_near, mut far) = UnixStream::pair().unwrap();
    let watched = readiness();
    driver.handle().register(&mut far, &watched, Interest::READABLE).unwrap();
    let flag = Arc::new(Flag(AtomicBool::new(false)));
    assert!(watched.poll(Direction::Read, &Context::from_waker(&flag.clone().into())).is_pending());
    drop(driver);
    assert!(flag.0.load(Ordering::SeqCst));
    assert!(watched.observe(Interest::READABLE).unwrap().abandoned);
}
