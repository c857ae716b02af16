//! One suite of promises, run over every detector.
//!
//! The photos (face_recognition's test images and scikit-image's astronaut) are not in this repository:
//! `ARCDOOR_DEMO_PHOTOS` names a folder that holds them. YuNet needs a pack: `ARCDOOR_PACK` names its
//! folder, else `models/packs/yunet-sface` is taken. What is missing is a failure, unless
//! `ARCDOOR_SKIP_PHOTOS=1`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "clippy exempts test functions only, not their helpers"
)]

use arcdoor_core::{Face, Faces, Rect, RetryReason};
use arcdoor_frame::{ImageLimits, RgbImage, RgbView, read_image};
use arcdoor_models::Pack;
use arcdoor_vision::{
    DetectSettings, Detector, DetectorKind, Landmarker, QualityGate, RunOptions, SeetaFace, Vision, YuNet,
    YuNetLandmarker, assess,
};
use std::env;
use std::path::{Path, PathBuf};

/// Photos of one face that lies wholly within the frame.
const WHOLE: [&str; 6] = ["obama.jpg", "obama2.jpg", "obama3.jpg", "32bit.png", "biden.jpg", "astronaut.png"];
/// Photos of one face that the frame's edge cuts.
const CUT: [&str; 2] = ["obama_partial_face.jpg", "obama_partial_face2.jpg"];

/// Where the astronaut's face is, in a frame of 512 x 512.
const ASTRONAUT: Rect = Rect { x: 178.0, y: 62.0, w: 89.0, h: 113.0 };

/// Says why a test is skipped, where `ARCDOOR_SKIP_PHOTOS=1` allows it; else fails.
fn skip(why: &str) {
    let allowed = env::var_os("ARCDOOR_SKIP_PHOTOS").is_some_and(|skip| skip == "1");
    assert!(allowed, "{why}: run `cargo xtask test`, or set ARCDOOR_SKIP_PHOTOS=1 to skip");
    println!("skipped: {why}");
}

fn pack() -> Option<Pack> {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/packs/yunet-sface");
    let dir = env::var_os("ARCDOOR_PACK").map_or_else(default, PathBuf::from);
    if !dir.join("pack.toml").is_file() {
        skip(&format!("no pack in {} (ARCDOOR_PACK)", dir.display()));
        return None;
    }
    Some(Pack::open(&dir).unwrap())
}

fn photo(name: &str) -> Option<RgbImage> {
    let Some(dir) = env::var_os("ARCDOOR_DEMO_PHOTOS") else {
        skip("ARCDOOR_DEMO_PHOTOS is not set");
        return None;
    };
    let path = Path::new(&dir).join(name);
    if !path.is_file() {
        skip(&format!("no {}", path.display()));
        return None;
    }
    let mut image = RgbImage::new();
    read_image(&path, &ImageLimits::default(), &mut image).unwrap();
    Some(image)
}

fn landmarker(pack: &Pack) -> YuNetLandmarker {
    YuNetLandmarker::from_pack(pack, &RunOptions::default()).unwrap()
}

/// Runs `check` on every detector that can be built here.
fn each(check: impl Fn(&mut dyn Detector)) {
    check(&mut SeetaFace::new().unwrap());
    if let Some(pack) = pack() {
        check(&mut YuNet::from_pack(&pack, &RunOptions::default()).unwrap());
    }
}

fn found(detector: &mut dyn Detector, frame: RgbView<'_>, settings: &DetectSettings) -> Vec<Face> {
    // What an earlier frame left must not stay.
    let mut faces = Faces::new();
    faces.push(Face { rect: ASTRONAUT, score: 9.0, landmarks: None }).unwrap();
    detector.detect(frame, settings, &mut faces).unwrap();
    faces.to_vec()
}

#[test]
fn a_flat_frame_of_any_size_holds_no_face() {
    let data = vec![90; 64 * 300 * 3];
    each(|detector| {
        for (w, h) in [(1, 1), (300, 1), (1, 64), (39, 41), (300, 64)] {
            let frame = RgbView::new(&data, w, h, 300 * 3).unwrap();
            let faces = found(detector, frame, &DetectSettings { min_face_px: 20, ..Default::default() });
            assert_eq!(faces, [], "{} {w}x{h}", detector.kind().name());
        }
    });
}

#[test]
fn settings_out_of_range_are_errors() {
    let frame = RgbView::new(&[0; 48], 4, 4, 12).unwrap();
    each(|detector| {
        let mut faces = Faces::new();
        let nan = Some(Rect { w: f32::NAN, ..ASTRONAUT });
        for bad in [
            DetectSettings { min_score: 2.0, ..Default::default() },
            DetectSettings { region: nan, ..Default::default() },
        ] {
            assert!(detector.detect(frame, &bad, &mut faces).is_err());
        }
    });
}

#[test]
fn one_face_is_found_once_where_it_is() {
    let Some(image) = photo("astronaut.png") else { return };
    each(|detector| {
        for min_face_px in [20, 40, 70] {
            let settings = DetectSettings { min_face_px, ..Default::default() };
            let faces = found(detector, image.view(), &settings);
            assert_eq!(faces.len(), 1, "{} {min_face_px}: {faces:?}", detector.kind().name());
            assert!(faces[0].rect.iou(&ASTRONAUT) > 0.4, "{}: {faces:?}", detector.kind().name());
            assert!((0.7..=1.0).contains(&faces[0].score));
        }
    });
}

#[test]
fn faces_below_the_smallest_size_and_outside_the_region_are_not_reported() {
    let Some(image) = photo("astronaut.png") else { return };
    each(|detector| {
        let large = DetectSettings { min_face_px: 160, ..Default::default() };
        assert_eq!(found(detector, image.view(), &large), []);
        let with = |region| DetectSettings { min_face_px: 60, region: Some(region), ..Default::default() };
        let beside = with(Rect::new(300.0, 0.0, 212.0, 512.0));
        assert_eq!(found(detector, image.view(), &beside), [], "{}", detector.kind().name());
        assert_eq!(found(detector, image.view(), &with(Rect::new(600.0, 0.0, 50.0, 50.0))), []);
        let around = with(Rect::new(110.0, 20.0, 240.0, 220.0));
        let faces = found(detector, image.view(), &around);
        assert_eq!(faces.len(), 1, "{}", detector.kind().name());
        assert!(faces[0].rect.iou(&ASTRONAUT) > 0.4, "{}: {faces:?}", detector.kind().name());
    });
}

#[test]
fn a_face_moves_with_its_pixels() {
    let Some(image) = photo("astronaut.png") else { return };
    let part = image.view().crop(60, 10, 400, 400).unwrap();
    each(|detector| {
        let settings = DetectSettings { min_face_px: 40, ..Default::default() };
        let whole = found(detector, image.view(), &settings)[0];
        let moved = found(detector, part, &settings)[0];
        assert!(moved.rect.moved(60.0, 10.0).iou(&whole.rect) > 0.7, "{}", detector.kind().name());
    });
}

#[test]
fn landmarks_come_from_the_box_of_either_detector() {
    let (Some(pack), Some(image)) = (pack(), photo("astronaut.png")) else { return };
    let mut yunet = YuNet::from_pack(&pack, &RunOptions::default()).unwrap();
    let mut landmarker = landmarker(&pack);
    let settings = DetectSettings { min_face_px: 20, ..Default::default() };
    let marks = found(&mut yunet, image.view(), &settings)[0].landmarks.unwrap();
    each(|detector| {
        let rect = found(detector, image.view(), &settings)[0].rect;
        let near = self::landmarker(&pack).landmarks(image.view(), &rect).unwrap().unwrap();
        for (a, b) in near.0.iter().zip(&marks.0) {
            // YuNet's points wander by up to 6 % of the face's width with the scale it runs at.
            assert!(
                (a.x - b.x).hypot(a.y - b.y) < 0.1 * rect.w,
                "{}: {near:?} {marks:?}",
                detector.kind().name()
            );
        }
    });
    let wall = Rect::new(0.0, 300.0, 80.0, 80.0);
    assert_eq!(landmarker.landmarks(image.view(), &wall).unwrap(), None);
}

#[test]
fn whole_faces_pass_the_gates_and_cut_faces_are_sent_back() {
    let Some(pack) = pack() else { return };
    for kind in DetectorKind::ALL {
        let mut vision = Vision::from_pack(&pack, kind, &RunOptions::default()).unwrap();
        for name in WHOLE {
            let Some(image) = photo(name) else { continue };
            let face =
                largest(&mut vision, image.view()).unwrap_or_else(|| panic!("{kind:?}: no face in {name}"));
            let assessment = assess(image.view(), &face);
            assert_eq!(QualityGate::enrol().check(&assessment), Ok(()), "{kind:?} {name}: {assessment:?}");
        }
        for name in CUT {
            let Some(image) = photo(name) else { continue };
            if let Some(face) = largest(&mut vision, image.view()) {
                let found = QualityGate::recognise().check(&assess(image.view(), &face));
                assert_eq!(found, Err(RetryReason::FaceCutOff), "{kind:?} {name}");
            }
        }
    }
}

fn largest(vision: &mut Vision, frame: RgbView<'_>) -> Option<Face> {
    let mut faces = Faces::new();
    vision.detect(frame, &DetectSettings::default(), &mut faces).unwrap();
    faces.iter().copied().max_by(|a, b| a.rect.area().total_cmp(&b.rect.area()))
}

#[test]
fn embeddings_of_one_person_are_closer_than_those_of_two() {
    let Some(pack) = pack() else { return };
    let mut vision = Vision::from_pack(&pack, DetectorKind::Yunet, &RunOptions::default()).unwrap();
    let templates: Vec<_> = ["obama.jpg", "obama2.jpg", "biden.jpg"]
        .into_iter()
        .filter_map(photo)
        .map(|image| {
            let face = largest(&mut vision, image.view()).unwrap();
            let template = vision.embed(image.view(), &face.landmarks.unwrap()).unwrap();
            assert_eq!(template.model_id(), pack.model_id());
            assert!(vision.times().embed_us > 0 && vision.times().detect_us > 0);
            template
        })
        .collect();
    let [obama, obama2, biden] = templates.as_slice() else { return };
    let (genuine, impostor) = (obama.score(obama2).unwrap().0, obama.score(biden).unwrap().0);
    assert!(genuine > impostor + 0.2, "{genuine} {impostor}");
}
