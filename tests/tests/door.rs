//! The loop at the door on real faces: from frames to decisions, the log and a trace.
#![allow(clippy::unwrap_used, reason = "clippy exempts test functions only, not their helpers")]

use std::path::PathBuf;

use arcdoor::message::Pictures;
use arcdoor::{Home, Outcome, Request, Response, Service};
use arcdoor_core::{Decision, Fmr, Millis, Score, SubjectName};
use arcdoor_frame::RgbImage;
use arcdoor_gallery::{Gallery, GalleryKey, MemoryDisk};
use arcdoor_models::Pack;
use arcdoor_pipeline::{Enrolment, Policy, Recognizer, TraceEntry, replay};
use arcdoor_tests::{Real, service, write_frames};
use arcdoor_vision::{DetectSettings, DetectorKind, RunOptions, Vision};

/// Each response as JSON.
fn ask(service: &mut Service, request: &Request) -> (Outcome, Vec<serde_json::Value>) {
    let mut lines = Vec::new();
    let outcome = service.handle(request, &mut |response: &Response| {
        lines.push(serde_json::to_value(response).unwrap());
        Ok(())
    });
    (outcome.unwrap(), lines)
}

fn enrol(service: &mut Service, photo: PathBuf) {
    let name = SubjectName::new("Barack").unwrap();
    let from = Pictures::Images(vec![photo]);
    assert_eq!(ask(service, &Request::Enrol { name, from, duplicate: false }).0, Outcome::Done);
}

/// The enrolled man for six frames, nobody for three, another man for seven.
fn visit(real: &Real) -> Vec<RgbImage> {
    let mut frames: Vec<_> = (0..6).map(|i| real.frame("obama2.jpg", i * 3)).collect();
    frames.extend((0..3).map(|_| RgbImage::with_size(320, 320)));
    frames.extend((0..7).map(|i| real.frame("biden.jpg", i * 3)));
    frames
}

#[test]
fn the_loop_lets_one_in_and_refuses_another_and_logs_each_once() {
    let Some(real) = Real::find() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (home, frames) = (folder.path().join("home"), folder.path().join("frames"));
    write_frames(&frames, &visit(&real));
    let mut service = service(&home, &real.pack);
    enrol(&mut service, real.photo("obama.jpg"));
    let (_, lines) = ask(&mut service, &Request::Run { from: Pictures::Replay(frames), frames: None });
    let decisions: Vec<_> = lines.iter().map(|line| line["decision"].as_str().unwrap()).collect();
    assert_eq!(decisions.len(), 16);
    assert_eq!(decisions[..2], ["retry"; 2], "two frames do not agree three times");
    assert_eq!(decisions[2..6], ["granted"; 4]);
    assert_eq!(decisions[6..13], ["retry"; 7], "nobody, then four frames of a stranger");
    assert_eq!(decisions[13..], ["denied"; 3]);
    assert_eq!(lines[7]["reason"], "no_face");
    assert_eq!(lines[4]["candidate"], "Barack");
    let log = std::fs::read_to_string(Home::resolve(Some(home)).unwrap().log()).unwrap();
    let count = |word: &str| log.lines().filter(|line| line.contains(word)).count();
    assert_eq!((count("granted"), count("denied")), (1, 1), "{log}");
}

#[test]
fn who_is_revoked_is_a_stranger_at_once_and_after_a_restart() {
    let Some(real) = Real::find() else { return };
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    let seen =
        || Request::Identify { from: Pictures::Images(vec![real.photo("obama3.jpg")]), annotate: None };
    let mut first = service(&home, &real.pack);
    enrol(&mut first, real.photo("obama.jpg"));
    assert_eq!(ask(&mut service(&home, &real.pack), &seen()).1[0]["decision"], "granted");
    ask(&mut first, &Request::Revoke { name: SubjectName::new("Barack").unwrap(), erase: false });
    assert_eq!(ask(&mut first, &seen()).1[0]["reason"], "nobody_enrolled");
    assert_eq!(ask(&mut service(&home, &real.pack), &seen()).1[0]["reason"], "nobody_enrolled");
}

#[test]
fn a_recorded_visit_replays_exactly_and_shows_what_another_threshold_would_do() {
    let Some(real) = Real::find() else { return };
    let pack = Pack::open(&real.pack).unwrap();
    let vision = Vision::from_pack(&pack, DetectorKind::Yunet, &RunOptions::default()).unwrap();
    let threshold = pack.threshold(Fmr::new(1e-5).unwrap()).unwrap();
    let detect = DetectSettings::default();
    let mut recognizer = Recognizer::new(vision, detect, threshold, Policy::default()).unwrap();
    let mut gallery = Gallery::open_on(
        MemoryDisk::new(),
        &GalleryKey::generate().unwrap(),
        pack.model_id(),
        pack.dimension(),
    )
    .unwrap();
    let mut enrolment = Enrolment::new();
    assert_eq!(enrolment.offer(&mut recognizer, real.frame("obama.jpg", 10).view()).unwrap(), None);
    gallery.enrol(&SubjectName::new("Barack").unwrap(), &enrolment.finish(), 0).unwrap();

    let mut lines = Vec::new();
    for (index, frame) in visit(&real).iter().enumerate() {
        let now = Millis(index as u64 * 100);
        let step = recognizer.step(frame.view(), &gallery, now).unwrap();
        let entry = TraceEntry { now, observation: step.observation, decision: step.decision };
        lines.push(serde_json::to_string(&entry).unwrap());
    }
    let trace: Vec<TraceEntry> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let rules = *recognizer.rules();
    replay(&trace, &rules).unwrap();
    let mut strict = rules;
    strict.threshold.value = Score(0.99);
    let mismatch = replay(&trace, &strict).unwrap_err();
    assert!(matches!(mismatch.recorded, Decision::Granted { .. }), "{mismatch}");
    assert!(!matches!(mismatch.decided, Decision::Granted { .. }), "{mismatch}");
}
