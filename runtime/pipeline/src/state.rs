//! What is remembered from frame to frame.

use arcdoor_core::{DenyReason, Millis, Rect, SubjectId};
use serde::{Deserialize, Serialize};

use crate::denials::{Denials, LockoutState};
use crate::observation::Observation;
use crate::policy::{Fields, Policy};
use crate::track::Track;

/// All that is remembered from frame to frame.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    pub(crate) track: Option<Track>,
    pub(crate) denials: Denials,
    unfinished: Unfinished,
}

/// Looks of attempts that were too short to succeed or to fail.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Unfinished {
    looks: u8,
    /// When the last of these faces was seen.
    seen: Millis,
}

impl State {
    /// Whether recognition is locked out at `now`. A clock that ran backwards does not prolong a lockout
    /// beyond its length.
    #[must_use]
    pub fn is_locked_out(&self, now: Millis) -> bool {
        self.denials.is_locked(now)
    }

    /// What a restart must not forget: the lockout, the denials that lead to one, and how often somebody was looked at
    /// since. Whom the looks named is forgotten: votes do not survive a restart.
    #[must_use]
    pub fn lockout(&self, now: Millis) -> LockoutState {
        let open = self.track.as_ref().map_or(0, Track::looks);
        LockoutState { looks: self.unfinished.looks.saturating_add(open), ..self.denials.left(now) }
    }

    /// Nothing but what [`State::lockout`] took out, on a clock that shows `now`.
    #[must_use]
    pub fn resumed(taken: &LockoutState, now: Millis) -> Self {
        Self {
            track: None,
            denials: Denials::resumed(taken, now),
            unfinished: Unfinished { looks: taken.looks, seen: now },
        }
    }

    /// Ends the attempt at a face that `observation` does not go on with; why it failed, where it did.
    ///
    /// It failed with `agree` looks or more: with fewer, nobody could be granted whatever they showed, so nothing was
    /// tried. Such looks are no denial of their own, or whoever passes by would lock the door; but they are added up
    /// from face to face, and `of` of them, no two faces further apart than votes count, are one denial: who shows
    /// face after face for a moment each is denied at the pace of who stands still.
    pub(crate) fn leave(
        &mut self,
        observation: &Observation,
        now: Millis,
        fields: &Fields,
    ) -> Option<DenyReason> {
        if let Some(track) = self.track.take_if(|track| !track.goes_on(observation, now, fields.gap_ms)) {
            if let Some(reason) = track.failure(fields) {
                return Some(reason);
            }
            self.unfinished.add(track.unfinished_looks(), track.seen().min(now), fields.window_ms);
        }
        if self.unfinished.looks < fields.of {
            return None;
        }
        self.unfinished.looks = 0;
        Some(DenyReason::TooFewAgree)
    }

    /// Whether the face that is followed has shown the intent that this policy requires.
    #[must_use]
    pub fn shows_intent(&self, now: Millis, policy: &Policy) -> bool {
        let intent = &policy.fields().intent;
        !intent.required || self.track.as_ref().is_some_and(|track| track.intends(now, intent))
    }

    /// Whether an observation goes on with a face that is followed.
    pub(crate) fn follows(&self, observation: &Observation, now: Millis, policy: &Policy) -> bool {
        let gap_ms = policy.fields().gap_ms;
        self.track.as_ref().is_some_and(|track| track.goes_on(observation, now, gap_ms))
    }

    /// Whether this subject is named anywhere in it.
    pub(crate) fn names(&self, subject: SubjectId) -> bool {
        self.track.as_ref().is_some_and(|track| track.names(subject))
    }

    /// Whether every number of it is finite.
    pub(crate) fn is_finite(&self) -> bool {
        self.track.as_ref().is_none_or(Track::is_finite)
    }

    /// No face is seen.
    pub(crate) fn lose_sight(&mut self) {
        if let Some(track) = &mut self.track {
            track.lose_sight();
        }
    }

    /// The track of a face at `rect`, moved there; a new one where there is none.
    pub(crate) fn follow(&mut self, rect: Rect, claim: Option<SubjectId>, now: Millis) -> &mut Track {
        let track = self.track.get_or_insert_with(|| Track::new(rect, claim, now));
        track.move_to(rect, now);
        track
    }

    /// Counts an attempt that ended without a grant. Where nobody is enrolled, there is nothing to guess.
    pub(crate) fn count(&mut self, reason: DenyReason, now: Millis, fields: &Fields) {
        let Some(rule) = fields.lockout.filter(|_| reason != DenyReason::NobodyEnrolled) else { return };
        self.denials.note(now, rule);
        if self.denials.is_locked(now) {
            // Neither votes nor a track that could be taken over afterwards.
            (self.track, self.unfinished) = (None, Unfinished::default());
        }
    }
}

impl Unfinished {
    fn add(&mut self, looks: u8, seen: Millis, window_ms: u64) {
        let before = if seen.since(self.seen) > window_ms { 0 } else { self.looks };
        *self = Self { looks: before.saturating_add(looks), seen };
    }
}
