//! Nobody tries without being counted: what ends an attempt, and what a lockout survives.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy exempts test functions only, not their helpers"
)]

mod common;

use arcdoor_core::{Decision, DenyReason, Millis, RetryReason};
use arcdoor_pipeline::{Fields, Lockout, LockoutState, Observation, Outcome, Rules, State, decide};
use common::{LOCKED, LOOKING, STRANGER, claimed, door, face, face_at, outcomes, rules, unclear};
use proptest::prelude::*;

const NOBODY: Observation = Observation::Nobody { reason: RetryReason::NoFace };

/// A door that is looked at from frame to frame.
struct Visit {
    rules: Rules,
    state: State,
    now: u64,
}

impl Visit {
    fn new(rules: Rules) -> Self {
        Self { rules, state: State::default(), now: 0 }
    }

    /// The next frame, so many milliseconds later.
    fn after(&mut self, later_ms: u64, seen: &Observation) -> Outcome {
        self.now += later_ms;
        let outcome;
        (self.state, outcome) = decide(&self.state, seen, Millis(self.now), &self.rules);
        outcome
    }

    fn look(&mut self, seen: &Observation) -> Outcome {
        self.after(100, seen)
    }

    /// Five looks at a stranger.
    fn denied_once(&mut self) {
        let said = [0.1; 5].map(|score| self.look(&face(7, score)));
        assert_eq!(denials(&said), 1);
    }

    /// The program starts again: what is left goes through a file, and the clock begins at 0.
    fn restart(&mut self) {
        let text = serde_json::to_string(&self.state.lockout(Millis(self.now))).unwrap();
        let taken: LockoutState = serde_json::from_str(&text).unwrap();
        (self.state, self.now) = (State::resumed(&taken, Millis(0)), 0);
    }
}

/// Denials that a log would hold: attempts that failed, and those that were denied.
fn denials(outcomes: &[Outcome]) -> usize {
    let counted =
        |outcome: &&Outcome| outcome.ends_attempt && matches!(outcome.decision, Decision::Denied { .. });
    outcomes.iter().filter(|outcome| outcome.before.is_some()).count()
        + outcomes.iter().filter(counted).count()
}

/// One look less than a denial takes, and the next face begins anew: by its place, by its time, by its claim.
#[test]
fn whoever_moves_waits_or_claims_another_before_the_denial_is_denied_and_locked_out() {
    type Turn = fn(u32) -> (u64, Observation);
    let elsewhere: Turn = |attempt| (100, face_at(if attempt % 2 == 0 { 0.0 } else { 300.0 }, &[(7, 0.1)]));
    let later: Turn = |_| (1_001, face(7, 0.1));
    let claims: Turn = |attempt| (100, claimed(face(attempt, -2.0), attempt));
    for (name, turn) in [("elsewhere", elsewhere), ("later", later), ("claims", claims)] {
        let mut visit = Visit::new(rules(Fields::default()));
        let mut said = Vec::new();
        for attempt in 0..25 {
            let (pause, seen) = turn(attempt);
            said.push(visit.after(pause, &seen));
            said.extend((0..3).map(|_| visit.look(&seen)));
        }
        let locked = said.iter().position(|outcome| outcome.decision == LOCKED);
        assert_eq!(locked, Some(5 * 4), "{name}: after five attempts");
        assert_eq!(denials(&said[..=20]), 5, "{name}: each of them is told");
        assert_eq!(said[20].before, Some(DenyReason::NoMatch), "{name}: beside the lockout itself");
    }
}

#[test]
fn who_leaves_before_the_denial_is_told_of_once_the_face_is_gone() {
    let mut visit = Visit::new(door());
    let said: Vec<_> = (0..3).map(|_| visit.look(&face(7, 0.1))).collect();
    assert!(said.iter().all(|outcome| outcome.decision == LOOKING && outcome.before.is_none()));
    assert_eq!(visit.after(1_000, &NOBODY).before, None, "the face may come back");
    assert_eq!(visit.after(1, &NOBODY).before, Some(DenyReason::NoMatch));
    assert_eq!(visit.after(1, &NOBODY).before, None, "once");
}

/// Two looks can never be granted where three must agree, and are no denial; many of them are.
#[test]
fn faces_that_are_shown_for_a_moment_are_denied_at_the_pace_of_one_that_stays() {
    let mut visit = Visit::new(rules(Fields::default()));
    let mut looks = 0;
    while !visit.state.is_locked_out(Millis(visit.now)) {
        let seen = face_at((looks / 2 % 2) as f32 * 300.0, &[(7, 0.1)]);
        visit.look(&seen);
        looks += 1;
        assert!(looks < 60, "as good as none counted");
    }
    assert!(looks >= 5 * 5, "not sooner than one who stays: {looks} looks");
}

#[test]
fn who_passes_by_now_and_then_locks_nobody_out() {
    let mut visit = Visit::new(rules(Fields::default()));
    for _ in 0..200 {
        assert_eq!(visit.after(3_200, &face(7, 0.1)).before, None);
        assert_eq!(visit.look(&face(7, 0.1)).before, None);
    }
}

#[test]
fn a_granted_person_is_one_entry_and_no_denial_when_leaving() {
    let mut visit = Visit::new(door());
    let seen = [0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.1, 0.9, 0.1].map(|score| visit.look(&face(7, score)));
    let grants: Vec<_> =
        seen.iter().filter(|outcome| matches!(outcome.decision, Decision::Granted { .. })).collect();
    assert_eq!(grants.iter().map(|grant| grant.ends_attempt).collect::<Vec<_>>(), [true, false]);
    assert_eq!(visit.after(2_000, &NOBODY).before, None, "turned away");
    assert_eq!(denials(&seen), 0);
    assert_eq!(visit.state.lockout(Millis(visit.now)), LockoutState::default());
}

#[test]
fn whoever_tries_in_a_granted_persons_place_is_told_of() {
    let mut visit = Visit::new(door());
    let said = [0.9, 0.9, 0.9, 0.1, 0.1, 0.1].map(|score| visit.look(&face(7, score)));
    assert!(said[2].ends_attempt && denials(&said) == 0);
    assert_eq!(visit.look(&face_at(300.0, &[(7, 0.1)])).before, Some(DenyReason::NoMatch));
}

#[test]
fn whoever_takes_a_granted_persons_place_is_a_new_entry() {
    let mut visit = Visit::new(door());
    let scores = [0.9, 0.9, 0.9, 0.1, 0.9, 0.9, 0.9, 0.1, 0.1, 0.1, 0.1, 0.1];
    let said = scores.map(|score| visit.look(&face(7, score)));
    let ends: Vec<_> = (0..said.len()).filter(|index| said[*index].ends_attempt).collect();
    assert_eq!(ends, [2, 6, 11], "a grant, one after a doubt, a denial");
    assert_eq!(said[11].decision, STRANGER);
}

#[test]
fn a_face_that_is_somebody_else_in_each_frame_is_denied_within_two_windows() {
    let mut visit = Visit::new(rules(Fields::default()));
    let said: Vec<_> = (0..10).map(|look| visit.look(&face(look % 4, 0.9))).collect();
    assert!(said[..9].iter().all(|outcome| outcome.decision == LOOKING));
    let denied = Decision::Denied { reason: DenyReason::TooFewAgree };
    assert_eq!((said[9].decision, said[9].ends_attempt), (denied, true));
}

#[test]
fn a_restart_neither_shortens_a_lockout_nor_prolongs_it() {
    let mut visit = Visit::new(door());
    visit.now = 5_000_000;
    while !visit.state.is_locked_out(Millis(visit.now)) {
        visit.look(&face(7, 0.1));
    }
    assert_eq!(visit.after(1_000, &face(7, 0.9)).decision, LOCKED);
    for _ in 0..10 {
        visit.restart();
    }
    assert_eq!(visit.after(1_999, &face(7, 0.9)).decision, LOCKED);
    assert_eq!(visit.after(1, &face(7, 0.9)).decision, LOOKING);
}

#[test]
fn a_lockout_from_a_damaged_file_ends_as_any_other() {
    let taken = LockoutState { locked_ms: u64::MAX, ..LockoutState::default() };
    let mut visit = Visit { state: State::resumed(&taken, Millis(0)), ..Visit::new(door()) };
    assert_eq!(visit.after(0, &face(7, 0.9)).decision, LOCKED);
    assert_eq!(visit.after(2_999, &face(7, 0.9)).decision, LOCKED);
    assert_eq!(visit.after(1, &face(7, 0.9)).decision, LOOKING);
    let unknown = serde_json::from_str::<LockoutState>(r#"{"locked_s":1}"#);
    assert!(unknown.is_err(), "a lockout that is not understood is none that is over");
}

#[test]
fn denials_before_a_restart_count_after_it_for_as_long_as_they_would_have() {
    for (wait, is_locked) in [(5_000, true), (9_000, false)] {
        let mut visit = Visit::new(door());
        visit.denied_once();
        assert_eq!(visit.after(1_000, &NOBODY).before, None);
        visit.restart();
        visit.after(wait, &NOBODY);
        visit.denied_once();
        assert_eq!(visit.state.is_locked_out(Millis(visit.now)), is_locked, "denied again after {wait} ms");
    }
}

/// Somebody who makes recognition fail (a panic renews it) at the right moment.
#[test]
fn recognition_that_is_renewed_before_each_denial_locks_out_all_the_same() {
    let mut visit = Visit::new(rules(Fields::default()));
    for attempt in 0.. {
        assert!(attempt < 12, "a renewed recogniser gives tries that nobody counts");
        if (0..4).map(|_| visit.look(&face(7, 0.1))).any(|outcome| outcome.decision == LOCKED) {
            break;
        }
        visit.restart();
    }
}

#[test]
fn without_a_lockout_attempts_are_told_all_the_same_and_where_nobody_is_enrolled_nothing_counts() {
    let unlocked = rules(Fields { lockout: None, ..Fields::default() });
    let frames: Vec<_> =
        (0..40).map(|i| (i * 300, face_at((i / 4 % 2) as f32 * 300.0, &[(7, 0.1)]))).collect();
    let said = outcomes(&unlocked, &frames);
    assert_eq!((denials(&said), said.iter().any(|outcome| outcome.decision == LOCKED)), (9, false));
    let frames: Vec<_> = (0..40).map(|i| (i * 300, face_at((i / 4 % 2) as f32 * 300.0, &[]))).collect();
    let said = outcomes(&door(), &frames);
    assert!(said.iter().all(|outcome| outcome.decision != LOCKED));
    assert_eq!(said[4].before, Some(DenyReason::NobodyEnrolled));
}

/// How a stranger is seen next.
#[derive(Debug, Clone)]
enum Trick {
    Look { place: u8, claim: Option<u32>, score: f32 },
    Unclear,
    Hide,
    Renew,
}

fn any_trick() -> impl Strategy<Value = (u64, Trick)> {
    let look = (0_u8..3, prop::option::of(0_u32..3), 0.0_f32..0.5)
        .prop_map(|(place, claim, score)| Trick::Look { place, claim, score });
    let trick = prop_oneof![
        12 => look,
        1 => Just(Trick::Unclear),
        1 => Just(Trick::Hide),
        1 => Just(Trick::Renew),
    ];
    (prop_oneof![8 => 0_u64..200, 1 => 900_u64..1_200], trick)
}

proptest! {
    /// However a stranger moves, hides, claims and lets recognition fail: so many looks lead to a lockout.
    #[test]
    fn no_way_of_moving_gives_more_looks(
        tricks in prop::collection::vec(any_trick(), 200..300),
        agree in 1_u8..=5,
        of in 5_u8..=8,
    ) {
        let lockout = Some(Lockout { after: 3, within_ms: 1_000_000, for_ms: 1_000_000 });
        let fields = Fields { agree, of, lockout, ..Fields::default() };
        let mut visit = Visit::new(common::rules_at(0.6, 0.6, fields));
        let (mut looks, most) = (0, 3 * (usize::from(of) + usize::from(agree)) + 2 * usize::from(of));
        for (later, trick) in tricks {
            let seen = match trick {
                Trick::Renew => {
                    visit.restart();
                    continue;
                }
                Trick::Hide => NOBODY,
                Trick::Unclear => unclear(),
                Trick::Look { place, claim, score } => {
                    looks += 1;
                    let seen = face_at(f32::from(place) * 300.0, &[(1, score)]);
                    match claim {
                        Some(claim) => claimed(seen, claim),
                        None => seen,
                    }
                }
            };
            let outcome = visit.after(later, &seen);
            let is_granted = matches!(outcome.decision, Decision::Granted { .. });
            prop_assert!(!is_granted);
            if visit.state.is_locked_out(Millis(visit.now)) {
                return Ok(());
            }
            prop_assert!(looks <= most, "{} looks without a lockout", looks);
        }
    }

    /// Taken out and put back at once, on whatever clock, nothing is shorter or longer.
    #[test]
    fn what_is_put_back_is_what_was_taken_out(
        looks in prop::collection::vec((0_u64..700, any::<bool>()), 0..60),
        clock in any::<u32>(),
    ) {
        let mut visit = Visit::new(door());
        for (later, is_here) in looks {
            visit.after(later, &face_at(if is_here { 0.0 } else { 300.0 }, &[(7, 0.1)]));
        }
        let taken = visit.state.lockout(Millis(visit.now));
        let clock = Millis(u64::from(clock));
        prop_assert_eq!(State::resumed(&taken, clock).lockout(clock), taken);
    }
}
