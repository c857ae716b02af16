//! Denials that count, and the lockout that they lead to.

use arcdoor_core::Millis;
use serde::{Deserialize, Serialize};

use crate::policy::{Lockout, MAX_DENIALS};

/// Denials that count, and a lockout in force, on the caller's clock.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Denials {
    /// Until when each of them counts, oldest first. Not when they happened: after a restart, the clock may have begun
    /// at 0 since, and has no number for that time.
    count_until: heapless::Vec<Millis, MAX_DENIALS>,
    locked_until: Option<Millis>,
}

/// What is left of denials and lockout, without a time of any clock: whoever starts anew, or makes recognition anew,
/// takes it out before and puts it back after. It does not grow older on the way, so that no restart shortens a lockout;
/// and none prolongs one beyond its length, for no more is put back than was left. (What was taken out long before
/// the restart repeats what was over by then: keep it anew from time to time while it is not empty.)
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LockoutState {
    /// How long the lockout lasts yet, milliseconds; 0: there is none. The policy's `lockout.for_ms` bounds it.
    pub locked_ms: u64,
    /// How long each denial counts yet, milliseconds, oldest first. The policy's `lockout.within_ms` bounds them.
    pub denials_ms: heapless::Vec<u64, MAX_DENIALS>,
    /// Looks at faces that were neither granted nor denied.
    pub looks: u8,
}

impl Denials {
    /// The denials and the lockout of `taken`, on a clock that shows `now`.
    pub(crate) fn resumed(taken: &LockoutState, now: Millis) -> Self {
        Self {
            count_until: taken.denials_ms.iter().map(|left| now.plus(*left)).collect(),
            locked_until: (taken.locked_ms > 0).then(|| now.plus(taken.locked_ms)),
        }
    }

    /// What is left at `now`.
    pub(crate) fn left(&self, now: Millis) -> LockoutState {
        LockoutState {
            locked_ms: self.locked_until.map_or(0, |until| until.since(now)),
            denials_ms: self.count_until.iter().map(|until| until.since(now)).collect(),
            looks: 0,
        }
    }

    pub(crate) fn is_locked(&self, now: Millis) -> bool {
        self.locked_until.is_some_and(|until| now < until)
    }

    /// Forgets what is over. Nothing lasts longer than the rule says from now on, so that a clock that ran backwards,
    /// a rule that was changed or a damaged state prolongs no lockout beyond its length.
    pub(crate) fn follow_clock(&mut self, now: Millis, rule: Option<Lockout>) {
        let Some(rule) = rule else {
            *self = Self::default();
            return;
        };
        let locked_until = self.locked_until.map(|until| until.min(now.plus(rule.for_ms)));
        self.locked_until = locked_until.filter(|until| now < *until);
        self.count_until.retain(|until| now <= *until);
        self.count_until.iter_mut().for_each(|until| *until = (*until).min(now.plus(rule.within_ms)));
    }

    /// Counts one more denial; with `rule.after` of them, a lockout begins.
    pub(crate) fn note(&mut self, now: Millis, rule: Lockout) {
        if self.count_until.is_full() {
            self.count_until.remove(0);
        }
        // There is room: the line above made it.
        let _ = self.count_until.push(now.plus(rule.within_ms));
        if self.count_until.len() >= usize::from(rule.after) {
            *self = Self { locked_until: Some(now.plus(rule.for_ms)), ..Self::default() };
        }
    }
}
