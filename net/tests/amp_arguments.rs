//! Arguments of AMP commands: what they are on the wire, and what is refused.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use rt::protocol::amp::{
    AmpBox, AmpList, Argument, ArgumentError, Arguments, Command, DateTime, Decimal, ErrorCodes, Field, ListOf,
};

/// On the wire it is `bytes`, and these bytes are it.
#[track_caller]
fn is<T: Argument + PartialEq + std::fmt::Debug>(value: T, bytes: &[u8]) {
    assert_eq!(value.to_bytes().as_deref(), Some(bytes));
    assert_eq!(T::from_bytes(bytes), Some(value));
}

#[track_caller]
fn is_none_of<T: Argument + PartialEq + std::fmt::Debug>(all: &[&[u8]]) {
    for bytes in all {
        assert_eq!(T::from_bytes(bytes), None, "{}", bytes.escape_ascii());
    }
}

#[test]
fn whole_numbers() {
    is(0_i64, b"0");
    is(i128::MIN, b"-170141183460469231731687303715884105728");
    is(u8::MAX, b"255");
    assert_eq!(i32::from_bytes(b"+7"), Some(7));
    is_none_of::<u8>(&[b"256", b"-1", b"", b"1.0", b"1 ", b"\xff"]);
    is_none_of::<i64>(&[b"9223372036854775808", b"0x10", b"-"]);
}

#[test]
fn texts_bytes_and_paths() {
    is("Grüße".to_owned(), "Grüße".as_bytes());
    is(b"\0\xff".to_vec(), b"\0\xff");
    is(PathBuf::from("/var/tmp"), b"/var/tmp");
    is_none_of::<String>(&[b"\xff"]);
    is_none_of::<PathBuf>(&[b"/\xff"]);
}

#[cfg(unix)]
#[test]
fn path_that_is_no_text() {
    use std::os::unix::ffi::OsStringExt;
    let path = PathBuf::from(std::ffi::OsString::from_vec(b"/\xff".to_vec()));
    let mut fields = AmpBox::new();
    let error = fields.set_argument("where", &path).unwrap_err();
    assert_eq!(error.to_string(), "the argument where cannot be written as a path in UTF-8");
    assert!(fields.is_empty());
}

#[test]
fn yes_and_no() {
    is(true, b"True");
    is(false, b"False");
    is_none_of::<bool>(&[b"true", b"1", b""]);
}

#[test]
fn numbers_with_a_point() {
    is(1.0, b"1.0");
    is(-0.1, b"-0.1");
    is(f64::INFINITY, b"inf");
    assert!(f64::from_bytes(b"nan").unwrap().is_nan());
    // As Python writes them.
    assert_eq!(f64::from_bytes(b"1e-05"), Some(1e-5));
    assert_eq!(f64::from_bytes(b"1e+300"), Some(1e300));
    is_none_of::<f64>(&[b"", b"one", b"1,5"]);
}

#[test]
fn decimals() {
    for text in ["0", "-1", "1.0", "1E+2", "1.5e-7", ".5", "5.", "Infinity", "-Infinity", "NaN", "-sNaN", "+3"] {
        is(text.parse::<Decimal>().unwrap(), text.as_bytes());
    }
    is_none_of::<Decimal>(&[b"", b".", b"1E", b"E5", b"1.2.3", b"--1", b"1 ", b"0x1", b"1E+", b"1e5.0"]);
}

#[test]
fn dates() {
    let time = DateTime { microsecond: 54_321, offset_minutes: 90, ..DateTime::utc(2012, 1, 23, 12, 34, 56) };
    is(time, b"2012-01-23T12:34:56.054321+01:30");
    is(DateTime { offset_minutes: -30, ..time }, b"2012-01-23T12:34:56.054321-00:30");
    is(DateTime::utc(2000, 2, 29, 23, 59, 59), b"2000-02-29T23:59:59.000000+00:00");
    // As Twisted writes UTC.
    assert_eq!(DateTime::from_bytes(b"2012-01-23T12:34:56.000000-00:00"), Some(DateTime::utc(2012, 1, 23, 12, 34, 56)));
    is_none_of::<DateTime>(&[
        b"",
        b"1900-02-29T00:00:00.000000+00:00",
        b"2012-13-01T00:00:00.000000+00:00",
        b"2012-00-01T00:00:00.000000+00:00",
        b"2012-01-32T00:00:00.000000+00:00",
        b"2012-01-01T24:00:00.000000+00:00",
        b"0000-01-01T00:00:00.000000+00:00",
        b"2012-01-01T00:00:00.000000*00:00",
        b"2012-01-01T00:00:00.000000+24:00",
        b"2012-01-01T00:00:00.000000+00:60",
        b"2012-01-01 00:00:00.000000+00:00",
        b"2012-01-01T00:00:00.00000++00:00",
        b"2012-01-01T00:00:00.000000+00:000",
    ]);
    assert_eq!(DateTime::utc(2011, 2, 29, 0, 0, 0).to_bytes(), None);
}

#[test]
fn dates_are_times_of_the_system() {
    let at = |seconds: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let ahead = DateTime { offset_minutes: 60, ..DateTime::utc(1970, 1, 1, 1, 0, 0) };
    assert_eq!(SystemTime::try_from(ahead).unwrap(), at(0));
    assert_eq!(DateTime::try_from(at(1_000_000_000)).unwrap(), DateTime::utc(2001, 9, 9, 1, 46, 40));
    assert_eq!(DateTime::try_from(at(253_402_300_799)).unwrap(), DateTime::utc(9999, 12, 31, 23, 59, 59));
    assert!(DateTime::try_from(at(253_402_300_800)).is_err());
    assert!(SystemTime::try_from(DateTime::utc(2011, 2, 29, 0, 0, 0)).is_err());
    // A day at each end of each month, over four hundred years.
    for year in 1600..2000 {
        for month in 1..=12 {
            for (day, hour) in [(1, 0), (28, 23)] {
                let time = DateTime { microsecond: 1, ..DateTime::utc(year, month, day, hour, 1, 2) };
                assert_eq!(DateTime::try_from(SystemTime::try_from(time).unwrap()), Ok(time));
            }
        }
    }
}

#[test]
fn lists_of_values() {
    is(ListOf(vec![3, 7, 150]), b"\0\x013\0\x017\0\x03150");
    is(ListOf::<String>(vec![]), b"");
    is(ListOf(vec![ListOf(vec![true])]), b"\0\x06\0\x04True");
    is_none_of::<ListOf<i32>>(&[b"\0", b"\0\x02", b"\0\x021", b"\0\x01x"]);
    assert_eq!(ListOf(vec![vec![0_u8; 65_536]]).to_bytes(), None);
}

#[derive(Arguments, Debug, PartialEq)]
struct Guest {
    name: String,
    age: Option<u8>,
}

#[test]
fn lists_of_boxes() {
    let guests =
        AmpList(vec![Guest { name: "Ada".to_owned(), age: Some(36) }, Guest { name: "Kurt".to_owned(), age: None }]);
    is(guests, b"\0\x03age\0\x0236\0\x04name\0\x03Ada\0\0\0\x04name\0\x04Kurt\0\0");
    is(AmpList::<Guest>(vec![]), b"");
    is_none_of::<AmpList<Guest>>(&[b"\0\0", b"\0\x04name\0\x01x", b"\0\x04name\0\x01\xff\0\0"]);
}

#[test]
fn optional_arguments() {
    let mut fields = AmpBox::new();
    fields.set_argument("age", &Some(7_u8)).unwrap();
    assert_eq!(fields.argument::<Option<u8>>("age").unwrap(), Some(7));
    fields.set_argument("age", &None::<u8>).unwrap();
    assert_eq!(fields.argument::<Option<u8>>("age").unwrap(), None);
    assert_eq!(fields.argument::<u8>("age"), Err(ArgumentError::Missing { name: "age".to_owned() }));
    fields.insert("age", "old").unwrap();
    let error = fields.argument::<Option<u8>>("age").unwrap_err();
    assert_eq!(error.to_string(), "the argument age should be a whole number that fits u8, and is old");
}

#[test]
fn value_too_long_for_a_box() {
    let mut fields = AmpBox::new();
    let error = fields.set_argument("text", &"x".repeat(65_536)).unwrap_err();
    assert_eq!(error.to_string(), "a value of 65536 bytes for the key text: an AMP box has values of at most 65535");
}

#[test]
fn long_value_in_an_error_is_cut() {
    let value = [b'x'; 10_000];
    let Err(ArgumentError::Malformed { found, .. }) = u8::from_value("n", Some(&value)) else { panic!("no number") };
    assert_eq!(found.len(), 64);
}

/// Names that need something: a keyword, a key that is no name, a type with commas.
#[derive(Command, Debug, PartialEq)]
#[amp(response = ())]
#[amp(name = "all sorts")]
pub(crate) struct AllSorts {
    r#type: String,
    /// A comment is an attribute, too.
    #[amp(name = "from-address")]
    pub(crate) from: Option<ListOf<u8>>,
    pair: Pair<u8, bool>,
}

#[derive(Debug, PartialEq)]
struct Pair<A, B>(A, B);

impl Argument for Pair<u8, bool> {
    const EXPECTED: &str = "a pair";

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let [first, second] = *bytes else { return None };
        Some(Pair(first, second == 1))
    }

    fn to_bytes(&self) -> Option<Vec<u8>> {
        Some(vec![self.0, u8::from(self.1)])
    }
}

#[test]
fn derived_for_unusual_names() {
    let sorts = AllSorts { r#type: "x".to_owned(), from: Some(ListOf(vec![1])), pair: Pair(9, true) };
    let mut fields = AmpBox::new();
    sorts.write_to(&mut fields).unwrap();
    let keys: Vec<_> = fields.iter().map(|(key, _)| key).collect();
    assert_eq!(keys, [&b"from-address"[..], b"pair", b"type"]);
    assert_eq!(AllSorts::from_box(&fields).unwrap(), sorts);
    assert_eq!(AllSorts::NAME, "all sorts");
    assert_eq!(format!("{:?}", <AllSorts as Command>::errors()), format!("{:?}", ErrorCodes::new()));
}

#[test]
fn derived_for_nothing() {
    #[derive(Arguments, Debug, PartialEq)]
    struct Nothing;
    #[derive(Arguments, Debug, PartialEq)]
    struct Braces {}
    assert_eq!(Nothing::from_box(&AmpBox::new()).unwrap(), Nothing);
    assert_eq!(Braces::from_box(&AmpBox::new()).unwrap(), Braces {});
}
