//! One face followed from frame to frame.

use arcdoor_core::{DenyReason, Millis, Rect, Score, SubjectId, Threshold};
use serde::{Deserialize, Serialize};

use crate::intent::{Hold, Intent, Stance};
use crate::observation::Observation;
use crate::policy::{Fields, MAX_WINDOW};
use crate::thresholds::Thresholds;

/// Least overlap (intersection over union) of a face's boxes in two frames. A person who walks past at
/// arm's length moves half a face between frames at 10 a second, which still overlaps by a third.
const LEAST_OVERLAP: f32 = 0.2;

/// What one look says about who it is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Vote {
    /// This subject, with this score at or above the threshold.
    Subject(SubjectId, Score),
    /// Nearest to this subject, and not let in as it.
    Contested(SubjectId, DenyReason),
    /// Nobody who is let in.
    Nobody(DenyReason),
}

impl Vote {
    /// The subject that the face is nearest to, where it is near enough to one.
    const fn nearest(self) -> Option<SubjectId> {
        match self {
            Self::Subject(subject, _) | Self::Contested(subject, _) => Some(subject),
            Self::Nobody(_) => None,
        }
    }

    /// Why it names nobody; `None`: it names somebody.
    pub(crate) const fn denial(self) -> Option<DenyReason> {
        match self {
            Self::Subject(..) => None,
            Self::Contested(_, reason) | Self::Nobody(reason) => Some(reason),
        }
    }
}

/// How the last attempt of a face ended that is still there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Ended {
    Granted(SubjectId),
    Denied,
}

/// A face that is followed, with the votes of its last looks: frames that show it well.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Track {
    rect: Rect,
    seen: Millis,
    /// The subject that the face is claimed to be; `None`: the votes say who of the gallery it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    claim: Option<SubjectId>,
    /// When each was cast, oldest first. Those that are nearest to a subject are all nearest to the same one.
    votes: heapless::Vec<(Millis, Vote), MAX_WINDOW>,
    /// Looks of the present attempt: since the last one ended, without those that named again whom it granted.
    looks: u8,
    /// Of these looks, why the newest that named nobody did so; `None` where each named somebody.
    doubt: Option<DenyReason>,
    /// How the last attempt ended; `None` before the first end.
    ended: Option<Ended>,
    /// Since when the face has shown intent without a break.
    hold: Option<Hold>,
    /// Whether the present attempt is one: the face showed intent for long enough, or none is required.
    is_meant: bool,
}

impl Track {
    pub(crate) const fn new(rect: Rect, claim: Option<SubjectId>, now: Millis) -> Self {
        let votes = heapless::Vec::new();
        let (looks, doubt, ended, hold, is_meant) = (0, None, None, None, false);
        Self { rect, seen: now, claim, votes, looks, doubt, ended, hold, is_meant }
    }

    /// Whether an observation is one of this face, or of a moment without it. A clock that ran backwards ends the
    /// track, and so does another claim, or none any more.
    pub(crate) fn goes_on(&self, observation: &Observation, now: Millis, gap_ms: u64) -> bool {
        let is_near = |rect: &Rect| self.rect.iou(rect) >= LEAST_OVERLAP;
        now >= self.seen
            && now.since(self.seen) <= gap_ms
            && match observation {
                Observation::Nobody { .. } => true,
                Observation::Unclear { rect, .. } => is_near(rect),
                Observation::Face { rect, claim, .. } => is_near(rect) && self.claim == *claim,
            }
    }

    pub(crate) const fn move_to(&mut self, rect: Rect, now: Millis) {
        self.rect = rect;
        self.seen = now;
    }

    /// When the face was seen last.
    pub(crate) const fn seen(&self) -> Millis {
        self.seen
    }

    /// Takes in how the face stands in a frame, before the frame's vote. An attempt begins with the hold that makes it
    /// one: nothing seen of a passer-by before it was tried.
    pub(crate) fn attend(&mut self, stance: &Stance, now: Millis, intent: &Intent) {
        let held = self.hold;
        self.hold = Hold::next(held, stance, now, intent);
        if held.map(|hold| hold.since()) != self.hold.map(|hold| hold.since()) && !self.is_meant {
            // After a doubt, the next grant is none that repeats the last one.
            if self.looks > 0 && matches!(self.ended, Some(Ended::Granted(_))) {
                self.ended = None;
            }
            (self.looks, self.doubt) = (0, None);
        }
        self.is_meant |= self.intends(now, intent);
    }

    /// A frame without the face: whatever it showed is broken off.
    pub(crate) const fn lose_sight(&mut self) {
        self.hold = None;
    }

    /// Whether the face shows intent, and has for long enough.
    pub(crate) fn intends(&self, now: Millis, intent: &Intent) -> bool {
        !intent.required || self.hold.is_some_and(|hold| hold.is_long(now, intent))
    }

    /// Whether the face shows intent, for however short a time.
    pub(crate) const fn is_held(&self) -> bool {
        self.hold.is_some()
    }

    /// Takes one more look's vote. Of the earlier ones, those stay that are young enough, among the last `of`, and
    /// not before a look that was nearest to somebody else.
    pub(crate) fn look(&mut self, vote: Vote, now: Millis, fields: &Fields) {
        let names_granted =
            matches!(vote, Vote::Subject(subject, _) if self.has_ended(Ended::Granted(subject)));
        self.looks = self.looks.saturating_add(u8::from(!names_granted));
        self.doubt = vote.denial().or(self.doubt);
        self.votes.retain(|(cast, _)| now.since(*cast) <= fields.window_ms);
        let is_other = |earlier: Vote| earlier.nearest().is_some_and(|other| vote.nearest() != Some(other));
        if vote.nearest().is_some() && self.votes.iter().any(|(_, earlier)| is_other(*earlier)) {
            self.votes.clear();
        }
        let window = usize::from(fields.of).clamp(1, MAX_WINDOW);
        while self.votes.len() >= window {
            self.votes.remove(0);
        }
        // There is room: the loop above made it.
        let _ = self.votes.push((now, vote));
    }

    /// Votes for one subject that stand under the present threshold, which may have risen since they were
    /// cast; and the best of their scores.
    pub(crate) fn votes_for(&self, wanted: SubjectId, threshold: &Threshold) -> (usize, Score) {
        let scores = self.votes.iter().filter_map(|(_, vote)| match vote {
            Vote::Subject(subject, score) if *subject == wanted && threshold.admits(*score) => Some(score.0),
            _ => None,
        });
        let (count, best) = scores.fold((0, f32::NEG_INFINITY), |(n, best), score| (n + 1, best.max(score)));
        (count, Score(best))
    }

    /// Votes for somebody that stand under the present threshold: all of them are for the same subject.
    pub(crate) fn agreeing(&self, thresholds: &Thresholds) -> u8 {
        let threshold = thresholds.of(self.claim);
        let stands =
            |(_, vote): &&(Millis, Vote)| matches!(vote, Vote::Subject(_, score) if threshold.admits(*score));
        u8::try_from(self.votes.iter().filter(stands).count()).unwrap_or(u8::MAX)
    }

    /// Whether this subject is named anywhere in it.
    pub(crate) fn names(&self, subject: SubjectId) -> bool {
        self.claim == Some(subject)
            || self.has_ended(Ended::Granted(subject))
            || self.votes.iter().any(|(_, vote)| vote.nearest() == Some(subject))
    }

    /// Whether every number of it is finite.
    pub(crate) fn is_finite(&self) -> bool {
        let Rect { x, y, w, h } = self.rect;
        [x, y, w, h].iter().all(|side| side.is_finite())
            && self.hold.is_none_or(|hold| hold.is_finite())
            && self
                .votes
                .iter()
                .all(|(_, vote)| !matches!(vote, Vote::Subject(_, score) if !score.0.is_finite()))
    }

    /// Looks of the present attempt; 0 where nothing shows yet that it is one.
    pub(crate) const fn looks(&self) -> u8 {
        if self.is_meant { self.looks } else { 0 }
    }

    /// Whether the last attempt ended so, and the face is still there.
    pub(crate) fn has_ended(&self, ended: Ended) -> bool {
        self.ended == Some(ended)
    }

    /// Ends an attempt; the next look begins another one. Who was granted is voted on anew.
    pub(crate) fn end(&mut self, ended: Ended) {
        if matches!(ended, Ended::Granted(_)) {
            self.votes.clear();
        }
        (self.looks, self.doubt, self.ended, self.is_meant) = (0, None, Some(ended), false);
    }

    /// Why this was an attempt that failed, now that the face is gone; `None`: it was too short to be one.
    pub(crate) fn failure(&self, fields: &Fields) -> Option<DenyReason> {
        (self.looks() >= fields.agree).then(|| self.doubt.unwrap_or(DenyReason::TooFewAgree))
    }

    /// Looks of an attempt that was too short. A granted person who turns away may leave a few; they are no attempt.
    pub(crate) const fn unfinished_looks(&self) -> u8 {
        if matches!(self.ended, Some(Ended::Granted(_))) { 0 } else { self.looks() }
    }
}
