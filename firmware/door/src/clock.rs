//! Time as an argument: monotonic for delays, civil for schedules.

use crate::text::as_text;
use arcdoor_core::Millis;
use core::fmt;
use core::str::FromStr;

/// Why a text is no date or no time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClockError {
    /// Not a day of the calendar.
    #[error("no such date: write it as YYYY-MM-DD, such as 2026-12-25")]
    Date,
    /// Not a time of day.
    #[error("no such time of day: write it as HH:MM, 00:00 to 24:00, such as 08:30")]
    Minute,
}

/// When something happens. What is handed in is when the event happened, not when the program got round to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// The time that every delay is measured by.
    pub mono: Millis,
    /// Local civil time, as a clock on the wall shows it; `None` while the clock is not set. Then no schedule unlocks,
    /// and only the methods that are enabled at every hour are taken.
    pub civil: Option<Civil>,
}

/// What a clock on the wall shows. Daylight saving is in it: an hour that is skipped is never seen, and one that is
/// repeated is seen twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Civil {
    /// The day.
    pub date: Date,
    /// The minute of the day, 00:00 to 23:59.
    pub minute: Minute,
}

/// A day of the Gregorian calendar, 1970 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

/// Minutes since midnight, 0 to 1440; as the end of a window, 1440 is 24:00.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Minute(u16);

impl Date {
    /// Checks that there is such a day.
    ///
    /// # Errors
    /// When there is none, or the year is not within 1970 to 9999.
    pub fn new(year: u16, month: u8, day: u8) -> Result<Self, ClockError> {
        let fits = (1970..=9999).contains(&year) && (1..=days_of(year, month)).contains(&day);
        if fits { Ok(Self { year, month, day }) } else { Err(ClockError::Date) }
    }

    /// The day of the week: 0 is Monday, 6 is Sunday.
    #[must_use]
    pub fn weekday(self) -> u8 {
        // Sakamoto's method; its table is the shift of each month's first day against January's.
        const SHIFT: [u32; 12] = [0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4];
        let year = u32::from(self.year) - u32::from(self.month < 3);
        let shift = SHIFT[usize::from(self.month) - 1];
        // Sakamoto counts from Sunday.
        ((year + year / 4 - year / 100 + year / 400 + shift + u32::from(self.day) + 6) % 7) as u8
    }

    /// The day after; the last of the calendar stays.
    #[must_use]
    pub fn next(self) -> Self {
        let Self { year, month, day } = self;
        Self::new(year, month, day + 1)
            .or_else(|_| Self::new(year, month + 1, 1))
            .or_else(|_| Self::new(year + 1, 1, 1))
            .unwrap_or(self)
    }
}

/// Days of a month; 0 where there is no such month.
const fn days_of(year: u16, month: u8) -> u8 {
    let is_leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        _ => 0,
    }
}

impl Minute {
    /// Checks the range.
    ///
    /// # Errors
    /// When it is more than 1440.
    pub const fn new(minute: u16) -> Result<Self, ClockError> {
        if minute <= 1440 { Ok(Self(minute)) } else { Err(ClockError::Minute) }
    }

    /// Minutes since midnight, 0 to 1440.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

/// Two digits or four, no sign, no space.
fn digits(text: &str, count: usize) -> Option<u16> {
    let fits = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    if fits { text.parse().ok() } else { None }
}

impl FromStr for Date {
    type Err = ClockError;

    fn from_str(text: &str) -> Result<Self, ClockError> {
        let mut parts = text.split('-');
        let mut part = |count| parts.next().and_then(|part| digits(part, count)).ok_or(ClockError::Date);
        let (year, month, day) = (part(4)?, part(2)?, part(2)?);
        if parts.next().is_some() {
            return Err(ClockError::Date);
        }
        // Two digits fit.
        Self::new(year, month as u8, day as u8)
    }
}

impl FromStr for Minute {
    type Err = ClockError;

    fn from_str(text: &str) -> Result<Self, ClockError> {
        let (hour, minute) = text.split_once(':').ok_or(ClockError::Minute)?;
        let (hour, minute) = (digits(hour, 2), digits(minute, 2));
        match (hour, minute) {
            (Some(hour @ 0..=24), Some(minute @ 0..=59)) => Self::new(hour * 60 + minute),
            _ => Err(ClockError::Minute),
        }
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl fmt::Display for Minute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

as_text!(Date);
as_text!(Minute);

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::string::ToString;

    #[test]
    fn a_wrong_weekday_never_opens_an_office_on_sunday() {
        let weekday = |text: &str| text.parse::<Date>().unwrap().weekday();
        assert_eq!(weekday("1970-01-01"), 3, "Thursday");
        assert_eq!(weekday("2000-02-29"), 1, "Tuesday");
        assert_eq!(weekday("2026-11-28"), 5, "Saturday");
        let mut date: Date = "2023-12-30".parse().unwrap();
        for _ in 0..800 {
            assert_eq!(date.next().weekday(), (date.weekday() + 1) % 7, "{date}");
            date = date.next();
        }
    }

    #[test]
    fn days_that_do_not_exist_are_refused() {
        for text in
            ["2026-02-29", "2026-13-01", "2026-00-10", "1969-12-31", "2026-1-1", "2026-01-01-", "+026-01-01"]
        {
            assert_eq!(text.parse::<Date>(), Err(ClockError::Date), "{text}");
        }
        for text in ["24:01", "8:00", "08:60", "0800", "-1:00"] {
            assert_eq!(text.parse::<Minute>(), Err(ClockError::Minute), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_the_same(text in "[0-9:+-]{0,11}") {
            if let Ok(date) = text.parse::<Date>() {
                prop_assert_eq!(date.to_string(), text.clone());
            }
            if let Ok(minute) = text.parse::<Minute>() {
                prop_assert_eq!(minute.to_string(), text);
            }
        }
    }
}
