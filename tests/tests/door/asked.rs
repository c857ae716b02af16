//! What is asked of the loop while it runs, and how it answers.

use std::sync::mpsc::{Receiver, Sender, SyncSender, channel};

use arcdoor::daemon::{Asked, Caller, Queue};
use arcdoor::request::Secrets;
use arcdoor::{Error, Outcome, Reply};
use arcdoor_api::{Feed, Progress, Request, Response};
use arcdoor_tests::{Real, barack, device, write_frames};

use crate::{decisions, enrol, run};

/// Passes answers, and how it ended, to a test.
struct Told {
    answers: Sender<serde_json::Value>,
    /// Goes away at the first word of how far it is.
    leaves: bool,
    is_gone: bool,
}

impl Reply for Told {
    fn answer(&mut self, response: &Response) -> Result<(), Error> {
        self.answers.send(serde_json::to_value(response).unwrap()).unwrap();
        Ok(())
    }

    fn progress(&mut self, _: Progress) {
        self.is_gone = self.leaves;
    }
}

impl Caller for Told {
    fn ended(&mut self, result: Result<Outcome, Error>) {
        let text = result.map_or_else(|error| error.to_string(), |outcome| format!("{outcome:?}"));
        self.answers.send(serde_json::Value::String(text)).unwrap();
    }

    fn is_gone(&self) -> bool {
        self.is_gone
    }
}

pub(crate) fn send(door: &SyncSender<Asked>, request: Request) -> Receiver<serde_json::Value> {
    send_of(door, request, false)
}

fn send_of(door: &SyncSender<Asked>, request: Request, leaves: bool) -> Receiver<serde_json::Value> {
    let (answers, told) = channel();
    let caller = Box::new(Told { answers, leaves, is_gone: false });
    door.send(Asked { request, secrets: Secrets::default(), caller }).unwrap();
    told
}

/// Frames of one man: nobody is enrolled, he is enrolled before frame 4, revoked before frame 10, and enrolled again
/// by frames of the loop itself from frame 14 on.
#[test]
fn who_is_enrolled_and_revoked_while_the_loop_runs_is_known_and_refused_at_the_next_frame() {
    let Some(real) = Real::find() else { return };
    let folder = tempfile::tempdir().unwrap();
    let frames = folder.path().join("frames");
    let mut shown: Vec<_> = (0..24).map(|i| real.frame("obama2.jpg", i % 6 * 3)).collect();
    shown.splice(14..19, real.views());
    write_frames(&frames, &shown);
    let mut device = device(&folder.path().join("home"), &real.pack);
    let (door, queue) = Queue::new();
    let (photo, mut told) = (real.photo("obama.jpg"), Vec::new());
    let lines = run(&mut device, frames, queue, None, |line| match line["frame"].as_u64() {
        Some(3) => {
            let from = Feed::Photos(vec![photo.clone()]);
            told.push(send(&door, Request::Enrol { name: barack(), from, duplicate: false }));
        }
        Some(7) => told.push(send(&door, Request::KeyRenew)),
        Some(9) => told.push(send(&door, Request::Revoke { name: barack(), erase: true })),
        Some(13) => {
            let from = Feed::Camera(None);
            told.push(send(&door, Request::Enrol { name: barack(), from, duplicate: false }));
            told.push(send(&door, Request::Tune { frame: [640, 480], winograd: false, dry_run: true }));
        }
        _ => {}
    });
    let told: Vec<Vec<_>> = told.into_iter().map(|told| told.into_iter().collect()).collect();
    let said: Vec<_> = lines
        .iter()
        .map(|line| {
            (line["frame"].as_u64().unwrap(), line["decision"].as_str().unwrap(), line["reason"].as_str())
        })
        .collect();
    let at = |frame: u64| {
        said.iter().find(|(number, ..)| *number == frame).map(|(_, verdict, why)| (*verdict, *why))
    };
    assert_eq!(at(3), Some(("retry", Some("looking"))), "nobody is enrolled, and a denial takes five frames");
    assert_eq!(at(6), Some(("granted", None)), "three frames after the enrolment agree");
    assert_eq!(at(9), Some(("granted", None)), "under a new key as well");
    assert_ne!(at(10).unwrap().0, "granted", "at the very next frame: {said:?}");
    assert_eq!(at(12), Some(("retry", Some("looking"))), "three frames would agree by now");
    assert!(
        said.iter()
            .filter(|(frame, ..)| (10..14).contains(frame))
            .all(|(_, verdict, _)| *verdict != "granted")
    );
    assert_eq!(
        (0..24).filter(|frame| at(*frame).is_none()).count(),
        5,
        "five frames were views of an enrolment"
    );
    assert_eq!(at(21), Some(("granted", None)), "enrolled by the loop's own frames");
    assert_eq!(told[0].last().unwrap(), "Done");
    assert_eq!(told[2][0]["erased"], true);
    assert_eq!(told[3][0]["templates"], 5);
    assert!(told[4][0].as_str().unwrap().contains("door is in use"), "{:?}", told[4]);
}

/// Five views are enough, at the frame that brings the fifth; whoever still waits when the frames end is told.
#[test]
fn whoever_waits_for_frames_is_answered_when_the_loop_ends() {
    let Some(real) = Real::find() else { return };
    for (length, templates) in [(6, 5), (4, 3)] {
        let folder = tempfile::tempdir().unwrap();
        let frames = folder.path().join("frames");
        let shown = [&[real.frame("obama2.jpg", 3)][..], &real.views()].concat();
        write_frames(&frames, &shown[..length]);
        let mut device = device(&folder.path().join("home"), &real.pack);
        let (door, queue) = Queue::new();
        let mut told = Vec::new();
        let lines = run(&mut device, frames, queue, None, |_| {
            let from = Feed::Camera(None);
            told.push(send(&door, Request::Enrol { name: barack(), from, duplicate: false }));
            told.push(send(&door, Request::List));
        });
        assert_eq!(lines.len(), 1, "the other frames are the enrolment's");
        let told: Vec<Vec<_>> = told.into_iter().map(|told| told.into_iter().collect()).collect();
        assert_eq!((&told[0][0]["templates"], told[0].last().unwrap()), (&templates.into(), &"Done".into()));
        // With five views, the list was asked for again before the end.
        let listed = told[1].last().unwrap().as_str().unwrap();
        assert!(if templates == 5 { listed == "Done" } else { listed.contains("loop ended") }, "{listed}");
    }
}

#[test]
fn a_photo_that_is_identified_while_the_loop_runs_changes_no_decision_of_the_loop() {
    let Some(real) = Real::find() else { return };
    let folder = tempfile::tempdir().unwrap();
    let frames = folder.path().join("frames");
    write_frames(&frames, &real.visit());
    let mut device = device(&folder.path().join("home"), &real.pack);
    enrol(&mut device, real.photo("obama.jpg"));
    let plain = run(&mut device, frames.clone(), Queue::new().1, None, |_| {});
    let (door, queue) = Queue::new();
    let biden = Request::Identify { from: Feed::Photos(vec![real.photo("biden.jpg")]), annotate: None };
    device.drop_recognition();
    let mut told = Vec::new();
    let asked = run(&mut device, frames, queue, None, |_| told.push(send(&door, biden.clone())));
    let answers = told.iter().flat_map(|told| told.try_iter()).filter(|told| told["kind"] == "identified");
    assert_eq!(answers.count(), 16, "after each frame");
    assert_eq!(decisions(&plain), decisions(&asked));
}

#[test]
fn whoever_asks_on_and_on_leaves_every_frame_to_the_door() {
    let Some(real) = Real::find() else { return };
    let folder = tempfile::tempdir().unwrap();
    let frames = folder.path().join("frames");
    write_frames(
        &frames,
        &[real.frame("obama2.jpg", 3), real.frame("obama2.jpg", 6), real.frame("obama2.jpg", 9)],
    );
    let mut device = device(&folder.path().join("home"), &real.pack);
    let (door, queue) = Queue::new();
    let (mut told, mut answered) = (Vec::new(), Vec::new());
    let lines = run(&mut device, frames, queue, None, |_| {
        if told.is_empty() {
            told.extend((0..8).map(|_| send(&door, Request::List)));
        }
        answered.push(told.iter().flat_map(Receiver::try_iter).filter(|said| said == "Done").count());
    });
    assert_eq!((lines.len(), &answered[..]), (3, &[0, 1, 1][..]), "one between two frames");
}

#[test]
fn an_enrolment_whose_caller_is_gone_is_told_to_be_over_so_that_no_panel_guides_on() {
    let Some(real) = Real::find() else { return };
    let folder = tempfile::tempdir().unwrap();
    let frames = folder.path().join("frames");
    write_frames(&frames, &[&real.views()[..2], &real.views()].concat());
    let mut device = device(&folder.path().join("home"), &real.pack);
    let (door, queue) = Queue::new();
    let mut told = None;
    run(&mut device, frames, queue, None, |_| {
        let enrol = || Request::Enrol { name: barack(), from: Feed::Camera(None), duplicate: false };
        told.get_or_insert_with(|| send_of(&door, enrol(), true));
    });
    let told: Vec<_> = told.unwrap().into_iter().collect();
    assert!(told.len() == 1 && told[0].as_str().unwrap().contains("loop ended"), "{told:?}");
}
