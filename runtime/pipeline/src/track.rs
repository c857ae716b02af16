//! One face followed from frame to frame.

use arcdoor_core::{DenyReason, Millis, Rect, Score, SubjectId, Threshold};
use serde::{Deserialize, Serialize};

use crate::policy::MAX_WINDOW;

/// Least overlap (intersection over union) of a face's boxes in two frames. A person who walks past at
/// arm's length moves half a face between frames at 10 a second, which still overlaps by a third.
const LEAST_OVERLAP: f32 = 0.2;

/// What one frame says about who it is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Vote {
    /// This subject, with this score at or above the threshold.
    Subject(SubjectId, Score),
    /// Nobody who is let in.
    Nobody(DenyReason),
}

/// A face that is followed, with the votes of its last frames.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Track {
    rect: Rect,
    seen: Millis,
    /// What the votes answer: whether it is this subject, or who it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    claim: Option<SubjectId>,
    votes: heapless::Vec<Vote, MAX_WINDOW>,
    /// Frames since the last denial that counted; `None` before the first.
    since_denial: Option<u8>,
}

impl Track {
    pub(crate) const fn new(rect: Rect, now: Millis) -> Self {
        Self { rect, seen: now, claim: None, votes: heapless::Vec::new(), since_denial: None }
    }

    /// Whether a face at `rect` now can be this one.
    pub(crate) fn continues(&self, rect: &Rect, now: Millis, gap_ms: u64) -> bool {
        self.is_alive(now, gap_ms) && self.rect.iou(rect) >= LEAST_OVERLAP
    }

    /// Whether the face was seen lately. A clock that ran backwards ends the track.
    pub(crate) fn is_alive(&self, now: Millis, gap_ms: u64) -> bool {
        now >= self.seen && now.since(self.seen) <= gap_ms
    }

    pub(crate) const fn move_to(&mut self, rect: Rect, now: Millis) {
        self.rect = rect;
        self.seen = now;
    }

    /// Adds a vote; only the last `window` are kept, and of those only the ones under the same claim: where
    /// another claim is made, or none any more, the face is judged from the start.
    pub(crate) fn vote(&mut self, claim: Option<SubjectId>, vote: Vote, window: u8) {
        if self.claim != claim {
            *self = Self { claim, ..Self::new(self.rect, self.seen) };
        }
        let window = usize::from(window).clamp(1, MAX_WINDOW);
        while self.votes.len() >= window {
            self.votes.remove(0);
        }
        // There is room: the loop above made it.
        let _ = self.votes.push(vote);
    }

    /// Votes for one subject that stand under the present threshold, which may have risen since they were
    /// cast; and the best of their scores.
    pub(crate) fn votes_for(&self, wanted: SubjectId, threshold: &Threshold) -> (usize, Score) {
        let scores = self.votes.iter().filter_map(|vote| match vote {
            Vote::Subject(subject, score) if *subject == wanted && threshold.admits(*score) => Some(score.0),
            _ => None,
        });
        let (count, best) = scores.fold((0, f32::NEG_INFINITY), |(n, best), score| (n + 1, best.max(score)));
        (count, Score(best))
    }

    pub(crate) fn votes(&self) -> usize {
        self.votes.len()
    }

    /// Whether a denial now is a new attempt: the first one, then one for each window of frames.
    pub(crate) const fn counts_denial(&mut self, window: u8) -> bool {
        let since = match self.since_denial {
            Some(frames) => frames.saturating_add(1),
            None => window,
        };
        let counts = since >= window;
        self.since_denial = Some(if counts { 0 } else { since });
        counts
    }
}
