//! Who only passes by is neither let in nor denied.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy exempts test functions only, not their helpers"
)]

mod common;

use arcdoor_core::{Decision, DenyReason, Millis, Rect, RetryReason, SubjectId};
use arcdoor_pipeline::{Fields, Intent, Lockout, LockoutState, Observation, Outcome, Rules, Stance, State};
use arcdoor_pipeline::{Policy, decide};
use common::{LOCKED, LOOKING, STRANGER, asking_for, face, outcomes, rules, run};
use proptest::prelude::*;

const NOBODY: Observation = Observation::Nobody { reason: RetryReason::NoFace };
const SHOW_INTENT: Decision = Decision::Retry { reason: RetryReason::ShowIntent };
/// Before the camera, and looking at it.
const FRONT: Stance = Stance { x: 0.5, width: 0.2, yaw_deg: 0.0, pitch_deg: 0.0 };

fn door() -> Rules {
    asking_for(Intent::default(), Fields::default())
}

/// The same frame, seen so.
fn seen(stance: Stance, mut observation: Observation) -> Observation {
    match &mut observation {
        Observation::Face { stance: held, .. } | Observation::Unclear { stance: held, .. } => *held = stance,
        Observation::Nobody { .. } => {}
    }
    observation
}

/// Ada, seen so every 100 ms.
fn ada(stances: impl IntoIterator<Item = Stance>) -> Vec<(u64, Observation)> {
    stances.into_iter().enumerate().map(|(i, stance)| (i as u64 * 100, seen(stance, face(7, 0.9)))).collect()
}

fn grants(decisions: &[Decision]) -> usize {
    decisions.iter().filter(|decision| matches!(decision, Decision::Granted { .. })).count()
}

#[test]
fn who_is_too_far_or_turned_away_is_not_granted_however_long_and_reads_what_to_do() {
    for stance in [
        Stance { width: 0.069, ..FRONT },
        Stance { yaw_deg: 26.0, ..FRONT },
        Stance { yaw_deg: -26.0, ..FRONT },
        Stance { pitch_deg: 26.0, ..FRONT },
        Stance { pitch_deg: -26.0, ..FRONT },
    ] {
        let decisions = run(&door(), &ada([stance; 50]));
        assert!(decisions.iter().all(|decision| *decision == SHOW_INTENT), "{stance:?}: {decisions:?}");
    }
}

#[test]
fn who_stays_before_the_camera_is_granted_once_the_hold_is_over() {
    let decisions = run(&door(), &ada([FRONT; 5]));
    assert_eq!(decisions[..4], [LOOKING; 4]);
    assert!(matches!(decisions[4], Decision::Granted { .. }));
}

#[test]
fn a_hold_that_is_broken_off_begins_anew() {
    let away = Stance { yaw_deg: 40.0, ..FRONT };
    let frames = ada([FRONT, FRONT, FRONT, away, FRONT, FRONT, FRONT, FRONT, FRONT]);
    assert_eq!(grants(&run(&door(), &frames)[..8]), 0);
    assert_eq!(grants(&run(&door(), &frames)[8..]), 1);
    let mut hidden = ada([FRONT; 9]);
    hidden[3].1 = NOBODY;
    assert_eq!(grants(&run(&door(), &hidden)[..8]), 0, "nobody knows where a face looked that was not seen");
    let mut turned = ada([FRONT; 9]);
    turned[3].1 = seen(away, common::unclear());
    assert_eq!(grants(&run(&door(), &turned)[..8]), 0);
    let mut blurred = ada([FRONT; 9]);
    blurred[3].1 = seen(FRONT, common::unclear());
    assert_eq!(grants(&run(&door(), &blurred)[..5]), 1, "a frame that shows too little shows where it looks");
}

#[test]
fn whoever_takes_a_granted_persons_place_while_turned_away_is_a_new_entry() {
    let (away, front) = (Stance { yaw_deg: 40.0, ..FRONT }, seen(FRONT, face(7, 0.9)));
    let visit = std::iter::repeat_n(front.clone(), 5)
        .chain(std::iter::repeat_n(seen(away, face(7, 0.1)), 2))
        .chain(std::iter::repeat_n(front, 6));
    let frames: Vec<_> = visit.enumerate().map(|(i, observation)| (i as u64 * 100, observation)).collect();
    let ends = outcomes(&door(), &frames).into_iter().filter(|outcome| outcome.ends_attempt);
    assert_eq!(ends.count(), 2, "a grant, and one after a doubt");
}

#[test]
fn who_walks_across_the_frame_is_not_granted_although_looking_into_the_camera() {
    for seconds in [1.0_f32, 1.5, 2.0] {
        let frames = (seconds * 10.0) as u16;
        let across = (0..frames).map(|i| Stance { x: f32::from(i) / f32::from(frames), ..FRONT });
        let across: Vec<_> = across.collect();
        // One face for the tracker: the boxes overlap.
        assert_eq!(grants(&run(&door(), &ada(across.clone()))), 0, "{seconds} s");
        assert!(grants(&run(&rules(Fields::default()), &ada(across))) > 0, "without intent, {seconds} s");
    }
}

#[test]
fn a_passer_by_is_no_denial_and_locks_nobody_out() {
    let (mut state, rules, far) = (State::default(), door(), Stance { width: 0.05, ..FRONT });
    let mut step = |now: u64, seen: &Observation| -> Outcome {
        let outcome;
        (state, outcome) = decide(&state, seen, Millis(now), &rules);
        assert_eq!(state.lockout(Millis(now)), LockoutState::default(), "at {now}");
        outcome
    };
    for passer in 0..20_u64 {
        for frame in 0..30 {
            let outcome = step(passer * 5_000 + frame * 100, &seen(far, face(7, 0.1)));
            assert_eq!((outcome.decision, outcome.before), (SHOW_INTENT, None));
        }
        assert_eq!(step(passer * 5_000 + 4_500, &NOBODY).before, None);
    }
}

#[test]
fn a_stranger_who_shows_intent_is_denied_and_locked_out_as_without_it() {
    let stranger = || (0..40).map(|i| (i * 100, seen(FRONT, face(7, 0.1))));
    let frames: Vec<_> = stranger().collect();
    let (with, without) = (run(&door(), &frames), run(&rules(Fields::default()), &frames));
    assert_eq!(with[4], STRANGER, "with the hold's end: its looks are the window");
    assert_eq!(with, without);
    assert_eq!(with[25], LOCKED);
}

/// Enough for an attempt, and away again before it is denied.
#[test]
fn whoever_steps_back_before_the_denial_is_told_of_and_locked_out() {
    let away = Stance { yaw_deg: 40.0, ..FRONT };
    let fields = Fields { agree: 3, of: 8, ..Fields::default() };
    let (rules, mut state, mut told) = (asking_for(Intent::default(), fields), State::default(), 0);
    for frame in 0..600_u64 {
        let stance = if frame % 10 < 6 { FRONT } else { away };
        let outcome;
        (state, outcome) = decide(&state, &seen(stance, face(7, 0.1)), Millis(frame * 100), &rules);
        assert!(!matches!(outcome.decision, Decision::Granted { .. }));
        told += usize::from(outcome.ends_attempt || outcome.before.is_some());
        if outcome.decision == LOCKED {
            assert!(told >= 4, "{told} denials");
            return;
        }
    }
    panic!("tries that nobody counts: {told}");
}

#[test]
fn what_was_seen_before_the_hold_is_no_part_of_the_attempt() {
    let far = Stance { width: 0.05, ..FRONT };
    let mut frames: Vec<_> = (0..20_u64).map(|i| (i * 100, seen(far, face(7, 0.1)))).collect();
    // Nobody is denied in the first frame of standing well.
    frames.extend((20..24_u64).map(|i| (i * 100, seen(FRONT, face(7, 0.1)))));
    assert_eq!(run(&door(), &frames)[20..], [LOOKING; 4]);
    frames.push((2_400, seen(FRONT, face(7, 0.1))));
    assert_eq!(run(&door(), &frames)[24], STRANGER);
    // The hold is over, and its last looks are the person's.
    let late: Vec<_> = (0..20_u64)
        .map(|i| (i * 100, seen(far, face(7, 0.1))))
        .chain((20..25_u64).map(|i| (i * 100, seen(FRONT, face(7, 0.9)))))
        .collect();
    assert_eq!(grants(&run(&door(), &late)), 1);
}

#[test]
fn a_clock_set_back_or_a_new_face_does_not_inherit_the_hold() {
    let mut frames = ada([FRONT; 4]);
    frames.extend((0..4_u64).map(|i| (i * 100, seen(FRONT, face(7, 0.9)))));
    assert_eq!(grants(&run(&door(), &frames)), 0, "the clock was set back");
    let mut frames = ada([FRONT; 4]);
    let elsewhere = |i: u64| (400 + i * 100, seen(FRONT, common::face_at(300.0, &[(7, 0.9)])));
    frames.extend((0..4).map(elsewhere));
    assert_eq!(grants(&run(&door(), &frames)), 0, "another face");
}

/// A drawn stance, mostly a good one.
fn any_stance() -> impl Strategy<Value = Stance> {
    let odd = (0.0_f32..1.0, 0.0_f32..0.3, -60.0_f32..60.0, -60.0_f32..60.0)
        .prop_map(|(x, width, yaw_deg, pitch_deg)| Stance { x, width, yaw_deg, pitch_deg });
    let near = (0.4_f32..0.6).prop_map(|x| Stance { x, ..FRONT });
    prop_oneof![1 => odd, 6 => near]
}

fn any_frame() -> impl Strategy<Value = Observation> {
    let place = (0_u8..2).prop_map(|place| Rect::new(f32::from(place) * 300.0, 0.0, 100.0, 100.0));
    let face = (place.clone(), any_stance(), 1_u32..3, 0.4_f32..0.9).prop_map(|(rect, stance, id, score)| {
        let mut observation = seen(stance, face(id, score));
        if let Observation::Face { rect: held, .. } = &mut observation {
            *held = rect;
        }
        observation
    });
    let unclear = (place, any_stance()).prop_map(|(rect, stance)| Observation::Unclear {
        rect,
        stance,
        reason: RetryReason::HoldStill,
    });
    prop_oneof![1 => Just(NOBODY), 1 => unclear, 10 => face]
}

/// Frames with their times; now and then the clock jumps, also backwards.
fn any_visit() -> impl Strategy<Value = Vec<(u64, Observation)>> {
    prop::collection::vec((any_frame(), 20_u64..300, 0_u8..50), 1..100).prop_map(|drawn| {
        let mut now = 50_000_u64;
        drawn
            .into_iter()
            .map(|(frame, step, jump)| {
                now = match jump {
                    0 => now.saturating_sub(20_000),
                    1 => now + 20_000,
                    _ => now + step,
                };
                (now, frame)
            })
            .collect()
    })
}

fn any_intent() -> impl Strategy<Value = Intent> {
    (0.0_f32..0.25, 0_u64..1_000, 0.01_f32..0.3, 10.0_f32..50.0).prop_map(
        |(width, hold_ms, sideways, degrees)| Intent {
            required: true,
            width,
            hold_ms,
            sideways,
            yaw_deg: degrees,
            pitch_deg: degrees,
        },
    )
}

/// Whether the frames up to this one show the intent: said in other words than the code has.
fn is_meant(frames: &[(u64, Observation)], end: usize, intent: &Intent) -> bool {
    let until = frames[end].0;
    let mut row = Vec::new();
    for (now, frame) in frames[..=end].iter().rev() {
        let (Observation::Face { stance, .. } | Observation::Unclear { stance, .. }) = frame else { break };
        let looks = stance.yaw_deg.abs() <= intent.yaw_deg && stance.pitch_deg.abs() <= intent.pitch_deg;
        if !looks || stance.width < intent.width || *now > row.last().map_or(until, |(later, _)| *later) {
            break;
        }
        row.push((*now, stance.x));
    }
    // Some frame of the row is old enough, and the face stayed near where it was then.
    (0..row.len()).any(|first| {
        let (since, x) = row[first];
        until - since >= intent.hold_ms
            && row[..=first].iter().all(|(_, at)| (at - x).abs() <= intent.sideways)
    })
}

proptest! {
    #[test]
    fn nobody_is_granted_or_denied_without_intent_whatever_comes_before_the_camera(
        frames in any_visit(),
        intent in any_intent(),
        agree in 1_u8..=3,
    ) {
        let rules = asking_for(intent, Fields { agree, lockout: None, ..Fields::default() });
        for (end, outcome) in outcomes(&rules, &frames).iter().enumerate() {
            if !matches!(outcome.decision, Decision::Retry { .. }) {
                prop_assert!(is_meant(&frames, end, &intent), "{:?} at {}", outcome, end);
            }
        }
    }

    /// Who is granted with it is granted without it: at this frame or, with votes that were all there already, a few
    /// before.
    #[test]
    fn intent_never_turns_a_retry_into_a_grant(frames in any_visit(), intent in any_intent()) {
        let fields = Fields { lockout: None, ..Fields::default() };
        let (without, with) = (run(&rules(fields), &frames), run(&asking_for(intent, fields), &frames));
        for (end, decision) in with.iter().enumerate() {
            let Decision::Granted { subject, .. } = decision else { continue };
            let looks = (0..=end).rev().filter(|index| matches!(frames[*index].1, Observation::Face { .. })).take(5);
            let is_granted = |index: usize| matches!(without[index], Decision::Granted { subject: same, .. } if same == *subject);
            prop_assert!(looks.into_iter().any(is_granted), "{:?} without intent", without[end]);
        }
    }

    /// What is said before there is intent is the same for every score.
    #[test]
    fn without_intent_the_answer_does_not_depend_on_the_score(
        frames in any_visit(),
        scores in prop::collection::vec(0.0_f32..1.0, 16),
    ) {
        let never = Intent { width: 1.0, ..Intent::default() };
        let rules = asking_for(never, Fields::default());
        let other: Vec<_> = frames.iter().zip(scores.iter().cycle()).map(|((now, frame), score)| {
            let mut frame = frame.clone();
            if let Observation::Face { contenders, .. } = &mut frame {
                contenders.iter_mut().for_each(|contender| contender.score.0 = *score);
            }
            (*now, frame)
        }).collect();
        prop_assert_eq!(outcomes(&rules, &frames), outcomes(&rules, &other));
    }

    /// However a stranger stands, turns away and comes back: so many looks with intent lead to a lockout.
    #[test]
    fn breaking_the_hold_gives_no_more_tries(shown in prop::collection::vec((5_usize..9, 1_usize..4), 30..40)) {
        let lockout = Some(Lockout { after: 3, within_ms: 1_000_000, for_ms: 1_000_000 });
        let rules = asking_for(Intent::default(), Fields { lockout, ..Fields::default() });
        let (mut state, mut now, mut looks) = (State::default(), 0, 0);
        for (stays, turns) in shown {
            for frame in 0..stays + turns {
                let stance = if frame < stays { FRONT } else { Stance { yaw_deg: 50.0, ..FRONT } };
                now += 100;
                (state, _) = decide(&state, &seen(stance, face(7, 0.1)), Millis(now), &rules);
                // The looks after the hold's end are those that could have been a grant.
                looks += usize::from(frame >= 4 && frame < stays);
            }
            if state.is_locked_out(Millis(now)) {
                return Ok(());
            }
            prop_assert!(looks <= 3 * 10, "{} looks without a lockout", looks);
        }
    }
}

#[test]
fn a_photo_asks_for_no_intent() {
    let still = Rules { policy: Policy::still(), ..door() };
    let far = Stance { width: 0.01, yaw_deg: 80.0, ..FRONT };
    let decisions = run(&still, &[(0, seen(far, face(7, 0.9)))]);
    assert!(matches!(decisions[0], Decision::Granted { subject: SubjectId(7), .. }));
    let denied = run(&still, &[(0, seen(far, face(7, 0.1)))]);
    assert_eq!(denied, [Decision::Denied { reason: DenyReason::NoMatch }]);
}
