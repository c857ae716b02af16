//! A point of time, as the log writes it.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

const NS: u64 = 1_000_000_000;
const DAY_S: u64 = 86_400;

/// A point of time from 1970 to 2554, in nanoseconds. Written as RFC 3339 in UTC, such as `2026-11-28T05:31:24.5Z`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct UtcTime {
    unix_ns: u64,
}

/// A text that is no such time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no time: write it as 2026-11-28T05:31:24Z, in UTC, from 1970 to 2554")]
pub struct NoTime(String);

impl UtcTime {
    /// So many nanoseconds after 1970 began (UTC, leap seconds not counted).
    #[must_use]
    pub const fn from_unix_ns(unix_ns: u64) -> Self {
        Self { unix_ns }
    }

    /// Nanoseconds since 1970.
    #[must_use]
    pub const fn unix_ns(&self) -> u64 {
        self.unix_ns
    }

    /// So many seconds after 1970 began; `None` beyond 2554.
    #[must_use]
    pub const fn from_unix_s(unix_s: u64) -> Option<Self> {
        match unix_s.checked_mul(NS) {
            Some(unix_ns) => Some(Self { unix_ns }),
            None => None,
        }
    }

    /// Whole seconds since 1970 began.
    #[must_use]
    pub const fn unix_s(self) -> u64 {
        self.unix_ns / NS
    }

    /// Year, month (1 to 12) and day (1 to 31).
    #[must_use]
    pub const fn date(self) -> (u64, u64, u64) {
        // Days to a date of the Gregorian calendar, by eras of 400 years that begin in March:
        // Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
        let days = self.unix_s() / DAY_S + 719_468;
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        (year_of_era + era * 400 + (month <= 2) as u64, month, day)
    }

    /// Hour, minute and second of the day.
    #[must_use]
    pub const fn time_of_day(self) -> (u64, u64, u64) {
        let second = self.unix_s() % DAY_S;
        (second / 3_600, second / 60 % 60, second % 60)
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar (Hinnant, days_from_civil); `None` for no date.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let length = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if !(1970..=2554).contains(&year) || !(1..=12).contains(&month) || !(1..=length).contains(&day) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year / 400, year % 400);
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    (era * 146_097 + day_of_era).checked_sub(719_468)
}

impl fmt::Display for UtcTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ((year, month, day), (hour, minute, second)) = (self.date(), self.time_of_day());
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        let fraction = self.unix_ns % NS;
        if fraction > 0 {
            write!(f, ".{}", format!("{fraction:09}").trim_end_matches('0'))?;
        }
        f.write_str("Z")
    }
}

impl FromStr for UtcTime {
    type Err = NoTime;

    fn from_str(text: &str) -> Result<Self, NoTime> {
        parse(text).ok_or_else(|| NoTime(text.chars().take(40).collect()))
    }
}

fn parse(text: &str) -> Option<UtcTime> {
    let digits = |text: &str, length: usize| {
        (text.len() == length && text.bytes().all(|b| b.is_ascii_digit()))
            .then(|| text.parse::<u64>().ok())?
    };
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let mut date = date.split('-');
    let days = days(digits(date.next()?, 4)?, digits(date.next()?, 2)?, digits(date.next()?, 2)?)?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let mut time = time.split(':');
    let [hour, minute, second] =
        [digits(time.next()?, 2)?, digits(time.next()?, 2)?, digits(time.next()?, 2)?];
    if date.next().is_some() || time.next().is_some() || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let places = fraction.len();
    let fraction =
        digits(fraction, places).filter(|_| (1..=9).contains(&places))? * 10_u64.pow(9 - places as u32);
    let seconds = days * DAY_S + hour * 3_600 + minute * 60 + second;
    Some(UtcTime { unix_ns: seconds.checked_mul(NS)?.checked_add(fraction)? })
}

impl Serialize for UtcTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for UtcTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The last second before 2262-04-11T23:47:16Z, where jiff's nanoseconds end.
    const LAST_OF_JIFF: u64 = i64::MAX as u64;

    proptest! {
        #[test]
        fn a_time_is_written_as_jiff_writes_it_and_read_back(unix_ns in 0..LAST_OF_JIFF) {
            let time = UtcTime::from_unix_ns(unix_ns);
            let oracle = jiff::Timestamp::from_nanosecond(i128::from(unix_ns)).unwrap();
            prop_assert_eq!(time.to_string(), oracle.to_string());
            prop_assert_eq!(time.to_string().parse(), Ok(time));
        }

        #[test]
        fn a_late_time_is_read_back(unix_ns in LAST_OF_JIFF..) {
            let time = UtcTime::from_unix_ns(unix_ns);
            prop_assert_eq!(time.to_string().parse(), Ok(time));
        }

        #[test]
        fn what_jiff_refuses_is_refused(text in "(19|20)[0-9]{2}-[0-3][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-5][0-9]Z") {
            let ours = text.parse::<UtcTime>();
            let oracle = text.parse::<jiff::Timestamp>().ok().filter(|time| time.as_second() >= 0);
            prop_assert_eq!(ours.is_ok(), oracle.is_some(), "{}", text);
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in
            ["", "Z", "2026-11-28", "2026-11-28T05:31:24", "2026-02-29T00:00:00Z", "2026-11-28T05:31:24.Z"]
        {
            assert!(text.parse::<UtcTime>().is_err(), "{text}");
        }
        assert_eq!(UtcTime::from_unix_s(u64::MAX), None);
        assert_eq!(UtcTime::default().to_string(), "1970-01-01T00:00:00Z");
    }
}
