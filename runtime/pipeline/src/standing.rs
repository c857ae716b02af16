//! How far a face had come when it was decided about: what the policy asks for, and what of it was there.

use arcdoor_core::Millis;

use crate::intent::Intent;
use crate::thresholds::Thresholds;
use crate::track::Track;

/// Whether a face showed that somebody wants to be let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Intends {
    /// It need not.
    NotAsked,
    /// It did, for long enough.
    Shown,
    /// It did, and not for long enough yet.
    TooShort,
    /// It did not.
    #[default]
    NotShown,
}

/// How far a face had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// Looks in the window that name a subject above the threshold; all name the same one.
    pub agreeing: u8,
    /// Looks of the attempt.
    pub looks: u8,
    /// Whether the intent that the policy asks for was shown.
    pub intends: Intends,
    /// How long the lockout lasts yet, milliseconds; 0: there is none.
    pub locked_ms: u64,
}

/// The standing of the face of a frame, and of that which was followed before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standings {
    /// Before the frame: where its attempt failed, what it failed with.
    pub before: Standing,
    /// Of the face of the frame, its look included.
    pub present: Standing,
}

impl Standing {
    pub(crate) fn of(track: &Track, now: Millis, thresholds: &Thresholds, intent: &Intent) -> Self {
        let intends = match (intent.required, track.intends(now, intent), track.is_held()) {
            (false, ..) => Intends::NotAsked,
            (true, true, _) => Intends::Shown,
            (true, false, true) => Intends::TooShort,
            (true, false, false) => Intends::NotShown,
        };
        Self { agreeing: track.agreeing(thresholds), looks: track.looks(), intends, locked_ms: 0 }
    }
}
