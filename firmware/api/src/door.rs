//! The door beside recognition: what it is asked, and how it stands.

use arcdoor_door::{Alarm, Contact, Method, Position};
use serde::{Deserialize, Serialize};

/// What somebody who may tells the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DoorAct {
    /// The alarms that stand were seen.
    Acknowledge,
    /// Nobody comes in from now on.
    Lockdown,
    /// The lockdown is over.
    EndLockdown,
    /// The fire release is over; the fire input must be clear.
    ResetFire,
    /// Everybody is taken to be outside, for anti-passback.
    ForgetInside,
}

impl DoorAct {
    /// In words.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Acknowledge => "the alarms were acknowledged",
            Self::Lockdown => "a lockdown was asked for",
            Self::EndLockdown => "the lockdown was called off",
            Self::ResetFire => "the fire release was reset",
            Self::ForgetInside => "everybody was said to be outside",
        }
    }
}

/// How the door stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoorState {
    /// What the lock is meant to be.
    pub position: Position,
    /// What the door's contact says; none: nothing yet, or there is none.
    pub contact: Option<Contact>,
    /// The alarms that stand.
    pub alarms: Vec<Alarm>,
    /// Whether nobody is let in.
    pub lockdown: bool,
    /// What is enough to come in now.
    pub methods: Vec<Method>,
    /// What is wrong with a line of the board.
    pub line: Option<String>,
    /// Whether faces are recognised.
    pub recognition: bool,
}

/// What went wrong beside the door's own machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DoorFault {
    /// A line of the board cannot be driven or read.
    Line,
    /// All lines work again.
    LinesBack,
    /// The door's thread failed, and was started anew with its lock in the fail mode meanwhile.
    Restarted,
    /// The program ended because a part of it hung; found at the next start.
    Hung,
    /// What was kept of the door could not be read: nobody is inside, a lockdown, no alarm.
    KeptLost,
    /// The panel shows nothing.
    Panel,
    /// A touch panel or a key pad cannot be read: no PIN can be entered there.
    Keys,
    /// Somebody's PIN was wrong so often that none of theirs is looked at for a while.
    PinLocked,
    /// PINs cannot be looked at.
    Pins,
    /// What survives a restart could not be written.
    NotKept,
    /// So much happened at once that some of it has no entry.
    Unlogged,
}

impl DoorFault {
    /// In words.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Line => "a line of the board failed, and the relay is in its fail mode",
            Self::LinesBack => "the board's lines work again",
            Self::Restarted => "the door's part of the program failed and was started anew",
            Self::Hung => "the program ended itself before this start",
            Self::KeptLost => {
                "who was inside, a lockdown and alarms could not be read: a lockdown is assumed; `arcdoor door end-lockdown` ends it"
            }
            Self::Panel => "the panel shows nothing",
            Self::Keys => "what people press cannot be read",
            Self::PinLocked => "a PIN was not looked at",
            Self::Pins => "no PIN is taken",
            Self::NotKept => {
                "who is inside, lockdown and alarms could not be written: a restart forgets what changed"
            }
            Self::Unlogged => "more happened at the door than could be written down",
        }
    }
}
