//! Points in time with an offset.

use super::Argument;
use std::error::Error;
use std::fmt;
use std::time::{Duration, SystemTime};

/// A date and a time of day, with the offset of the place where it is that.
///
/// Counterpart: `twisted.protocols.amp.DateTime`, for Python's `datetime`.
///
/// ```
/// use rt::protocol::amp::DateTime;
/// use std::time::{Duration, SystemTime};
///
/// let landing = DateTime { microsecond: 500_000, ..DateTime::utc(1969, 7, 20, 20, 17, 40) };
/// assert_eq!(landing.to_string(), "1969-07-20T20:17:40.500000+00:00");
/// let before_the_epoch = Duration::from_millis(14_182_939_500);
/// assert_eq!(SystemTime::try_from(landing)?, SystemTime::UNIX_EPOCH - before_the_epoch);
/// # Ok::<(), rt::protocol::amp::NoSuchDateTime>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DateTime {
    /// 1 to 9999.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
    /// 0 to 999,999.
    pub microsecond: u32,
    /// How far the place's clocks are ahead of UTC: less than 24 hours, either way.
    pub offset_minutes: i16,
}

impl DateTime {
    /// A time in UTC, on the second.
    pub fn utc(year: u16, month: u8, day: u8, hour: u8, minute: u8, second: u8) -> Self {
        Self { year, month, day, hour, minute, second, microsecond: 0, offset_minutes: 0 }
    }

    /// Whether there is such a date and time. What comes over the wire is one.
    pub fn is_valid(&self) -> bool {
        (1..=9999).contains(&self.year)
            && (1..=12).contains(&self.month)
            && (1..=days_in_month(self.year.into(), self.month.into())).contains(&self.day.into())
            && self.hour < 24
            && self.minute < 60
            && self.second < 60
            && self.microsecond < 1_000_000
            && self.offset_minutes.unsigned_abs() < 24 * 60
    }
}

/// The time in UTC, in whole microseconds. Years outside of 1 to 9999 have no `DateTime`.
impl TryFrom<SystemTime> for DateTime {
    type Error = NoSuchDateTime;

    fn try_from(time: SystemTime) -> Result<Self, NoSuchDateTime> {
        let microseconds = match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => i128::try_from(after.as_micros()),
            Err(error) => i128::try_from(error.duration().as_nanos().div_ceil(1000)).map(|before| -before),
        };
        let microseconds = microseconds.map_err(|_| NoSuchDateTime)?;
        let days = i64::try_from(microseconds.div_euclid(MICROSECONDS_PER_DAY)).map_err(|_| NoSuchDateTime)?;
        let rest = microseconds.rem_euclid(MICROSECONDS_PER_DAY);
        let (year, month, day) = date_of(days).ok_or(NoSuchDateTime)?;
        let part = |unit: i128, modulus: i128| u8::try_from(rest / unit % modulus).expect("less than 60");
        Ok(Self {
            microsecond: u32::try_from(rest % 1_000_000).expect("less than a million"),
            ..Self::utc(year, month, day, part(3_600_000_000, 24), part(60_000_000, 60), part(1_000_000, 60))
        })
    }
}

impl TryFrom<DateTime> for SystemTime {
    type Error = NoSuchDateTime;

    fn try_from(time: DateTime) -> Result<Self, NoSuchDateTime> {
        if !time.is_valid() {
            return Err(NoSuchDateTime);
        }
        let minutes = i64::from(time.hour) * 60 + i64::from(time.minute) - i64::from(time.offset_minutes);
        let days = days_before(time.year.into(), time.month.into()) + i64::from(time.day) - 1;
        let seconds = (days * 24 * 60 + minutes) * 60 + i64::from(time.second);
        let whole = Duration::from_secs(seconds.unsigned_abs());
        let there = if seconds < 0 { Self::UNIX_EPOCH.checked_sub(whole) } else { Self::UNIX_EPOCH.checked_add(whole) };
        there
            .and_then(|time_at_second| time_at_second.checked_add(Duration::from_micros(time.microsecond.into())))
            .ok_or(NoSuchDateTime)
    }
}

/// As it is sent.
impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { year, month, day, hour, minute, second, microsecond, offset_minutes } = *self;
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{microsecond:06}")?;
        let (sign, offset) = (if offset_minutes < 0 { '-' } else { '+' }, offset_minutes.unsigned_abs());
        write!(f, "{sign}{:02}:{:02}", offset / 60, offset % 60)
    }
}

impl Argument for DateTime {
    const EXPECTED: &str = "a date and time of 32 characters, as 2012-01-23T12:34:56.054321+01:00";

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; 32] = bytes.try_into().ok()?;
        let number = |from: usize, to: usize| {
            let digits = &bytes[from..to];
            let all = digits.iter().all(u8::is_ascii_digit);
            all.then(|| digits.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0')))
        };
        let small = |from: usize| number(from, from + 2).and_then(|number| u8::try_from(number).ok());
        let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':'), (19, b'.'), (29, b':')];
        if marks.iter().any(|(place, mark)| bytes[*place] != *mark) {
            return None;
        }
        let offset = i16::from(small(27)?) * 60 + i16::from(small(30).filter(|minutes| *minutes < 60)?);
        let time = Self {
            year: u16::try_from(number(0, 4)?).ok()?,
            month: small(5)?,
            day: small(8)?,
            hour: small(11)?,
            minute: small(14)?,
            second: small(17)?,
            microsecond: number(20, 26)?,
            offset_minutes: match bytes[26] {
                b'+' => offset,
                b'-' => -offset,
                _ => return None,
            },
        };
        time.is_valid().then_some(time)
    }

    fn to_bytes(&self) -> Option<Vec<u8>> {
        self.is_valid().then(|| self.to_string().into_bytes())
    }
}

const MICROSECONDS_PER_DAY: i128 = 24 * 3_600_000_000;

/// From 1 January of the year 1 to that of 1970.
const DAYS_TO_1970: i64 = 719_162;

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// From 1 January 1970 to the first of the month.
fn days_before(year: i64, month: i64) -> i64 {
    let past = year - 1;
    let years = past * 365 + past / 4 - past / 100 + past / 400;
    years + (1..month).map(|month| days_in_month(year, month)).sum::<i64>() - DAYS_TO_1970
}

/// The date so many days after 1 January 1970, in the years that can be written.
fn date_of(days: i64) -> Option<(u16, u8, u8)> {
    // Never too late, and at most a year too early.
    let mut year = (days + DAYS_TO_1970) / 366 + 1;
    let estimate_is_possible = days >= -DAYS_TO_1970 && year <= 10_000;
    if !estimate_is_possible {
        return None;
    }
    while days_before(year + 1, 1) <= days {
        year += 1;
    }
    let month = (1..=12).rev().find(|month| days_before(year, *month) <= days)?;
    let day = days - days_before(year, month) + 1;
    let year = u16::try_from(year).ok().filter(|year| *year <= 9999)?;
    Some((year, u8::try_from(month).ok()?, u8::try_from(day).ok()?))
}

/// A date or time that does not exist, or not in the years 1 to 9999.
///
/// ```
/// use rt::protocol::amp::{DateTime, NoSuchDateTime};
/// use std::time::SystemTime;
///
/// assert_eq!(SystemTime::try_from(DateTime::utc(2026, 2, 30, 0, 0, 0)), Err(NoSuchDateTime));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSuchDateTime;

impl fmt::Display for NoSuchDateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no such date and time in the years 1 to 9999")
    }
}

impl Error for NoSuchDateTime {}
