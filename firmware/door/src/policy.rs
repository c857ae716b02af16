//! The rules of one door, parsed.

use crate::clock::Civil;
use crate::credential::{Factor, Method, Methods};
use crate::limits::{MAX_DELAY_MS, MAX_HELD_MS, MIN_DELAY_MS};
use crate::lock::FailMode;
use crate::reason::Reason;
use crate::schedule::Schedule;
use serde::{Deserialize, Serialize};

/// What is wrong with a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// A delay is out of range.
    #[error("{name} = {ms} cannot be; it lies within {MIN_DELAY_MS} to {MAX_DELAY_MS} milliseconds")]
    Delay {
        /// The key.
        name: &'static str,
        /// What it says.
        ms: u32,
    },
    /// The times of a door that stands open are out of range or order.
    #[error(
        "held.warn_ms = {warn_ms} and held.alarm_ms = {alarm_ms} cannot be; the warning comes before the alarm, \
         {MIN_DELAY_MS} <= warn_ms < alarm_ms <= {MAX_HELD_MS}"
    )]
    Held {
        /// When it warns.
        warn_ms: u32,
        /// When it is an alarm.
        alarm_ms: u32,
    },
    /// No method at any hour.
    #[error(
        "no method is enabled at any hour: nobody could ever come in; enable one, such as methods = \"card+face\""
    )]
    NoMethod,
    /// An alarm would close the door to everybody.
    #[error(
        "in_alarm has no method in common with methods, or with those of a window of schedule.methods: name one that each \
         has, or leave in_alarm out"
    )]
    InAlarm,
    /// Nothing says when a holiday's date would matter.
    #[error(
        "holidays are listed, and no window says what holds: give one of unlocked or methods, or leave them out"
    )]
    Holidays,
}

/// When a door that stands open is told of. Both count from the opening.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Held {
    /// When the door warns whoever holds it open, and the lock is driven to locked, milliseconds.
    pub warn_ms: u32,
    /// When it is an alarm, milliseconds, more than `warn_ms`.
    pub alarm_ms: u32,
}

/// Two different people must prove who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TwoPerson {
    /// How long the first one waits for the second, milliseconds.
    pub within_ms: u32,
}

/// The rules of one door. As a table of a settings file, every key has a default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Fields", into = "Fields")]
pub struct Policy {
    fields: Fields,
}

/// The keys of a policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fields {
    /// What the lock does without power.
    pub fail_mode: FailMode,
    /// How long a grant unlocks a door that nobody opens, milliseconds, 1,000 to 60,000.
    pub unlock_ms: u32,
    /// How long after a request to exit an opening is no forced one, milliseconds, 1,000 to 60,000.
    pub exit_ms: u32,
    /// When a door that stands open is told of.
    pub held: Held,
    /// How long the first factor waits for the second, milliseconds, 1,000 to 60,000.
    pub factor_ms: u32,
    /// Where two people must come together; without it, one is enough.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub two_person: Option<TwoPerson>,
    /// Whether who is inside may not come in again. Who leaves must then present a credential that is told as
    /// [`Event::Left`](crate::Event::Left).
    pub anti_passback: bool,
    /// What is enough to come in, outside the hours of `schedule.methods`.
    pub methods: Methods,
    /// While an alarm stands, only these of the methods are taken: an alarm never makes it easier to come in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_alarm: Option<Methods>,
    /// What depends on the hour.
    pub schedule: Schedule,
}

impl Default for Fields {
    /// A strike that unlocks for five seconds; a door that may stand open for half a minute and is an alarm after a
    /// minute; a face counts only together with a card or a PIN.
    fn default() -> Self {
        Self {
            fail_mode: FailMode::Secure,
            unlock_ms: 5_000,
            exit_ms: 10_000,
            held: Held { warn_ms: 30_000, alarm_ms: 60_000 },
            factor_ms: 15_000,
            two_person: None,
            anti_passback: false,
            methods: Methods::of(&[Method::CardFace, Method::FacePin]),
            in_alarm: None,
            schedule: Schedule::default(),
        }
    }
}

impl Policy {
    /// A policy from its keys.
    ///
    /// # Errors
    /// When a value is out of its range, or nobody could ever come in.
    pub fn new(fields: Fields) -> Result<Self, PolicyError> {
        let second = fields.two_person.map_or(MIN_DELAY_MS, |rule| rule.within_ms);
        let delays = [
            ("unlock_ms", fields.unlock_ms),
            ("exit_ms", fields.exit_ms),
            ("factor_ms", fields.factor_ms),
            ("two_person.within_ms", second),
        ];
        let is_wrong = |(_, ms): &(&str, u32)| !(MIN_DELAY_MS..=MAX_DELAY_MS).contains(ms);
        if let Some((name, ms)) = delays.into_iter().find(is_wrong) {
            return Err(PolicyError::Delay { name, ms });
        }
        let Held { warn_ms, alarm_ms } = fields.held;
        if warn_ms < MIN_DELAY_MS || warn_ms >= alarm_ms || alarm_ms > MAX_HELD_MS {
            return Err(PolicyError::Held { warn_ms, alarm_ms });
        }
        let schedule = &fields.schedule;
        if schedule.ever(fields.methods).is_empty() {
            return Err(PolicyError::NoMethod);
        }
        let closes = |methods: Methods| {
            !methods.is_empty() && fields.in_alarm.is_some_and(|these| these.both(methods).is_empty())
        };
        if closes(fields.methods) || schedule.methods.iter().any(|hours| closes(hours.methods)) {
            return Err(PolicyError::InAlarm);
        }
        if !schedule.holidays.is_empty() && schedule.unlocked.is_empty() && schedule.methods.is_empty() {
            return Err(PolicyError::Holidays);
        }
        Ok(Self { fields })
    }

    /// The keys, each within its range.
    #[must_use]
    pub const fn fields(&self) -> &Fields {
        &self.fields
    }

    /// The methods that are enough now.
    #[must_use]
    pub fn methods(&self, civil: Option<Civil>, is_alarm: bool) -> Methods {
        let methods = self.fields.schedule.methods(self.fields.methods, civil);
        match self.fields.in_alarm {
            Some(these) if is_alarm => methods.both(these),
            _ => methods,
        }
    }

    /// Why `factor` is not taken, where [`Policy::methods`] has none that takes it.
    #[must_use]
    pub fn why_off(&self, factor: Factor, civil: Option<Civil>) -> Reason {
        let schedule = &self.fields.schedule;
        if !schedule.ever(self.fields.methods).take(factor) {
            Reason::MethodOff
        } else if schedule.methods(self.fields.methods, civil).take(factor) {
            Reason::MethodOffInAlarm
        } else if civil.is_none() {
            Reason::MethodOffWithoutClock
        } else {
            Reason::MethodOffAtThisHour
        }
    }
}

impl TryFrom<Fields> for Policy {
    type Error = PolicyError;

    fn try_from(fields: Fields) -> Result<Self, PolicyError> {
        Self::new(fields)
    }
}

impl From<Policy> for Fields {
    fn from(policy: Policy) -> Self {
        policy.fields
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;

    fn refused(change: impl FnOnce(&mut Fields)) -> PolicyError {
        let mut fields = Fields::default();
        change(&mut fields);
        Policy::new(fields).unwrap_err()
    }

    #[test]
    fn a_policy_that_could_not_work_is_refused_with_the_remedy() {
        let error = refused(|fields| fields.unlock_ms = 0);
        assert_eq!(error.to_string(), "unlock_ms = 0 cannot be; it lies within 1000 to 60000 milliseconds");
        let error = refused(|fields| fields.two_person = Some(TwoPerson { within_ms: 60_001 }));
        assert!(matches!(error, PolicyError::Delay { name: "two_person.within_ms", .. }));
        let error = refused(|fields| fields.held = Held { warn_ms: 5_000, alarm_ms: 5_000 });
        assert!(error.to_string().contains("before the alarm"));
        assert_eq!(refused(|fields| fields.methods = Methods::NONE), PolicyError::NoMethod);
        let pin = Methods::of(&[Method::Pin]);
        assert_eq!(refused(|fields| fields.in_alarm = Some(pin)), PolicyError::InAlarm);
        let day = "2026-12-25".parse().unwrap();
        assert_eq!(refused(|fields| fields.schedule.holidays.push(day).unwrap()), PolicyError::Holidays);
    }
}
