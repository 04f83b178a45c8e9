//! What a failure holds, says and costs.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind};
use std::num::ParseIntError;
use std::panic::{Location, catch_unwind, panic_any};

use super::Failure;

/// An error with a source.
#[derive(Debug)]
struct Outer(io::Error);

impl fmt::Display for Outer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no configuration")
    }
}

impl Error for Outer {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

fn parse_error() -> ParseIntError {
    "x".parse::<u8>().expect_err("not a number")
}

fn outer() -> Outer {
    Outer(io::Error::new(ErrorKind::NotFound, "no file"))
}

fn panicked(f: impl FnOnce() + std::panic::UnwindSafe) -> Failure {
    Failure::from_panic(catch_unwind(f).expect_err("it panics"))
}

#[test]
fn check_asks_for_the_error_and_not_its_source() {
    let failure = Failure::new(outer());
    assert!(failure.check::<Outer>());
    assert!(!failure.check::<io::Error>());
    assert!(failure.downcast_ref::<Outer>().is_some());
    assert!(failure.downcast_ref::<ParseIntError>().is_none());
    assert!(failure.error().and_then(|error| error.source()).is_some_and(|source| source.is::<io::Error>()));
}

#[test]
fn trap_gives_the_error_or_the_failure_again() {
    let failure = Failure::new(parse_error());
    assert_eq!(failure.trap::<ParseIntError>().expect("it is that"), &parse_error());
    let again = failure.trap::<io::Error>().expect_err("it is not that");
    assert!(again.is_same(&failure));
    assert_eq!(again.place(), failure.place());
}

#[test]
fn kinds_of_io_errors() {
    let failure = Failure::new(io::Error::from(ErrorKind::TimedOut));
    assert_eq!(failure.kind(), Some(ErrorKind::TimedOut));
    assert!(failure.check_kind(ErrorKind::TimedOut) && !failure.check_kind(ErrorKind::NotFound));
    assert!(failure.trap_kind(ErrorKind::TimedOut).is_ok());
    assert!(failure.trap_kind(ErrorKind::NotFound).expect_err("another kind").is_same(&failure));
    assert_eq!(Failure::new(parse_error()).kind(), None);
}

#[test]
fn every_source_of_failures_for_the_question_mark() {
    fn of<E>(error: E) -> Result<(), Failure>
    where
        Failure: From<E>,
    {
        Err(error)?
    }
    let owned = String::from("owned text");
    assert!(of(parse_error()).is_err_and(|failure| failure.check::<ParseIntError>()));
    assert!(of(&*owned).is_err_and(|failure| failure.to_string() == "owned text"));
    assert!(of(owned).is_err_and(|failure| failure.to_string() == "owned text"));
    let boxed: Box<dyn Error + Send + Sync> = Box::new(parse_error());
    assert!(of(boxed).is_err_and(|failure| failure.check::<ParseIntError>()));
    assert!(of(Failure::new(parse_error())).is_err_and(|failure| failure.check::<ParseIntError>()));
}

#[test]
fn question_mark_on_a_failure_keeps_it() {
    let failure = Failure::new(parse_error());
    let inner = failure.clone();
    let outer = || -> Result<(), Failure> { Err(inner)? };
    assert!(outer().expect_err("it fails").is_same(&failure));
}

#[test]
fn places() {
    let (line, made) = (line!(), Failure::new("made"));
    assert_eq!((made.place().file(), made.place().line()), (file!(), line));
    let (line, converted) = (line!(), Failure::from("converted"));
    assert_eq!((converted.place().file(), converted.place().line()), (file!(), line));
    let (line, passed) = (line!(), (|| -> Result<(), Failure> { Err(parse_error())? })());
    let place: &Location<'_> = passed.expect_err("it fails").place();
    assert_eq!((place.file(), place.line()), (file!(), line));
    let payload = catch_unwind(|| panic!("panicked")).expect_err("it panics");
    let (line, caught) = (line!(), Failure::from_panic(payload));
    assert_eq!((caught.place().file(), caught.place().line()), (file!(), line));
}

#[test]
fn panics_with_texts_and_without() {
    let fixed = panicked(|| panic!("fixed"));
    assert_eq!(fixed.panic_message(), Some("fixed"));
    let formatted = panicked(|| panic!("number {}", 1));
    assert_eq!(formatted.panic_message(), Some("number 1"));
    assert_eq!(formatted.to_string(), "panicked: number 1");
    let other = panicked(|| panic_any(7_u8));
    assert_eq!(other.panic_message(), None);
    assert_eq!(other.to_string(), "panicked with something that is not a text");
    for failure in [fixed, formatted, other] {
        assert!(failure.is_panic() && failure.error().is_none() && failure.kind().is_none());
        assert!(failure.trap::<io::Error>().is_err());
    }
    assert!(!Failure::new("error").is_panic());
    assert_eq!(Failure::new("error").panic_message(), None);
}

#[test]
fn payload_is_taken_once_by_any_clone() {
    let failure = panicked(|| panic_any(7_u8));
    let clone = failure.clone();
    assert!(clone.take_panic().is_some_and(|payload| payload.is::<u8>()));
    assert!(failure.take_panic().is_none());
    assert!(failure.is_panic());
    assert!(Failure::new("error").take_panic().is_none());
}

#[test]
fn display_and_debug() {
    let (line, failure) = (line!(), Failure::new(outer()));
    assert_eq!(failure.to_string(), "no configuration");
    assert_eq!(format!("{failure:#}"), "no configuration: no file");
    let report = format!("{failure:?}");
    let expected = format!("no configuration\n  because: no file\n  failure made at {}:{line}:", file!());
    assert!(report.starts_with(&expected), "{report}");
}

#[test]
fn backtrace_if_the_environment_asks() {
    const ASKED: &str = "RT_FAILURE_CHILD";
    if let Ok(setting) = std::env::var(ASKED) {
        let failure = Failure::new("traced");
        assert_eq!(failure.backtrace().is_some(), setting == "1");
        assert_eq!(format!("{failure:?}").contains("backtrace_if_the_environment_asks"), setting == "1");
        return;
    }
    for setting in ["0", "1"] {
        let status = std::process::Command::new(std::env::current_exe().expect("a test binary"))
            .args(["--exact", "failure::tests::backtrace_if_the_environment_asks"])
            .env(ASKED, setting)
            .env("RUST_BACKTRACE", setting)
            .env_remove("RUST_LIB_BACKTRACE")
            .stdout(std::process::Stdio::null())
            .status()
            .expect("a child");
        assert!(status.success(), "with RUST_BACKTRACE={setting}");
    }
}

#[test]
fn there_and_back_as_an_error() {
    let failure = Failure::new(outer());
    let error = failure.clone().into_error();
    assert_eq!(error.to_string(), "no configuration");
    assert!(error.source().is_some_and(|source| source.is::<io::Error>()));
    assert!(Failure::from(error).is_same(&failure));
    let boxed: Box<dyn Error + Send + Sync> = Box::new(failure.clone().into_error());
    assert!(Failure::from(boxed).is_same(&failure));
}

#[test]
fn one_pointer_for_any_thread() {
    fn any_thread<T: Send + Sync + Clone + 'static>() -> usize {
        size_of::<T>()
    }
    assert_eq!(any_thread::<Failure>(), size_of::<usize>());
    assert_eq!(size_of::<Result<(), Failure>>(), size_of::<usize>());
}

/// Compiles only while exactly one of the two implementations applies, so only while `Failure` is not `Unpin`.
#[test]
fn not_unpin() {
    trait Ambiguous<Marker> {
        const APPLIES: bool = true;
    }
    struct Any;
    struct IfUnpin;
    impl<T> Ambiguous<Any> for T {}
    impl<T: Unpin> Ambiguous<IfUnpin> for T {}
    fn applies<Marker, T: Ambiguous<Marker>>() -> bool {
        T::APPLIES
    }
    assert!(applies::<_, Failure>());
}
