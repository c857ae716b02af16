//! From what was seen to what it means: a pure function of state, observation, time and rules.

use arcdoor_core::{Candidate, Decision, DenyReason, Millis, Rect, RetryReason, Score, SubjectId, Threshold};
use serde::{Deserialize, Serialize};

use crate::observation::Observation;
use crate::policy::{Lockout, MAX_DENIALS, Policy};
use crate::thresholds::Thresholds;
use crate::track::{Track, Vote};

/// What a decision is held against.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rules {
    /// The least scores of a match.
    pub thresholds: Thresholds,
    /// How much has to agree.
    pub policy: Policy,
}

/// All that is remembered from frame to frame.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    track: Option<Track>,
    /// Times of the denials that still count towards a lockout.
    denials: heapless::Vec<Millis, MAX_DENIALS>,
    lockout: Option<Locked>,
}

/// A lockout in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Locked {
    since: Millis,
    until: Millis,
}

impl State {
    /// Whether recognition is locked out at `now`. A clock that ran backwards does not prolong a lockout
    /// beyond its length.
    #[must_use]
    pub fn is_locked_out(&self, now: Millis) -> bool {
        self.lockout.is_some_and(|lockout| now < lockout.until)
    }

    /// Moves a lockout back to a clock that ran backwards, so that it ends at all.
    fn follow_clock(&mut self, now: Millis) {
        if let Some(lockout) = &mut self.lockout
            && now < lockout.since
        {
            let length = lockout.until.since(lockout.since);
            *lockout = Locked { since: now, until: now.plus(length) };
        }
        self.denials.iter_mut().for_each(|denial| *denial = (*denial).min(now));
    }

    fn note_denial(&mut self, now: Millis, rules: &Lockout) {
        self.denials.retain(|denial| now.since(*denial) <= rules.within_ms);
        if self.denials.is_full() {
            self.denials.remove(0);
        }
        // There is room: the line above made it.
        let _ = self.denials.push(now);
        if self.denials.len() >= usize::from(rules.after) {
            self.denials.clear();
            self.lockout = Some(Locked { since: now, until: now.plus(rules.for_ms) });
        }
    }
}

/// Decides about one more frame. The same state, observation, time and rules give the same answer.
///
/// A subject is granted while `agree` of the last `of` frames of one track name it and the newest one is
/// among them: so nobody is granted whom the newest frame did not find in the gallery. A face is denied once
/// `of` frames named nobody often enough. During a lockout nobody is granted.
///
/// A claim changes two things and no other rule: scores are held against `thresholds.verify` in place of
/// `thresholds.identify`, and nobody but the claimed subject can be named.
#[must_use]
pub fn decide(state: &State, observation: &Observation, now: Millis, rules: &Rules) -> (State, Decision) {
    let mut state = state.clone();
    state.follow_clock(now);
    if !state.is_locked_out(now) {
        state.lockout = None;
    }
    let decision = match observation {
        Observation::Nobody { reason } => {
            let gap_ms = rules.policy.fields().gap_ms;
            state.track = state.track.filter(|track| track.is_alive(now, gap_ms));
            Decision::Retry { reason: *reason }
        }
        // Neither votes nor a track that could be taken over afterwards.
        _ if state.lockout.is_some() => {
            state.track = None;
            Decision::Denied { reason: DenyReason::LockedOut }
        }
        Observation::Unclear { rect, reason } => {
            follow(&mut state, *rect, now, &rules.policy);
            Decision::Retry { reason: *reason }
        }
        Observation::Face { rect, claim, contenders, impostor } => {
            let threshold = rules.thresholds.of(*claim);
            let vote = vote(*claim, contenders, *impostor, threshold, rules.policy.fields().margin);
            let track = follow(&mut state, *rect, now, &rules.policy);
            track.vote(*claim, vote, rules.policy.fields().of);
            judge(&mut state, vote, threshold, now, &rules.policy)
        }
    };
    (state, decision)
}

/// The track that a face at `rect` belongs to, moved there; a new one where it cannot be the old face.
fn follow<'a>(state: &'a mut State, rect: Rect, now: Millis, policy: &Policy) -> &'a mut Track {
    let gap_ms = policy.fields().gap_ms;
    let old = state.track.take().filter(|track| track.continues(&rect, now, gap_ms));
    let track = state.track.insert(old.unwrap_or_else(|| Track::new(rect, now)));
    track.move_to(rect, now);
    track
}

/// Whom a face votes for. An impostor's score takes a vote away; it never moves one to another subject.
fn vote(
    claim: Option<SubjectId>,
    contenders: &[Candidate],
    impostor: Option<Score>,
    threshold: &Threshold,
    margin: f32,
) -> Vote {
    let best = contenders.first().filter(|best| claim.is_none_or(|claim| claim == best.subject));
    let Some(best) = best else {
        let is_claim = claim.is_some();
        return Vote::Nobody(if is_claim { DenyReason::NoMatch } else { DenyReason::NobodyEnrolled });
    };
    if !threshold.admits(best.score) {
        return Vote::Nobody(DenyReason::NoMatch);
    }
    if impostor.is_some_and(|impostor| impostor >= best.score) {
        return Vote::Nobody(DenyReason::NotThisPerson);
    }
    let contests =
        |other: &&Candidate| threshold.admits(other.score) && best.score.0 - other.score.0 < margin;
    match contenders.iter().skip(1).find(contests) {
        Some(_) => Vote::Nobody(DenyReason::Ambiguous),
        None => Vote::Subject(best.subject, best.score),
    }
}

/// What the votes of the present track mean, `vote` being the newest of them.
fn judge(state: &mut State, vote: Vote, threshold: &Threshold, now: Millis, policy: &Policy) -> Decision {
    let looking = Decision::Retry { reason: RetryReason::Looking };
    let fields = policy.fields();
    let Some(track) = &mut state.track else { return looking };
    if let Vote::Subject(subject, _) = vote {
        let (count, score) = track.votes_for(subject, threshold);
        if count >= usize::from(fields.agree) {
            return Decision::Granted { subject, score };
        }
    }
    if track.votes() < usize::from(fields.of) {
        return looking;
    }
    // The newest frame names somebody whom too few others name: neither a grant nor a stranger.
    let Vote::Nobody(reason) = vote else { return looking };
    let counts = track.counts_denial(fields.of) && reason != DenyReason::NobodyEnrolled;
    if let Some(lockout) = fields.lockout.filter(|_| counts) {
        state.note_denial(now, &lockout);
    }
    Decision::Denied { reason }
}
