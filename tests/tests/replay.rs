//! What recognition sees, recorded and decided again, without the loop.
#![allow(clippy::unwrap_used, reason = "clippy exempts test functions only, not their helpers")]

use arcdoor_core::{Decision, Millis, Score};
use arcdoor_pipeline::{
    Enrolment, EnrolmentStep, Outcome, Plan, Policy, Purpose, Question, Replay, Rules, TraceEntry,
    TraceError, TraceLine,
};
use arcdoor_tests::{Pipeline, Real, barack};
use arcdoor_vision::{DetectSettings, RunOptions};

#[test]
fn a_recorded_visit_replays_exactly_and_shows_what_another_threshold_would_do() {
    let Some(real) = Real::find() else { return };
    let Pipeline { mut recognizer, mut gallery, thresholds } =
        Pipeline::open(&real, &RunOptions::default(), DetectSettings::default());
    let plan = Plan::photos(Purpose::New { allow_duplicate: false }, 1);
    let mut enrolment = Enrolment::new(plan, thresholds).unwrap();
    let taken = enrolment.step(&mut recognizer, real.frame("obama.jpg", 10).view(), Millis(0)).unwrap();
    assert!(matches!(taken, EnrolmentStep::Taken { .. }), "{taken:?}");
    let views = enrolment.finish(&gallery).unwrap().unwrap();
    gallery.enrol(&barack(), &views.templates, 0).unwrap();

    let rules = Rules { thresholds, policy: Policy::default() };
    // Six frames of the enrolled man, a tenth of a second apart, are as long as a policy asks for.
    let mut lines = vec![TraceLine::HEADER, TraceLine::Rules(rules)];
    for (index, frame) in real.visit().iter().enumerate() {
        let now = Millis(index as u64 * 100);
        let step = recognizer.step(frame.view(), &gallery, Question::Identify, &rules, now).unwrap();
        lines.push(TraceLine::Frame(TraceEntry {
            now,
            observation: step.observation,
            outcome: step.outcome,
        }));
    }
    let text: Vec<String> = lines.iter().map(|line| line.to_json().unwrap()).collect();
    let trace: Vec<TraceLine> = text.iter().map(|line| TraceLine::from_json(line).unwrap()).collect();
    let mut replay = Replay::new();
    assert_eq!(trace.iter().filter_map(|line| replay.line(line).unwrap()).count(), 16);
    let mut strict = trace;
    let mut stricter = rules;
    stricter.thresholds.identify.value = Score(0.99);
    strict[1] = TraceLine::Rules(stricter);
    let mut replay = Replay::new();
    let mismatch = strict.iter().find_map(|line| replay.line(line).err()).unwrap();
    let TraceError::Mismatch { recorded, decided } = mismatch else { unreachable!("{mismatch}") };
    let is_granted = |outcome: Outcome| matches!(outcome.decision, Decision::Granted { .. });
    assert!(is_granted(recorded) && !is_granted(decided));
}
