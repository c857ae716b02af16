//! A door without a camera: observations, and what is decided about them.
#![allow(dead_code, clippy::unwrap_used, clippy::panic)]

use arcdoor_core::{
    Basis, CalibrationId, Candidate, Decision, DenyReason, Fmr, Millis, ModelId, Rect, RetryReason, Score,
    SubjectId, Threshold,
};
use arcdoor_pipeline::{
    Fields, Intent, Lockout, Observation, Outcome, Policy, Rules, Stance, State, Thresholds, decide,
};

pub(crate) const LIMIT: f32 = 0.5;
pub(crate) const LOCKED: Decision = Decision::Denied { reason: DenyReason::LockedOut };
pub(crate) const STRANGER: Decision = Decision::Denied { reason: DenyReason::NoMatch };
pub(crate) const LOOKING: Decision = Decision::Retry { reason: RetryReason::Looking };

pub(crate) fn threshold(value: f32) -> Threshold {
    Threshold {
        value: Score(value),
        target: Fmr::new(1e-4).unwrap(),
        model_id: ModelId::new([1; 16]),
        calibration_id: CalibrationId::new([2; 16]),
        basis: Basis::Counted,
    }
}

/// Rules whose `verify` and `identify` have these values; decisions ask for no `duplicate`, and for no intent.
pub(crate) fn rules_at(verify: f32, identify: f32, fields: Fields) -> Rules {
    let fields = Fields { intent: Intent::NOT_REQUIRED, ..fields };
    let thresholds = Thresholds::new(threshold(verify), threshold(identify), threshold(-1.0)).unwrap();
    Rules { thresholds, policy: Policy::new(fields).unwrap() }
}

/// A search is held against [`LIMIT`]; a claim would be let in by any score.
pub(crate) fn rules(fields: Fields) -> Rules {
    rules_at(-1.0, LIMIT, fields)
}

pub(crate) fn door() -> Rules {
    let lockout = Some(Lockout { after: 2, within_ms: 10_000, for_ms: 3_000 });
    rules(Fields { lockout, ..Fields::default() })
}

/// Rules as [`rules`] makes them, that require this intent.
pub(crate) fn asking_for(intent: Intent, fields: Fields) -> Rules {
    let rules = rules(fields);
    Rules { policy: Policy::new(Fields { intent, ..*rules.policy.fields() }).unwrap(), ..rules }
}

/// Of a box in a frame of 640 pixels, looking at the camera.
pub(crate) fn front(rect: &Rect) -> Stance {
    Stance::new(rect, 640, 0.0, 0.0)
}

pub(crate) fn face_at(x: f32, scores: &[(u32, f32)]) -> Observation {
    let contenders = scores.iter().map(|&(id, s)| Candidate { subject: SubjectId(id), score: Score(s) });
    let rect = Rect::new(x, 0.0, 100.0, 100.0);
    Observation::Face {
        rect,
        stance: front(&rect),
        claim: None,
        contenders: contenders.collect(),
        impostor: None,
    }
}

pub(crate) fn face(id: u32, score: f32) -> Observation {
    face_at(0.0, &[(id, score)])
}

/// The same frame, with the face claimed to be this subject.
pub(crate) fn claimed(mut observation: Observation, subject: u32) -> Observation {
    if let Observation::Face { claim, .. } = &mut observation {
        *claim = Some(SubjectId(subject));
    }
    observation
}

/// A face that shows too little, where [`face`] puts one.
pub(crate) fn unclear() -> Observation {
    let rect = Rect::new(0.0, 0.0, 100.0, 100.0);
    Observation::Unclear { rect, stance: front(&rect), reason: RetryReason::TurnToCamera }
}

/// What a row of (time, observation) leads to.
pub(crate) fn outcomes(rules: &Rules, frames: &[(u64, Observation)]) -> Vec<Outcome> {
    let mut state = State::default();
    let mut outcomes = Vec::new();
    for (now, observation) in frames {
        let outcome;
        (state, outcome) = decide(&state, observation, Millis(*now), rules);
        outcomes.push(outcome);
    }
    outcomes
}

/// What is decided about each of them.
pub(crate) fn run(rules: &Rules, frames: &[(u64, Observation)]) -> Vec<Decision> {
    outcomes(rules, frames).into_iter().map(|outcome| outcome.decision).collect()
}
