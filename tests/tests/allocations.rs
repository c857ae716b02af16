//! From a camera's frame to a decision, nothing is allocated once the first frame has been seen.
#![allow(clippy::unwrap_used, reason = "clippy exempts test functions only, not their helpers")]

use arcdoor_allocations::during;
use arcdoor_core::{Decision, DenyReason, Millis, RetryReason, SubjectName, Template};
use arcdoor_frame::{Converter, ImageLimits, PixelFormat, RawFrame, RgbImage, RgbView};
use arcdoor_pipeline::{Observation, Policy, Question, Rules, Step};
use arcdoor_tests::{Pipeline, Real, paste};
use arcdoor_vision::{DetectSettings, EngineChoice, RunOptions, Threads};

const CAMERA: [u32; 2] = [640, 480];

/// Portraits on a camera's frame: name of the photo, left, top, side.
fn scene(real: &Real, portraits: &[(&str, i32, i32, u32)]) -> RgbImage {
    let mut frame = RgbImage::with_size(CAMERA[0], CAMERA[1]);
    for &(name, left, top, side) in portraits {
        paste(&mut frame, real.frame(name, 10).view(), left, top, side);
    }
    frame
}

/// The device's way, from a camera's bytes on.
struct Door {
    converter: Converter,
    image: RgbImage,
    pipeline: Pipeline,
    rules: Rules,
    now: Millis,
}

impl Door {
    fn open(real: &Real, options: &RunOptions) -> Self {
        let mut pipeline = Pipeline::open(real, options, DetectSettings::default()).with_barack(real);
        let rules = Rules { thresholds: pipeline.thresholds, policy: Policy::still() };
        let gallery = &mut pipeline.gallery;
        for other in 0..50_u32 {
            let values: Vec<f32> = (0..gallery.dimension() as u32)
                .map(|i| f32::from(((i * 31 + other * 77) % 101) as u8) - 50.0)
                .collect();
            let template = Template::new(gallery.model_id(), &values).unwrap();
            gallery.enrol(&SubjectName::new(&format!("other {other}")).unwrap(), &[template], 0).unwrap();
        }
        pipeline.recognizer.prepare(CAMERA[0], CAMERA[1]).unwrap();
        let (converter, image) = (Converter::new(ImageLimits::default()), RgbImage::new());
        Self { converter, image, pipeline, rules, now: Millis(0) }
    }

    fn step(&mut self, frame: RgbView<'_>) -> Step {
        let raw = RawFrame {
            format: PixelFormat::Rgb8,
            width: frame.width(),
            height: frame.height(),
            stride: frame.stride(),
            data: frame.data(),
        };
        self.converter.to_rgb(&raw, &mut self.image).unwrap();
        self.now = self.now.plus(100);
        let Pipeline { recognizer, gallery, .. } = &mut self.pipeline;
        recognizer.step(self.image.view(), gallery, Question::Identify, &self.rules, self.now).unwrap()
    }
}

/// One frame: its allocations, what was decided, and the template.
type Frame = (u64, Step, Option<Template>);

/// Each frame, after a first one that is not counted.
fn visit(door: &mut Door, frames: &[RgbImage]) -> Vec<Frame> {
    door.step(frames[0].view());
    let mut seen = Vec::with_capacity(frames.len());
    for frame in frames {
        // Of every thread: a helper's allocations count as well.
        let (step, allocations) = during(|| door.step(frame.view()));
        seen.push((allocations.count, step, door.pipeline.recognizer.probe().cloned()));
    }
    seen
}

#[test]
fn a_frame_allocates_nothing_from_the_cameras_bytes_to_the_decision() {
    let Some(real) = Real::find() else { return };
    let frames = [
        // The least to do comes first: whatever the others need was there before.
        scene(&real, &[]),
        scene(&real, &[("obama2.jpg", 160, 80, 320)]),
        scene(&real, &[("biden.jpg", 120, 0, 480)]),
        scene(&real, &[("obama2.jpg", 0, 100, 360), ("biden.jpg", 360, 0, 280)]),
        scene(&real, &[("biden.jpg", 0, 80, 360), ("obama2.jpg", 360, 80, 280)]),
        scene(&real, &[("obama.jpg", 280, 120, 360), ("obama2.jpg", 0, 0, 200), ("biden.jpg", 0, 200, 280)]),
        scene(&real, &[("obama3.jpg", 0, 0, 480)]),
    ];
    let plan = |threads| RunOptions { threads, ..EngineChoice::Plan.into() };
    let seen = visit(&mut Door::open(&real, &plan(Threads::One)), &frames);
    let allocations: Vec<u64> = seen.iter().map(|(allocations, ..)| *allocations).collect();
    assert_eq!(allocations, [0; 7]);
    // Nor with a second thread, and every frame looks the same, bit for bit. (Scores do not: each gallery
    // turns its templates in a way of its own.)
    let again = visit(&mut Door::open(&real, &plan(Threads::Two)), &frames);
    for ((_, one, template), (allocations, two, same)) in seen.iter().zip(&again) {
        assert_eq!(*allocations, 0);
        assert_eq!((&one.faces, template), (&two.faces, same));
    }

    // Every branch was taken.
    let decisions: Vec<Decision> = seen.iter().map(|(_, step, _)| step.outcome.decision).collect();
    assert_eq!(decisions[0], Decision::Retry { reason: RetryReason::NoFace });
    assert!(matches!(decisions[1], Decision::Granted { .. }), "{:?}", seen[1].1);
    assert_eq!(decisions[2], Decision::Denied { reason: DenyReason::NoMatch });
    assert!(matches!(decisions[3], Decision::Granted { .. }), "{:?}", seen[3].1);
    assert_eq!(decisions[4], Decision::Retry { reason: RetryReason::SeveralFaces });
    assert!(seen[3].1.faces.len() >= 2 && seen[5].1.faces.len() >= 3);
    assert!(matches!(seen[6].1.observation, Observation::Face { .. }), "{:?}", seen[6].1);

    // The counter counts: tract makes its tensors anew.
    let seen = visit(&mut Door::open(&real, &EngineChoice::Tract.into()), &frames[..2]);
    assert!(seen.iter().all(|(allocations, ..)| *allocations > 0));
}
