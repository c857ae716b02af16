//! From what was seen to what it means: a pure function of state, observation, time and rules.

use arcdoor_core::{Candidate, Decision, DenyReason, Millis, RetryReason, Score, SubjectId, Threshold};
use serde::{Deserialize, Serialize};

use crate::observation::Observation;
use crate::outcome::Outcome;
use crate::policy::{Fields, Policy};
use crate::standing::{Standing, Standings};
use crate::state::State;
use crate::thresholds::Thresholds;
use crate::track::{Ended, Track, Vote};

/// What a decision is held against.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rules {
    /// The least scores that count as a match.
    pub thresholds: Thresholds,
    /// How many frames must agree, and when denials lock out.
    pub policy: Policy,
}

/// Decides about one more frame. The same state, observation, time and rules give the same answer.
///
/// A subject is granted once `agree` of the last `of` looks at one face (frames that show it well) name it. None of
/// these votes is older than `window_ms`, than another grant, or than a look that was nearest to somebody else; and
/// the newest look is among them, so that nobody is granted whom the newest frame did not find in the gallery. A face
/// is denied once `of` looks named nobody often enough. An attempt whose face is gone before that is told of with the
/// next frame ([`Outcome::before`]). During a lockout nobody is granted.
///
/// Where the policy requires [`Intent`](crate::Intent), a face is granted or denied only in a frame in which it has shown
/// intent for long enough, and without a break. Until then every look is a retry, whomever it names; and an attempt is
/// one, to be denied and counted, from the beginning of the hold on that was long enough.
///
/// A claim changes two things and no other rule: scores are held against `thresholds.verify` in place of
/// `thresholds.identify`, and nobody but the claimed subject can be named.
#[must_use]
pub fn decide(state: &State, observation: &Observation, now: Millis, rules: &Rules) -> (State, Outcome) {
    let (state, outcome, _) = weigh(state, observation, now, rules);
    (state, outcome)
}

/// As [`decide`], and how far the face had come: an end forgets the votes that it was made of.
pub(crate) fn weigh(
    state: &State,
    observation: &Observation,
    now: Millis,
    rules: &Rules,
) -> (State, Outcome, Standings) {
    let (mut state, fields) = (state.clone(), rules.policy.fields());
    let standing = |track: &Track| Standing::of(track, now, &rules.thresholds, &fields.intent);
    let before = state.track.as_ref().map_or_else(Standing::default, standing);
    let mut standings = Standings { before, present: Standing::default() };
    state.denials.follow_clock(now, fields.lockout);
    let before = state.leave(observation, now, fields);
    if let Some(reason) = before {
        state.count(reason, now, fields);
    }
    let (decision, ends_attempt) = match observation {
        Observation::Nobody { reason } => {
            state.lose_sight();
            (Decision::Retry { reason: *reason }, false)
        }
        _ if state.is_locked_out(now) => (Decision::Denied { reason: DenyReason::LockedOut }, false),
        Observation::Unclear { rect, stance, reason } => {
            let track = state.follow(*rect, None, now);
            track.attend(stance, now, &fields.intent);
            standings.present = standing(track);
            (Decision::Retry { reason: *reason }, false)
        }
        Observation::Face { rect, stance, claim, contenders, impostor } => {
            let threshold = rules.thresholds.of(*claim);
            let vote = vote(*claim, contenders, *impostor, threshold, fields.margin);
            let track = state.follow(*rect, *claim, now);
            track.attend(stance, now, &fields.intent);
            track.look(vote, now, fields);
            standings.present = standing(track);
            match track.intends(now, &fields.intent) {
                true => judge(track, vote, threshold, fields),
                // Whatever the look named, this says nothing of it.
                false if track.is_held() => (Decision::Retry { reason: RetryReason::Looking }, false),
                false => (Decision::Retry { reason: RetryReason::ShowIntent }, false),
            }
        }
    };
    if let (Decision::Denied { reason }, true) = (decision, ends_attempt) {
        state.count(reason, now, fields);
    }
    standings.present.locked_ms = state.lockout(now).locked_ms;
    (state, Outcome { before, decision, ends_attempt }, standings)
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
        return Vote::Contested(best.subject, DenyReason::NotThisPerson);
    }
    let contests =
        |other: &&Candidate| threshold.admits(other.score) && best.score.0 - other.score.0 < margin;
    match contenders.iter().skip(1).find(contests) {
        Some(_) => Vote::Contested(best.subject, DenyReason::Ambiguous),
        None => Vote::Subject(best.subject, best.score),
    }
}

/// What the votes of a track mean, `vote` being the newest of them; and whether that ends an attempt.
///
/// A window of looks without a grant is a denial where the newest look named nobody. Where it named somebody, a grant
/// may be near; but not for longer than a second window.
fn judge(track: &mut Track, vote: Vote, threshold: &Threshold, fields: &Fields) -> (Decision, bool) {
    if let Vote::Subject(subject, _) = vote {
        let (count, score) = track.votes_for(subject, threshold);
        if count >= usize::from(fields.agree) {
            let is_repeated = track.has_ended(Ended::Granted(subject)) && track.looks() == 0;
            track.end(Ended::Granted(subject));
            return (Decision::Granted { subject, score }, !is_repeated);
        }
    }
    let (reason, most) = match vote.denial() {
        Some(reason) => (reason, fields.of),
        None => (DenyReason::TooFewAgree, fields.of.saturating_mul(2)),
    };
    let is_over = track.looks() >= most;
    if is_over {
        track.end(Ended::Denied);
    } else if vote.denial().is_none() || !track.has_ended(Ended::Denied) {
        return (Decision::Retry { reason: RetryReason::Looking }, false);
    }
    (Decision::Denied { reason }, is_over)
}
