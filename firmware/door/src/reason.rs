//! Why.

use core::fmt;
use serde::{Deserialize, Serialize};

/// What a reason tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Somebody is let in.
    Granted,
    /// Somebody is not let in.
    Denied,
    /// Somebody is to do one more thing.
    Awaited,
    /// An alarm is raised.
    Alarm,
    /// Something does not do what it should.
    Trouble,
    /// What the door went through.
    Note,
}

/// Declares [`Reason`]: a line is `Variant = Kind, "name", "text";`.
macro_rules! reasons {
    ($($reason:ident = $kind:ident, $name:literal, $text:literal;)+) => {
        /// Why the machine did what it did. Each transition and each action has one.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Reason {
            $(#[doc = $text] #[serde(rename = $name)] $reason,)+
        }

        impl Reason {
            /// All reasons.
            pub const ALL: [Self; [$(Self::$reason),+].len()] = [$(Self::$reason),+];

            /// What it tells of.
            #[must_use]
            pub const fn kind(self) -> Kind {
                match self {
                    $(Self::$reason => Kind::$kind,)+
                }
            }

            /// Its name in JSON and in scenarios.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$reason => $name,)+
                }
            }

            /// What the operator reads.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self {
                    $(Self::$reason => $text,)+
                }
            }
        }
    };
}

reasons! {
    Granted = Granted, "granted", "let in";
    UnknownFace = Denied, "unknown_face", "denied: recognition names nobody";
    UnknownCard = Denied, "unknown_card", "denied: nobody has this card";
    WrongPin = Denied, "wrong_pin", "denied: the PIN is wrong";
    FactorsDisagree = Denied, "factors_disagree", "denied: the two credentials belong to two people";
    NoSecondFactor = Denied, "no_second_factor", "denied: the second credential did not come in time";
    SamePersonTwice = Denied, "same_person_twice", "denied: the second person must be another one";
    NoSecondPerson = Denied, "no_second_person", "denied: the second person did not come in time";
    MethodOff = Denied, "method_off", "denied: this door takes no such credential";
    MethodOffAtThisHour = Denied, "method_off_at_this_hour", "denied: no such credential is taken at this hour";
    MethodOffInAlarm = Denied, "method_off_in_alarm", "denied: no such credential is taken while an alarm stands";
    MethodOffWithoutClock = Denied, "method_off_without_clock", "denied: not taken at every hour, and the clock is not set";
    AlreadyInside = Denied, "already_inside", "denied: is inside already and did not leave (anti-passback)";
    InsideFull = Denied, "inside_full", "denied: too many people are inside for anti-passback; let the operator forget who is";
    OneAtATime = Denied, "one_at_a_time", "denied: the door is unlocked for somebody else; wait until it is locked";
    InLockdown = Denied, "in_lockdown", "denied: lockdown";
    AwaitsSecondFactor = Awaited, "awaits_second_factor", "one more credential is needed";
    AwaitsSecondPerson = Awaited, "awaits_second_person", "one more person is needed";
    Forced = Alarm, "forced", "ALARM: the door was opened by force";
    HeldOpen = Alarm, "held_open", "ALARM: the door is held open";
    Tamper = Alarm, "tamper", "ALARM: a housing is open";
    NotOpened = Trouble, "not_opened", "granted, but the door did not open: see whether the bolt moves";
    HeldOpenWarning = Trouble, "held_open_warning", "the door stands open: close it";
    RelayDiffers = Trouble, "relay_differs", "the lock's line is not what it was driven to: see relay and wiring";
    RelayAgrees = Note, "relay_agrees", "the lock's line is what it was driven to";
    ClockJumped = Trouble, "clock_jumped", "the clock ran backwards: every delay is taken to be over";
    Started = Note, "started", "the door's program started";
    LockdownKept = Note, "lockdown_kept", "a lockdown from before the start goes on";
    AlarmKept = Note, "alarm_kept", "an alarm from before the start stands";
    Opened = Note, "opened", "opened after a grant";
    OpenedToLeave = Note, "opened_to_leave", "opened after a request to exit";
    OpenedUnlocked = Note, "opened_unlocked", "opened while unlocked for everybody";
    OpenAtStart = Note, "open_at_start", "found open at the start";
    Closed = Note, "closed", "closed";
    UnlockOver = Note, "unlock_over", "the time of the grant is over";
    ExitRequested = Note, "exit_requested", "somebody asks to leave";
    ExitNotUsed = Note, "exit_not_used", "nobody left after the request to exit";
    HoursBegan = Note, "hours_began", "unlocked for everybody at this hour";
    HoursEnded = Note, "hours_ended", "the hours of the unlocked door are over";
    ClockLost = Trouble, "clock_lost", "the clock is not set: no schedule unlocks";
    LockdownBegan = Note, "lockdown_began", "lockdown: no grant opens";
    LockdownEnded = Note, "lockdown_ended", "the lockdown is over";
    FireBegan = Note, "fire_began", "fire release: unlocked until it is reset";
    FireClear = Note, "fire_clear", "the fire input is clear; the release stays until it is reset";
    FireReset = Note, "fire_reset", "the fire release is reset";
    FireNotClear = Trouble, "fire_not_clear", "not reset: the fire input still calls for release";
    Released = Note, "released", "the fire release holds the door unlocked: no credential is needed";
    TamperCleared = Note, "tamper_cleared", "the housing is closed";
    Acknowledged = Note, "acknowledged", "somebody has seen the alarm";
    AlarmEnded = Note, "alarm_ended", "the alarm is over";
    NothingToDo = Note, "nothing_to_do", "nothing to acknowledge, to reset or to forget";
    Left = Note, "left", "is not inside any more";
    InsideForgotten = Note, "inside_forgotten", "everybody is taken to be outside";
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.text())
    }
}
