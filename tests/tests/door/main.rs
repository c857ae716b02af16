//! The loop at the door on real faces: from frames to decisions, the log and a trace.
#![allow(clippy::unwrap_used, reason = "clippy exempts test functions only, not their helpers")]

mod again;
mod asked;
mod camera;

use std::path::PathBuf;

use arcdoor::daemon::{Loop, Queue, SystemClock, Trace};
use arcdoor::device::source::Frames;
use arcdoor::{Device, Error, Outcome};
use arcdoor_api::{Feed, Request, Response};
use arcdoor_frame::{Orientation, RgbImage, Turn};
use arcdoor_tests::{Real, ask, barack, device, write_frames};

/// The request's answers as JSON.
fn done(device: &mut Device, request: &Request) -> (Outcome, Vec<serde_json::Value>) {
    let (outcome, answers) = ask(device, request);
    (outcome.unwrap(), answers.iter().map(|answer| serde_json::to_value(answer).unwrap()).collect())
}

fn enrol(device: &mut Device, photo: PathBuf) {
    let request = Request::Enrol { name: barack(), from: Feed::Photos(vec![photo]), duplicate: false };
    assert_eq!(done(device, &request).0, Outcome::Done);
}

/// The loop's answers, each as JSON, one by one to `each`.
fn run(
    device: &mut Device,
    frames: PathBuf,
    queue: Queue,
    trace: Option<Trace>,
    mut each: impl FnMut(&serde_json::Value),
) -> Vec<serde_json::Value> {
    let frames = Frames::open(&Feed::Replay(frames), device.settings()).unwrap();
    let (clock, mut lines) = (SystemClock::start(), Vec::new());
    let mut reply = |response: &Response| {
        lines.push(serde_json::to_value(response).unwrap());
        each(&lines[lines.len() - 1]);
        Ok(())
    };
    let outcome = Loop::new(device, frames, &clock, queue).with_trace(trace).run(None, &mut reply);
    assert_eq!(outcome.unwrap(), Outcome::Done);
    lines
}

fn decisions(lines: &[serde_json::Value]) -> Vec<&str> {
    lines.iter().map(|line| line["decision"].as_str().unwrap()).collect()
}

#[test]
fn the_loop_lets_one_in_and_refuses_another_and_its_trace_is_decided_again() {
    let Some(real) = Real::find() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (home, frames) = (folder.path().join("home"), folder.path().join("frames"));
    write_frames(&frames, &real.visit());
    let mut device = device(&home, &real.pack);
    enrol(&mut device, real.photo("obama.jpg"));
    let trace = folder.path().join("trace");
    let lines = run(&mut device, frames, Queue::new().1, Some(Trace::create(&trace).unwrap()), |_| {});
    let said = decisions(&lines);
    assert_eq!(said.len(), 16);
    assert_eq!(said[..2], ["retry"; 2], "two frames do not agree three times");
    assert_eq!(said[2..6], ["granted", "retry", "retry", "granted"], "each grant has three votes of its own");
    assert_eq!(said[6..13], ["retry"; 7], "nobody, then four frames of a stranger");
    assert_eq!(said[13..], ["denied"; 3]);
    assert_eq!(lines[7]["reason"], "no_face");
    assert_eq!(lines[4]["candidate"], "Barack");
    let (_, log) = done(&mut device, &Request::Log { count: 100, of: None, names: false });
    let count = |word: &str| log.iter().filter(|line| line["decision"] == word).count();
    assert_eq!((count("granted"), count("denied")), (1, 1), "{log:?}");

    let (outcome, again) = done(&mut device, &Request::Replay { file: trace.clone() });
    assert_eq!((outcome, again.len()), (Outcome::Done, 17));
    assert_eq!(decisions(&again[..16]), said);
    assert_eq!(again[16]["frames"], 16);
    assert!(matches!(Trace::create(&trace), Err(Error::Exists(_))), "nothing is overwritten");

    // Somebody else's decision in the middle is named by its line, and half a line at the end is none.
    let text = std::fs::read_to_string(&trace).unwrap();
    let other = text.replacen("\"no_match\"", "\"ambiguous\"", 1);
    assert_ne!(other, text);
    std::fs::write(&trace, other).unwrap();
    let (refused, _) = ask(&mut device, &Request::Replay { file: trace.clone() });
    let refused = refused.unwrap_err();
    assert!(refused.code() == 1 && refused.to_string().contains("line "), "{refused}");
    std::fs::write(&trace, &text[..text.len() - 30]).unwrap();
    assert_eq!(done(&mut device, &Request::Replay { file: trace.clone() }).1[15]["frames"], 15);
    let head = text.split_inclusive('\n').next().unwrap();
    std::fs::write(&trace, head).unwrap();
    assert_eq!(
        done(&mut device, &Request::Replay { file: trace.clone() }).1[0]["frames"],
        0,
        "a loop without a frame"
    );
    std::fs::write(&trace, "{}\n").unwrap();
    assert_eq!(ask(&mut device, &Request::Replay { file: trace }).0.unwrap_err().code(), 3);
}

#[test]
fn one_damaged_frame_ends_no_enrolment_and_thirty_do() {
    let Some(real) = Real::find() else { return };
    let folder = tempfile::tempdir().unwrap();
    let frames = folder.path().join("frames");
    write_frames(&frames, &(0..6).map(|i| real.frame("obama2.jpg", i * 3)).collect::<Vec<_>>());
    let mut files: Vec<_> = std::fs::read_dir(&frames).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    std::fs::write(&files[1], b"no image").unwrap();
    let mut device = device(&folder.path().join("home"), &real.pack);
    let request = Request::Enrol { name: barack(), from: Feed::Replay(frames.clone()), duplicate: false };
    let (outcome, answers) = done(&mut device, &request);
    assert_eq!(outcome, Outcome::Done);
    assert!(answers[0]["templates"].as_u64().unwrap() >= 1, "{answers:?}");
    for number in 0..30 {
        std::fs::write(frames.join(format!("{number:04}x.png")), b"no image").unwrap();
    }
    files.iter().for_each(|file| std::fs::remove_file(file).unwrap());
    let identify = Request::Identify { from: Feed::Replay(frames), annotate: None };
    assert!(matches!(ask(&mut device, &identify).0, Err(Error::FramesFail(30))));
}

#[test]
fn a_camera_that_is_mounted_on_its_side_recognises_once_the_settings_say_so() {
    let Some(real) = Real::find() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (home, frames) = (folder.path().join("home"), folder.path().join("frames"));
    let mut scratch = RgbImage::new();
    let on_its_side = Orientation { mirror: true, turn: Turn::Quarter };
    let shown: Vec<_> = (0..4)
        .map(|i| {
            let mut frame = real.frame("obama2.jpg", i * 3);
            on_its_side.apply(&mut frame, &mut scratch);
            frame
        })
        .collect();
    write_frames(&frames, &shown);
    let mut first = device(&home, &real.pack);
    enrol(&mut first, real.photo("obama.jpg"));
    assert!(!decisions(&run(&mut first, frames.clone(), Queue::new().1, None, |_| {})).contains(&"granted"));
    drop(first);
    std::fs::write(
        home.join("settings.toml"),
        "rotate = 90\nmirror = true\npolicy.intent.required = false\n",
    )
    .unwrap();
    let lines = run(&mut device(&home, &real.pack), frames, Queue::new().1, None, |_| {});
    assert_eq!(decisions(&lines)[2], "granted", "{lines:?}");
}

#[test]
fn whoever_holds_still_is_enrolled_with_one_view_and_told_what_is_missing() {
    let Some(real) = Real::find() else { return };
    let folder = tempfile::tempdir().unwrap();
    let frames = folder.path().join("frames");
    write_frames(&frames, &(0..4).map(|_| real.frame("obama2.jpg", 0)).collect::<Vec<_>>());
    let mut device = device(&folder.path().join("home"), &real.pack);
    let request = Request::Enrol { name: barack(), from: Feed::Replay(frames), duplicate: false };
    let (outcome, answers) = done(&mut device, &request);
    assert_eq!((outcome, &answers[0]["templates"]), (Outcome::Done, &1.into()), "{answers:?}");
    let advice: Vec<_> = answers[0]["advice"].as_array().unwrap().iter().collect();
    assert!(advice.iter().any(|advice| advice["advice"] == "few_views" && advice["of"] == 5), "{advice:?}");
    assert!(advice.iter().any(|advice| advice["advice"] == "not_turned"), "{advice:?}");
}
