//! What led to a decision, handed on: another machine decides the same, and no changed byte goes unseen.
//! `PROPTEST_CASES` sets how many capsules are drawn; `ARCDOOR_CAPSULES_INTO` names a folder that keeps them, and
//! `ARCDOOR_CAPSULES_FROM` one with another machine's.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy exempts test functions only, not their helpers"
)]

use arcdoor::home::capsule::{self, Capsule, CapsuleError, Subject};
use arcdoor::home::observations::{MAX_KEPT, Observations, SLOT_BYTES};
use arcdoor_api::{By, Content, Entry, Reason, Record, UtcTime, Verdict};
use arcdoor_core::{
    Basis, CalibrationId, Candidate, Fmr, Millis, ModelId, Rect, RetryReason, Score, SubjectId, Threshold,
};
use arcdoor_log::{Log, MemoryFolder, Signer};
use arcdoor_pipeline::{
    Fields, Intent, Lockout, LockoutState, MAX_FRAMES, Observation, Outcome, Policy, Rules, Stance, State,
    Thresholds, TraceEntry, TraceError, TraceLine, Window, decide,
};
use proptest::prelude::*;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(500)
}

fn rules(threshold: f32, agree: u8, of: u8, hold_ms: Option<u64>) -> Rules {
    let threshold = Threshold {
        value: Score(threshold),
        target: Fmr::new(1e-5).unwrap(),
        model_id: ModelId::new([1; 16]),
        calibration_id: CalibrationId::new([2; 16]),
        basis: Basis::TailFit,
    };
    let intent = hold_ms.map_or(Intent::NOT_REQUIRED, |hold_ms| Intent { hold_ms, ..Intent::default() });
    let lockout = Some(Lockout { after: 3, within_ms: 20_000, for_ms: 2_000 });
    let fields = Fields { agree: agree.min(of), of, lockout, intent, ..Fields::default() };
    let thresholds = Thresholds::new(threshold, threshold, threshold).unwrap();
    Rules { thresholds, policy: Policy::new(fields).unwrap() }
}

fn any_rules() -> impl Strategy<Value = Rules> {
    (0.2_f32..0.6, 1_u8..5, 1_u8..9, prop::option::of(0_u64..800))
        .prop_map(|(threshold, agree, of, hold_ms)| rules(threshold, agree, of, hold_ms))
}

fn any_observation() -> impl Strategy<Value = Observation> {
    let place =
        (0.0_f32..500.0, 60.0_f32..200.0, -40.0_f32..40.0, -40.0_f32..40.0).prop_map(|(x, w, yaw, pitch)| {
            let rect = Rect::new(x, 80.0, w, w);
            (rect, Stance::new(&rect, 640, yaw, pitch))
        });
    // Most frames show a face that stays where it is.
    let stays = (150.0_f32..170.0, -5.0_f32..5.0).prop_map(|(x, yaw)| {
        let rect = Rect::new(x, 80.0, 120.0, 120.0);
        (rect, Stance::new(&rect, 640, yaw, 0.0))
    });
    let place = prop_oneof![1 => place, 4 => stays];
    let scores = prop::collection::vec((0_u32..3, 0.0_f32..1.0), 0..3).prop_map(|mut drawn| {
        drawn.sort_by(|a, b| b.1.total_cmp(&a.1));
        drawn.dedup_by_key(|candidate| candidate.0);
        drawn
    });
    let claim = prop::option::weighted(0.1, (0_u32..3).prop_map(SubjectId));
    let impostor = prop::option::weighted(0.2, (0.0_f32..1.0).prop_map(Score));
    (0_u8..10, place, scores, claim, impostor).prop_map(|(kind, (rect, stance), scores, claim, impostor)| {
        match kind {
            0 => Observation::Nobody { reason: RetryReason::NoFace },
            1 => Observation::Unclear { rect, stance, reason: RetryReason::TooDark },
            _ => {
                let candidate = |(id, score)| Candidate { subject: SubjectId(id), score: Score(score) };
                let contenders = scores.into_iter().map(candidate).collect();
                Observation::Face { rect, stance, claim, contenders, impostor }
            }
        }
    })
}

/// What happens at a door.
#[derive(Debug, Clone)]
enum Event {
    /// The gallery grew, or the settings changed.
    Rules(Rules),
    /// The camera came back.
    Resumed,
    /// So many milliseconds later, a frame.
    Frame(u64, Observation),
}

fn any_visit() -> impl Strategy<Value = (Rules, Vec<Event>)> {
    let event = prop_oneof![
        1 => any_rules().prop_map(Event::Rules),
        1 => Just(Event::Resumed),
        30 => (0_u64..400, any_observation()).prop_map(|(later, seen)| Event::Frame(later, seen)),
    ];
    let frame = (0_u64..400, any_observation()).prop_map(|(later, seen)| Event::Frame(later, seen));
    (any_rules(), prop::collection::vec(event, 0..90), frame).prop_map(|(rules, mut events, last)| {
        events.push(last);
        (rules, events)
    })
}

/// The door, frame by frame: the window after the last, and what that led to.
fn live(mut rules: Rules, events: &[Event]) -> (Window, Outcome) {
    let (mut window, mut state, mut now) = (Window::default(), State::default(), Millis(5_000));
    let mut last = None;
    for event in events {
        match event {
            Event::Rules(other) => rules = *other,
            Event::Resumed => {
                let lockout: LockoutState = state.lockout(now);
                state = State::resumed(&lockout, now);
                window.resume(&lockout, now);
            }
            Event::Frame(later, observation) => {
                now = now.plus(*later);
                let outcome;
                (state, outcome) = decide(&state, observation, now, &rules);
                window.push(&rules, &TraceEntry { now, observation: observation.clone(), outcome });
                last = Some(outcome);
            }
        }
    }
    (window, last.unwrap())
}

fn trace(window: &Window) -> String {
    let lines = window.lines(MAX_FRAMES);
    assert!(lines.len() <= 3 + MAX_FRAMES);
    lines.iter().map(|line| line.to_json().unwrap()).collect::<Vec<_>>().join("\n")
}

fn record(n: u64, (decision, reason): (Verdict, Option<Reason>)) -> Record {
    let (subject, score, why) = (Some(SubjectId(3)), Some(0.5), None);
    let entry = Entry::Decision { by: By::Run, decision, reason, subject, score, threshold: 0.4, why };
    let at = UtcTime::from_unix_ns(1_795_843_884_250_000_000 + n);
    Record { n, at, gallery: None, legacy: false, content: Content::Entry(entry) }
}

/// As the log's entry says it: the frame's decision, or the end of the attempt before it.
fn noted(outcome: &Outcome) -> (Verdict, Option<Reason>) {
    outcome
        .before
        .map_or_else(|| Verdict::of(outcome.decision), |reason| (Verdict::Denied, Some(Reason::Deny(reason))))
}

fn signer() -> Signer {
    let (_, key) = Log::create(MemoryFolder::new(), UtcTime::from_unix_ns(1)).unwrap();
    Signer::of(&key)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_capsule_decides_as_the_door_did_and_a_changed_byte_is_named(
        (rules, events) in any_visit(), is_signed: bool, places in prop::collection::vec((any::<prop::sample::Index>(), 1_u8..=255), 8),
    ) {
        let (window, outcome) = live(rules, &events);
        let of = Subject::of(&record(7, noted(&outcome))).unwrap();
        let signer = is_signed.then(signer);
        let text = capsule::write(of.clone(), &trace(&window), signer.as_ref());
        let read = Capsule::read(text.as_bytes()).unwrap();
        prop_assert_eq!((&read.of, read.signer.is_some()), (&of, is_signed));
        let frames = read.replay().unwrap();
        prop_assert_eq!(frames.last().unwrap().outcome, outcome);
        if let Some(folder) = std::env::var_os("ARCDOOR_CAPSULES_INTO") {
            static WRITTEN: AtomicUsize = AtomicUsize::new(0);
            let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
            std::fs::write(Path::new(&folder).join(format!("{number}.capsule")), &text).unwrap();
        }
        for (place, flip) in places {
            let mut changed = text.clone().into_bytes();
            let at = place.index(changed.len());
            let line = 1 + changed[..at].iter().filter(|byte| **byte == b'\n').count();
            changed[at] ^= flip;
            let (named, error) = Capsule::read(&changed).unwrap_err();
            prop_assert!(matches!(error, CapsuleError::Seal(_)));
            prop_assert_eq!(named, line);
        }
    }
}

#[test]
fn what_another_machine_decided_is_decided_so_here() {
    let Some(folder) = std::env::var_os("ARCDOOR_CAPSULES_FROM") else {
        return println!("skipped: ARCDOOR_CAPSULES_FROM names no folder of another machine's capsules");
    };
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(!files.is_empty());
    for file in &files {
        let capsule = Capsule::read(&std::fs::read(file).unwrap()).unwrap();
        // It compares every frame's outcome with the one that was written down.
        capsule.replay().unwrap_or_else(|error| panic!("{}: {error:?}", file.display()));
    }
    println!("{} capsules of another machine are decided so here", files.len());
}

fn visit(subject: u32, score: f32, frames: u64) -> Window {
    let rect = Rect::new(200.0, 80.0, 120.0, 120.0);
    let contenders = [Candidate { subject: SubjectId(subject), score: Score(score) }];
    let observation = Observation::Face {
        rect,
        stance: Stance::new(&rect, 640, 0.0, 0.0),
        claim: None,
        contenders: contenders.into_iter().collect(),
        impostor: None,
    };
    let frames: Vec<_> = (0..frames).map(|_| Event::Frame(100, observation.clone())).collect();
    live(rules(0.4, 3, 5, Some(300)), &frames).0
}

#[test]
fn whoever_put_a_capsule_together_gets_no_other_decision_out_of_it() {
    let window = visit(3, 0.3, 9);
    let granted = Subject::of(&record(7, (Verdict::Granted, None))).unwrap();
    let text = capsule::write(granted, &trace(&window), None);
    let (_, error) = Capsule::read(text.as_bytes()).unwrap().replay().unwrap_err();
    assert!(matches!(error, CapsuleError::OtherDecision(7)), "{error}");
    let lax = trace(&window).replace("0.4", "0.2");
    let denied = Subject::of(&record(7, (Verdict::Denied, None))).unwrap();
    let (_, error) =
        Capsule::read(capsule::write(denied, &lax, None).as_bytes()).unwrap().replay().unwrap_err();
    assert!(matches!(error, CapsuleError::Trace(TraceError::Mismatch { .. })), "{error}");
}

#[test]
fn of_who_passed_by_before_no_frame_is_kept() {
    let passer = Observation::Face {
        rect: Rect::new(0.0, 0.0, 60.0, 60.0),
        stance: Stance::new(&Rect::new(0.0, 0.0, 60.0, 60.0), 640, 0.0, 0.0),
        claim: None,
        contenders: [Candidate { subject: SubjectId(8), score: Score(0.9) }].into_iter().collect(),
        impostor: None,
    };
    let person = Observation::Face {
        rect: Rect::new(300.0, 80.0, 120.0, 120.0),
        stance: Stance::new(&Rect::new(300.0, 80.0, 120.0, 120.0), 640, 0.0, 0.0),
        claim: None,
        contenders: [Candidate { subject: SubjectId(3), score: Score(0.3) }].into_iter().collect(),
        impostor: None,
    };
    let frames = |observation: &Observation| vec![Event::Frame(100, observation.clone()); 4];
    let events = [frames(&passer), frames(&person)].concat();
    let (window, _) = live(rules(0.4, 3, 5, Some(600)), &events);
    let lines = window.lines(MAX_FRAMES);
    assert!(lines.iter().all(|line| !line.names(SubjectId(8))), "{lines:?}");
    assert_eq!(lines.iter().filter(|line| matches!(line, TraceLine::Frame(_))).count(), 4);
}

#[test]
fn what_names_somebody_who_is_revoked_is_overwritten_and_the_rest_stays() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("observations.bin");
    let kept = Observations::new(path.clone(), 90);
    let at = UtcTime::from_unix_ns;
    assert_eq!(kept.find(1, at(1)).unwrap(), None);
    kept.keep(1, at(1), &visit(3, 0.9, 40)).unwrap();
    kept.keep(2, at(2), &visit(7_654, 0.3, 9)).unwrap();
    let text = kept.find(2, at(2)).unwrap().unwrap();
    assert_eq!(text, trace(&visit(7_654, 0.3, 9)));
    assert_eq!(kept.find(2, at(3)).unwrap(), None, "another time's entry 2");
    assert!(kept.find(1, at(1)).unwrap().unwrap().len() <= SLOT_BYTES);
    kept.forget_subject(SubjectId(7_654)).unwrap();
    assert_eq!(kept.find(2, at(2)).unwrap(), None);
    assert!(!std::fs::read(&path).unwrap().windows(4).any(|bytes| bytes == b"7654"));
    assert!(kept.find(1, at(1)).unwrap().is_some());
    kept.sweep(UtcTime::from_unix_s(91 * 86_400).unwrap()).unwrap();
    assert_eq!(kept.find(1, at(1)).unwrap(), None, "older than the log");
}

#[test]
fn the_newest_decisions_are_kept_in_a_file_that_does_not_grow() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("observations.bin");
    let kept = Observations::new(path.clone(), 90);
    let window = visit(3, 0.3, 1);
    let most = MAX_KEPT as u64;
    for n in 1..=most + 3 {
        kept.keep(n, UtcTime::from_unix_ns(n), &window).unwrap();
    }
    let is_there = |n: u64| kept.find(n, UtcTime::from_unix_ns(n)).unwrap().is_some();
    assert!(!is_there(3) && is_there(4) && is_there(most + 3));
    assert_eq!(path.metadata().unwrap().len(), (MAX_KEPT * SLOT_BYTES) as u64);
    std::fs::write(&path, [0xff; SLOT_BYTES + 5]).unwrap();
    kept.keep(9, UtcTime::from_unix_ns(9), &window).unwrap();
    assert!(is_there(9), "a torn or foreign file is no reason to keep nothing");
}
