//! What a door may rely on, whatever is held before its camera.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy exempts test functions only, not their helpers"
)]

mod common;

use arcdoor_core::{Candidate, Decision, DenyReason, Millis, Rect, RetryReason, Score, SubjectId};
use arcdoor_pipeline::{Fields, Lockout, MAX_DENIALS, Observation, Policy, Rules, State, decide};
use common::{
    LIMIT, LOCKED, LOOKING, STRANGER, claimed, door, face, face_at, front, outcomes, rules, rules_at, run,
    unclear,
};
use proptest::prelude::*;

fn every_100_ms(frames: impl IntoIterator<Item = Observation>) -> Vec<(u64, Observation)> {
    frames.into_iter().enumerate().map(|(i, frame)| (i as u64 * 100, frame)).collect()
}

#[test]
fn three_frames_that_agree_grant_with_their_best_score() {
    let frames = every_100_ms([face(7, 0.6), face(7, 0.8), face(9, 0.1), face(7, 0.7)]);
    let granted = Decision::Granted { subject: SubjectId(7), score: Score(0.8) };
    assert_eq!(run(&door(), &frames), [LOOKING, LOOKING, LOOKING, granted]);
}

#[test]
fn a_photo_decides_by_itself_and_never_locks_out() {
    let still = Rules { policy: Policy::still(), ..door() };
    let frames = every_100_ms((0..50).map(|_| face(7, 0.2)));
    assert!(run(&still, &frames).iter().all(|decision| *decision == STRANGER));
    let granted = Decision::Granted { subject: SubjectId(7), score: Score(LIMIT) };
    assert_eq!(run(&still, &[(0, face(7, LIMIT))]), [granted]);
}

#[test]
fn who_takes_the_place_of_a_granted_person_is_not_granted() {
    let mut frames: Vec<_> = (0..5).map(|_| face(7, 0.9)).collect();
    frames.push(face(7, 0.1));
    assert!(!matches!(run(&door(), &every_100_ms(frames))[5], Decision::Granted { .. }));
}

#[test]
fn votes_do_not_pass_to_a_face_elsewhere_or_after_a_gap() {
    let elsewhere = [(0, face(7, 0.9)), (100, face(7, 0.9)), (200, face_at(300.0, &[(7, 0.9)]))];
    assert_eq!(run(&door(), &elsewhere)[2], LOOKING);
    let later = [(0, face(7, 0.9)), (100, face(7, 0.9)), (1_101, face(7, 0.9))];
    assert_eq!(run(&door(), &later)[2], LOOKING);
}

#[test]
fn votes_of_long_ago_do_not_grant() {
    let mut frames = vec![(0, face(7, 0.9)), (100, face(7, 0.9))];
    frames.extend((1..20).map(|i| (100 + i * 500, unclear())));
    frames.push((10_000, face(7, 0.9)));
    assert_eq!(run(&door(), &frames).last(), Some(&LOOKING), "two good frames, ten seconds, one good frame");
    let at = |last| {
        run(
            &door(),
            &[
                (0, face(7, 0.9)),
                (900, face(7, 0.9)),
                (1_800, unclear()),
                (2_500, unclear()),
                (last, face(7, 0.9)),
            ],
        )[4]
    };
    assert!(matches!(at(3_000), Decision::Granted { .. }), "within window_ms");
    assert_eq!(at(3_001), LOOKING);
}

#[test]
fn votes_do_not_outlast_somebody_else() {
    let frames = every_100_ms([face(7, 0.9), face(7, 0.9), face(9, 0.9), face(7, 0.9), face(7, 0.9)]);
    assert_eq!(run(&door(), &frames)[3..], [LOOKING; 2]);
    let contested = with_impostor(&face(9, 0.9), 0.9);
    let frames = every_100_ms([face(7, 0.9), face(7, 0.9), contested, face(7, 0.9)]);
    assert_eq!(run(&door(), &frames)[3], LOOKING, "nearest to another, who was reported");
}

#[test]
fn votes_do_not_outlast_a_grant() {
    let decisions = run(&door(), &every_100_ms((0..9).map(|_| face(7, 0.9))));
    let granted: Vec<_> =
        (0..9).filter(|index| matches!(decisions[*index], Decision::Granted { .. })).collect();
    assert_eq!(granted, [2, 5, 8]);
}

#[test]
fn two_subjects_too_close_are_ambiguous_and_one_below_the_threshold_is_no_rival() {
    let still = Rules { policy: Policy::still(), ..door() };
    let decision = |scores: &[(u32, f32)]| run(&still, &[(0, face_at(0.0, scores))])[0];
    assert_eq!(decision(&[(1, 0.60), (2, 0.59)]), Decision::Denied { reason: DenyReason::Ambiguous });
    assert!(matches!(decision(&[(1, 0.60), (2, 0.55)]), Decision::Granted { .. }));
    assert!(matches!(decision(&[(1, 0.505), (2, 0.495)]), Decision::Granted { .. }));
    assert_eq!(decision(&[]), Decision::Denied { reason: DenyReason::NobodyEnrolled });
    assert_eq!(decision(&[(1, f32::NAN)]), STRANGER);
}

#[test]
fn an_unclear_frame_neither_votes_nor_ends_the_track() {
    let frames = [face(7, 0.9), face(7, 0.9), unclear(), face(7, 0.9)];
    let decisions = run(&door(), &every_100_ms(frames));
    assert_eq!(decisions[2], Decision::Retry { reason: RetryReason::TurnToCamera });
    assert!(matches!(decisions[3], Decision::Granted { .. }));
}

#[test]
fn repeated_denials_lock_everybody_out_until_the_time_is_over() {
    let mut frames = every_100_ms((0..10).map(|_| face(7, 0.1)));
    frames.extend([(1_000, face(7, 0.9)), (3_899, face(7, 0.9))]);
    frames.extend([(3_900, face(7, 0.9)), (4_000, face(7, 0.9)), (4_100, face(7, 0.9))]);
    let decisions = run(&door(), &frames);
    assert_eq!(decisions[4], STRANGER);
    assert_eq!(decisions[9], STRANGER, "the second attempt, which locks out");
    assert_eq!(decisions[10..12], [LOCKED, LOCKED]);
    assert_eq!(decisions[12..14], [LOOKING, LOOKING], "nothing seen during a lockout counts");
    assert!(matches!(decisions[14], Decision::Granted { .. }));
}

#[test]
fn denials_far_apart_and_an_empty_gallery_do_not_lock_out() {
    let mut frames = Vec::new();
    for attempt in 0..6 {
        frames.extend((0..5).map(|frame| (attempt * 11_000 + frame * 100, face(7, 0.1))));
    }
    assert!(!run(&door(), &frames).contains(&LOCKED));
    let nobody = every_100_ms((0..60).map(|_| face_at(0.0, &[])));
    assert!(!run(&door(), &nobody).contains(&LOCKED));
}

#[test]
fn a_clock_set_back_does_not_prolong_a_lockout() {
    let mut frames: Vec<_> = (0..10).map(|i| (9_000_000 + i * 100, face(7, 0.1))).collect();
    frames.extend([(0, face(7, 0.9)), (2_999, face(7, 0.9)), (3_001, face(7, 0.9))]);
    let decisions = run(&door(), &frames);
    assert_eq!(decisions[10..], [LOCKED, LOCKED, LOOKING]);
}

#[test]
fn policies_out_of_range_are_refused_from_a_file_too() {
    for text in [
        r#"{"agree":0}"#,
        r#"{"agree":6,"of":5}"#,
        r#"{"of":17}"#,
        r#"{"window_ms":99}"#,
        r#"{"window_ms":60001}"#,
        r#"{"margin":-0.1}"#,
        r#"{"lockout":{"after":0,"within_ms":1,"for_ms":1}}"#,
        r#"{"lockout":{"after":33,"within_ms":1,"for_ms":1}}"#,
        r#"{"frames":5}"#,
        r#"{"intent":{"width":1.1}}"#,
        r#"{"intent":{"hold_ms":10001}}"#,
        r#"{"intent":{"sideways":-0.1}}"#,
        r#"{"intent":{"yaw_deg":91}}"#,
        r#"{"intent":{"pitch_deg":-1}}"#,
        r#"{"intent":{"far":1}}"#,
    ] {
        assert!(serde_json::from_str::<Policy>(text).is_err(), "{text}");
    }
    assert_eq!(serde_json::from_str::<Policy>("{}").unwrap(), Policy::default());
}

fn any_observation() -> impl Strategy<Value = Observation> {
    let rect = (0_u8..3).prop_map(|place| Rect::new(f32::from(place) * 150.0, 0.0, 100.0, 100.0));
    let contenders = prop::collection::vec((0_u32..3, 0.3_f32..0.8), 0..3).prop_map(|mut drawn| {
        drawn.sort_by(|a, b| b.1.total_cmp(&a.1));
        drawn.dedup_by_key(|candidate| candidate.0);
        drawn.iter().map(|&(id, s)| Candidate { subject: SubjectId(id), score: Score(s) }).collect()
    });
    prop_oneof![
        1 => Just(Observation::Nobody { reason: RetryReason::NoFace }),
        1 => rect.clone().prop_map(|rect| Observation::Unclear {
            rect,
            stance: front(&rect),
            reason: RetryReason::TooDark,
        }),
        6 => (rect, contenders)
            .prop_map(|(rect, contenders)| Observation::Face {
                rect,
                stance: front(&rect),
                claim: None,
                contenders,
                impostor: None,
            }),
    ]
}

/// Frames with their times; now and then the clock jumps, also backwards.
fn any_trace() -> impl Strategy<Value = Vec<(u64, Observation)>> {
    prop::collection::vec((any_observation(), 0_u64..400, 0_u8..40), 1..120).prop_map(|drawn| {
        let mut now = 50_000_u64;
        let mut at = |step: u64, jump: u8| {
            now = match jump {
                0 => now.saturating_sub(20_000),
                1 => now + 20_000,
                _ => now + step,
            };
            now
        };
        drawn.into_iter().map(|(observation, step, jump)| (at(step, jump), observation)).collect()
    })
}

fn names(observation: &Observation, wanted: SubjectId) -> bool {
    names_at(observation, wanted, LIMIT)
}

/// Whether the best contender is this subject, with at least this score.
fn names_at(observation: &Observation, wanted: SubjectId, least: f32) -> bool {
    match observation {
        Observation::Face { contenders, .. } => {
            contenders.first().is_some_and(|best| best.subject == wanted && best.score.0 >= least)
        }
        _ => false,
    }
}

/// The same frame, with somebody reported as not its best candidate.
fn with_impostor(observation: &Observation, score: f32) -> Observation {
    let mut observation = observation.clone();
    if let Observation::Face { impostor, contenders, .. } = &mut observation
        && !contenders.is_empty()
    {
        *impostor = Some(Score(score));
    }
    observation
}

#[test]
fn who_is_as_near_to_an_impostor_is_denied_and_nobody_takes_the_place() {
    let still = Rules { policy: Policy::still(), ..door() };
    let decision =
        |impostor| run(&still, &[(0, with_impostor(&face_at(0.0, &[(7, 0.8), (9, 0.79)]), impostor))])[0];
    let near = Decision::Denied { reason: DenyReason::NotThisPerson };
    assert_eq!((decision(0.8), decision(0.9)), (near, near));
    assert_eq!(decision(0.7), Decision::Denied { reason: DenyReason::Ambiguous }, "as without it");
    let clear = |impostor| run(&still, &[(0, with_impostor(&face(7, 0.8), impostor))])[0];
    assert!(matches!(clear(0.79), Decision::Granted { .. }));
}

#[test]
fn a_claim_is_held_against_its_own_threshold_and_names_nobody_else() {
    let still = rules_at(0.3, 0.6, *Policy::still().fields());
    let decision = |observation| run(&still, &[(0, observation)])[0];
    let granted = Decision::Granted { subject: SubjectId(7), score: Score(0.3) };
    assert_eq!(decision(claimed(face(7, 0.3), 7)), granted);
    assert_eq!(decision(claimed(face(7, 0.29), 7)), STRANGER);
    assert_eq!(decision(face(7, 0.59)), STRANGER, "a search asks for more");
    assert_eq!(decision(claimed(face(9, 0.9), 7)), STRANGER, "somebody else, however near");
    assert_eq!(decision(claimed(face_at(0.0, &[]), 7)), STRANGER, "the claimed subject is not enrolled");
}

#[test]
fn votes_under_one_claim_count_under_no_other() {
    let door = rules_at(0.3, 0.3, Fields { agree: 3, of: 3, lockout: None, ..Fields::default() });
    let (claim, search) = (claimed(face(7, 0.9), 7), face(7, 0.9));
    for (first, then) in [(&claim, &search), (&search, &claim), (&claimed(face(7, 0.9), 8), &claim)] {
        let frames = [first, first, then, then, then].map(Clone::clone);
        let decisions = run(&door, &every_100_ms(frames));
        assert_eq!(decisions[2..4], [LOOKING, LOOKING], "{first:?}, {then:?}");
        assert!(matches!(decisions[4], Decision::Granted { .. }));
    }
}

#[test]
fn votes_below_a_threshold_that_has_risen_no_longer_count() {
    let fields = Fields { agree: 3, of: 5, lockout: None, ..Fields::default() };
    let (small, grown) = (rules_at(0.3, 0.5, fields), rules_at(0.3, 0.7, fields));
    let mut state = State::default();
    let mut step = |now, score, rules| {
        let outcome;
        (state, outcome) = decide(&state, &face(7, score), Millis(now), rules);
        outcome.decision
    };
    for now in [0, 100] {
        assert_eq!(step(now, 0.6, &small), LOOKING);
    }
    assert_eq!([step(200, 0.8, &grown), step(300, 0.8, &grown)], [LOOKING; 2]);
    let granted = Decision::Granted { subject: SubjectId(7), score: Score(0.8) };
    assert_eq!(step(400, 0.8, &grown), granted);
}

/// One contender each, of two subjects; with a score against those who were reported as not it.
fn one_contender() -> impl Strategy<Value = Vec<(u64, Observation)>> {
    let frame = (0_u32..2, 0.0_f32..1.0, prop::option::of(0.0_f32..1.0));
    prop::collection::vec(frame, 1..60).prop_map(|drawn| {
        let frames = drawn.into_iter().map(|(id, score, impostor)| match impostor {
            Some(impostor) => with_impostor(&face(id, score), impostor),
            None => face(id, score),
        });
        every_100_ms(frames)
    })
}

/// What a log holds of denials, and the lockout by the policy of [`door`] that follows from it.
struct Log {
    denials: Vec<u64>,
    locked_until: u64,
}

impl Log {
    fn note(&mut self, now: u64, reason: DenyReason) {
        if reason == DenyReason::NobodyEnrolled {
            return;
        }
        self.denials.retain(|denial| now - denial <= 10_000);
        self.denials.push(now);
        if self.denials.len() == 2 {
            self.denials.clear();
            self.locked_until = now + 3_000;
        }
    }
}

proptest! {
    /// Whatever the scores, the threshold and the reports: a claim is decided by the rules of a search that
    /// finds nobody but the claimed subject.
    #[test]
    fn a_claim_is_a_search_among_one(
        frames in one_contender(),
        value in 0.0_f32..1.0,
        other in 0.0_f32..1.0,
        agree in 1_u8..4,
    ) {
        let lockout = Some(Lockout { after: 2, within_ms: 10_000, for_ms: 500 });
        let fields = Fields { agree, of: 3, lockout, ..Fields::default() };
        let only = |(now, seen): &(u64, Observation)| names_at(seen, SubjectId(1), -1.0).then(|| (*now, seen.clone()));
        let frames: Vec<_> = frames.iter().filter_map(only).collect();
        let claims: Vec<_> = frames.iter().map(|(now, seen)| (*now, claimed(seen.clone(), 1))).collect();
        let searched = run(&rules_at(other, value, fields), &frames);
        prop_assert_eq!(searched, run(&rules_at(value, other, fields), &claims));
    }

    /// Whatever comes before the camera: with a claim, nobody but the claimed subject is granted.
    #[test]
    fn a_claim_grants_nobody_else(frames in any_trace(), claims in prop::collection::vec(0_u32..3, 16)) {
        let frames: Vec<_> = frames.into_iter().zip(claims.iter().cycle())
            .map(|((now, seen), claim)| (now, claimed(seen, *claim))).collect();
        let door = rules_at(LIMIT, -1.0, Fields { agree: 1, of: 2, ..Fields::default() });
        for ((_, seen), decision) in frames.iter().zip(run(&door, &frames)) {
            if let Decision::Granted { subject, .. } = decision {
                prop_assert!(names(seen, subject));
                let is_claimed = matches!(seen, Observation::Face { claim, .. } if *claim == Some(subject));
                prop_assert!(is_claimed);
            }
        }
    }

    /// Whatever comes before the camera, and whoever was reported: who is granted with reports is granted without, at
    /// this frame or, with votes that were all there already, a few before. (A lockout ends; reports may let it begin,
    /// and so end, earlier. Here there is none.)
    #[test]
    fn reports_never_turn_a_denial_into_a_grant(
        frames in any_trace(),
        reports in prop::collection::vec(prop::option::of(0.0_f32..1.0), 64),
    ) {
        let rules = rules(Fields { lockout: None, ..Fields::default() });
        let reported: Vec<_> = frames.iter().zip(reports.iter().cycle()).map(|((now, seen), report)| {
            (*now, report.map_or_else(|| seen.clone(), |score| with_impostor(seen, score)))
        }).collect();
        let (without, with) = (run(&rules, &frames), run(&rules, &reported));
        for (end, decision) in with.iter().enumerate() {
            let Decision::Granted { subject, .. } = decision else { continue };
            let looks = (0..=end).rev().filter(|index| matches!(frames[*index].1, Observation::Face { .. })).take(5);
            let is_granted = |index: usize| matches!(without[index], Decision::Granted { subject: same, .. } if same == *subject);
            prop_assert!(looks.into_iter().any(is_granted), "{:?} without the reports", without[end]);
        }
    }

    #[test]
    fn a_grant_has_its_votes_among_the_last_faces_at_that_place(frames in any_trace()) {
        let decisions = run(&door(), &frames);
        for (end, decision) in decisions.iter().enumerate() {
            let Decision::Granted { subject, .. } = decision else { continue };
            let Observation::Face { rect: place, .. } = &frames[end].1 else { panic!("granted without a face") };
            let here = |frame: &&(u64, Observation)| {
                matches!(&frame.1, Observation::Face { rect, .. } if rect == place)
            };
            let last = frames[..=end].iter().rev().filter(here).take(5);
            prop_assert!(last.filter(|frame| names(&frame.1, *subject)).count() >= 3);
            prop_assert!(names(&frames[end].1, *subject));
        }
    }

    /// Whatever comes before the camera and however the clock jumps: a grant has `agree` votes of its own among the
    /// last `of` looks within the time that votes count, and its last one is the newest frame's.
    #[test]
    fn nobody_is_granted_whom_too_few_of_the_last_looks_name(
        frames in any_trace(),
        agree in 1_u8..=5,
        of in 5_u8..=8,
        window_ms in 100_u64..2_000,
    ) {
        let fields = Fields { agree, of, window_ms, lockout: None, ..Fields::default() };
        let decisions = run(&rules(fields), &frames);
        let is_grant = |index: usize| matches!(decisions[index], Decision::Granted { .. });
        for end in (0..frames.len()).filter(|index| is_grant(*index)) {
            let Decision::Granted { subject, .. } = decisions[end] else { panic!("no grant") };
            let after = |index: &usize| *index == end || (!is_grant(*index) && frames[*index].0 <= frames[*index + 1].0);
            let looks = (0..=end).rev().take_while(after)
                .filter(|index| matches!(frames[*index].1, Observation::Face { .. }))
                .take(usize::from(of));
            let is_young = |index: &usize| frames[end].0 - frames[*index].0 <= window_ms;
            let votes = looks.filter(is_young).filter(|index| names(&frames[*index].1, subject)).count();
            prop_assert!(votes >= usize::from(agree), "granted with {} votes", votes);
            prop_assert!(names(&frames[end].1, subject));
        }
    }

    /// Counted from what a log would hold: so many denials close recognition, for as long as the policy says.
    #[test]
    fn nobody_is_granted_during_a_lockout(frames in any_trace()) {
        let mut clock = 0;
        let forwards: Vec<_> = frames.into_iter().map(|(now, seen)| {
            clock = now.max(clock);
            (clock, seen)
        }).collect();
        let mut log = Log { denials: Vec::new(), locked_until: 0 };
        for ((now, seen), outcome) in forwards.iter().zip(outcomes(&door(), &forwards)) {
            outcome.before.into_iter().for_each(|reason| log.note(*now, reason));
            let was_open = log.locked_until <= *now;
            if let (Decision::Denied { reason }, true) = (outcome.decision, outcome.ends_attempt) {
                log.note(*now, reason);
            }
            let is_face = !matches!(seen, Observation::Nobody { .. });
            prop_assert!(was_open || !is_face || outcome.decision == LOCKED);
            prop_assert!(!was_open || outcome.decision != LOCKED);
        }
    }

    #[test]
    fn a_lockout_always_ends(frames in any_trace(), wait in 0_u64..100_000) {
        let mut state = State::default();
        for (now, observation) in &frames {
            (state, _) = decide(&state, observation, Millis(*now), &door());
        }
        // An attempt that was open may fail, and lock out, once its face is gone; after that there is none.
        for now in [wait, wait + 3_000, wait + 6_000] {
            (state, _) = decide(&state, &Observation::Nobody { reason: RetryReason::NoFace }, Millis(now), &door());
        }
        prop_assert!(!state.is_locked_out(Millis(wait + 6_000)));
    }

    #[test]
    fn the_state_stays_small(frames in any_trace()) {
        let longest = rules(Fields {
            agree: 16,
            of: 16,
            lockout: Some(Lockout { after: 32, within_ms: u64::MAX, for_ms: u64::MAX }),
            ..Fields::default()
        });
        let mut state = State::default();
        for (now, observation) in frames.iter().chain(&frames).chain(&frames) {
            (state, _) = decide(&state, observation, Millis(*now), &longest);
        }
        prop_assert!(serde_json::to_string(&state).unwrap().len() < 16 * 80 + MAX_DENIALS * 21 + 300);
    }
}
