//! What panel, lights and buzzer show: functions of the state, never of an event.

use crate::credential::{Factors, Methods};
use crate::kept::Alarm;
use crate::lock::Position;
use serde::Serialize;

/// What the door shows. Nobody learns from a denial: it has no reason here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum View {
    /// The fire release holds the door unlocked.
    Fire,
    /// An alarm stands; of several, the first of [`Alarm::ALL`].
    Alarm(Alarm),
    /// Close the door: it stands open for long.
    CloseDoor,
    /// Nobody comes in until the lockdown ends.
    Lockdown,
    /// The lock's line does not do what it is told: call somebody.
    OutOfOrder,
    /// Come in.
    Welcome,
    /// Unlocked for everybody at this hour.
    OpenHours,
    /// Not let in.
    Denied,
    /// One more factor, besides these.
    SecondFactor(Factors),
    /// One more person.
    SecondPerson,
    /// Locked; these methods are taken. None: nobody is let in at this hour.
    Ready(Methods),
}

/// What the buzzer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Buzzer {
    /// Nothing.
    Silent,
    /// Short beeps: close the door.
    Beeps,
    /// Without a break: an alarm.
    Steady,
}

/// Lights and buzzer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct Indicators {
    /// The door is unlocked, whatever unlocked it.
    pub green: bool,
    /// The door is locked.
    pub red: bool,
    /// What is heard.
    pub buzzer: Buzzer,
}

impl Indicators {
    /// What a door in this position with this view shows.
    #[must_use]
    pub const fn of(position: Position, view: View) -> Self {
        let green = matches!(position, Position::Unlocked);
        let buzzer = match view {
            View::Alarm(_) => Buzzer::Steady,
            View::CloseDoor => Buzzer::Beeps,
            _ => Buzzer::Silent,
        };
        Self { green, red: !green, buzzer }
    }
}
