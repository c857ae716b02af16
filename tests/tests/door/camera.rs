//! In front of a camera that starts, gives ten frames a second, and is lost.

use std::cell::Cell;
use std::rc::Rc;

use arcdoor::daemon::{Clock, Loop, Queue, Trace};
use arcdoor::device::Now;
use arcdoor::device::source::{Frames, Opener};
use arcdoor::{Device, Error, Outcome};
use arcdoor_api::{Feed, Request, Response, UtcTime};
use arcdoor_camera::{CameraError, Source};
use arcdoor_core::Millis;
use arcdoor_frame::RgbImage;
use arcdoor_pipeline::Fields;
use arcdoor_tests::{Real, barack, device};

use crate::asked::send;
use crate::{done, enrol};

/// A clock that frames and rests move on.
#[derive(Clone, Default)]
struct Moved(Rc<Cell<u64>>);

impl Moved {
    fn by(&self, ms: u64) {
        self.0.set(self.0.get() + ms);
    }
}

impl Clock for Moved {
    fn now(&self) -> Now {
        let ms = self.0.get();
        Now { at: Millis(ms), utc: UtcTime::from_unix_ns(1_795_843_884_250_000_000 + ms * 1_000_000) }
    }

    fn rest(&self, ms: u64) {
        self.by(ms);
    }
}

/// Ten frames a second until it is unplugged.
struct Plugged {
    frames: std::vec::IntoIter<RgbImage>,
    clock: Moved,
}

impl Source for Plugged {
    fn next_frame(&mut self, out: &mut RgbImage) -> Result<bool, CameraError> {
        self.clock.by(100);
        let gone = || CameraError::Gone { device: "camera".to_owned(), step: "reading a frame" };
        *out = self.frames.next().ok_or_else(gone)?;
        Ok(true)
    }
}

/// First frames of a camera, which nobody looks at.
const UNSETTLED: u32 = 3;

/// So many frames of a person, after those that nobody looks at.
fn shows(real: &Real, photo: &str, frames: u32) -> Vec<RgbImage> {
    (0..UNSETTLED + frames).map(|i| real.frame(photo, i % 6 * 3)).collect()
}

/// What the loop says in front of a camera, and of each decision the reason, where it has one. At each opening, the
/// camera gives its frames and is then gone; `None`: it cannot be opened. It stays away at last.
fn at_a_camera(
    device: &mut Device,
    openings: Vec<Option<Vec<RgbImage>>>,
    inbox: Queue,
    trace: Option<Trace>,
) -> Vec<String> {
    let (clock, mut openings, mut said) = (Moved::default(), openings.into_iter(), Vec::new());
    let moved = clock.clone();
    let missing =
        || CameraError::Open { device: "camera".to_owned(), cause: std::io::ErrorKind::NotFound.into() };
    let open: Opener = Box::new(move || match openings.next().flatten() {
        Some(frames) => Ok(Box::new(Plugged { frames: frames.into_iter(), clock: moved.clone() })),
        None => Err(missing()),
    });
    let mut reply = |response: &Response| {
        let value = serde_json::to_value(response).unwrap();
        let word = |key: &str| value[key].as_str().map(str::to_owned);
        said.push(match word("decision") {
            Some(decision) => word("reason").unwrap_or(decision),
            None => word("kind").unwrap_or_default(),
        });
        Ok(())
    };
    let door = Loop::new(device, Frames::of_camera(open), &clock, inbox).with_trace(trace);
    let ended = door.run(None, &mut reply).unwrap_err();
    assert!(matches!(ended, Error::CameraStaysAway { .. }) && ended.code() == 5, "{ended}");
    // The tries that were all in vain.
    while said.last().is_some_and(|last| last == "camera_lost") {
        said.pop();
    }
    said
}

/// A face that is followed over any gap, so that nothing but the loss itself makes its votes void.
const LONG_GAP: &str = "[policy]\nwindow_ms = 60000\ngap_ms = 60000\nintent.required = false\n";

/// Intent and all else as it is shipped: a hold of 400 ms from the first look on, ten looks a second. The second grant
/// is the same visit's.
#[test]
fn a_door_with_its_policy_as_shipped_grants_whoever_has_stayed_and_nobody_before() {
    let Some(real) = Real::find() else { return };
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("settings.toml"), "").unwrap();
    let mut device = device(folder.path(), &real.pack);
    assert_eq!(*device.settings().policy.fields(), Fields::default());
    enrol(&mut device, real.photo("obama.jpg"));
    let said = at_a_camera(&mut device, vec![Some(shows(&real, "obama2.jpg", 8))], Queue::new().1, None);
    let wanted = [&["looking"; 4][..], &["granted"], &["looking"; 2], &["granted"]];
    assert_eq!(said, wanted.concat());
    let (_, log) = done(&mut device, &Request::Log { count: 100, of: None, names: false });
    let logged: Vec<_> = log.iter().filter_map(|line| line["decision"].as_str()).collect();
    assert_eq!(logged, ["granted"], "{log:?}");
}

#[test]
fn a_lost_camera_comes_back_and_no_vote_from_before_its_loss_lets_anybody_in() {
    let Some(real) = Real::find() else { return };
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("settings.toml"), LONG_GAP).unwrap();
    let mut device = device(folder.path(), &real.pack);
    enrol(&mut device, real.photo("obama.jpg"));
    let man = |frames| Some(shows(&real, "obama2.jpg", frames));
    let said = at_a_camera(&mut device, vec![man(3)], Queue::new().1, None);
    assert_eq!(said, ["looking", "looking", "granted"], "three votes without a loss");
    let trace = folder.path().join("trace");
    let openings = vec![None, man(2), None, man(2), man(3)];
    let said = at_a_camera(&mut device, openings, Queue::new().1, Some(Trace::create(&trace).unwrap()));
    let twice = ["camera_returned", "looking", "looking", "camera_lost"];
    let wanted = [
        &["camera_lost"][..],
        &twice,
        &["camera_lost"],
        &twice,
        &["camera_returned", "looking", "looking", "granted"],
    ];
    assert_eq!(said, wanted.concat());
    let (_, log) = done(&mut device, &Request::Log { count: 100, of: None, names: false });
    let events: Vec<_> = log.iter().map(|line| line["event"].as_str().unwrap()).collect();
    let of_camera: Vec<_> = events.iter().filter(|event| event.starts_with("camera")).collect();
    let wanted = ["camera_lost", "camera_lost", "camera_returned", "camera_lost"];
    assert_eq!(of_camera, wanted.iter().collect::<Vec<_>>(), "of two runs: {events:?}");
    let (outcome, again) = done(&mut device, &Request::Replay { file: trace });
    assert_eq!((outcome, again.len()), (Outcome::Done, 8), "its trace is decided again as it was");
}

#[test]
fn a_lockout_outlasts_a_camera_that_was_unplugged() {
    let Some(real) = Real::find() else { return };
    let folder = tempfile::tempdir().unwrap();
    let lockout = "lockout = { after = 1, within_ms = 60000, for_ms = 30000 }";
    std::fs::write(
        folder.path().join("settings.toml"),
        format!("[policy]\n{lockout}\nintent.required = false\n"),
    )
    .unwrap();
    let mut device = device(folder.path(), &real.pack);
    enrol(&mut device, real.photo("obama.jpg"));
    let (man, stranger) = (Some(shows(&real, "obama2.jpg", 4)), Some(shows(&real, "biden.jpg", 5)));
    let openings = vec![stranger, man.clone(), None, None, None, man];
    let said = at_a_camera(&mut device, openings, Queue::new().1, None);
    let wanted = [
        &["looking"; 4][..],
        &["no_match", "camera_lost", "camera_returned"],
        &["locked_out"; 4],
        &["camera_lost"; 4],
        // Its half a minute went on while nobody saw it.
        &["camera_returned", "looking", "looking", "granted", "looking"],
    ];
    assert_eq!(said, wanted.concat());
}

#[test]
fn whoever_waits_for_frames_is_answered_when_the_camera_is_lost() {
    let Some(real) = Real::find() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut device = device(folder.path(), &real.pack);
    let (door, queue) = Queue::new();
    let from = Feed::Camera(None);
    let told = send(&door, Request::Enrol { name: barack(), from, duplicate: false });
    at_a_camera(&mut device, vec![Some(vec![RgbImage::with_size(320, 320); 100])], queue, None);
    let answers: Vec<_> = told.iter().collect();
    drop(door);
    assert!(answers[0].as_str().unwrap().contains("no usable frame"), "{answers:?}");
}

/// Nothing of a camera's first frames is a reason to retry, a denial or a view.
#[test]
fn the_black_and_white_first_frames_of_a_camera_are_nobodys() {
    let Some(real) = Real::find() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut device = device(folder.path(), &real.pack);
    let first = |value: u8| {
        let mut frame = RgbImage::with_size(320, 320);
        frame.data_mut().fill(value);
        vec![frame; 6]
    };
    let starting =
        |photo: &str, frames: u32| vec![Some([first(0), first(255), shows(&real, photo, frames)].concat())];
    let (door, queue) = Queue::new();
    let told = send(&door, Request::Enrol { name: barack(), from: Feed::Camera(None), duplicate: false });
    at_a_camera(&mut device, starting("obama.jpg", 20), queue, None);
    let answers: Vec<_> = told.iter().collect();
    let enrolled = answers.iter().find(|answer| answer["kind"] == "enrolled").unwrap();
    assert_eq!(enrolled["views"][0]["photo"], "0", "the first frame that counts is good: {enrolled}");
    let said = at_a_camera(&mut device, starting("obama2.jpg", 3), Queue::new().1, None);
    assert_eq!(said, ["looking", "looking", "granted"]);
    // A dark room is looked at after a while, as it is; ten frames a second, and 3 s.
    let dark = vec![Some(vec![RgbImage::with_size(320, 320); 70])];
    assert_eq!(at_a_camera(&mut device, dark, Queue::new().1, None), vec!["no_face"; 70 - 30]);
}
