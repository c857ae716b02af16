//! Hours and holidays: functions of civil time alone.
//!
//! No window remembers that it began. So an hour that daylight saving skips never unlocks, an hour that it repeats
//! unlocks twice, and a clock that is set takes effect at once.

use crate::clock::{Civil, Date, Minute};
use crate::credential::Methods;
use crate::limits::{MAX_HOLIDAYS, MAX_WINDOWS};
use crate::text::as_text;
use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Serialize};

const NAMES: [&str; 8] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun", "holiday"];
const HOLIDAY: u8 = 7;

/// Why a text is no part of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// Unknown days.
    #[error(
        "days are a list such as mon-fri,sat or holiday: use mon tue wed thu fri sat sun holiday, a range forwards"
    )]
    Days,
    /// Unknown hours.
    #[error(
        "hours are written HH:MM-HH:MM and end after they begin: write a night as two windows, 22:00-24:00 and 00:00-06:00 of the next day"
    )]
    Hours,
}

/// Days of the week, and holidays. A holiday is no day of the week: it has the hours of `holiday`, and no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Days(u8);

/// From one time of day to another one later that day: from `from` on, before `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hours {
    from: Minute,
    to: Minute,
}

/// Hours on certain days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// On which days, such as `mon-fri,holiday`.
    pub days: Days,
    /// At which hours, such as `08:00-18:00`.
    pub hours: Hours,
}

/// What depends on the hour.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Schedule {
    /// When the door is unlocked for everybody.
    pub unlocked: heapless::Vec<Window, MAX_WINDOWS>,
    /// When other methods are enabled than the policy's; the first window that holds decides.
    pub methods: heapless::Vec<MethodHours, MAX_WINDOWS>,
    /// Days that have the hours of `holiday` only.
    pub holidays: heapless::Vec<Date, MAX_HOLIDAYS>,
}

/// Hours with methods of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MethodHours {
    /// On which days.
    pub days: Days,
    /// At which hours.
    pub hours: Hours,
    /// What is enough then.
    pub methods: Methods,
}

impl Hours {
    /// Checks the order.
    ///
    /// # Errors
    /// When they do not end after they begin.
    pub fn new(from: Minute, to: Minute) -> Result<Self, ScheduleError> {
        if from < to { Ok(Self { from, to }) } else { Err(ScheduleError::Hours) }
    }
}

impl Window {
    /// Whether `civil` lies within it.
    #[must_use]
    pub fn holds(&self, civil: Civil, holidays: &[Date]) -> bool {
        let day = if holidays.contains(&civil.date) { HOLIDAY } else { civil.date.weekday() };
        self.days.0 & (1 << day) != 0 && self.hours.from <= civil.minute && civil.minute < self.hours.to
    }
}

impl Schedule {
    /// Whether the door is unlocked for everybody; never while the clock is not set.
    #[must_use]
    pub fn unlocks(&self, civil: Option<Civil>) -> bool {
        civil.is_some_and(|civil| self.unlocked.iter().any(|window| window.holds(civil, &self.holidays)))
    }

    /// The methods that are enabled, `usual` being those outside all windows. While the clock is not set, those that
    /// are enabled at every hour, which may be none.
    #[must_use]
    pub fn methods(&self, usual: Methods, civil: Option<Civil>) -> Methods {
        let Some(civil) = civil else {
            return self.methods.iter().fold(usual, |methods, hours| methods.both(hours.methods));
        };
        let holds = |hours: &&MethodHours| {
            Window { days: hours.days, hours: hours.hours }.holds(civil, &self.holidays)
        };
        self.methods.iter().find(holds).map_or(usual, |hours| hours.methods)
    }

    /// The methods that are enabled at one hour or another.
    #[must_use]
    pub fn ever(&self, usual: Methods) -> Methods {
        self.methods.iter().fold(usual, |methods, hours| methods.either(hours.methods))
    }
}

impl FromStr for Days {
    type Err = ScheduleError;

    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        let day = |name: &str| NAMES.iter().position(|day| *day == name).ok_or(ScheduleError::Days);
        text.split(',').try_fold(Self(0), |days, part| {
            let (first, last) = part.trim().split_once('-').unwrap_or((part.trim(), part.trim()));
            let (first, last) = (day(first)?, day(last)?);
            if first > last || (first != last && last == usize::from(HOLIDAY)) {
                return Err(ScheduleError::Days);
            }
            Ok((first..=last).fold(days, |days, day| Self(days.0 | 1 << day)))
        })
    }
}

impl FromStr for Hours {
    type Err = ScheduleError;

    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        let (from, to) = text.split_once('-').ok_or(ScheduleError::Hours)?;
        let minute = |text: &str| text.trim().parse().map_err(|_| ScheduleError::Hours);
        Self::new(minute(from)?, minute(to)?)
    }
}

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = NAMES.iter().enumerate().filter(|(day, _)| self.0 & (1 << day) != 0);
        for (index, (_, name)) in named.enumerate() {
            write!(f, "{}{name}", if index == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.from, self.to)
    }
}

as_text!(Days);
as_text!(Hours);

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::string::ToString;

    fn office() -> Schedule {
        let window =
            |days: &str, hours: &str| Window { days: days.parse().unwrap(), hours: hours.parse().unwrap() };
        let mut schedule = Schedule::default();
        schedule.unlocked.push(window("mon-fri", "08:00-18:00")).unwrap();
        schedule.unlocked.push(window("holiday", "10:00-12:00")).unwrap();
        schedule.unlocked.push(window("sun", "02:15-02:45")).unwrap();
        schedule.holidays.push("2026-12-25".parse().unwrap()).unwrap();
        schedule
    }

    fn at(date: &str, minute: &str) -> Option<Civil> {
        Some(Civil { date: date.parse().unwrap(), minute: minute.parse().unwrap() })
    }

    #[test]
    fn a_door_is_not_unlocked_a_minute_early_or_late() {
        let office = office();
        assert!(!office.unlocks(at("2026-11-30", "07:59")));
        assert!(office.unlocks(at("2026-11-30", "08:00")));
        assert!(office.unlocks(at("2026-11-30", "17:59")));
        assert!(!office.unlocks(at("2026-11-30", "18:00")));
        assert!(!office.unlocks(at("2026-11-28", "12:00")), "a Saturday");
        assert!(!office.unlocks(None), "the clock is not set");
    }

    #[test]
    fn a_holiday_is_no_working_day() {
        let office = office();
        assert!(!office.unlocks(at("2026-12-25", "09:00")), "a Friday, and a holiday");
        assert!(office.unlocks(at("2026-12-25", "11:00")));
        assert!(!office.unlocks(at("2026-12-27", "11:00")), "no holiday");
    }

    /// Whether the door is unlocked at each minute that a clock on the wall shows.
    fn seen(minutes: impl Iterator<Item = u16>, date: &str) -> std::vec::Vec<bool> {
        let (office, date) = (office(), date.parse().unwrap());
        let civil = |minute| Some(Civil { date, minute: Minute::new(minute).unwrap() });
        minutes.map(|minute| office.unlocks(civil(minute))).collect()
    }

    #[test]
    fn an_hour_that_daylight_saving_skips_never_unlocks() {
        // Sunday 2026-03-29 in Central Europe: 01:59 is followed by 03:00.
        let shown = seen((0..120).chain(180..1440), "2026-03-29");
        assert_eq!(shown.iter().filter(|unlocked| **unlocked).count(), 0);
    }

    #[test]
    fn an_hour_that_daylight_saving_repeats_unlocks_twice() {
        // Sunday 2026-10-25: 02:59 is followed by 02:00.
        let shown = seen((0..180).chain(120..1440), "2026-10-25");
        assert_eq!(shown.iter().filter(|unlocked| **unlocked).count(), 60);
        assert_eq!(shown.windows(2).filter(|pair| !pair[0] && pair[1]).count(), 2, "it begins twice");
        assert_eq!(shown.windows(2).filter(|pair| pair[0] && !pair[1]).count(), 2, "it ends twice");
    }

    #[test]
    fn without_a_clock_only_what_holds_at_every_hour_is_taken() {
        let mut schedule = Schedule::default();
        let (days, hours) = ("mon-sun".parse().unwrap(), "20:00-24:00".parse().unwrap());
        let methods = "card+pin".parse().unwrap();
        schedule.methods.push(MethodHours { days, hours, methods }).unwrap();
        let usual: Methods = "face,card+pin".parse().unwrap();
        assert_eq!(schedule.methods(usual, None).to_string(), "card+pin");
        assert_eq!(schedule.methods(usual, at("2026-11-30", "12:00")), usual);
        assert_eq!(schedule.methods(usual, at("2026-11-30", "20:00")).to_string(), "card+pin");
    }

    #[test]
    fn a_window_over_midnight_is_refused() {
        assert_eq!("22:00-06:00".parse::<Hours>(), Err(ScheduleError::Hours));
        assert_eq!("08:00-08:00".parse::<Hours>(), Err(ScheduleError::Hours));
        assert_eq!("fri-mon".parse::<Days>(), Err(ScheduleError::Days));
        assert_eq!("mon-holiday".parse::<Days>(), Err(ScheduleError::Days));
        assert_eq!("".parse::<Days>(), Err(ScheduleError::Days));
    }

    proptest! {
        #[test]
        fn days_and_hours_that_are_read_mean_what_they_are_written_as(
            days in "(mon|tue|fri|sun|holiday|mon-sat|[a-z,-]{0,9})(,(wed|sat|thu-fri))?",
            hours in "[0-2][0-9]:[0-5][0-9]-[0-2][0-9]:[0-5][0-9]",
        ) {
            if let Ok(days) = days.parse::<Days>() {
                prop_assert_eq!(days.to_string().parse(), Ok(days));
            }
            if let Ok(read) = hours.parse::<Hours>() {
                prop_assert_eq!(read.to_string(), hours);
            }
        }
    }
}
