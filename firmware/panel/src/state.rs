//! What the panel shows. It has no place for a candidate, a score or a finding about liveness, so none can leak.

use crate::keypad::KeyOrder;
use arcdoor_core::{DenyReason, RetryReason};

/// One screen's content; whoever knows the door and the recogniser makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UiState {
    /// Nobody is there.
    Idle,
    /// Somebody is there, and this is what they can do.
    Approach(RetryReason),
    /// The door is open to whoever was recognised. A grant under duress is this one too.
    Granted,
    /// Nobody is let in.
    Denied(DenyAdvice),
    /// A person is being enrolled.
    Enrolment {
        /// Where the person is to look next.
        view: View,
        /// How many views are taken.
        progress: Progress,
        /// What the person can do better for this view.
        hint: Option<RetryReason>,
    },
    /// A PIN is asked for.
    Pin {
        /// Which digit lies on which key.
        order: KeyOrder,
        /// Digits entered so far, shown as dots; the digits themselves are never here.
        entered: u8,
    },
    /// The door wants attention.
    Alarm(Alarm),
    /// The device cannot recognise anybody.
    Fault(Fault),
    /// New software is being installed.
    Update(Percent),
}

/// What somebody who is not let in can do. Why they are not is for the log: whether faces are enrolled, or two of
/// them are alike, is nobody's business at the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DenyAdvice {
    /// Look straight at the camera, once more.
    TryAgain,
    /// Wait until the lockout ends.
    Wait,
}

impl From<DenyReason> for DenyAdvice {
    fn from(reason: DenyReason) -> Self {
        match reason {
            DenyReason::NoMatch
            | DenyReason::NobodyEnrolled
            | DenyReason::Ambiguous
            | DenyReason::NotThisPerson
            | DenyReason::TooFewAgree => Self::TryAgain,
            DenyReason::LockedOut => Self::Wait,
        }
    }
}

/// Where the person looks for one view of an enrolment; sides are the person's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// Into the camera.
    Frontal,
    /// To the person's left.
    Left,
    /// To the person's right.
    Right,
    /// Upwards.
    Up,
    /// Downwards.
    Down,
}

impl View {
    /// All, in the order in which they are asked for.
    pub const ALL: [Self; 5] = [Self::Frontal, Self::Left, Self::Right, Self::Up, Self::Down];
}

/// What the door raises an alarm for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alarm {
    /// Opened without a grant.
    Forced,
    /// Open for longer than allowed; soon it is an alarm.
    HeldOpenWarning,
    /// Open for longer than allowed.
    HeldOpen,
    /// The device's housing is open.
    Tamper,
    /// Released by the fire alarm.
    FireRelease,
    /// Locked down: no grant opens.
    Lockdown,
}

impl Alarm {
    /// All.
    pub const ALL: [Self; 6] = [
        Self::Forced,
        Self::HeldOpenWarning,
        Self::HeldOpen,
        Self::Tamper,
        Self::FireRelease,
        Self::Lockdown,
    ];
}

/// Why the device cannot recognise anybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// No camera, or it gives no frames.
    Camera,
    /// No pack, or one that was refused.
    Pack,
    /// The gallery is missing or damaged.
    Gallery,
    /// The key that opens the gallery is missing.
    Key,
    /// The lock, or its controller, does not answer.
    Lock,
    /// Nothing can be written any more.
    Storage,
    /// The clock is not set, or it jumped.
    Clock,
    /// The program was stopped, or ended by itself.
    Stopped,
}

impl Fault {
    /// All.
    pub const ALL: [Self; 8] = [
        Self::Camera,
        Self::Pack,
        Self::Gallery,
        Self::Key,
        Self::Lock,
        Self::Storage,
        Self::Clock,
        Self::Stopped,
    ];
}

/// Most views of one enrolment that the panel counts.
pub const MOST_VIEWS: u8 = 8;

/// How far an enrolment is: `taken <= needed`, and 1..=[`MOST_VIEWS`] are needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    taken: u8,
    needed: u8,
}

impl Progress {
    /// `None` where more are taken than needed, or none or more than [`MOST_VIEWS`] are needed.
    #[must_use]
    pub const fn new(taken: u8, needed: u8) -> Option<Self> {
        if needed == 0 || needed > MOST_VIEWS || taken > needed { None } else { Some(Self { taken, needed }) }
    }

    /// Views taken.
    #[must_use]
    pub const fn taken(self) -> u8 {
        self.taken
    }

    /// Views in all.
    #[must_use]
    pub const fn needed(self) -> u8 {
        self.needed
    }
}

/// A share in hundredths, 0..=100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent(u8);

impl Percent {
    /// `None` above 100.
    #[must_use]
    pub const fn new(percent: u8) -> Option<Self> {
        if percent > 100 { None } else { Some(Self(percent)) }
    }

    /// 0..=100.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}
