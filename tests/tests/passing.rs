//! Who comes to the door and who passes by, through detector, quality and embedder: a portrait moved over a camera's
//! frame, ten frames a second. `-- --nocapture` shows when each was granted.
#![allow(clippy::unwrap_used, reason = "clippy exempts test functions only, not their helpers")]

use arcdoor_core::{Decision, Fmr, Millis, SubjectName};
use arcdoor_frame::{Resizer, RgbImage};
use arcdoor_gallery::{Gallery, GalleryKey, MemoryDisk};
use arcdoor_models::Pack;
use arcdoor_pipeline::{Fields, Intent, Policy, Question, Recognizer, Rules, Thresholds};
use arcdoor_tests::Real;
use arcdoor_vision::{DetectSettings, DetectorKind, RunOptions, Vision};

const CAMERA: [u32; 2] = [640, 480];

/// A portrait of this side with its middle at `x`, on a grey frame; what reaches beyond the frame is cut.
fn frame(portrait: &RgbImage, x: f32, side: u32) -> RgbImage {
    let mut frame = RgbImage::with_size(CAMERA[0], CAMERA[1]);
    frame.data_mut().fill(110);
    let mut small = RgbImage::with_size(side, side);
    Resizer::new().resize(portrait.view(), &mut small).unwrap();
    let left = x as i64 - i64::from(side / 2);
    let top = (CAMERA[1] - side) / 2;
    for y in 0..side {
        let row = small.view().row(y);
        for column in 0..side {
            let at = left + i64::from(column);
            if (0..i64::from(CAMERA[0])).contains(&at) {
                let to = ((top + y) * CAMERA[0] + at as u32) as usize * 3;
                frame.data_mut()[to..to + 3].copy_from_slice(&row[column as usize * 3..][..3]);
            }
        }
    }
    frame
}

struct Door {
    recognizer: Recognizer,
    gallery: Gallery,
    thresholds: Thresholds,
}

impl Door {
    fn open(real: &Real) -> Self {
        let pack = Pack::open(&real.pack).unwrap();
        let vision = Vision::from_pack(&pack, DetectorKind::Yunet, &RunOptions::default()).unwrap();
        let threshold = pack.threshold(Fmr::new(1e-5).unwrap()).unwrap();
        let detect = DetectSettings { min_face_px: 40, ..DetectSettings::default() };
        let mut recognizer = Recognizer::new(vision, detect);
        let key = GalleryKey::generate().unwrap();
        let mut gallery =
            Gallery::open_on(MemoryDisk::new(), &key, pack.model_id(), pack.dimension()).unwrap();
        let view = recognizer.view(real.frame("obama.jpg", 10).view()).unwrap().unwrap().template;
        gallery.enrol(&SubjectName::new("Barack").unwrap(), &[view], 0).unwrap();
        Self { recognizer, gallery, thresholds: Thresholds::new(threshold, threshold, threshold).unwrap() }
    }

    /// When each grant came, milliseconds after the first frame.
    fn grants(&mut self, frames: &[RgbImage], intent: Intent, start: u64) -> Vec<u64> {
        let policy = Policy::new(Fields { lockout: None, intent, ..Fields::default() }).unwrap();
        let rules = Rules { thresholds: self.thresholds, policy };
        let mut grants = Vec::new();
        for (index, frame) in frames.iter().enumerate() {
            let at = index as u64 * 100;
            let now = Millis(start + at);
            let step =
                self.recognizer.step(frame.view(), &self.gallery, Question::Identify, &rules, now).unwrap();
            let is_granted = matches!(step.outcome.decision, Decision::Granted { .. });
            // Neither a candidate nor a score of whoever shows no intent.
            if let Decision::Retry { reason: arcdoor_core::RetryReason::ShowIntent } = step.outcome.decision {
                assert!(step.candidates.is_empty());
            }
            grants.extend(is_granted.then_some(at));
        }
        grants
    }
}

#[test]
fn whoever_crosses_the_frame_is_not_let_in_and_whoever_comes_waits_half_a_second_at_most() {
    let Some(real) = Real::find() else { return };
    let mut door = Door::open(&real);
    let portrait = real.frame("obama2.jpg", 10);
    let mut start = 0;
    let mut both = |frames: &[RgbImage]| {
        let mut grants = |intent| {
            // Long after whoever came before.
            start += 100_000;
            door.grants(frames, intent, start)
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
