//! Civil time: what a clock on the wall beside the door shows.

use crate::error::{DoorError, Error};
use arcdoor_api::UtcTime;
use arcdoor_door::{Civil, Date, Minute};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Before this, the clock was never set: boards without a battery start in 1970, or when their system was made.
/// 2026-01-01.
const SET_SINCE_S: u64 = 1_767_225_600;

/// The calendar of one place.
#[derive(Debug, Clone)]
pub struct Calendar(TimeZone);

impl Calendar {
    /// Of this time zone, such as `Asia/Seoul`; without one, of the system's.
    ///
    /// # Errors
    /// When there is no such zone.
    pub fn of(zone: Option<&str>) -> Result<Self, Error> {
        match zone {
            Some(name) => {
                TimeZone::get(name).map(Self).map_err(|_| DoorError::TimeZone(name.to_owned()).into())
            }
            None => Ok(Self(TimeZone::system())),
        }
    }

    /// Date and minute; none while the clock is not set.
    #[must_use]
    pub fn civil(&self, utc: UtcTime) -> Option<Civil> {
        let seconds = utc.unix_s();
        if seconds < SET_SINCE_S {
            return None;
        }
        let local = self.0.to_datetime(Timestamp::from_second(i64::try_from(seconds).ok()?).ok()?);
        let part = |value: i8| u8::try_from(value).ok();
        let date =
            Date::new(u16::try_from(local.year()).ok()?, part(local.month())?, part(local.day())?).ok()?;
        let minute = u16::from(part(local.hour())?) * 60 + u16::from(part(local.minute())?);
        Some(Civil { date, minute: Minute::new(minute).ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shows(calendar: &Calendar, unix_s: u64) -> Option<String> {
        let civil = calendar.civil(UtcTime::from_unix_ns(unix_s * 1_000_000_000))?;
        Some(format!("{} {}", civil.date, civil.minute))
    }

    #[test]
    fn daylight_saving_skips_an_hour_and_repeats_one() {
        let berlin = Calendar::of(Some("Europe/Berlin")).unwrap();
        // 2026-03-29 01:00 UTC, and 2026-10-25 01:00 UTC.
        let (spring, autumn) = (1_774_746_000, 1_792_890_000);
        assert_eq!(shows(&berlin, spring - 60).unwrap(), "2026-03-29 01:59");
        assert_eq!(shows(&berlin, spring).unwrap(), "2026-03-29 03:00");
        assert_eq!(shows(&berlin, autumn - 60).unwrap(), "2026-10-25 02:59");
        assert_eq!(shows(&berlin, autumn).unwrap(), "2026-10-25 02:00");
    }

    #[test]
    fn a_clock_that_was_never_set_shows_nothing_and_an_unknown_zone_is_refused() {
        assert_eq!(shows(&Calendar::of(Some("UTC")).unwrap(), 86_400), None);
        assert!(Calendar::of(Some("Europe/Atlantis")).is_err());
    }
}
