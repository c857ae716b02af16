//! Embeddings that unlike faces share are known as such: real portraits, embedded where their landmarks are not.
#![allow(clippy::unwrap_used, reason = "these are tests")]

use arcdoor_core::{Faces, Landmarks5, Point, QualityPart, RetryReason};
use arcdoor_frame::RgbImage;
use arcdoor_models::Pack;
use arcdoor_tests::Real;
use arcdoor_vision::{DetectSettings, DetectorKind, QualityGate, Recognised, RunOptions, Vision};

const PORTRAITS: [&str; 3] = ["obama.jpg", "obama2.jpg", "biden.jpg"];

struct Portrait {
    frame: RgbImage,
    landmarks: Landmarks5,
}

impl Portrait {
    fn find(vision: &mut Vision, frame: RgbImage) -> Self {
        let mut faces = Faces::new();
        vision.detect(frame.view(), &DetectSettings::default(), &mut faces).unwrap();
        let landmarks = faces.iter().find_map(|face| face.landmarks).unwrap();
        Self { frame, landmarks }
    }

    /// The recognisability where the landmarks are turned about their middle, degrees clockwise, and drawn larger.
    fn at(&self, vision: &mut Vision, degrees: f32, scale: f32) -> Recognised {
        let mean = |of: fn(&Point) -> f32| self.landmarks.0.iter().map(of).sum::<f32>() / 5.0;
        let (x, y) = (mean(|p| p.x), mean(|p| p.y));
        let (sin, cos) = degrees.to_radians().sin_cos();
        let moved = self.landmarks.map(|p| {
            let (dx, dy) = (scale * (p.x - x), scale * (p.y - y));
            Point::new(x + cos * dx - sin * dy, y + sin * dx + cos * dy)
        });
        vision.embed(self.frame.view(), &moved).unwrap();
        vision.recognised().unwrap()
    }
}

fn least(gate: QualityGate) -> u8 {
    gate.least.part(QualityPart::Recognisability).unwrap()
}

#[test]
fn a_face_whose_landmarks_are_not_its_own_is_refused_and_a_portrait_is_not() {
    let Some(real) = Real::find() else { return };
    let pack = Pack::open(&real.pack).unwrap();
    let mut vision = Vision::from_pack(&pack, DetectorKind::Yunet, &RunOptions::default()).unwrap();
    assert_eq!(vision.recognised(), None, "nothing was embedded");
    for name in PORTRAITS {
        let portrait = Portrait::find(&mut vision, real.frame(name, 10));
        let upright = portrait.at(&mut vision, 0.0, 1.0);
        assert!(upright.value >= least(QualityGate::enrol()), "{name}: {upright:?}");
        for degrees in [45.0, 90.0, 180.0, -90.0] {
            let turned = portrait.at(&mut vision, degrees, 1.0);
            assert!(turned.value < least(QualityGate::recognise()), "{name}, {degrees}: {turned:?}");
        }
        // Landmarks too far apart make the face too small in the crop.
        let small = portrait.at(&mut vision, 0.0, 2.0);
        assert!(small.value < least(QualityGate::recognise()), "{name}: {small:?}");
        let advised =
            [RetryReason::HoldUpright, RetryReason::NotClear, RetryReason::TooFar, RetryReason::Covered];
        assert!(advised.contains(&small.advice), "{small:?}");
    }
}
