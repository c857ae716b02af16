//! What intent costs whoever comes to the door, and whom it keeps out: drawn walks, as a camera of 640 pixels and 60
//! degrees sees a face of 15 cm, about ten frames a second. `-- --nocapture` shows the figures.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy exempts test functions only, not their helpers"
)]

mod common;

use arcdoor_core::{Decision, Quality, Rect, RetryReason};
use arcdoor_pipeline::{Fields, Intent, Observation, Rules, Stance};
use arcdoor_vision::QualityGate;
use common::{asking_for, face, rules, run};

const FRAME_PX: f32 = 640.0;
/// Twice the tangent of half of 60 degrees: the frame's width at one metre, in metres.
const FRAME_M: f32 = 1.1547;
const FACE_M: f32 = 0.15;
const EYES_M: f32 = 0.063;
const GATE: Quality = QualityGate::recognise().least;
/// Pixels between the eyes that the gate asks for; 60 are a size of 100.
const LEAST_EYES_PX: f32 = 60.0 * GATE.size as f32 / 100.0;
/// The turn to the side that the gate still takes; 50 degrees are a pose of 0.
const GATE_YAW_DEG: f32 = 50.0 * (100 - GATE.pose) as f32 / 100.0;
const WALKS: u32 = 1_000;

/// Drawn numbers, the same at each run.
struct Draw(u64);

impl Draw {
    /// Evenly between both.
    fn between(&mut self, low: f32, high: f32) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        low + (high - low) * ((self.0 >> 40) as f32 / (1_u64 << 24) as f32)
    }

    fn happens(&mut self, share: f32) -> bool {
        self.between(0.0, 1.0) < share
    }
}

/// One frame of an enrolled person's face: its middle's place in the frame's width, how far away, and how it is turned.
fn frame(draw: &mut Draw, x: f32, metres: f32, yaw_deg: f32) -> Observation {
    let width = FACE_M / (FRAME_M * metres);
    let yaw_deg = yaw_deg + draw.between(-6.0, 6.0);
    let stance = Stance { x, width, yaw_deg, pitch_deg: draw.between(-12.0, 12.0) };
    let rect = Rect::new((x - width / 2.0) * FRAME_PX, 150.0, width * FRAME_PX, width * FRAME_PX * 1.25);
    let eyes_px = EYES_M / (FRAME_M * metres) * FRAME_PX * yaw_deg.to_radians().cos();
    let unclear = |reason| Observation::Unclear { rect, stance, reason };
    if rect.x < -0.1 * rect.w || rect.x + 0.9 * rect.w > FRAME_PX {
        return unclear(RetryReason::FaceCutOff);
    }
    if eyes_px < LEAST_EYES_PX {
        return unclear(RetryReason::TooFar);
    }
    if yaw_deg.abs() > GATE_YAW_DEG {
        return unclear(RetryReason::TurnToCamera);
    }
    if draw.happens(0.1) {
        return unclear(RetryReason::HoldStill);
    }
    // One look in ten does not reach the threshold.
    let score = if draw.happens(0.1) { 0.3 } else { 0.8 };
    let mut seen = face(7, score);
    if let Observation::Face { rect: at, stance: held, .. } = &mut seen {
        (*at, *held) = (rect, stance);
    }
    seen
}

type Walk = Vec<(u64, Observation)>;

/// Frames for so long; `at` says where the face is after so many seconds, and how it is turned.
fn walk(draw: &mut Draw, seconds: f32, at: impl Fn(f32) -> (f32, f32, f32)) -> Walk {
    let (mut now, mut frames) = (0.0_f32, Vec::new());
    while now < seconds {
        let (x, metres, yaw_deg) = at(now);
        let wobble = draw.between(-0.01, 0.01);
        frames.push(((now * 1_000.0) as u64, frame(draw, x + wobble, metres, yaw_deg)));
        now += draw.between(0.08, 0.125);
    }
    frames
}

/// From three metres to arm's length, and stands there.
fn approach(draw: &mut Draw) -> Walk {
    let (speed, x) = (draw.between(0.7, 1.4), draw.between(0.4, 0.6));
    walk(draw, 6.0, |s| (x, (3.0 - speed * s).max(0.6), 0.0))
}

/// Across the frame in one to two seconds, looking into the camera.
fn across(draw: &mut Draw) -> Walk {
    let (seconds, metres, yaw) = (draw.between(1.0, 2.0), draw.between(0.6, 1.8), draw.between(-20.0, 20.0));
    walk(draw, seconds, |s| (s / seconds, metres, yaw))
}

/// Stands at a distance and looks elsewhere: half a turn that the quality gate still takes, or more.
fn turned_away(draw: &mut Draw) -> Walk {
    let (metres, yaw) = (draw.between(0.6, 1.8), draw.between(33.0, 60.0));
    walk(draw, 4.0, |_| (0.5, metres, yaw))
}

/// Towards the camera and past it, with eyes on the way: too far to the side or turned.
fn past(draw: &mut Draw) -> Walk {
    let (speed, yaw) = (draw.between(0.9, 1.5), draw.between(33.0, 50.0));
    walk(draw, 2.5, |s| {
        let metres = (2.2 - speed * s).max(0.5);
        (0.5 + 0.4 / (FRAME_M * metres) * 0.5, metres, yaw)
    })
}

fn first_grant(rules: &Rules, walk: &Walk) -> Option<u64> {
    let at = run(rules, walk).iter().position(|decision| matches!(decision, Decision::Granted { .. }))?;
    Some(walk[at].0)
}

fn median(mut values: Vec<f32>) -> f32 {
    values.sort_by(f32::total_cmp);
    values[values.len() / 2]
}

#[test]
fn whoever_comes_to_the_door_waits_hardly_longer_and_no_passer_by_is_let_in() {
    let fields = Fields { lockout: None, ..Fields::default() };
    let (without, with) = (rules(fields), asking_for(Intent::default(), fields));
    let mut draw = Draw(2_026);
    let mut later = Vec::new();
    let (mut granted, mut granted_with) = (0, 0);
    for _ in 0..WALKS {
        let walk = approach(&mut draw);
        let (plain, meant) = (first_grant(&without, &walk), first_grant(&with, &walk));
        granted += u32::from(plain.is_some());
        granted_with += u32::from(meant.is_some());
        if let (Some(plain), Some(meant)) = (plain, meant) {
            later.push(meant as f32 / 1_000.0 - plain as f32 / 1_000.0);
        }
    }
    let worst = later.iter().copied().fold(0.0, f32::max);
    let median = median(later);
    println!("approach: {granted} granted without intent, {granted_with} with it, of {WALKS}");
    println!("          median {median:.2} s later, at most {worst:.2} s");
    assert!(granted_with == granted && median <= 0.5, "{granted_with} of {granted}, {median} s later");
    type Passing = fn(&mut Draw) -> Walk;
    let passers: [(&str, Passing); 3] = [("across", across), ("turned away", turned_away), ("past", past)];
    for (name, passer) in passers {
        let walks: Vec<Walk> = (0..WALKS).map(|_| passer(&mut draw)).collect();
        let count = |rules: &Rules| walks.iter().filter(|walk| first_grant(rules, walk).is_some()).count();
        let (plain, meant) = (count(&without), count(&with));
        println!("{name}: {plain} granted without intent, {meant} with it, of {WALKS}");
        assert!(plain > 0 && meant == 0, "{name}: {plain} and {meant}");
    }
}
