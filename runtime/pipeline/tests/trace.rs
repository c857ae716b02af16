//! A recorded trace, through JSON and decided again.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy exempts test functions only, not their helpers"
)]

use arcdoor_core::{
    Basis, CalibrationId, Candidate, Decision, DenyReason, Fmr, Millis, ModelId, Rect, RetryReason, Score,
    SubjectId, Threshold,
};
use arcdoor_pipeline::{
    Fields, Lockout, LockoutState, Observation, Outcome, Policy, Replay, Rules, Stance, State, Thresholds,
    TraceEntry, TraceError, TraceLine, decide,
};
use proptest::prelude::*;

fn threshold(value: f32, target: f64) -> Threshold {
    Threshold {
        value: Score(value),
        target: Fmr::new(target).unwrap(),
        model_id: ModelId::new([1; 16]),
        calibration_id: CalibrationId::new([2; 16]),
        basis: Basis::TailFit,
    }
}

fn rules(values: [f32; 3], target: f64, margin: f32) -> Rules {
    let [verify, identify, duplicate] = values.map(|value| threshold(value, target));
    let lockout = Some(Lockout { after: 3, within_ms: 5_000, for_ms: 700 });
    let fields = Fields { agree: 2, of: 3, margin, lockout, ..Fields::default() };
    Rules {
        thresholds: Thresholds::new(verify, identify, duplicate).unwrap(),
        policy: Policy::new(fields).unwrap(),
    }
}

fn face(scores: &[(u32, f32)], claim: Option<u32>, impostor: Option<f32>) -> Observation {
    let contenders = scores.iter().map(|&(id, s)| Candidate { subject: SubjectId(id), score: Score(s) });
    let rect = Rect::new(0.0, 0.0, 100.0, 100.0);
    Observation::Face {
        rect,
        stance: Stance::new(&rect, 640, 0.0, 0.0),
        claim: claim.map(SubjectId),
        contenders: contenders.collect(),
        impostor: impostor.map(Score),
    }
}

/// Any finite number: subnormal ones, both zeros, the largest.
fn any_f32() -> impl Strategy<Value = f32> {
    let bits = any::<u32>().prop_map(f32::from_bits);
    let edge = prop::sample::select(vec![-0.0, f32::MIN_POSITIVE, f32::MAX, f32::MIN, f32::from_bits(1)]);
    prop_oneof![4 => -1.0_f32..1.0, 4 => bits, 1 => edge].prop_filter("finite", |value| value.is_finite())
}

fn any_target() -> impl Strategy<Value = f64> {
    let any = any::<u64>().prop_map(|bits| f64::from_bits(bits).abs());
    prop_oneof![0.0_f64..1.0, any].prop_filter("a rate", |rate| Fmr::new(*rate).is_ok())
}

fn any_rules() -> impl Strategy<Value = Rules> {
    (any::<[u8; 3]>(), any_target(), 0.0_f32..0.1)
        .prop_map(|(values, target, margin)| rules(values.map(|v| f32::from(v) / 255.0), target, margin))
}

fn any_observation() -> impl Strategy<Value = Observation> {
    let scores = prop::collection::vec((0_u32..3, 0.0_f32..1.0), 0..3).prop_map(|mut drawn| {
        drawn.sort_by(|a, b| b.1.total_cmp(&a.1));
        drawn.dedup_by_key(|candidate| candidate.0);
        drawn
    });
    let rect = (any_f32(), any_f32(), any_f32(), any_f32()).prop_map(|(x, y, w, h)| Rect::new(x, y, w, h));
    prop_oneof![
        1 => Just(Observation::Nobody { reason: RetryReason::NoFace }),
        1 => (rect, any_stance()).prop_map(|(rect, stance)| Observation::Unclear {
            rect,
            stance,
            reason: RetryReason::TooDark,
        }),
        8 => (scores, prop::option::of(0_u32..3), prop::option::of(0.0_f32..1.0))
            .prop_map(|(scores, claim, impostor)| face(&scores, claim, impostor)),
        4 => any_stance().prop_map(|seen| {
            let mut observation = face(&[(7, 0.9)], None, None);
            if let Observation::Face { stance, .. } = &mut observation {
                *stance = seen;
            }
            observation
        }),
    ]
}

fn any_stance() -> impl Strategy<Value = Stance> {
    (any_f32(), any_f32(), any_f32(), any_f32()).prop_map(|(x, width, yaw_deg, pitch_deg)| Stance {
        x,
        width,
        yaw_deg,
        pitch_deg,
    })
}

/// What happens at a door.
#[derive(Debug, Clone)]
enum Event {
    /// The gallery grew, or the settings changed.
    Rules(Rules),
    /// The recogniser was made anew, by a program whose clock shows so many milliseconds.
    Renewed(u64),
    /// So many milliseconds later, a frame.
    Frame(u64, Observation),
}

fn any_visit() -> impl Strategy<Value = (Rules, Vec<Event>)> {
    let event = prop_oneof![
        1 => any_rules().prop_map(Event::Rules),
        1 => (0_u64..20_000).prop_map(Event::Renewed),
        12 => (0_u64..400, any_observation()).prop_map(|(later, seen)| Event::Frame(later, seen)),
    ];
    (any_rules(), prop::collection::vec(event, 0..80))
}

/// What a door writes while this happens.
fn record(first: Rules, events: &[Event]) -> Vec<TraceLine> {
    let (mut lines, mut now) = (vec![TraceLine::HEADER, TraceLine::Rules(first)], Millis(0));
    let (mut rules, mut state) = (first, State::default());
    for event in events {
        lines.push(match event {
            Event::Rules(changed) => {
                rules = *changed;
                TraceLine::Rules(rules)
            }
            Event::Renewed(clock) => {
                let lockout = state.lockout(now);
                now = Millis(*clock);
                state = State::resumed(&lockout, now);
                TraceLine::Resumed { now, lockout }
            }
            Event::Frame(later, observation) => {
                now = now.plus(*later);
                let outcome;
                (state, outcome) = decide(&state, observation, now, &rules);
                TraceLine::Frame(TraceEntry { now, observation: observation.clone(), outcome })
            }
        });
    }
    lines
}

proptest! {
    #[test]
    fn a_recorded_trace_is_decided_again_the_same((first, events) in any_visit()) {
        let lines = record(first, &events);
        let mut replay = Replay::new();
        for line in &lines {
            let text = line.to_json().unwrap();
            prop_assert!(!text.contains('\n'));
            let read = TraceLine::from_json(&text).unwrap();
            prop_assert_eq!(&read, line);
            let expected = match line {
                TraceLine::Frame(entry) => Some(entry.outcome),
                _ => None,
            };
            prop_assert_eq!(replay.line(&read).unwrap(), expected);
        }
    }

    /// Equal is not enough: 0 and -0 are.
    #[test]
    fn numbers_survive_bit_for_bit(
        scores in prop::collection::vec(any_f32(), 3),
        target in any_target(),
    ) {
        let seen = face(&[(1, scores[0]), (2, scores[1])], None, Some(scores[2]));
        let decision = Decision::Granted { subject: SubjectId(1), score: Score(scores[0]) };
        let outcome = Outcome { before: None, decision, ends_attempt: true };
        let entry = TraceEntry { now: Millis(u64::MAX), observation: seen, outcome };
        let read = TraceLine::from_json(&TraceLine::Frame(entry).to_json().unwrap()).unwrap();
        let TraceLine::Frame(TraceEntry { now, observation, outcome }) = read else { panic!("no frame") };
        let Observation::Face { contenders, impostor, .. } = observation else { panic!("no face") };
        let Decision::Granted { score, .. } = outcome.decision else { panic!("no grant") };
        let bits = [contenders[0].score, contenders[1].score, impostor.unwrap()].map(|score| score.0.to_bits());
        prop_assert_eq!(bits, [scores[0], scores[1], scores[2]].map(f32::to_bits));
        prop_assert_eq!((now, score.0.to_bits()), (Millis(u64::MAX), scores[0].to_bits()));

        let written = rules([scores[0], scores[1], scores[2]], target, 0.1);
        let read = TraceLine::from_json(&TraceLine::Rules(written).to_json().unwrap()).unwrap();
        let TraceLine::Rules(read) = read else { panic!("no rules") };
        let bits = |threshold: Threshold| (threshold.value.0.to_bits(), threshold.target.get().to_bits());
        prop_assert_eq!(bits(read.thresholds.verify), bits(written.thresholds.verify));
        prop_assert_eq!(bits(read.thresholds.duplicate), bits(written.thresholds.duplicate));
        prop_assert_eq!(read.policy.fields().margin.to_bits(), 0.1_f32.to_bits());
    }
}

fn frame(now: u64, score: f32, decision: Decision) -> TraceLine {
    let (observation, ends_attempt) = (face(&[(7, score)], None, None), decision != LOOKING);
    let outcome = Outcome { before: None, decision, ends_attempt };
    TraceLine::Frame(TraceEntry { now: Millis(now), observation, outcome })
}

const LOOKING: Decision = Decision::Retry { reason: RetryReason::Looking };

#[test]
fn a_changed_decision_is_shown_with_both_and_the_replay_goes_on() {
    let granted = |score| Decision::Granted { subject: SubjectId(7), score: Score(score) };
    let lines = [frame(0, 0.6, LOOKING), frame(100, 0.6, granted(0.6)), frame(200, 0.7, granted(0.7))];
    let strict = TraceLine::Rules(rules([0.5, 0.65, 0.5], 1e-4, 0.0));
    let mut replay = Replay::new();
    replay.line(&TraceLine::HEADER).unwrap();
    replay.line(&strict).unwrap();
    assert_eq!(replay.line(&lines[0]).unwrap().unwrap().decision, LOOKING);
    for line in &lines[1..] {
        let TraceLine::Frame(entry) = line else { panic!("no frame") };
        let error = replay.line(line).unwrap_err();
        let same = matches!(error, TraceError::Mismatch { recorded, decided } if recorded == entry.outcome && decided.decision == LOOKING);
        assert!(same, "{error}");
    }
}

#[test]
fn what_is_out_of_its_place_is_told_apart() {
    let rules = TraceLine::Rules(rules([0.5; 3], 1e-4, 0.0));
    let frame = frame(0, 0.6, LOOKING);
    assert!(matches!(Replay::new().line(&rules), Err(TraceError::NoHeader)));
    for version in [1, 2, 4] {
        let error = Replay::new().line(&TraceLine::Header { version }).unwrap_err();
        assert!(matches!(error, TraceError::Version(said) if said == version), "{error}");
    }
    let mut replay = Replay::new();
    for line in [&TraceLine::HEADER, &rules, &frame, &TraceLine::HEADER] {
        replay.line(line).unwrap();
    }
    let error = replay.line(&frame).unwrap_err();
    assert!(matches!(error, TraceError::NoRules), "a new trace has none of the old one's rules: {error}");
}

#[test]
fn a_damaged_line_and_a_number_that_is_none_are_refused() {
    let text = frame(0, 0.6, LOOKING).to_json().unwrap();
    for cut in 0..text.len() {
        assert!(matches!(TraceLine::from_json(&text[..cut]), Err(TraceError::Damaged(_))), "{cut}");
    }
    for text in ["", "{}", "null", r#"{"frame":{}}"#, r#"{"frames":1}"#, r#"{"arcdoor_trace":{}}"#] {
        assert!(matches!(TraceLine::from_json(text), Err(TraceError::Damaged(_))), "{text}");
    }
    for broken in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for line in [
            frame(0, broken, LOOKING),
            frame(0, 0.5, Decision::Granted { subject: SubjectId(7), score: Score(broken) }),
            TraceLine::Rules(rules([0.5, broken, 0.5], 1e-4, 0.0)),
        ] {
            assert!(matches!(line.to_json(), Err(TraceError::NotFinite)), "{line:?}");
        }
    }
    let huge = text.replace("0.6", "1e39");
    assert!(huge != text && TraceLine::from_json(&huge).is_err(), "beyond the largest f32");
}

#[test]
fn a_person_can_read_it() {
    let denied = Decision::Denied { reason: DenyReason::NoMatch };
    let observation = face(&[(7, 0.25)], Some(7), None);
    let outcome = Outcome { before: Some(DenyReason::TooFewAgree), decision: denied, ends_attempt: true };
    let line = TraceLine::Frame(TraceEntry { now: Millis(1200), observation, outcome });
    let denials_ms = [40, 50].into_iter().collect();
    let lockout = LockoutState { locked_ms: 0, denials_ms, looks: 1 };
    let resumed = TraceLine::Resumed { now: Millis(7), lockout };
    assert_eq!(TraceLine::HEADER.to_json().unwrap(), r#"{"arcdoor_trace":{"version":3}}"#);
    assert_eq!(
        resumed.to_json().unwrap(),
        r#"{"resumed":{"now":7,"lockout":{"locked_ms":0,"denials_ms":[40,50],"looks":1}}}"#
    );
    assert_eq!(
        line.to_json().unwrap(),
        concat!(
            r#"{"frame":{"now":1200,"observation":{"face":{"rect":{"x":0.0,"y":0.0,"w":100.0,"h":100.0},"#,
            r#""stance":{"x":0.078125,"width":0.15625,"yaw_deg":0.0,"pitch_deg":0.0},"#,
            r#""claim":7,"contenders":[{"subject":7,"score":0.25}]}},"#,
            r#""outcome":{"before":"too_few_agree","decision":{"denied":{"reason":"no_match"}},"#,
            r#""ends_attempt":true}}}"#
        )
    );
}
