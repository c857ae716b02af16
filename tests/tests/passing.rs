//! Who comes to the door and who passes by, through detector, quality and embedder: a portrait moved over a camera's
//! frame, ten frames a second. `-- --nocapture` shows when each was granted.
#![allow(clippy::unwrap_used, reason = "clippy exempts test functions only, not their helpers")]

use arcdoor_core::{Decision, Millis, RetryReason};
use arcdoor_frame::RgbImage;
use arcdoor_pipeline::{Fields, Intent, Policy, Question, Rules};
use arcdoor_tests::{Pipeline, Real, paste};
use arcdoor_vision::{DetectSettings, RunOptions};

const CAMERA: [u32; 2] = [640, 480];

/// A portrait of this side with its middle at `x`, on a grey frame; what reaches beyond the frame is cut.
fn frame(portrait: &RgbImage, x: f32, side: u32) -> RgbImage {
    let mut frame = RgbImage::with_size(CAMERA[0], CAMERA[1]);
    frame.data_mut().fill(110);
    let left = x as i32 - side as i32 / 2;
    paste(&mut frame, portrait.view(), left, (CAMERA[1] - side) as i32 / 2, side);
    frame
}

/// When each grant came, milliseconds after the first frame.
fn grants(door: &mut Pipeline, frames: &[RgbImage], intent: Intent, start: u64) -> Vec<u64> {
    let policy = Policy::new(Fields { lockout: None, intent, ..Fields::default() }).unwrap();
    let rules = Rules { thresholds: door.thresholds, policy };
    let mut grants = Vec::new();
    for (index, frame) in frames.iter().enumerate() {
        let at = index as u64 * 100;
        let now = Millis(start + at);
        let step =
            door.recognizer.step(frame.view(), &door.gallery, Question::Identify, &rules, now).unwrap();
        let is_granted = matches!(step.outcome.decision, Decision::Granted { .. });
        // Neither a candidate nor a score of whoever shows no intent.
        if let Decision::Retry { reason: RetryReason::ShowIntent } = step.outcome.decision {
            assert!(step.candidates.is_empty());
        }
        grants.extend(is_granted.then_some(at));
    }
    grants
}

#[test]
fn whoever_crosses_the_frame_is_not_let_in_and_whoever_comes_waits_half_a_second_in_the_middle() {
    let Some(real) = Real::find() else { return };
    let detect = DetectSettings { min_face_px: 40, ..DetectSettings::default() };
    let mut door = Pipeline::open(&real, &RunOptions::default(), detect).with_barack(&real);
    let portrait = real.frame("obama2.jpg", 10);
    let mut start = 0;
    let mut both = |frames: &[RgbImage]| {
        let mut grants = |intent| {
            // Long after whoever came before.
            start += 100_000;
            grants(&mut door, frames, intent, start)
        };
        (grants(Intent::NOT_REQUIRED), grants(Intent::default()))
    };
    let mut walked_in = 0;
    for (frames, side) in [(10, 240), (15, 240), (20, 240), (15, 360), (20, 360), (20, 160)] {
        let across: Vec<_> =
            (0..frames).map(|i| frame(&portrait, 640.0 * i as f32 / frames as f32, side)).collect();
        let (without, with) = both(&across);
        println!(
            "across in {} s, portrait of {side}: {without:?}, with intent {with:?}",
            f64::from(frames) / 10.0
        );
        walked_in += without.len();
        assert!(with.is_empty(), "{frames} frames, {side} pixels");
    }
    assert!(walked_in > 0, "nobody would have been let in without intent");
    let mut later = Vec::new();
    for (speed, x) in [(0.7, 320.0), (0.9, 280.0), (1.0, 360.0), (1.2, 320.0), (1.4, 300.0)] {
        // The head is half of the portrait: a face of 15 cm in a portrait of 35 cm, at 60 degrees.
        let side = |i: u32| (0.35 / (1.1547 * (3.0 - speed * i as f32 / 10.0).max(0.8)) * 640.0) as u32;
        let coming: Vec<_> = (0..45).map(|i| frame(&portrait, x, side(i))).collect();
        let (without, with) = both(&coming);
        println!("coming at {speed} m/s: {:?}, with intent {:?}", without.first(), with.first());
        later.push(with[0] - without[0]);
    }
    later.sort_unstable();
    assert!(later[2] <= 500, "median of {later:?} ms");
}
