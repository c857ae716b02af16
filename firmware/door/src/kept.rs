//! What survives a restart.

use crate::inside::Inside;
use serde::{Deserialize, Serialize};

/// What stays until somebody has seen it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Alarm {
    /// The door opened, and nothing allowed it.
    Forced,
    /// The door stood open for too long.
    HeldOpen,
    /// The housing of a device is open.
    Tamper,
}

impl Alarm {
    /// All alarms.
    pub const ALL: [Self; 3] = [Self::Forced, Self::HeldOpen, Self::Tamper];

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// The alarms that stand, and which of them somebody has acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Alarms {
    standing: u8,
    acknowledged: u8,
}

impl Alarms {
    /// Whether `alarm` stands.
    #[must_use]
    pub const fn has(self, alarm: Alarm) -> bool {
        self.standing & alarm.bit() != 0
    }

    /// Whether `alarm` stands and was acknowledged since it was raised last.
    #[must_use]
    pub const fn is_acknowledged(self, alarm: Alarm) -> bool {
        self.standing & self.acknowledged & alarm.bit() != 0
    }

    /// Whether any stands.
    #[must_use]
    pub fn any(self) -> bool {
        self.iter().next().is_some()
    }

    /// Each that stands.
    pub fn iter(self) -> impl Iterator<Item = Alarm> {
        Alarm::ALL.into_iter().filter(move |alarm| self.has(*alarm))
    }

    /// Raises `alarm`, which is to be acknowledged anew.
    pub const fn raise(&mut self, alarm: Alarm) {
        self.standing |= alarm.bit();
        self.acknowledged &= !alarm.bit();
    }

    /// Somebody has seen it.
    pub const fn acknowledge(&mut self, alarm: Alarm) {
        self.acknowledged |= alarm.bit();
    }

    /// Ends `alarm`.
    pub const fn end(&mut self, alarm: Alarm) {
        self.standing &= !alarm.bit();
        self.acknowledged &= !alarm.bit();
    }
}

/// What the caller stores at each [`Action::Keep`](crate::Action::Keep), and gives back at the start. A store that is
/// lost is [`Kept::default`]: nobody inside, no lockdown, no alarm; the caller says so in the log.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// Who is inside, where the policy asks for anti-passback.
    pub inside: Inside,
    /// Whether no grant opens.
    pub lockdown: bool,
    /// Alarms that did not end.
    pub alarms: Alarms,
}
